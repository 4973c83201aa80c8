"""Equality, hash, order, copies and `repr` of every public class."""

from __future__ import annotations

import copy
import datetime
import inspect
import json
import pickle
import typing
from typing import Any

import pytest

import tagwarden
from conftest import ADA, PROD, World
from tagwarden import (
    ActiveHold,
    ApprovedPlan,
    Artifact,
    AsyncHistory,
    AsyncPromoter,
    AuditReport,
    Because,
    BlockedOn,
    BlockResult,
    Channel,
    ChannelAudit,
    ChannelStatus,
    Commit,
    Config,
    Credentials,
    Deadlines,
    DeadMove,
    Decision,
    Defect,
    DeleteAllowed,
    DeleteRefused,
    Digest,
    DigestRetention,
    DriftSeen,
    Environment,
    EnvironmentConfig,
    Facts,
    Failure,
    FileDiff,
    Finding,
    GuardrailUse,
    HeldChannel,
    History,
    HistoryPage,
    IdempotencyKey,
    InjectedFault,
    Intent,
    Layer,
    LayerDifference,
    LeftBy,
    Live,
    LiveAt,
    LiveMove,
    LogReport,
    LogSize,
    MadeLive,
    Manifest,
    MayDelete,
    MemoryLedger,
    MemoryRegistry,
    MigratedTo,
    MoveBetween,
    MoveRecord,
    MovesBetween,
    MoveSet,
    NativeRegistry,
    OciRegistry,
    OpenedLedger,
    OpenMove,
    Order,
    Outcome,
    OverrideRule,
    Pipeline,
    Plan,
    PlatformDifference,
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
    RegistryConfig,
    ReleaseDiff,
    ReleaseFacts,
    ReleaseLabel,
    ReleaseOrder,
    Repository,
    RetentionPlan,
    RetentionRule,
    RetentionWindow,
    Source,
    Stage,
    Tag,
    Tagged,
    TagwardenError,
    TakeoverRecord,
    TargetManifest,
    TestRegistry,
    Times,
    Upstream,
    UpstreamLog,
    open_ledger,
)
from written import SHOP

ONE, TWO = str(Digest.of(b"1")), str(Digest.of(b"2"))
AT = "2026-01-02T03:04:05.006Z"

