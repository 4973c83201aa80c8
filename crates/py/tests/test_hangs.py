"""Backends and guardrails that hang, and the end of the process while they do."""

from __future__ import annotations

import asyncio
import datetime
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest

from conftest import ADA, PROD, World
from tagwarden import (
    Facts,
    Finding,
    InvalidValueError,
    LedgerError,
    Manifest,
    MemoryRegistry,
    PolicyRefusedError,
    Promoter,
    Repository,
    Tag,
    TagwardenError,
    Times,
)
from written import SHOP, AsyncShelf, Hoard, Shelf, stocked, within


def test_put_that_hangs_times_out() -> None:
    class Hangs(Hoard):
        hang = True

        async def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None:
            if self.hang and str(tag) == "prod":
                await asyncio.Event().wait()
            await super().put(repository, tag, manifest, timeout)

    hoard, shelf = Hangs(), Shelf()
    releases = stocked(hoard)
    times = Times(ttl=1, grace=0.1, quiet=0.1, put=0.1)
    promoter = Promoter(hoard, shelf, times=times)
    with pytest.raises(TagwardenError) as failed:
        within(30, lambda: promoter.bootstrap(PROD, f"{SHOP}:1.0", provenance=ADA, timeout=2))
    assert failed.value.code in {"MOVE_FAILED", "MOVE_INDETERMINATE"}, failed.value
    hoard.hang = False
    within(30, lambda: promoter.recover(PROD, provenance=ADA))
    assert promoter.current(PROD).open is None
    assert hoard.tags_of.get((SHOP, "prod")) in (None, releases[0])


@pytest.mark.parametrize("kind", [Shelf, AsyncShelf])
def test_read_that_hangs_times_out(kind: type[Any]) -> None:
    class Hangs(kind):  # type: ignore[misc]
        timeout = 0.2

        def channels(self) -> Any:
            return asyncio.sleep(60) if kind is AsyncShelf else time.sleep(60)

    began = time.monotonic()
    with pytest.raises(LedgerError, match="LEDGER_UNAVAILABLE: .*did not answer within 200 ms"):
        within(20, Promoter(MemoryRegistry(), Hangs()).channels)
    assert time.monotonic() - began < 5
    Hangs.timeout = 0
    with pytest.raises(InvalidValueError, match="CONFIG_INVALID: .*invalid timeout: 0"):
        Promoter(MemoryRegistry(), Hangs())


def test_guardrail_that_hangs_refuses(world: World) -> None:
    class Ponders:
        name = "ponders"
        timeout = datetime.timedelta(milliseconds=200)

        async def judge(self, facts: Facts) -> Finding:
            await asyncio.sleep(60)
            return Finding.passes("it is fine")

    promoter = Promoter(world.registry, world.ledger, guardrails=[Ponders()], policy="own")
    with pytest.raises(PolicyRefusedError, match="ponders: it did not answer within 200 ms"):
        within(20, lambda: promoter.promote(PROD, f"{SHOP}:1.1", provenance=ADA))


HANGS = """
import asyncio, signal, sys, threading, time
from tagwarden import AsyncPromoter, MemoryRegistry, Promoter

# A parent that ignores SIGINT would make this process ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Shelf:
    def size(self, channel): return 0
    def read(self, channel, start, limit): return []
    def append(self, channel, seq, entry): return True

class Sleeps(Shelf):
    def channels(self): print("begun", flush=True); time.sleep(60)

class Awaits(Shelf):
    async def channels(self): print("begun", flush=True); await asyncio.sleep(60)

class Computes(Shelf):
    def channels(self):
        print("begun", flush=True)
        while True: sum(range(1000))

async def look():
    await AsyncPromoter(MemoryRegistry(), ledger).channels()

async def look_and_leave():
    task = asyncio.create_task(look())
    await asyncio.sleep(0.3)

def quietly():
    try: Promoter(MemoryRegistry(), ledger).channels()
    except Exception: pass

ledger = {kind}()
{do}
"""


@pytest.mark.parametrize("kind", ["Sleeps", "Awaits", "Computes"])
@pytest.mark.parametrize("do", ["Promoter(MemoryRegistry(), ledger).channels()", "asyncio.run(look())"])
def test_sigint_ends_a_call_whose_backend_hangs(kind: str, do: str) -> None:
    script = HANGS.replace("{kind}", kind).replace("{do}", do)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "begun\n"
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert said.rstrip().endswith("KeyboardInterrupt"), said
    assert child.returncode in (1, -signal.SIGINT, 130), said


@pytest.mark.parametrize("kind", ["Sleeps", "Awaits", "Computes"])
@pytest.mark.parametrize(
    "do", ["threading.Thread(target=quietly, daemon=True).start(); time.sleep(0.3)", "asyncio.run(look_and_leave())"]
)
def test_process_exits_while_a_backend_is_busy(kind: str, do: str) -> None:
    script = HANGS.replace("{kind}", kind).replace("{do}", textwrap.dedent(do))
    for _ in range(3):
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
        assert (ran.returncode, ran.stdout) == (0, "begun\n"), ran.stderr
        assert "FATAL" not in ran.stderr
