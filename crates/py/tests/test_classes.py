"""Equality, hash, order, copies and `repr` of every public class."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
import pickle
import typing
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

import tagwarden
from conftest import ADA, PROD, World
from tagwarden import (
    ActiveHold,
    ApprovedPlan,
    Artifact,
    AsyncPromoter,
    AuditReport,
    Channel,
    ChannelAudit,
    ChannelStatus,
    Commit,
    Credentials,
    DeadMove,
    Decision,
    Defect,
    Digest,
    DigestRetention,
    DriftSeen,
    Environment,
    Facts,
    Finding,
    HistoryPage,
    IdempotencyKey,
    InjectedFault,
    Intent,
    Live,
    LiveAt,
    LogReport,
    Manifest,
    MayDelete,
    MemoryLedger,
    MemoryRegistry,
    MigratedTo,
    MoveRecord,
    MoveSet,
    OciRegistry,
    OpenedLedger,
    OpenMove,
    Outcome,
    Pipeline,
    Plan,
    PossiblyOpen,
    Predecessor,
    Promoter,
    Provenance,
    ReadFault,
    Receipt,
    RecordedCheck,
    RecordedError,
    RecordedOverride,
    RecordedPolicy,
    RecoveryResult,
    Reference,
    ReleaseLabel,
    ReleaseOrder,
    Repository,
    RetentionPlan,
    RetentionRule,
    Stage,
    Tag,
    TagwardenError,
    TakeoverRecord,
    TargetManifest,
    Times,
    UpstreamLog,
    open_ledger,
)
from tagwarden._record import Record
from tagwarden.values import Value
from written import SHOP

ONE, TWO = str(Digest.of(b"1")), str(Digest.of(b"2"))
AT = datetime.datetime(2026, 1, 2, 3, 4, 5, 6000, datetime.timezone.utc)

# In the order of the core.
VALUES: dict[type[Value], list[str]] = {
    Channel: ["a.io/x:a", "a.io/x:b", "b.io/x:a"],
    Commit: ["0123456", "0123457"],
    Digest: sorted([ONE, TWO]),
    Environment: ["dev", "prod"],
    IdempotencyKey: ["job-1", "job-2"],
    Reference: ["a.io/x:b", f"a.io/x@{ONE}", "a.io/y:a"],
    ReleaseLabel: ["v1", "v2"],
    Repository: ["a.io/x", "a.io/y"],
    Tag: ["1.0", "1.1"],
}
TARGET = TargetManifest(Digest(ONE), "application/vnd.oci.image.manifest.v1+json", 7)
POLICY, OVERRIDE, CHECK = (
    RecordedPolicy("standard", Digest(ONE)),
    RecordedOverride("soak", "why"),
    RecordedCheck(Channel(PROD), 3),
)
DECISION = Decision(AT, POLICY, (Finding.passes("fine"),), (OVERRIDE,), (2, 4), (CHECK,))
ORDER, UPSTREAM = ReleaseOrder("semver", "1.4.2"), UpstreamLog(Environment("dev"), Channel(PROD), 6, Digest(ONE))
MOVE_SET = MoveSet("s", (Channel(PROD), Channel("a.io/x:a")), "restore")
PREDECESSOR = Predecessor(Channel(PROD), 6, Digest(ONE))
INTENT = Intent(
    "promote",
    "m",
    "k",
    Digest(TWO),
    TARGET,
    ADA,
    "w",
    0,
    Digest(TWO),
    "why",
    "absent",
    ORDER,
    (UPSTREAM,),
    DECISION,
    Digest(ONE),
    PREDECESSOR,
    MOVE_SET,
)
OUTCOME = Outcome(5, AT, "committed", "accepted", 1, False, Digest(ONE))
FAILED = Outcome(5, AT, "failed", "refused", 1, False, error=RecordedError("MOVE_FAILED", "the registry refused"))
EVENT = MoveRecord(Channel(PROD), 4, AT, "committed", INTENT, OUTCOME)
LIVE = Live(Digest(ONE), 4, AT)
DRIFT = DriftSeen(6, AT, Digest(ONE))
HOLD = ActiveHold(6, "promotions", "incident 7", ADA, AT)
DEFECT, MIGRATED = Defect(4, "PARENT", "its parent is another"), MigratedTo(6, "another-ledger")
TAKEN_OVER = TakeoverRecord(5, AT, "recover", "w2", "w", 1, ADA)
JUDGED = DigestRetention(Digest(ONE), "held", True, "live (channel reg.io/acme/shop:prod)")
OPEN = OpenMove(4, "promote", "m", "k", Digest(ONE), "w", 0, Digest(TWO))

# Pairs of unequal records of one class.
PLAIN: list[tuple[Any, Any]] = [
    (Stage(Environment("dev"), Channel(PROD)), Stage(Environment("prod"), Channel(PROD))),
    (Pipeline.of({"dev": PROD}), Pipeline.of({"prod": PROD})),
    (
        Provenance.of(provider="manual", run_id="1", actor="ada"),
        Provenance.of(provider="manual", run_id="2", actor="ada"),
    ),
    (Times(ttl=1), Times(ttl=datetime.timedelta(seconds=2))),
    (RetentionRule(keep_last=3), RetentionRule(keep_for=datetime.timedelta(days=1))),
    (Credentials("ada", "one"), Credentials("ada", "two")),
    (Manifest(b"{}", "application/json"), Manifest(b"{} ", "application/json")),
    (InjectedFault.before(), InjectedFault.after()),
    (ReadFault.past(1), ReadFault.past(2)),
    (ReadFault.lag(1), ReadFault.lag(datetime.timedelta(seconds=2))),
    (ReadFault.busy(), ReadFault.stale()),
    (MayDelete(True, "past"), MayDelete(False, "live")),
    (Finding.passes("fine"), Finding.warns("CODE", "fine")),
    (TARGET, TargetManifest(Digest(TWO), TARGET.media_type, 7, "application/vnd.example")),
    (POLICY, RecordedPolicy("own", Digest(ONE))),
    (OVERRIDE, RecordedOverride("windows", "why")),
    (CHECK, RecordedCheck(Channel(PROD), 4)),
    (DECISION, Decision(AT, POLICY)),
    (ORDER, ReleaseOrder("build-number", 42, "acme/shop")),
    (UPSTREAM, UpstreamLog(Environment("dev"), Channel(PROD), 7, Digest(ONE))),
    (MOVE_SET, MoveSet("s", (), "resume")),
    (INTENT, Intent("rollback", "m", "k", Digest(TWO), TARGET, ADA, "w", 0)),
    (RecordedError("MOVE_FAILED", "one"), RecordedError("MOVE_FAILED", "two")),
    (OUTCOME, FAILED),
    (EVENT, MoveRecord(Channel(PROD), 4, AT, "open", INTENT, takeovers=(TAKEN_OVER,))),
    (
        Receipt(Channel(PROD), "promote", "committed", Digest(ONE), LIVE, None, EVENT),
        Receipt(Channel(PROD), "promote", "unchanged", Digest(ONE), LIVE),
    ),
    (LIVE, Live(Digest(ONE), 6, AT)),
    (DRIFT, DriftSeen(6, AT, Digest(ONE), Digest(TWO))),
    (
        LiveAt(Channel(PROD), 4, AT, "committed", INTENT, OUTCOME, open=EVENT, drift=DRIFT),
        LiveAt(Channel(PROD), 4, AT, "committed", INTENT, OUTCOME),
    ),
    (RecoveryResult("closed", EVENT), RecoveryResult("nothing")),
    (HOLD, ActiveHold(6, "all", "incident 7", ADA)),
    (OPEN, OpenMove(4, "repair", "m", "k", Digest(ONE), "w", 1)),
    (
        ChannelStatus(Channel(PROD), 6, Digest(ONE), None, EVENT, OPEN, (HOLD,), MIGRATED),
        ChannelStatus(Channel(PROD), 0),
    ),
    (PossiblyOpen(7, "promote", "m", Digest(TWO)), PossiblyOpen(8, "promote", "m", Digest(TWO))),
    (HistoryPage((EVENT,), 4), HistoryPage((EVENT,))),
    (ChannelAudit(Channel(PROD), "in_sync", Digest(ONE)), ChannelAudit(Channel(PROD), "unknown", why="no route")),
    (AuditReport(AT, (ChannelAudit(Channel(PROD), "missing"),), "drift"), AuditReport(AT, ())),
    (DEFECT, Defect(5, "PARENT", "its parent is another")),
    (MIGRATED, MigratedTo(7, "another-ledger")),
    (DeadMove(4, "promote", Digest(ONE), "complete"), DeadMove(5, "promote", Digest(ONE), "complete")),
    (TAKEN_OVER, TakeoverRecord(5, AT, "abort", "w2", "w", 1, ADA)),
    (
        LogReport(6, 3, 2, Digest(ONE), open_intent=4, holds=(3,), blocked=(Digest(TWO),), defects=(DEFECT,)),
        LogReport(0, 0, 0, Digest(ONE)),
    ),
    (JUDGED, DigestRetention(Digest(ONE), "held", False, "past")),
    (
        RetentionPlan(Repository("a.io/x"), AT, (JUDGED,)),
        RetentionPlan(Repository("a.io/x"), AT, ()),
    ),
    (PREDECESSOR, Predecessor(Channel(PROD), 7, Digest(ONE))),
]
HANDLES = [
    ApprovedPlan,
    Artifact,
    AsyncPromoter,
    MemoryLedger,
    MemoryRegistry,
    OciRegistry,
    OpenedLedger,
    Plan,
    Promoter,
]


def test_every_public_class_is_in_one_of_the_lists() -> None:
    public = {name for name in tagwarden.__all__ if isinstance(getattr(tagwarden, name), type)}
    errors = {name for name in public if issubclass(getattr(tagwarden, name), TagwardenError)}
    known = {of.__name__ for of in [*VALUES, *HANDLES, *(type(one) for one, _ in PLAIN)]}
    assert public - errors == known | {"Facts", "Guardrail", "Ledger", "Registry"}
    assert {of.__name__ for of in Record.__subclasses__()} <= known


@pytest.mark.parametrize("of", VALUES, ids=lambda of: of.__name__)
def test_values_of_equal_text_are_equal_ordered_and_immutable(of: type[Value]) -> None:
    values = [of(text) for text in VALUES[of]]
    assert (
        sorted(reversed(values)) == values and values[0] < values[1] <= values[1] and values[1] > values[0] >= values[0]
    )
    for value, text in zip(values, VALUES[of], strict=True):
        assert value == of(text) and hash(value) == hash(of(text)) and value != text
        assert str(value) == text and eval(repr(value)) == value
        assert pickle.loads(pickle.dumps(value)) == copy.copy(value) == copy.deepcopy(value) == value
        assert type(pickle.loads(pickle.dumps(value))) is of
        with pytest.raises(AttributeError, match="does not change"):
            value._text = "other"
        with pytest.raises(AttributeError, match="does not change"):
            del value._text
    with pytest.raises(TypeError, match="not supported between"):
        _ = values[0] < VALUES[of][0]  # type: ignore[operator]


def test_values_of_two_classes_are_never_equal_or_ordered() -> None:
    same: list[Value] = [Tag("dev"), Environment("dev"), IdempotencyKey("dev"), ReleaseLabel("dev")]
    assert len(set(same)) == 4
    with pytest.raises(TypeError, match="not supported between"):
        sorted(same)


@pytest.mark.parametrize(("one", "other"), PLAIN, ids=lambda given: type(given).__name__)
def test_records_of_equal_fields_are_equal_and_frozen(one: Any, other: Any) -> None:
    again = copy.deepcopy(one)
    assert one == again and hash(one) == hash(again) and one != other and len({one, again, other}) == 2
    back = pickle.loads(pickle.dumps(one))
    assert back == one and hash(back) == hash(one) and type(back) is type(one) and repr(back) == repr(one)
    assert is_dataclass(one)
    name = fields(one)[0].name
    with pytest.raises(AttributeError, match=f"cannot assign to field '{name}'"):
        setattr(one, name, "other")
    with pytest.raises(TypeError, match="not supported between"):
        _ = one < other
    if isinstance(one, Record):
        for record in (one, other):
            written = json.loads(json.dumps(record.to_dict()))
            assert type(one).from_dict(written) == record


def test_copy_of_a_report_keeps_its_defect(world: World) -> None:
    class Short(MemoryLedger):
        def read(self, channel: str | Channel, start: int, limit: int) -> list[bytes]:
            return [entry.replace(b'"ada"', b'"eve"') for entry in super().read(channel, start, limit)]

    ledger = Short()
    assert isinstance(world.ledger, OpenedLedger)
    for seq, entry in enumerate(world.ledger.read(PROD, 0, 10)):
        assert ledger.append(PROD, seq, entry)
    report = Promoter(world.registry, ledger).verify(PROD)
    assert not report.valid and report.defect is not None
    assert (report.defect.seq, report.defect.code) == (1, "PARENT")
    copied = dataclasses.replace(report, entries=7)
    assert not copied.valid and copied.to_dict()["defect"]["code"] == report.defect.code
    kept = next(judged for judged in world.promoter.retention_plan(SHOP).digests if judged.kept)
    copied_judged = dataclasses.replace(kept, pin="absent")
    assert copied_judged.kept and "keep" in copied_judged.to_dict() and copied_judged.because == kept.because


def test_subclass_of_a_value_has_the_grammar_of_its_base() -> None:
    class Environments(Environment):
        pass

    assert str(Environments("dev")) == "dev" and Environments("dev") != Environment("dev")
    with pytest.raises(tagwarden.InvalidValueError):
        Environments("No Such")


def test_answers_of_the_core_can_be_pickled(world: World) -> None:
    world.promote()
    plan = world.promoter.retention_plan(SHOP)
    answers: list[Record] = [
        world.promoter.current(PROD),
        world.promoter.history(PROD),
        world.promoter.audit([PROD]),
        world.promoter.verify(PROD),
        plan,
    ]
    for answer in answers:
        back = pickle.loads(pickle.dumps(answer))
        assert back == answer and back.to_dict() == answer.to_dict() and hash(back) == hash(answer)
    assert [judged.kept for judged in pickle.loads(pickle.dumps(plan)).digests] == [one.kept for one in plan.digests]
    facts = Facts({"op": "promote", "channel": PROD, "provenance": {"actor": {"id": "ada"}}})
    assert pickle.loads(pickle.dumps(facts)).to_dict() == facts.to_dict()


def test_native_handles_cannot_be_pickled_or_copied(world: World) -> None:
    plan = world.promoter.plan(PROD, "promote", f"{SHOP}:1.1", provenance=ADA)
    approved = world.promoter.plan(PROD, "promote", f"{SHOP}:1.1", provenance=ADA).approve()
    awaited = AsyncPromoter(world.registry, world.ledger)
    for handle in (world.promoter, awaited, world.registry, world.ledger, OciRegistry(), plan, approved):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(handle)
        with pytest.raises(TypeError, match="cannot pickle"):
            copy.deepcopy(handle)


def test_repr_and_errors_show_no_secret(world: World) -> None:
    canary = "canary-7f3a91"
    logins = [Credentials("ada", canary), Credentials(identity_token=canary), Credentials(registry_token=canary)]
    shown: list[object] = [*logins]
    for login in logins:
        registry = OciRegistry(credentials={"reg.io": login})
        shown += [registry, Promoter(registry, MemoryLedger()), AsyncPromoter(registry, MemoryLedger())]
    wrong: list[typing.Callable[[], object]] = [
        lambda: open_ledger(f"postgres://ada:{canary}@127.0.0.1:1/db"),
        lambda: open_ledger(f"s3://{canary}:{canary}@bucket/path?oops"),
        lambda: OciRegistry(credentials={"reg.io": Credentials("ada", canary, identity_token=canary)}),
        lambda: OciRegistry(credentials={"reg.io": Credentials(password=canary)}),
        lambda: OciRegistry(credentials={"reg.io": Credentials("ada", [canary])}),  # type: ignore[arg-type]
    ]
    for work in wrong:
        with pytest.raises(TagwardenError) as failed:
            work()
        shown += [failed.value, failed.value.to_dict(), failed.value.__cause__, failed.value.args]
    for one in shown:
        assert canary not in f"{one!r} {one}", type(one)
