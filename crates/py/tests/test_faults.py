"""Failures: signals, cancelled tasks, forks, threads, panics, wrong input, lost answers."""

from __future__ import annotations

import asyncio
import datetime
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tagwarden
from conftest import ADA, PROD, World
from tagwarden import (
    AsyncPromoter,
    Credentials,
    InjectedFault,
    InternalError,
    InvalidValueError,
    MemoryLedger,
    MemoryRegistry,
    MoveError,
    OciRegistry,
    Promoter,
    ReadFault,
    RegistryError,
    TagwardenError,
    Times,
    _tagwarden,
    open_ledger,
    pack_artifact,
    push_artifact,
)
from tagwarden._run import awaited
from tagwarden.errors import _KINDS
from tagwarden.testing import TestRegistry


def test_every_code_has_a_class_and_can_be_pickled() -> None:
    for code in _KINDS:
        error = TagwardenError.of(code, "m", {"seq": "3"}, retry="later")
        assert type(error) is tagwarden.errors.area(code) is not TagwardenError, code
        again = pickle.loads(pickle.dumps(error))
        assert (again.code, again.message, dict(again.context), again.retry) == (code, "m", {"seq": "3"}, "later")
        assert TagwardenError.of(code, "m").retry == _KINDS[code]["retry"] and error.meaning.endswith(".")
    with pytest.raises(ValueError, match="retry: 'soon' is none of never, later, replan, recover"):
        TagwardenError("MOVE_FAILED", "m", retry="soon")
    assert issubclass(InvalidValueError, ValueError)


@pytest.mark.parametrize(
    ("vendor", "words"),
    [
        ("ghcr", "409 TAG_IMMUTABLE"),
        ("ecr", "400 TAG_INVALID"),
        ("quay", "409 TAG_IMMUTABLE"),
        ("harbor", "412 PRECONDITION"),
        ("acr", "405 REGISTRY_DISALLOWED_OPERATION"),
    ],
)
def test_registry_like_a_vendor_demands_a_login_and_refuses_in_its_own_way(vendor: str, words: str) -> None:
    login = Credentials("ci", "canary")
    with TestRegistry(vendor) as server:
        shop, memory = server.repository("acme/shop"), server.memory
        memory.lag(0)
        memory.create_repository(shop)
        memory.push_image(shop, "1.0", 1)
        memory.push_image(shop, "1.1", 2)
        server.demand(login)
        registry = OciRegistry(credentials={server.host: login})
        promoter = Promoter(registry, MemoryLedger())
        promoter.bootstrap(f"{shop}:prod", f"{shop}:1.0", provenance=ADA)
        tokens = ("/token", "/v2/auth?", "/service/token", "/oauth2/token")
        assert any(request["path"].startswith(tokens) for request in server.requests()) == (vendor != "ecr")
        memory.immutable_tags(["*"])
        with pytest.raises(MoveError, match=words):
            promoter.promote(f"{shop}:prod", f"{shop}:1.1", provenance=ADA)
        memory.immutable_tags(["*"], excluding=["prod"])
        assert promoter.promote(f"{shop}:prod", f"{shop}:1.1", provenance=ADA).result == "committed"


def test_unknown_vendor_is_an_invalid_value() -> None:
    for open_one in (MemoryRegistry, TestRegistry):
        with pytest.raises(InvalidValueError, match="is none of ghcr, ecr, quay, harbor, acr"):
            open_one("nexus")


def test_lost_answer_is_resolved_and_unknown_result_says_recover(world: World) -> None:
    world.registry.script([InjectedFault.after()], tag="prod")
    assert world.promote().result == "committed"
    # Every read fails, so it is unknown whether the put landed.
    world.registry.script([InjectedFault.after()], tag="prod")
    world.registry.script_reads([ReadFault.unavailable()] * 200)
    times = Times(ttl=0.4, grace=0.1, quiet=0.1, put=0.1)
    promoter = Promoter(world.registry, world.ledger, times=times)
    with pytest.raises((MoveError, RegistryError)) as failed:
        promoter.promote(PROD, "reg.io/acme/shop:1.2", provenance=ADA, timeout=1)
    world.registry.calm()
    if promoter.current(PROD).open is not None:
        assert failed.value.retry == "recover", failed.value
        assert promoter.recover(PROD, provenance=ADA).result == "closed"
    assert promoter.current(PROD).open is None and promoter.verify(PROD).valid