# In the order of the core.
VALUES: dict[type[Any], list[str]] = {
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
WHO = ADA.to_dict()
TARGET = {"digest": ONE, "media_type": "application/vnd.oci.image.manifest.v1+json", "size": 7}
POLICY, OVERRIDE = {"name": "standard", "digest": ONE}, {"guardrail": "soak", "reason": "why"}
CHECK, FINDING = {"channel": PROD, "seq": 3}, {"guardrail": "soak", "verdict": "pass", "why": "fine"}
DECISION = {"at": AT, "policy": POLICY, "findings": [FINDING]}
WHOLE_DECISION = {**DECISION, "overrides": [OVERRIDE], "approvals": [2, 4], "checks": [CHECK]}
ORDER = {"by": "semver", "value": "1.4.2"}
UPSTREAM_LOG = {"environment": "dev", "channel": PROD, "size": 6, "root": ONE}
MOVE_SET = {"id": "s", "channels": [PROD, "a.io/x:a"], "on_failure": "restore"}
PREDECESSOR = {"channel": PROD, "size": 6, "root": ONE}
SOURCE, DEADLINES = {"reference": "a.io/x:b"}, {"ttl_ms": 4, "grace_ms": 3, "quiet_ms": 2, "settle_ms": 1}
INTENT = {
    "op": "rollback",
    "move_id": "m",
    "key": "k",
    "request": TWO,
    "target": TARGET,
    "source": SOURCE,
    "provenance": WHO,
    "decision": DECISION,
    "owner": "w",
    "epoch": 0,
    **DEADLINES,
}
WHOLE_INTENT = {
    **INTENT,
    "op": "promote",
    "previous": TWO,
    "reason": "why",
    "expected": "absent",
    "order": ORDER,
    "upstream": [UPSTREAM_LOG],
    "decision": WHOLE_DECISION,
    "replaced": ONE,
    "predecessor": PREDECESSOR,
    "set": MOVE_SET,
}
RECORDED = {"code": "MOVE_FAILED", "text": "the registry refused"}
OUTCOME = {
    "seq": 5,
    "at": AT,
    "move_id": "m",
    "intent_seq": 4,
    "owner": "w",
    "epoch": 0,
    "status": "committed",
    "put": "accepted",
    "attempts": 1,
    "recovered": False,
}
EVENT = {
    "channel": PROD,
    "seq": 4,
    "at": AT,
    "status": "committed",
    "intent": WHOLE_INTENT,
    "takeovers": [],
    "outcome": {**OUTCOME, "observed": ONE},
}
LIVE, DRIFT = {"digest": ONE, "seq": 4, "at": AT}, {"seq": 6, "at": AT, "expected": ONE}
HOLD = {"seq": 6, "scope": "promotions", "reason": "incident 7", "provenance": WHO}
DEFECT, MIGRATED = {"seq": 4, "code": "PARENT", "why": "another"}, {"seq": 6, "ledger": "another-ledger"}
TAKEN_OVER = {
    "seq": 5,
    "at": AT,
    "op": "recover",
    "owner": "w2",
    "previous_owner": "w",
    "epoch": 1,
    "provenance": WHO,
}
BECAUSE = {"reason": "live", "channel": PROD}
RETAINED = {"digest": ONE, "pin": "held", "keep": BECAUSE}
PAST = {"reason": "past", "channel": PROD, "nth": 3, "since": AT}
OPEN = {
    "seq": 4,
    "op": "promote",
    "move_id": "m",
    "key": "k",
    "request": TWO,
    "target": ONE,
    "as_it_is": False,
    "owner": "w",
    "epoch": 0,
    "deadlines": DEADLINES,
    "quiet_ms": 2,
    "settle_ms": 1,
}
DOUBT, DEAD = {"seq": 7, "op": "promote", "move_id": "m", "target": TWO}, {"seq": 4, "op": "promote", "target": ONE}
STATUS = {"channel": PROD, "size": 6, "live": ONE, "event": EVENT, "open": OPEN, "holds": [HOLD], "migrated": MIGRATED}
STATUS["open_event"] = {**EVENT, "status": "open", "takeovers": [TAKEN_OVER]}
AUDIT = {"channel": PROD, "size": 1, "state": "in_sync", "live": ONE}
REPORT = {"entries": 0, "moves": 0, "committed": 0, "torn_bytes": 0, "clock_went_back": 0, "root": ONE}
WINDOW = {"keep_last": 3, "keep_for_s": 5}
PLAN = {"repository": "a.io/x", "at": AT, "rule": WINDOW, "logs": [{"channel": PROD, "size": 1}]}
UPSTREAM = {**UPSTREAM_LOG, "live": ONE, "passage": "live"}
BLOCK = {"channel": PROD, "seq": 6, "digest": ONE, "reason": "it loses orders", "provenance": WHO}
LEFT = {"seq": 6, "cause": "rollback", "provenance": WHO}
USED, LIMITS = {"name": "no-hold", "mode": "refuse", "ops": ["promote"]}, {"allowed": ["pins"], "by": ["manual:ada"]}
ENVIRONMENT = {
    "environment": "prod",
    "channel": PROD,
    "policy": POLICY,
    "guardrails": [USED],
    "override": LIMITS,
    "after_rollback": "hold",
}
LAYER, FILE = {"digest": ONE, "size": 7, "media_type": "a/b"}, {"path": "app.yaml", "change": "changed"}
LAYERS, PLATFORMS = ({"added": [one], "gone": [], "same": 1} for one in (LAYER, "linux/arm64"))
MOVED = {"seq": 4, "at": AT, "op": "promote", "digest": ONE, "actor": "ada"}
BETWEEN = {"channel": PROD, "apart_ms": -5, "count": 1, "moves": [MOVED]}
RELEASE = {"name": "prod~1", "repository": "a.io/x", "digest": ONE, "facts": "registry"}
MADE_LIVE, DIFF = {"channel": PROD, "seq": 4, "at": AT}, {"old": RELEASE, "new": RELEASE}
WHOLE_DIFF = {
    **DIFF,
    "compare_url": "https://git.example/compare/a...b",
    "between": BETWEEN,
    "platforms": PLATFORMS,
    "layers": LAYERS,
    "files": [FILE],
    "notes": ["a note"],
}
FACTS = {"op": "promote", "channel": PROD, "expected": "any", "provenance": WHO, "here": "never", "at": AT}

# The JSON of two unequal records of each class.
RECORDS: dict[type[Any], tuple[dict[str, Any], dict[str, Any]]] = {
    ActiveHold: (HOLD, {**HOLD, "until": AT}),
    AuditReport: ({"at": AT, "worst": "drift", "channels": [AUDIT]}, {"at": AT, "channels": []}),
    Because: (BECAUSE, PAST),
    BlockResult: (
        {"channel": PROD, "digest": ONE, "block": 6, "already": False},
        {"channel": PROD, "digest": ONE, "block": 6, "already": True},
    ),
    BlockedOn: (BLOCK, {**BLOCK, "url": "https://git.example/7"}),
    ChannelAudit: (AUDIT, {**AUDIT, "state": "unknown", "why": "no route"}),
    ChannelStatus: (STATUS, {"channel": PROD, "size": 0}),
    DeadMove: ({**DEAD, "closing": "complete"}, {**DEAD, "closing": "commit_or_abort"}),
    Deadlines: (DEADLINES, {**DEADLINES, "ttl_ms": 5}),
    Decision: (WHOLE_DECISION, DECISION),
    Defect: (DEFECT, {**DEFECT, "seq": 5}),
    DeleteAllowed: ({"because": PAST, "pin": "held"}, {"because": PAST, "pin": "absent"}),
    DeleteRefused: ({"because": BECAUSE}, {"because": {"reason": "tagged", "tag": "1.0"}}),
    DigestRetention: (RETAINED, {"digest": ONE, "pin": "held", "expire": PAST}),
    DriftSeen: (DRIFT, {**DRIFT, "observed": TWO}),
    EnvironmentConfig: (ENVIRONMENT, {**ENVIRONMENT, "override": {}}),
    Facts: ({**FACTS, "target": TARGET, "upstream": UPSTREAM, "tagged": {"tag": "1.0"}, "source": SOURCE}, FACTS),
    FileDiff: (FILE, {**FILE, "unified": "+a"}),
    Finding: (FINDING, {**FINDING, "verdict": "refuse", "code": "CODE", "retry": "later"}),
    GuardrailUse: (USED, {**USED, "mode": "warn"}),
    HeldChannel: ({"channel": PROD, "hold": 6}, {"channel": PROD, "hold": 7}),
    HistoryPage: ({"events": [EVENT], "next": 4}, {"events": [EVENT]}),
    Intent: (WHOLE_INTENT, INTENT),
    Layer: (LAYER, {**LAYER, "platform": "linux/arm64"}),
    LayerDifference: (LAYERS, {**LAYERS, "same": 2}),
    LeftBy: (LEFT, {**LEFT, "cause": "aborted", "reason": "incident 7"}),
    Live: (LIVE, {**LIVE, "seq": 6}),
    LiveAt: ({**EVENT, "open": EVENT, "drift": DRIFT}, EVENT),
    LiveMove: ({"seq": 4, "place": ORDER, "provenance": WHO}, {"seq": 4, "provenance": WHO}),
    LogReport: ({**REPORT, "open_intent": 4, "holds": [3], "blocked": [TWO], "defects": [DEFECT]}, REPORT),
    LogSize: ({"channel": PROD, "size": 1}, {"channel": PROD, "size": 2}),
    MadeLive: (MADE_LIVE, {**MADE_LIVE, "seq": 6}),
    MayDelete: ({"yes": {"because": PAST, "pin": "held"}}, {"no": {"because": BECAUSE}}),
    MigratedTo: (MIGRATED, {**MIGRATED, "seq": 7}),
    MoveBetween: (MOVED, {**MOVED, "release": "1.4.2"}),
    MoveRecord: (EVENT, {**EVENT, "status": "open", "takeovers": [TAKEN_OVER]}),
    MoveSet: (MOVE_SET, {**MOVE_SET, "on_failure": "resume"}),
    MovesBetween: (BETWEEN, {**BETWEEN, "count": 2}),
    OpenMove: (OPEN, {**OPEN, "previous": TWO}),
    Order: ({"by": "semver", "required": True}, {"by": "none", "required": False}),
    Outcome: (OUTCOME, {**OUTCOME, "status": "failed", "put": "refused", "error": RECORDED}),
    OverrideRule: (LIMITS, {"allowed": []}),
    PlatformDifference: (PLATFORMS, {**PLATFORMS, "same": 2}),
    PossiblyOpen: (DOUBT, {**DOUBT, "seq": 8}),
    Predecessor: (PREDECESSOR, {**PREDECESSOR, "size": 7}),
    Provenance: (WHO, {**WHO, "commit": "0123456"}),
    Receipt: (
        {"channel": PROD, "op": "promote", "result": "committed", "digest": ONE, "live": LIVE, "move": EVENT},
        {"channel": PROD, "op": "promote", "result": "unchanged", "digest": ONE, "live": LIVE},
    ),
    RecordedCheck: (CHECK, {**CHECK, "seq": 4}),
    RecordedError: (RECORDED, {**RECORDED, "text": "another"}),
    RecordedOverride: (OVERRIDE, {**OVERRIDE, "guardrail": "windows"}),
    RecordedPolicy: (POLICY, {**POLICY, "name": "own"}),
    RecoveryResult: ({"result": "closed", "event": EVENT}, {"result": "nothing"}),
    RegistryConfig: (
        {
            "host": "reg.io",
            "settle_ms": 45_000,
            "user_env": "REG_USER",
            "password_env": "REG_PASSWORD",
            "token_servers": ["auth.io"],
            "ca_file": "/etc/ca.pem",
            "client_cert": "/etc/client.pem",
            "client_key": "/etc/client.key",
            "retry_for_ms": 60_000,
            "tls": True,
        },
        {"host": "reg.io"},
    ),
    ReleaseDiff: (WHOLE_DIFF, DIFF),
    ReleaseFacts: ({**RELEASE, "annotations": {"version": "1"}, "release": "1.4.2", "live": MADE_LIVE}, RELEASE),
    ReleaseOrder: (ORDER, {"by": "build-number", "value": 42, "series": "acme/shop"}),
    RetentionPlan: ({**PLAN, "digests": [RETAINED]}, {**PLAN, "digests": [], "blocked": "a tag"}),
    RetentionWindow: ({"keep_last": 3, "keep_for_s": 5}, {"keep_last": 4, "keep_for_s": 5}),
    Source: (SOURCE, {"channel": PROD}),
    Tagged: ({"tag": "1.0"}, {"tag": "1.0", "answered": ONE}),
    TakeoverRecord: (TAKEN_OVER, {**TAKEN_OVER, "op": "abort"}),
    TargetManifest: (TARGET, {**TARGET, "artifact_type": "a/b", "annotations": {"version": "1"}}),
    Upstream: (UPSTREAM, {**UPSTREAM, "passage": "never"}),
    UpstreamLog: (UPSTREAM_LOG, {**UPSTREAM_LOG, "size": 7}),
}

# Pairs of unequal objects of one class.
PLAIN: list[tuple[Any, Any]] = [
    *((of.from_dict(one), of.from_dict(other)) for of, (one, other) in RECORDS.items()),
    (Stage("dev", PROD), Stage("prod", PROD)),
    (Pipeline.of({"dev": PROD}), Pipeline.of({"prod": PROD})),
    (Times(ttl=1), Times(ttl=datetime.timedelta(seconds=2))),
    (RetentionRule(keep_last=3), RetentionRule(keep_for=datetime.timedelta(days=1))),
    (Credentials("ada", "one"), Credentials("ada", "two")),
    (Manifest(b"{}", "application/json"), Manifest(b"{} ", "application/json")),
    (InjectedFault.before(), InjectedFault.after()),
    (ReadFault.past(1), ReadFault.past(2)),
    (ReadFault.lag(1), ReadFault.lag(datetime.timedelta(seconds=2))),
    (ReadFault.busy(), ReadFault.stale()),
    (Finding.passes("fine"), Finding.warns("CODE", "fine")),
    (Predecessor(PROD, 6, ONE), Predecessor(PROD, 7, ONE)),
]
HANDLES = [
    ApprovedPlan,
    Artifact,
    AsyncHistory,
    AsyncPromoter,
    Config,
    Failure,
    History,
    MemoryLedger,
    MemoryRegistry,
    NativeRegistry,
    OciRegistry,
    OpenedLedger,
    Plan,
    Promoter,
    TestRegistry,
]


def test_every_public_class_is_in_one_of_the_lists() -> None:
    public = {name for name in tagwarden.__all__ if isinstance(getattr(tagwarden, name), type)}
    errors = {name for name in public if issubclass(getattr(tagwarden, name), TagwardenError)}
    known = {of.__name__ for of in [*VALUES, *HANDLES, *(type(one) for one, _ in PLAIN)]}
    assert public - errors == known | {"Guardrail", "Ledger", "Registry"}


@pytest.mark.parametrize("of", VALUES, ids=lambda of: of.__name__)
def test_values_of_equal_text_are_equal_ordered_and_immutable(of: type[Any]) -> None:
    values = [of(text) for text in VALUES[of]]
    assert (
        sorted(reversed(values)) == values and values[0] < values[1] <= values[1] and values[1] > values[0] >= values[0]
    )
    for value, text in zip(values, VALUES[of], strict=True):
        assert value == of(text) and hash(value) == hash(of(text)) and value != text
        assert str(value) == text and eval(repr(value)) == value
        assert pickle.loads(pickle.dumps(value)) == copy.copy(value) == copy.deepcopy(value) == value
        assert type(pickle.loads(pickle.dumps(value))) is of
        with pytest.raises(AttributeError):
            value.text = "other"
        with pytest.raises(AttributeError):
            del value.text
    with pytest.raises(TypeError, match="not supported between"):
        _ = values[0] < VALUES[of][0]


def test_values_of_two_classes_are_never_equal_or_ordered() -> None:
    same: list[Any] = [Tag("dev"), Environment("dev"), IdempotencyKey("dev"), ReleaseLabel("dev")]
    assert len(set(same)) == 4
    with pytest.raises(TypeError, match="not supported between"):
        sorted(same)


@pytest.mark.parametrize(("one", "other"), PLAIN, ids=lambda given: type(given).__name__)
def test_records_of_equal_fields_are_equal_and_frozen(one: Any, other: Any) -> None:
    again = copy.deepcopy(one)
    assert one == again and hash(one) == hash(again) and one != other and len({one, again, other}) == 2
    back = pickle.loads(pickle.dumps(one))
    assert back == one and hash(back) == hash(one) and type(back) is type(one) and repr(back) == repr(one)
    for name, value in vars(type(one)).items():
        if inspect.isgetsetdescriptor(value):
            with pytest.raises(AttributeError, match="not writable"):
                setattr(one, name, "other")
    with pytest.raises(AttributeError):
        one.another = "other"
    with pytest.raises(TypeError, match="not supported between"):
        _ = one < other
    if type(one) in RECORDS:
        for record in (one, other):
            written = json.loads(json.dumps(record.to_dict()))
            assert type(one).from_dict(written) == record


@pytest.mark.parametrize("of", RECORDS, ids=lambda of: of.__name__)
def test_record_of_json_has_that_json_and_its_fields(of: type[Any]) -> None:
    for written in RECORDS[of]:
        record = of.from_dict(written)
        assert record.to_dict() == written
        fields = [] if of is Provenance else [name for name in written if of is not Intent or not name.endswith("_ms")]
        assert all(hasattr(record, name) for name in fields)


def test_report_of_its_json_keeps_its_defect(world: World) -> None:
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
    assert LogReport.from_dict(report.to_dict()) == report
    kept = next(judged for judged in world.promoter.retention_plan(SHOP).digests if judged.digest == world.releases[0])
    again = DigestRetention.from_dict(kept.to_dict())
    assert again.kept and again.because == kept.because == f"live (channel {PROD})"


def test_subclass_of_a_value_has_the_grammar_of_its_base() -> None:
    class Environments(Environment):
        pass

    assert str(Environments("dev")) == "dev" and Environments("dev") != Environment("dev")
    with pytest.raises(tagwarden.InvalidValueError):
        Environments("No Such")


def test_answers_of_the_core_can_be_pickled(world: World) -> None:
    world.promote()
    plan = world.promoter.retention_plan(SHOP)
    answers: list[Any] = [
        world.promoter.current(PROD),
        world.promoter.history_page(PROD),
        world.promoter.audit([PROD]),
        world.promoter.verify(PROD),
        plan,
    ]
    for answer in answers:
        back = pickle.loads(pickle.dumps(answer))
        assert back == answer and back.to_dict() == answer.to_dict() and hash(back) == hash(answer)
    assert [judged.kept for judged in pickle.loads(pickle.dumps(plan)).digests] == [one.kept for one in plan.digests]


def test_native_handles_cannot_be_pickled_or_copied(world: World) -> None:
    plan = world.promoter.plan(PROD, "promote", f"{SHOP}:1.1", provenance=ADA)
    approved = world.promoter.plan(PROD, "promote", f"{SHOP}:1.1", provenance=ADA).approve()
    awaited = AsyncPromoter(world.registry, world.ledger)
    for handle in (world.promoter, awaited, world.registry, world.ledger, OciRegistry(), plan, approved):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(handle)
        with pytest.raises(TypeError, match="cannot pickle"):
            copy.deepcopy(handle)


def test_token_server_is_named_by_its_host() -> None:
    assert OciRegistry(token_servers=["auth.example.com", "127.0.0.1:5001"])
    with pytest.raises(tagwarden.InvalidValueError, match="expected HOST or HOST:PORT") as failed:
        OciRegistry(token_servers=["auth.example.com/token"])
    assert failed.value.code == "CONFIG_INVALID"


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
    ]
    for work in wrong:
        with pytest.raises(TagwardenError) as failed:
            work()
        shown += [failed.value, failed.value.to_dict(), failed.value.__cause__, failed.value.args]
    with pytest.raises(TypeError) as mistaken:
        Credentials("ada", [canary])  # type: ignore[arg-type]
    shown += [mistaken.value, mistaken.value.args]
    for one in shown:
        assert canary not in f"{one!r} {one}", type(one)
