"""Registries, ledgers and guardrails in Python: called by the core, and checked by the contract tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Literal

import pytest

from conftest import ADA, PROD, World
from tagwarden import (
    AsyncPromoter,
    Channel,
    Digest,
    Facts,
    Finding,
    InvalidValueError,
    LedgerError,
    Manifest,
    MemoryLedger,
    MemoryRegistry,
    MoveError,
    PolicyRefusedError,
    Promoter,
    Reference,
    RegistryError,
    Repository,
    Tag,
    Times,
    conformance,
)
from written import SHOP, Broken, Hoard, Shelf, stocked


def requirements_of(registry: Hoard) -> list[str]:
    def store(repository: Repository, blobs: Sequence[bytes], manifests: Sequence[Manifest]) -> None:
        registry.blobs.update((repository, Digest.of(blob)) for blob in blobs)
        registry.manifests.update({(repository, manifest.digest): manifest for manifest in manifests})

    broken = conformance.registry(registry, broken=Broken(), repository="reg.example/requirements", store=store)
    return [violation.requirement for violation in broken]


def test_registry_of_coroutines_meets_every_requirement() -> None:
    assert requirements_of(Hoard()) == []


def test_registry_that_forgets_a_tag_breaks_tags_are_listed() -> None:
    class Forgets(Hoard):
        async def tags(self, repository: Repository) -> list[Tag]:
            return (await super().tags(repository))[1:]

    assert requirements_of(Forgets()) == ["tags_are_listed"]


def test_ledger_of_lists_meets_every_requirement() -> None:
    shelf = Shelf()
    assert conformance.ledger(lambda: shelf) == []


def test_ledger_that_overwrites_breaks_append_if_next() -> None:
    class Overwrites(Shelf):
        def append(self, channel: Channel, seq: int, entry: bytes) -> bool:
            self.logs[channel] = [*self.logs.get(channel, [])[:seq], entry]
            return True

    shelf = Overwrites()
    (violation,) = conformance.ledger(lambda: shelf)
    assert violation.requirement == "append_if_next", violation


def test_moves_run_on_a_registry_and_a_ledger_in_python() -> None:
    hoard, shelf = Hoard(), Shelf()
    stocked(hoard)
    promoter = Promoter(hoard, shelf)
    promoter.bootstrap(PROD, "reg.io/acme/shop:1.0", provenance=ADA)
    assert promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA).result == "committed"
    assert promoter.verify(PROD).valid and len(shelf.logs[Channel(PROD)]) == 5

    async def awaited() -> None:
        back = await AsyncPromoter(hoard, shelf).promote(PROD, "reg.io/acme/shop:1.0", provenance=ADA)
        assert back.previous_digest == hoard.tags_of[SHOP, "1.1"]

    asyncio.run(awaited())


def test_exception_of_a_backend_is_the_cause_of_the_error(world: World) -> None:
    promoter = Promoter(Broken(), world.ledger)
    with pytest.raises(RegistryError, match="no route") as failed:
        promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA)
    causes = [failed.value.__cause__]
    while causes[-1] is not None:
        causes.append(causes[-1].__cause__)
    assert any(isinstance(cause, ConnectionError) for cause in causes), causes


def test_append_that_raises_after_storing_is_committed() -> None:
    class Torn(Shelf):
        def append(self, channel: Channel, seq: int, entry: bytes) -> bool:
            super().append(channel, seq, entry)
            raise TimeoutError("the answer was lost")

    registry, torn = MemoryRegistry(), Torn()
    registry.push_image("reg.io/acme/shop", "1.0", 1)
    promoter = Promoter(registry, torn)
    # The entry was stored and only the answer was lost, so the promoter finds the entry again.
    assert promoter.bootstrap(PROD, "reg.io/acme/shop:1.0", provenance=ADA).result == "committed"


NONSENSE: list[object] = [5, -1, 1.5, float("nan"), "nonsense", "\ud800", b"x", ["a"], {"a": 1}, object(), True]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=ascii)
def test_invalid_answer_of_a_registry_is_unavailable(nonsense: object, world: World) -> None:
    class Babbles(Hoard):
        async def resolve(self, repository: Repository, tag: Tag) -> Digest | None:
            return nonsense  # type: ignore[return-value]

        async def fetch(self, reference: Reference) -> Manifest | None:
            return nonsense  # type: ignore[return-value]

        async def tags(self, repository: Repository) -> list[Tag]:
            return nonsense  # type: ignore[return-value]

    promoter = Promoter(Babbles(), world.ledger)
    (audited,) = promoter.audit([PROD]).channels
    assert audited.state == "unknown" and audited.why is not None and "REGISTRY_UNAVAILABLE" in audited.why
    with pytest.raises(RegistryError, match="REGISTRY_UNAVAILABLE"):
        promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA)
    assert promoter.retention_plan("reg.io/acme/shop").blocked is not None
    assert world.promoter.current(PROD).size == 3


@pytest.mark.parametrize("nonsense", [*NONSENSE, None, "yes"], ids=ascii)
def test_invalid_answer_about_a_blob_is_a_warning(nonsense: object) -> None:
    class Babbles(Hoard):
        async def has_blob(self, repository: Repository, digest: Digest) -> bool:
            return nonsense  # type: ignore[return-value]

    hoard, shelf = Babbles(), Shelf()
    stocked(hoard)
    promoter = Promoter(hoard, shelf)
    for tag in ("1.0", "1.1"):
        move = promoter.bootstrap if tag == "1.0" else promoter.promote
        move(PROD, f"{SHOP}:{tag}", provenance=ADA)
    receipt = promoter.rollback(PROD, provenance=ADA)
    assert receipt.result == "committed" and receipt.move is not None
    decision = receipt.move.intent.decision
    assert decision is not None
    (found,) = [one for one in decision.findings if one.guardrail == "parts-present"]
    if nonsense is True:
        assert found.verdict == "pass"
    else:
        assert (found.verdict, found.code) == ("warn", "TARGET_UNKNOWN")
        assert "Babbles failed: " in found.why


@pytest.mark.parametrize("nonsense", [nothing for nothing in NONSENSE if nothing != 5] + [None], ids=ascii)
def test_invalid_answer_of_a_ledger_is_a_ledger_error(nonsense: object, world: World) -> None:
    class Size(Shelf):
        def size(self, channel: Channel) -> int:
            return nonsense  # type: ignore[return-value]

    class Read(Shelf):
        def size(self, channel: Channel) -> int:
            return 1

        def read(self, channel: Channel, start: int, limit: int) -> Sequence[bytes]:
            return nonsense  # type: ignore[return-value]

    class Channels(Shelf):
        def channels(self) -> Sequence[Channel]:
            return nonsense  # type: ignore[return-value]

    with pytest.raises(LedgerError):
        Promoter(world.registry, Size()).current(PROD)
    with pytest.raises(LedgerError):
        Promoter(world.registry, Read()).current(PROD)
    with pytest.raises(LedgerError, match="LEDGER_UNAVAILABLE"):
        Promoter(world.registry, Channels()).channels()


@pytest.mark.parametrize("nonsense", [*NONSENSE, "applied"], ids=ascii)
def test_put_that_returns_a_value_is_unknown_and_read_back(nonsense: object) -> None:
    class Babbles(Hoard):
        async def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None:
            await super().put(repository, tag, manifest, timeout)
            return nonsense  # type: ignore[return-value]

    hoard, shelf = Babbles(), Shelf()
    releases = stocked(hoard)
    # The put was applied and only its answer was invalid, so the promoter reads the tag back.
    times = Times(ttl=5, grace=0.1, quiet=0.1, put=0.1)
    receipt = Promoter(hoard, shelf, times=times).bootstrap(PROD, f"{SHOP}:1.0", provenance=ADA)
    assert receipt.digest == releases[0] == hoard.tags_of[SHOP, "prod"]
    assert receipt.move is not None and receipt.move.outcome is not None
    assert receipt.move.outcome.put == "unknown"


class Odd(Exception):
    """An exception whose text raises another exception."""

    code = "LEDGER_NONSENSE"

    def __str__(self) -> str:
        raise ValueError("no words")


class Surrogate(Exception):
    def __str__(self) -> str:
        return "lone \ud800 surrogate"


@pytest.mark.parametrize("error", [Odd(), Surrogate(), ValueError("x" * 1_000_000), OSError()])
def test_exception_without_printable_text_is_still_the_cause(error: Exception, world: World) -> None:
    class Fails(Shelf):
        def channels(self) -> Sequence[Channel]:
            raise error

    with pytest.raises(LedgerError, match="LEDGER_UNAVAILABLE") as failed:
        Promoter(world.registry, Fails()).channels()
    assert failed.value.__cause__ is error and type(error).__name__ in failed.value.message


@pytest.mark.parametrize("nonsense", [None, 5, "stored", object()])
def test_invalid_answer_of_an_append_is_ambiguous(nonsense: object) -> None:
    class Babbles(Shelf):
        def append(self, channel: Channel, seq: int, entry: bytes) -> bool:
            return nonsense  # type: ignore[return-value]

    registry = MemoryRegistry()
    registry.push_image("reg.io/acme/shop", "1.0", 1)
    with pytest.raises((LedgerError, MoveError)) as failed:
        Promoter(registry, Babbles()).bootstrap(PROD, "reg.io/acme/shop:1.0", provenance=ADA)
    assert failed.value.code in {"LEDGER_AMBIGUOUS", "MOVE_INDETERMINATE"}, failed.value


class FridayFreeze:
    name = "friday-freeze"
    settings = {"zone": "UTC"}

    def judge(self, facts: Facts) -> Finding:
        if facts.op == "promote":
            return Finding.refuses(
                "CALENDAR_FROZEN", f"{facts.channel.tag} rests on Fridays; ask {facts.provenance.actor}"
            )
        return Finding.passes("not a promotion")


def test_refusal_of_a_guardrail_stops_the_promotion(world: World) -> None:
    promoter = Promoter(world.registry, world.ledger, guardrails=[FridayFreeze()], policy="own")
    with pytest.raises(PolicyRefusedError, match="prod rests on Fridays") as refused:
        promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA)
    (finding,) = [finding for finding in refused.value.findings if finding.verdict == "refuse"]
    assert (finding.guardrail, finding.code) == ("friday-freeze", "CALENDAR_FROZEN")
    assert finding.why == "prod rests on Fridays; ask ada"
    assert world.registry.peek("reg.io/acme/shop", "prod") == world.releases[0]


@pytest.mark.parametrize("retry", ["never", "later"])
def test_refusal_of_a_guardrail_says_whether_the_move_may_pass_later(
    retry: Literal["never", "later"], world: World
) -> None:
    class Freeze:
        name = "freeze"

        def judge(self, facts: Facts) -> Finding:
            assert facts.holds == () and facts.missing == () and facts.binding_policy is None
            return Finding.refuses("CALENDAR_FROZEN", "it is Friday", retry=retry)

    promoter = Promoter(world.registry, world.ledger, guardrails=[Freeze()], policy="own")
    with pytest.raises(PolicyRefusedError) as refused:
        promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA)
    assert (refused.value.retry, refused.value.findings[-1].retry) == (retry, retry)
    assert refused.value.to_dict()["retry"] == retry


def test_guardrail_that_raises_refuses_with_its_exception_as_cause(world: World) -> None:
    class Fails:
        name = "fails"

        async def judge(self, facts: Facts) -> Finding:
            raise ZeroDivisionError("no quota")

    promoter = Promoter(world.registry, world.ledger, guardrails=[Fails()], policy="own")
    with pytest.raises(PolicyRefusedError, match="fails: ZeroDivisionError: no quota") as refused:
        promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA)
    assert isinstance(refused.value.__cause__, ZeroDivisionError)


def test_guardrail_that_returns_no_finding_refuses(world: World) -> None:
    class Shrugs:
        name = "shrugs"

        def judge(self, facts: Facts) -> Finding:
            return "fine"  # type: ignore[return-value]

    with pytest.raises(PolicyRefusedError, match="expected a Finding, got str"):
        Promoter(world.registry, world.ledger, guardrails=[Shrugs()], policy="own").promote(
            PROD, "reg.io/acme/shop:1.1", provenance=ADA
        )


def test_policy_has_the_names_of_own_guardrails_or_a_given_one_which_is_recorded(world: World) -> None:
    promoter = Promoter(world.registry, world.ledger, guardrails=[FridayFreeze()])
    # The channel was moved a moment ago, so a read may be stale: the repair puts the digest again.
    receipt = promoter.repair(PROD, provenance=ADA)
    assert receipt.result == "committed" and receipt.move is not None
    assert receipt.move.intent.decision.policy.name == "standard+friday-freeze"
    world.promote()
    promoter = Promoter(world.registry, world.ledger, guardrails=[FridayFreeze()], policy="no-fridays")
    receipt = promoter.rollback(PROD, provenance=ADA)
    assert receipt.move is not None
    assert receipt.move.to_dict()["intent"]["decision"]["policy"]["name"] == "no-fridays"


def test_two_guardrails_of_one_name_are_config_invalid(world: World) -> None:
    with pytest.raises(InvalidValueError, match="friday-freeze stands in it twice"):
        Promoter(world.registry, world.ledger, guardrails=[FridayFreeze(), FridayFreeze()], policy="own")


def test_backend_can_call_a_promoter(world: World) -> None:
    asked: list[int] = []

    class Curious(Shelf):
        def channels(self) -> Sequence[Channel]:
            asked.append(world.promoter.current(PROD).size)
            return super().channels()

    assert Promoter(world.registry, Curious()).channels() == ()
    assert asked == [3]


def test_object_that_is_no_backend_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="expected a Registry, got dict"):
        Promoter({}, MemoryLedger())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a Ledger, got list"):
        Promoter(MemoryRegistry(), [])  # type: ignore[arg-type]


def test_put_that_raises_refused_fails_the_move(world: World) -> None:
    class Refuses(Hoard):
        async def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None:
            raise RegistryError("REGISTRY_REFUSED", "read-only today")

    hoard = Refuses()
    shop = Repository("reg.io/acme/shop")
    manifest = world.registry.push_image(shop, "2.0", 20)
    hoard.manifests[shop, manifest.digest] = manifest
    hoard.tags_of[shop, "2.0"] = manifest.digest
    with pytest.raises((MoveError, RegistryError), match="read-only today"), contextlib.nullcontext():
        Promoter(hoard, MemoryLedger()).bootstrap(PROD, "reg.io/acme/shop:2.0", provenance=ADA)