def test_sigint_ends_a_blocked_call_and_leaves_a_move_that_recover_closes(tmp_path: Path) -> None:
    with TestRegistry() as registry:
        shop = registry.repository("acme/shop")
        for number, tag in enumerate(["1.0", "1.1"]):
            registry.memory.push_image(shop, tag, number)
        times = Times(ttl=5, grace=1, quiet=1, put=1)
        url = str(tmp_path / "ledger")
        (tmp_path / "ledger").mkdir()
        promoter = Promoter(OciRegistry(lookup="nowhere"), open_ledger(url), times=times)
        promoter.bootstrap(f"{shop}:prod", f"{shop}:1.0", provenance=ADA)
        registry.script_http({"fault": "silent"}, method="PUT", path="/manifests/prod")
        script = f"""
            import signal, sys, time
            from tagwarden import *
            # A parent that ignores SIGINT would make this process ignore it too.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            times = Times(ttl=5, grace=1, quiet=1, put=1)
            promoter = Promoter(OciRegistry(lookup="nowhere"), open_ledger({url!r}), times=times)
            ada = Provenance.of(provider="manual", run_id="r", actor="ada", actor_kind="human")
            print("begins", flush=True)
            try:
                promoter.promote("{shop}:prod", "{shop}:1.1", provenance=ada)
            except KeyboardInterrupt:
                print("interrupted", time.time(), flush=True)
                raise
        """
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None and child.stdout.readline() == "begins\n"
        deadline = time.monotonic() + 20
        while promoter.current(f"{shop}:prod").open is None:
            assert time.monotonic() < deadline, "no intent was recorded"
            time.sleep(0.02)
        sent = time.time()
        child.send_signal(signal.SIGINT)
        word, at = child.stdout.readline().split()
        assert word == "interrupted" and float(at) - sent < 1
        assert child.wait(20) != 0
        assert promoter.recover(f"{shop}:prod", provenance=ADA).result == "closed"
        assert promoter.current(f"{shop}:prod").open is None
        assert promoter.verify(f"{shop}:prod").valid


def test_cancelled_task_aborts_its_call_and_the_move_completes(world: World) -> None:
    world.registry.latency(0.2)

    async def cancelled() -> None:
        promoter = AsyncPromoter(world.registry, world.ledger)
        task = asyncio.create_task(promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if (await promoter.current(PROD)).open is not None:
                break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(500):
            if (await promoter.current(PROD)).open is None:
                break
            await asyncio.sleep(0.01)
        assert (await promoter.current(PROD)).live == world.releases[1]

    asyncio.run(cancelled())


def test_closed_coroutine_aborts_its_call() -> None:
    class Call:
        aborted = False

        def start(self, loop: object, future: object) -> None:
            pass

        def abort(self) -> None:
            self.aborted = True

    async def closed() -> bool:
        call = Call()
        coroutine = awaited(call)
        coroutine.send(None)
        coroutine.close()
        return call.aborted

    assert asyncio.run(closed())


def test_forked_child_works_and_inherited_promoter_is_config_invalid(world: World) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            registry = MemoryRegistry()
            registry.push_image("reg.io/acme/shop", "1.0", 1)
            made = Promoter(registry, MemoryLedger())
            result = made.bootstrap(PROD, "reg.io/acme/shop:1.0", provenance=ADA).result
            try:
                world.promoter.current(PROD)
            except InvalidValueError as error:
                said = f"{result}; {error}"
        finally:
            os.write(writing, said.encode())
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 1000).decode()
    os.waitpid(child, 0)
    assert said.startswith("committed; CONFIG_INVALID: the promoter was made in process"), said
    assert said.endswith("after a fork, make it again in the child"), said
    assert world.promote().result == "committed"


def test_forked_child_does_not_wait_for_its_parents_server(test_registry: TestRegistry, tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text("kind: Deployment\n")
    made = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    packed = pack_artifact(
        tmp_path, source="https://git.example.com/a.git", revision=f"main@sha1:{'0' * 40}", created=made
    )
    registry = OciRegistry(lookup="nowhere")
    work: list[Callable[[], object]] = [
        lambda: push_artifact(packed, registry, test_registry.repository("app"), "1.0"),
        test_registry.requests,
        test_registry.close,
    ]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)
            for each in work:
                try:
                    each()
                except InvalidValueError as error:
                    os.write(writing, f"{error.code} ".encode())
        finally:
            os._exit(0)
    os.close(writing)
    _, ended = os.waitpid(child, 0)
    assert (ended, os.read(reading, 1000)) == (0, b"CONFIG_INVALID CONFIG_INVALID CONFIG_INVALID ")
    assert push_artifact(packed, registry, test_registry.repository("app"), "1.0") == packed.digest


