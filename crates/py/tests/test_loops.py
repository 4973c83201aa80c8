"""Event loops, threads and process exit, with backends whose methods are coroutines."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import weakref
from collections.abc import Sequence

import pytest

from conftest import ADA, PROD, World
from tagwarden import (
    AsyncPromoter,
    Channel,
    Digest,
    Facts,
    Finding,
    LedgerError,
    Manifest,
    MemoryRegistry,
    Promoter,
    Repository,
    Tag,
    Times,
)
from written import SHOP, AsyncShelf, Hoard, Shelf, bootstrapped, until, within

QUICK = Times(ttl=5, grace=0.5, quiet=0.5, put=0.5)


class SlowHoard(Hoard):
    """A registry with slow puts: 0.3 s each."""

    async def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None:
        await asyncio.sleep(0.3)
        await super().put(repository, tag, manifest, timeout)


def slow() -> tuple[SlowHoard, Shelf, list[Digest]]:
    """A slow hoard and a shelf whose channel is at 1.0."""
    quick, shelf, releases = bootstrapped()
    hoard = SlowHoard()
    hoard.tags_of, hoard.manifests = quick.tags_of, quick.manifests
    return hoard, shelf, releases


def test_each_of_two_loops_runs_the_coroutines_of_its_own_calls() -> None:
    ran_in: dict[Channel, set[asyncio.AbstractEventLoop]] = {}

    class Notes(AsyncShelf):
        async def size(self, channel: Channel) -> int:
            ran_in.setdefault(channel, set()).add(asyncio.get_running_loop())
            return await super().size(channel)

        async def read(self, channel: Channel, start: int, limit: int) -> Sequence[bytes]:
            ran_in.setdefault(channel, set()).add(asyncio.get_running_loop())
            return await super().read(channel, start, limit)

    promoter = AsyncPromoter(MemoryRegistry(), Notes())
    begin = threading.Barrier(2)
    loops: dict[Channel, asyncio.AbstractEventLoop] = {}

    async def calls(channel: Channel) -> None:
        loops[channel] = asyncio.get_running_loop()
        begin.wait(10)
        for _ in range(50):
            await asyncio.gather(*(promoter.verify(channel) for _ in range(4)))

    channels = [Channel(f"reg.io/acme/shop:{name}") for name in ("one", "two")]
    threads = [threading.Thread(target=asyncio.run, args=(calls(channel),), daemon=True) for channel in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ran_in == {channel: {loops[channel]} for channel in channels}


def test_promoter_works_in_several_loops_one_after_another() -> None:
    hoard, shelf, releases = bootstrapped()
    promoter = AsyncPromoter(hoard, AsyncShelf(shelf))
    loops = []

    async def promote(tag: str) -> str:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return (await promoter.promote(PROD, f"{SHOP}:{tag}", provenance=ADA)).result

    for tag in ("1.1", "1.0", "1.1"):
        assert asyncio.run(promote(tag)) == "committed"
    gc.collect()
    assert [loop() is None for loop in loops] == [True, True, False], "closed loops are dropped"


def test_timeout_ends_the_call_and_the_move_completes() -> None:
    hoard, shelf, releases = slow()

    async def limited() -> None:
        promoter = AsyncPromoter(hoard, shelf, times=QUICK)
        with pytest.raises(TimeoutError if sys.version_info >= (3, 11) else asyncio.TimeoutError):
            if sys.version_info >= (3, 11):
                async with asyncio.timeout(0.2):
                    await promoter.promote(PROD, f"{SHOP}:1.1", provenance=ADA)
            else:
                await asyncio.wait_for(promoter.promote(PROD, f"{SHOP}:1.1", provenance=ADA), 0.2)
        assert hoard.tags_of[SHOP, "prod"] == releases[0], "the put was not under way"
        await until(lambda: shelf.size(Channel(PROD)) == 5)
        current = await promoter.current(PROD)
        assert (current.live, current.open) == (releases[1], None)

    asyncio.run(limited())


def test_loop_closed_during_a_call_leaves_a_move_that_recover_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    hoard, shelf, releases = slow()
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # Silences the expected report of a pending task.
    task = loop.create_task(AsyncPromoter(hoard, shelf, times=QUICK).promote(PROD, f"{SHOP}:1.1", provenance=ADA))
    loop.run_until_complete(until(lambda: shelf.size(Channel(PROD)) == 4))
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    del task
    promoter = Promoter(hoard, shelf, times=QUICK)
    within(30, lambda: promoter.recover(PROD, provenance=ADA, timeout=20))
    current = promoter.current(PROD)
    assert current.open is None and current.live == hoard.tags_of[SHOP, "prod"] and promoter.verify(PROD).valid
    gc.collect()
    assert unraisable == []


def test_coroutine_of_a_closed_loop_is_a_runtime_error() -> None:
    begun = threading.Event()

    class Waits(AsyncShelf):
        async def channels(self) -> Sequence[Channel]:
            begun.set()
            await asyncio.sleep(60)
            return []

    from tagwarden._run import ask

    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()

    def close() -> None:
        begun.wait(10)
        loop.call_soon_threadsafe(loop.stop)
        running.join(10)
        loop.close()

    threading.Thread(target=close).start()
    with pytest.raises(RuntimeError, match="the event loop was closed before waits had answered"):
        within(20, lambda: ask(Waits().channels, (), loop, "waits"))


def test_promoter_dropped_after_a_cancelled_call_completes_the_move() -> None:
    hoard, shelf, releases = slow()

    async def cut() -> None:
        promoter = AsyncPromoter(hoard, shelf, times=QUICK)
        gone = weakref.ref(promoter)
        task = asyncio.create_task(promoter.promote(PROD, f"{SHOP}:1.1", provenance=ADA))
        await until(lambda: shelf.size(Channel(PROD)) == 4)
        task.cancel()
        await asyncio.wait([task])
        del promoter, task
        gc.collect()
        assert gone() is None and shelf.size(Channel(PROD)) == 4
        await until(lambda: shelf.size(Channel(PROD)) == 5)
        assert hoard.tags_of[SHOP, "prod"] == releases[1]

    asyncio.run(cut())


def test_call_outlives_its_promoter(world: World) -> None:
    world.registry.latency(0.2)

    async def outlives() -> str:
        call = AsyncPromoter(world.registry, world.ledger).audit([PROD])
        gc.collect()
        return (await call).channels[0].state

    assert asyncio.run(outlives()) == "in_sync"


def test_coroutine_of_a_backend_can_await_its_own_promoter() -> None:
    asked: list[object] = []

    class Curious(Hoard):
        promoter: AsyncPromoter

        async def resolve(self, repository: Repository, tag: Tag) -> Digest | None:
            if str(tag) == "prod":
                asked.append((await self.promoter.current(PROD)).live)
            return await super().resolve(repository, tag)

    class Looks:
        name = "looks"
        promoter: AsyncPromoter

        async def judge(self, facts: Facts) -> Finding:
            asked.append(await self.promoter.previous(facts.channel))
            return Finding.passes("it was looked at")

    hoard, shelf, releases = bootstrapped()
    curious, looks = Curious(), Looks()
    curious.tags_of, curious.manifests = hoard.tags_of, hoard.manifests

    async def moves() -> str:
        promoter = AsyncPromoter(curious, AsyncShelf(shelf), guardrails=[looks], policy="own")
        curious.promoter = looks.promoter = promoter
        return (await promoter.promote(PROD, f"{SHOP}:1.1", provenance=ADA)).result

    assert within(30, lambda: asyncio.run(moves())) == "committed"
    assert releases[0] in asked and None in asked


def test_plain_method_of_a_backend_can_call_its_own_promoter() -> None:
    hoard, shelf, releases = bootstrapped()

    class Looks:
        name = "looks"
        promoter: Promoter

        def judge(self, facts: Facts) -> Finding:
            live = self.promoter.current(facts.channel).live
            return Finding.warns("LOOKED_AT", f"{live} is live")

    looks = Looks()
    looks.promoter = Promoter(hoard, AsyncShelf(shelf), guardrails=[looks], policy="own")
    plan = within(30, lambda: looks.promoter.plan(PROD, "promote", f"{SHOP}:1.1", provenance=ADA))
    assert f"{releases[0]} is live" in [finding.why for finding in plan.findings]


def test_coroutine_that_blocks_its_own_loop_is_a_runtime_error() -> None:
    class Blocks(AsyncShelf):
        promoter: Promoter

        async def channels(self) -> Sequence[Channel]:
            return self.promoter.channels()

    blocks = Blocks()
    blocks.promoter = Promoter(MemoryRegistry(), blocks)
    with pytest.raises(LedgerError, match="await an AsyncPromoter instead") as told:
        within(20, blocks.promoter.channels)
    assert isinstance(told.value.__cause__, RuntimeError)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, RecursionError])
def test_exception_of_a_backend_ends_no_loop_and_no_thread(raised: type[BaseException]) -> None:
    class Plain(Shelf):
        def channels(self) -> Sequence[Channel]:
            raise raised("from a backend")

    class Coroutine(AsyncShelf):
        async def channels(self) -> Sequence[Channel]:
            await asyncio.sleep(0)
            raise raised("from a backend")

    for ledger in (Plain(), Coroutine()):
        with pytest.raises(LedgerError, match=f"{raised.__name__}: from a backend") as told:
            within(20, Promoter(MemoryRegistry(), ledger).channels)
        assert type(told.value.__cause__) is raised
    # Other backends in the package's loop still work.
    assert within(20, Promoter(MemoryRegistry(), AsyncShelf()).channels) == ()


def test_keyboard_interrupt_in_a_coroutine_ends_the_users_loop() -> None:
    class Interrupted(AsyncShelf):
        async def channels(self) -> Sequence[Channel]:
            raise KeyboardInterrupt("from a backend")

    async def look() -> None:
        await AsyncPromoter(MemoryRegistry(), Interrupted()).channels()

    with pytest.raises(KeyboardInterrupt):
        within(20, lambda: asyncio.run(look()))


def test_forked_child_runs_coroutines() -> None:
    """The child has neither the threads nor the loop of its parent."""
    assert Promoter(MemoryRegistry(), AsyncShelf()).channels() == ()
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            signal.alarm(20)
            ended = 0 if Promoter(MemoryRegistry(), AsyncShelf()).channels() == () else 2
        finally:
            os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
