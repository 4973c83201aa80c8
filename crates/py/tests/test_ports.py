"""Registries and ledgers of the core have the methods of their ports, and a backend can delegate to them."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

import tagwarden
from conftest import ADA, PROD, World
from tagwarden import (
    AsyncPromoter,
    Channel,
    Digest,
    InjectedFault,
    InvalidValueError,
    Ledger,
    LedgerError,
    Manifest,
    MemoryLedger,
    MemoryRegistry,
    NativeRegistry,
    OciRegistry,
    OpenedLedger,
    Promoter,
    ReadFault,
    Reference,
    Registry,
    RegistryError,
    Repository,
    Tag,
    conformance,
    open_ledger,
)
from tagwarden.testing import TestRegistry
from written import SHOP


@pytest.fixture(params=["memory", "oci"])
def registry(
    request: pytest.FixtureRequest, test_registry: TestRegistry
) -> tuple[Registry, Repository, MemoryRegistry]:
    """A registry of the core, a repository of it, and the memory registry behind it."""
    if request.param == "memory":
        memory = MemoryRegistry()
        return memory, SHOP, memory
    return OciRegistry(lookup="nowhere"), test_registry.repository("acme/shop"), test_registry.memory


def test_native_registry_has_every_method_of_the_port(
    registry: tuple[NativeRegistry, Repository, MemoryRegistry],
) -> None:
    port, shop, behind = registry
    one, two = behind.push_image(shop, "1.0", 1), behind.push_image(shop, "1.1", 2)
    assert port.resolve(shop, "1.0") == one.digest and port.resolve(str(shop), Tag("1.2")) is None
    assert port.fetch(f"{shop}:1.0") == one and port.fetch(Reference(f"{shop}@{Digest.of(b'')}")) is None
    port.put(shop, "prod", two)
    assert behind.peek(shop, "prod") == two.digest
    assert sorted(port.tags(shop)) == [Tag("1.0"), Tag("1.1"), Tag("prod")]
    assert not port.has_blob(shop, Digest.of(b"this was not pushed"))
    with pytest.raises(InvalidValueError, match="tag: it begins with"):
        port.resolve(shop, ".no-tag")


def test_put_that_was_not_applied_raises(world: World) -> None:
    manifest = world.registry.push_image(SHOP, "2.0", 20)
    world.registry.script([InjectedFault.refused("DENIED"), InjectedFault.denied(), InjectedFault.after()], tag="prod")
    for code in ("REGISTRY_REFUSED", "REGISTRY_DENIED"):
        with pytest.raises(RegistryError) as refused:
            world.registry.put(SHOP, "prod", manifest)
        assert refused.value.code == code and world.registry.peek(SHOP, "prod") == world.releases[0]
    with pytest.raises(RegistryError) as unknown:
        world.registry.put(SHOP, "prod", manifest, timeout=datetime.timedelta(seconds=1))
    assert (unknown.value.code, unknown.value.retry) == ("REGISTRY_AMBIGUOUS", "recover")
    assert world.registry.peek(SHOP, "prod") == manifest.digest
    world.registry.script([InjectedFault.slow(5)], tag="prod")
    began = time.monotonic()
    with pytest.raises(RegistryError, match="REGISTRY_AMBIGUOUS"):
        world.registry.put(SHOP, "prod", manifest, 0.1)
    assert time.monotonic() - began < 2
    with pytest.raises(ValueError, match="is not a number of seconds"):
        world.registry.put(SHOP, "prod", manifest, -1)


def test_lagging_reads_answer_every_value_of_the_window(
    registry: tuple[NativeRegistry, Repository, MemoryRegistry],
) -> None:
    port, shop, behind = registry
    one, two = (behind.push_image(shop, "prod", number).digest for number in (1, 2))
    behind.lag(datetime.timedelta(hours=1))
    assert {port.resolve(shop, "prod") for _ in range(100)} == {None, one, two}
    behind.lag(0)
    assert {port.resolve(shop, "prod") for _ in range(20)} == {two}
    with pytest.raises(ValueError, match="is not a number of seconds"):
        behind.lag(-1)


def test_scripted_reads_answer_the_past_value_that_they_name() -> None:
    registry = MemoryRegistry()
    one, two = (registry.push_image(SHOP, "prod", number).digest for number in (1, 2))
    registry.script_reads([ReadFault.past(0), ReadFault.past(1), ReadFault.past(2)])
    assert [registry.resolve(SHOP, "prod") for _ in range(3)] == [two, one, None]
    registry.script_reads([ReadFault.lag(3600)] * 100)
    assert {registry.resolve(SHOP, "prod") for _ in range(100)} == {None, one, two}
    assert registry.resolve(SHOP, "prod") == two and registry.faults_left() == 0


def test_hidden_manifest_is_an_error_and_others_are_read(
    registry: tuple[NativeRegistry, Repository, MemoryRegistry],
) -> None:
    port, shop, behind = registry
    one, two = behind.push_image(shop, "prod", 1), behind.push_image(shop, "1.1", 2)
    behind.hide(shop, one.digest, status=412, code="PROJECTPOLICYVIOLATION", message="3 critical vulnerabilities")
    for reference in (f"{shop}:prod", f"{shop}@{one.digest}"):
        with pytest.raises(RegistryError, match="412 PROJECTPOLICYVIOLATION: 3 critical") as hidden:
            port.fetch(reference)
        assert hidden.value.context["status"] == "412"
    assert port.fetch(f"{shop}:1.1") == two
    assert behind.unhide(shop, one.digest) and not behind.unhide(shop, one.digest)
    assert port.fetch(f"{shop}:prod") == one


def test_refused_put_has_the_words_of_the_registry(world: World) -> None:
    manifest = world.registry.push_image(SHOP, "2.0", 20)
    world.registry.script([InjectedFault.refused(status=423, message="frozen until Monday")], tag="prod")
    with pytest.raises(RegistryError, match="answered 423: frozen until Monday") as refused:
        world.registry.put(SHOP, "prod", manifest)
    assert (refused.value.code, refused.value.context["status"]) == ("REGISTRY_REFUSED", "423")
    with pytest.raises(InvalidValueError, match="code: it is missing, and there is no status either"):
        world.registry.script([InjectedFault.refused()])


def opened(kind: str, home: Path) -> OpenedLedger:
    if kind == "memory":
        return MemoryLedger()
    if kind == "file":
        return open_ledger(str(home))
    subprocess.run(["git", "init", "--quiet", "--bare", home / "ledger.git"], check=True)
    return open_ledger(f"git+file://{home}/ledger.git")


@pytest.mark.parametrize("kind", ["memory", "file", "git"])
def test_native_ledger_has_every_method_of_the_port(
    kind: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ledger = opened(kind, tmp_path)
    prod = Channel(PROD)
    assert (ledger.size(prod), ledger.read(prod, 0, 10), ledger.channels()) == (0, [], [])
    Promoter(world.registry, ledger).bootstrap(
        PROD, override=["ledger-complete"], reason="another ledger", provenance=ADA
    )
    entries = ledger.read(PROD, 0, 10)
    assert ledger.size(PROD) == len(entries) == 3 and ledger.channels() == [prod]
    assert ledger.read(prod, 1, 2) == entries[1:]
    # A ledger in a Git branch knows an entry by its bytes: the same one is stored already.
    assert b'"seq":0' in entries[0] and ledger.append(prod, 0, entries[0]) is (kind == "git")
    # The same bytes in another ledger are the same log.
    other = MemoryLedger()
    assert [other.append(prod, seq, entry) for seq, entry in enumerate(entries)] == [True, True, True]
    assert Promoter(world.registry, other).verify(PROD) == Promoter(world.registry, ledger).verify(PROD)
    with pytest.raises(InvalidValueError, match="VALUE_INVALID"):
        ledger.read(prod, -1, 1)


def test_ledger_opened_offline_reads_the_copy_and_says_from_when(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ledger = opened("git", tmp_path)
    Promoter(world.registry, ledger).bootstrap(
        PROD, override=["ledger-complete"], reason="another ledger", provenance=ADA
    )
    (tmp_path / "ledger.git").rename(tmp_path / "gone.git")
    with pytest.raises(LedgerError):
        open_ledger(f"git+file://{tmp_path}/ledger.git", access="read").size(PROD)
    copy = open_ledger(f"git+file://{tmp_path}/ledger.git", access="offline")
    assert (copy.size(PROD), ledger.as_of) == (3, None)
    assert copy.as_of is not None and copy.as_of <= datetime.datetime.now(datetime.timezone.utc)
    with pytest.raises(LedgerError, match="LEDGER_DENIED"):
        copy.append(PROD, 3, copy.read(PROD, 0, 1)[0])


def test_native_classes_have_the_signatures_of_the_protocols() -> None:
    for protocol, classes in ((Registry, [OciRegistry, MemoryRegistry]), (Ledger, [OpenedLedger, MemoryLedger])):
        for name, method in inspect.getmembers(protocol, inspect.isfunction):
            for of in classes:
                if not name.startswith("_"):
                    want = list(inspect.signature(method).parameters)
                    assert list(inspect.signature(getattr(of, name)).parameters) == want, f"{of.__name__}.{name}"
    registry: Registry = MemoryRegistry()
    ledger: Ledger = MemoryLedger()
    assert isinstance(registry, Registry) and isinstance(ledger, Ledger)


class Counts:
    """A registry that delegates to another one and counts."""

    def __init__(self, inner: OciRegistry | MemoryRegistry) -> None:
        self.inner, self.asked = inner, Counter[str]()

    def resolve(self, repository: Repository, tag: Tag) -> Digest | None:
        self.asked["resolve"] += 1
        return self.inner.resolve(repository, tag)

    def fetch(self, reference: Reference) -> Manifest | None:
        self.asked["fetch"] += 1
        return self.inner.fetch(reference)

    def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None:
        self.asked["put"] += 1
        self.inner.put(repository, tag, manifest, timeout)

    def tags(self, repository: Repository) -> list[Tag]:
        return self.inner.tags(repository)

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        return self.inner.has_blob(repository, digest)


@pytest.mark.parametrize("lag", [0, 0.1])
def test_delegating_registry_meets_every_requirement(lag: float, test_registry: TestRegistry) -> None:
    memory = test_registry.memory
    memory.lag(lag)

    def store(repository: Repository, blobs: Sequence[bytes], manifests: Sequence[Manifest]) -> None:
        for blob in blobs:
            memory.store_blob(repository, blob)
        for manifest in manifests:
            memory.push(repository, "stored", manifest)
            memory.delete_tag(repository, "stored")

    counts = Counts(OciRegistry(lookup="nowhere"))
    # This one speaks TLS to a server without TLS.
    broken = Counts(OciRegistry(lookup="nowhere", retry_for=0, schemes={test_registry.host: "https"}))
    requirements = test_registry.repository("requirements")
    assert conformance.registry(counts, broken=broken, repository=requirements, store=store, lag=lag) == []
    assert counts.asked["put"] > 3
    memory.lag(3600)
    violations = conformance.registry(counts, broken=broken, repository=f"{requirements}/more", store=store, lag=lag)
    assert "a_tag_has_one_digest" in [violation.requirement for violation in violations], "it lags more than it says"


def test_errors_of_a_delegate_keep_their_codes(world: World) -> None:
    counts = Counts(world.registry)
    promoter = Promoter(counts, world.ledger)
    assert promoter.promote(PROD, f"{SHOP}:1.1", provenance=ADA).result == "committed"
    assert counts.asked["resolve"] and counts.asked["fetch"] and counts.asked["put"]
    world.registry.script_reads([ReadFault.busy()] * 20)
    with pytest.raises(RegistryError) as busy:
        promoter.promote(PROD, f"{SHOP}:1.2", provenance=ADA)
    assert busy.value.code == "REGISTRY_BUSY" and isinstance(busy.value.__cause__, RegistryError)
    world.registry.calm()
    world.registry.script([InjectedFault.refused("DENIED")], tag="prod")
    with pytest.raises(tagwarden.MoveError) as refused:
        promoter.promote(PROD, f"{SHOP}:1.2", provenance=ADA)
    assert refused.value.code == "MOVE_FAILED", "a put that a delegate says was refused is not a doubtful one"


def test_overridden_method_of_a_subclass_is_called(world: World) -> None:
    class Watched(MemoryRegistry):
        seen: list[str] = []

        def resolve(self, repository: str | Repository, tag: str | Tag) -> Digest | None:
            self.seen.append(f"{repository}:{tag}")
            return super().resolve(repository, tag)

    class Frozen(MemoryLedger):
        def append(self, channel: str | Channel, seq: int, entry: bytes) -> bool:
            raise LedgerError("LEDGER_DENIED", "read-only today")

    class Torn(MemoryLedger):
        raised: list[Exception] = []

        def append(self, channel: str | Channel, seq: int, entry: bytes) -> bool:
            stored = super().append(channel, seq, entry)
            if self.raised:
                raise self.raised.pop()
            return stored

    watched = Watched()
    watched.push_image(SHOP, "prod", 1)
    with pytest.raises(LedgerError, match="read-only today"):
        Promoter(watched, Frozen()).bootstrap(PROD, provenance=ADA)
    assert PROD in watched.seen
    for raised in (
        LedgerError("LEDGER_UNAVAILABLE", "it went away"),
        tagwarden.PolicyRefusedError("POLICY_REFUSED", "not its business"),
        OSError("disk"),
    ):
        torn, moved = Torn(), MemoryRegistry()
        torn.raised = [raised]
        moved.push_image(SHOP, "prod", 1)
        promoter = Promoter(moved, torn)
        assert promoter.bootstrap(PROD, provenance=ADA).result == "committed", "the entry stands, whatever was raised"
        assert promoter.current(PROD).open is None and promoter.verify(PROD).committed == 1
    plain, patched = MemoryRegistry(), list[object]()
    plain.resolve = lambda repository, tag: patched.append(tag)  # type: ignore[method-assign]
    assert Promoter(plain, MemoryLedger()).audit([PROD]).worst is None and patched == [Tag("prod")]


def test_call_of_a_port_releases_the_gil(world: World) -> None:
    world.registry.latency(0.5)
    seen, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.005):
            seen[0] += 1

    thread = threading.Thread(target=look)
    thread.start()
    world.registry.resolve(SHOP, "prod")
    ended.set()
    thread.join()
    assert seen[0] > 20


def test_blocking_functions_have_async_twins(test_registry: TestRegistry, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/deployment.yaml").write_text("kind: Deployment\n")
    created = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    source = {"source": "https://git.example/a", "revision": "main@sha1:" + "a" * 40}
    shop, oci = test_registry.repository("acme/shop"), OciRegistry(lookup="nowhere")
    url = str(tmp_path / "ledger")

    async def awaited() -> None:
        packed = await tagwarden.pack_artifact_async(tmp_path / "app", created=created, **source)
        assert packed.digest == tagwarden.pack_artifact(tmp_path / "app", created=created, **source).digest
        layers = [layer["digest"] for layer in json.loads(packed.manifest.data)["layers"]]
        assert packed.manifest.digest == packed.digest and str(Digest.of(packed.blobs[1])) in layers
        pushed = await tagwarden.push_artifact_async(packed, oci, shop, "1.0")
        assert pushed == packed.digest == oci.resolve(shop, "1.0") == tagwarden.push_artifact(packed, oci, shop, "1.0")
        with pytest.raises(InvalidValueError, match="SOURCE_INVALID"):
            await tagwarden.pack_artifact_async(tmp_path / "nowhere", created=created, **source)
        with pytest.raises(TypeError, match="OciRegistry"):
            await tagwarden.push_artifact_async(packed, test_registry.memory, shop, "1.0")  # type: ignore[arg-type]
        with pytest.raises(LedgerError, match="LEDGER_ABSENT"):
            await tagwarden.open_ledger_async(url, access="read")
        assert await tagwarden.init_ledger_async(url) is None  # type: ignore[func-returns-value]
        ledger = await tagwarden.open_ledger_async(url, access="read")
        assert await AsyncPromoter(oci, ledger).channels() == ()

    asyncio.run(awaited())
    for name in ("init_ledger", "open_ledger", "pack_artifact", "push_artifact"):
        blocking, twin = getattr(tagwarden, name), getattr(tagwarden, f"{name}_async")
        assert inspect.signature(blocking) == inspect.signature(twin)