def test_promoter_is_safe_from_many_threads(world: World) -> None:
    results: list[str] = []

    def move(number: int) -> None:
        tag = ["1.1", "1.2"][number % 2]
        results.append(
            world.promoter.promote(PROD, f"reg.io/acme/shop:{tag}", provenance=ADA, on_conflict="requeue").result
        )

    threads = [threading.Thread(target=move, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 8 and set(results) <= {"committed", "unchanged"}
    report = world.promoter.verify(PROD)
    assert report.valid and report.committed == 1 + results.count("committed")


def test_waiting_call_releases_the_gil(world: World) -> None:
    world.registry.latency(0.5)
    seen: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.append(time.monotonic())
            time.sleep(0.005)

    thread = threading.Thread(target=look)
    thread.start()
    world.promoter.audit([PROD])
    ended.set()
    thread.join()
    assert len(seen) > 20, f"another thread ran {len(seen)} times in half a second"


def test_panic_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match="please report it"):
        _tagwarden._panic()


def test_sub_interpreter_is_refused() -> None:
    script = """
        import tagwarden
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        kind = ["legacy"] if hasattr(interpreters, "exec") else []
        failed = interpreters.run_string(interpreters.create(*kind), "import tagwarden")
        assert failed is None, failed
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    # CPython 3.12 refuses by itself if the other interpreter has its own GIL.
    refusals = ("sub-interpreters are not supported", "does not support loading in subinterpreters")
    assert ran.returncode == 1 and any(refusal in ran.stderr for refusal in refusals), ran.stderr


def test_process_exits_with_a_call_in_flight(tmp_path: Path) -> None:
    script = f"""
        import asyncio, threading, time
        from tagwarden import *
        registry = MemoryRegistry()
        registry.push_image("reg.io/acme/shop", "1.0", 1)
        registry.latency(30)
        ada = Provenance.of(provider="manual", run_id="r", actor="ada", actor_kind="human")
        promoter = Promoter(registry, open_ledger({str(tmp_path)!r}))
        work = lambda: promoter.bootstrap("reg.io/acme/shop:prod", "reg.io/acme/shop:1.0", provenance=ada)
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_test_registry_records_requests_until_they_are_cleared(test_registry: TestRegistry) -> None:
    shop, oci = test_registry.repository("acme/shop"), OciRegistry(lookup="nowhere", retry_for=0)
    test_registry.memory.push_image(shop, "1.0", 1)
    test_registry.demand(Credentials("ada", "secret"), token=True)
    login = OciRegistry(credentials={test_registry.host: Credentials("ada", "secret")}, retry_for=0)
    assert login.resolve(shop, "1.0") is not None
    tokens = [request for request in test_registry.requests() if "token" in request["path"]]
    assert len(tokens) == 1 and login.resolve(shop, "1.0") is not None
    test_registry.end_tokens()
    assert login.resolve(shop, "1.0") is not None
    assert len([request for request in test_registry.requests() if "token" in request["path"]]) == 2
    test_registry.clear_requests()
    assert test_registry.requests() == []
    test_registry.demand(None)
    # The client repeats a failed HEAD as a GET.
    test_registry.script_http(*[{"fault": "status", "status": 503}] * 3)
    with pytest.raises(RegistryError, match="503"):
        oci.resolve(shop, "1.0")
    assert test_registry.faults_left() == 1
    test_registry.calm()
    assert test_registry.faults_left() == 0 and oci.resolve(shop, "1.0") is not None


def test_denied_password_is_never_shown() -> None:
    given = Credentials("ada", "canary-7f3a91")
    with TestRegistry() as registry:
        registry.demand(Credentials("ada", "another"))
        client = OciRegistry(credentials={registry.host: given}, lookup="nowhere")
        with pytest.raises(RegistryError) as denied:
            Promoter(client, MemoryLedger()).bootstrap(f"{registry.repository('a/b')}:prod", provenance=ADA)
        assert denied.value.code == "REGISTRY_DENIED"
        shown = (
            f"{given!r} {client!r} {denied.value} {denied.value!r} {denied.value.to_dict()} {denied.value.__cause__!r}"
        )
        assert "canary" not in shown, shown
