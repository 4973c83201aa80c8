"""Records of moves, frozen. ``to_dict`` gives the core's own JSON, to which fields are only ever added.

Times are aware datetimes in UTC; sequence numbers are positions in a channel's log, from 0.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from ._record import Record
from .provenance import Provenance
from .values import Channel, Digest, Environment

__all__ = [
    "ActiveHold",
    "RecordedCheck",
    "ChannelStatus",
    "DeadMove",
    "Decision",
    "RecordedError",
    "Finding",
    "Intent",
    "Live",
    "MigratedTo",
    "MoveSet",
    "OpenMove",
    "Outcome",
    "RecordedOverride",
    "HistoryPage",
    "RecordedPolicy",
    "PossiblyOpen",
    "Predecessor",
    "MoveRecord",
    "Receipt",
    "RecoveryResult",
    "ReleaseOrder",
    "TakeoverRecord",
    "TargetManifest",
    "UpstreamLog",
]


@dataclass(frozen=True)
class Finding(Record):
    """A guardrail's result for a move.

    - ``verdict``: ``pass``, ``warn`` or ``refuse``; a refusal stops the move.
    - ``why``: the reason for people, with names, numbers and units.
    - ``code``: the stable code of a warning or a refusal, ``AREA_STATE``; None for a pass.
    - ``guardrail``: the guardrail's name. The policy fills it in.
    - ``retry``: for a refusal, ``later`` if time or a person can lift it, else ``never``. The log does not keep it.
    """

    verdict: str
    why: str
    code: str | None = None
    guardrail: str | None = None
    retry: str | None = None

    @staticmethod
    def passes(why: str) -> Finding:
        """The guardrail has no objection."""
        return Finding("pass", why)

    @staticmethod
    def warns(code: str, why: str) -> Finding:
        """A warning, which does not stop the move."""
        return Finding("warn", why, code)

    @staticmethod
    def refuses(code: str, why: str, *, retry: Literal["never", "later"] = "never") -> Finding:
        """A refusal, which stops the move; ``retry`` says whether the same move may pass later."""
        return Finding("refuse", why, code, retry=retry)


@dataclass(frozen=True)
class TargetManifest(Record):
    """The manifest that a move points at.

    - ``digest``, ``media_type`` and ``size`` in bytes; ``artifact_type``: None if the manifest names none.
    """

    digest: Digest
    media_type: str
    size: int
    artifact_type: str | None = None

    @property
    def annotations(self) -> dict[str, str]:
        """Its own ``org.opencontainers.image.`` annotations (created, revision, source, version, url and title).

        Only those that exist and fit into a line of the log.
        """
        annotations: dict[str, str] = self.to_dict().get("annotations", {})
        return annotations


@dataclass(frozen=True)
class RecordedPolicy(Record):
    """The policy of a decision: its ``name``, and the ``digest`` of its text, which is in the log."""

    name: str
    digest: Digest


@dataclass(frozen=True)
class RecordedOverride(Record):
    """A refusal that the caller overrode: the ``guardrail``, and the ``reason``."""

    guardrail: str
    reason: str


@dataclass(frozen=True)
class RecordedCheck(Record):
    """A check that was counted: its position ``seq`` in the log of ``channel``."""

    channel: Channel
    seq: int


@dataclass(frozen=True)
class Decision(Record):
    """A policy's decision about a move.

    - ``at``: when, by the clock of the machine that decided; ``policy``: the policy.
    - ``findings``: those of the guardrails; ``overrides``: refusals that the caller overrode.
    - ``approvals``: positions of the approvals that were counted; ``checks``: the checks that were.
    """

    at: datetime.datetime
    policy: RecordedPolicy
    findings: tuple[Finding, ...] = ()
    overrides: tuple[RecordedOverride, ...] = ()
    approvals: tuple[int, ...] = ()
    checks: tuple[RecordedCheck, ...] = ()


@dataclass(frozen=True)
class ReleaseOrder(Record):
    """A release's place among the others of its series.

    - ``by``: the kind of the value, such as ``semver`` or ``build-number``; ``value``: a number or a text.
    - ``series``: values of another series are not comparable; None for none.
    """

    by: str
    value: int | str
    series: str | None = None


@dataclass(frozen=True)
class UpstreamLog(Record):
    """The log of an earlier environment, as far as it was read.

    - ``environment`` and ``channel``: those of the log; ``size``: its number of entries; ``root``: their RFC 6962 root.
    """

    environment: Environment
    channel: Channel
    size: int
    root: Digest


@dataclass(frozen=True)
class MoveSet(Record):
    """Channels that move together.

    - ``id``: the same in all intents of the set; ``channels``: its channels.
    - ``on_failure``: ``resume`` (continue with the rest) or ``restore`` (move the moved channels back).
    """

    id: str
    channels: tuple[Channel, ...]
    on_failure: str


@dataclass(frozen=True)
class Predecessor(Record):
    """The log that a new one continues: its ``channel``, its ``size`` in entries and its RFC 6962 ``root``.

    ``Promoter.verify`` of the old log gives both numbers.
    """

    channel: Channel
    size: int
    root: Digest


@dataclass(frozen=True)
class Intent(Record):
    """The request of a move, its author, and the policy's decision.

    ``to_dict`` also has ``source`` as it was given, and the worker's times.

    - ``op``: ``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``.
    - ``move_id``: a UUIDv7; ``key``: the idempotency key; ``request``: the digest of the request as it was given.
    - ``previous``: the live digest before, None before the first move; ``target``: the manifest to point at.
    - ``provenance``: the pipeline run, the actor, the commit and the release.
    - ``reason``: the caller's reason.
    - ``expected``: the digest that the caller required the channel to point at, ``absent``, or None for any.
    - ``order``: the release's place among the others, if it is known.
    - ``upstream``: the logs of the earlier environments that were read.
    - ``decision``: the policy's decision; None for an intent that was made by hand.
    - ``replaced``: in a repair, the digest that the tag pointed at instead of the live digest.
    - ``predecessor``: the log that this one continues, in a bootstrap.
    - ``set``: the moves of other channels that belong to this one.
    - ``owner``: the worker's random id; ``epoch``: 0, each takeover adds 1.
    """

    op: str
    move_id: str
    key: str
    request: Digest
    target: TargetManifest
    provenance: Provenance
    owner: str
    epoch: int
    previous: Digest | None = None
    reason: str | None = None
    expected: str | None = None
    order: ReleaseOrder | None = None
    upstream: tuple[UpstreamLog, ...] = ()
    decision: Decision | None = None
    replaced: Digest | None = None
    predecessor: Predecessor | None = None
    set: MoveSet | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the guardrails, as recorded in the log; empty for an intent that was made by hand."""
        return () if self.decision is None else self.decision.findings


@dataclass(frozen=True)
class RecordedError(Record):
    """Why a move did not commit: the error's ``code``, and its ``text``."""

    code: str
    text: str


@dataclass(frozen=True)
class Outcome(Record):
    """The outcome of a move.

    - ``seq`` and ``at``: the position of the outcome, and when it was written.
    - ``status``: ``committed``, ``failed`` (the registry refused; nothing moved) or ``aborted`` (closed without
      effect).
    - ``put``: the result of its puts: ``none`` (none was sent), ``refused`` (the registry refused every one),
      ``unknown`` (an answer was lost, or another worker may have sent one) or ``accepted``.
    - ``attempts``: how many puts the worker that closed it sent.
    - ``recovered``: True if another worker than the first closed it.
    - ``observed``: the tag's digest in the end, None if the tag was absent or not read.
    - ``error``: why it did not commit.
    """

    seq: int
    at: datetime.datetime
    status: str
    put: str
    attempts: int
    recovered: bool
    observed: Digest | None = None
    error: RecordedError | None = None


@dataclass(frozen=True)
class TakeoverRecord(Record):
    """A takeover of an open move by another worker.

    - ``seq`` and ``at``: its position, and when it was written.
    - ``op``: the operation of the new worker: a move of its own, ``recover`` or ``abort``.
    - ``owner``: the new worker; ``previous_owner``: the one before; ``epoch``: one more than before.
    - ``provenance``: who took it over.
    """

    seq: int
    at: datetime.datetime
    op: str
    owner: str
    previous_owner: str
    epoch: int
    provenance: Provenance


@dataclass(frozen=True)
class MoveRecord(Record):
    """A move of a ``channel``, from its intent to its outcome.

    - ``seq`` and ``at``: the position of the intent, and when it was written.
    - ``status``: ``open``, ``committed``, ``failed`` or ``aborted``.
    - ``intent``: its request; ``outcome``: how it ended, None while it is open.
    - ``takeovers``: the workers that took it over, in order.
    """

    channel: Channel
    seq: int
    at: datetime.datetime
    status: str
    intent: Intent
    outcome: Outcome | None = None
    takeovers: tuple[TakeoverRecord, ...] = ()


@dataclass(frozen=True)
class DriftSeen(Record):
    """An observation of drift: at position ``seq``, written ``at`` a time.

    - ``expected``: the live digest; ``observed``: the observed digest, None if the tag was absent.
    """

    seq: int
    at: datetime.datetime
    expected: Digest | None = None
    observed: Digest | None = None


@dataclass(frozen=True)
class LiveAt(MoveRecord):
    """The committed move that made a channel's live digest at some time live.

    - ``channel``, ``seq``, ``at``, ``status``, ``intent``, ``outcome`` and ``takeovers``: those of that move.
    - ``open``: the move that was open then, with its later outcome; None if there was none.
    - ``drift``: the last drift that was observed between that move and the time; None if there was none.
    """

    open: MoveRecord | None = None
    drift: DriftSeen | None = None


@dataclass(frozen=True)
class Live(Record):
    """The live digest of a channel.

    - ``digest``: the live digest; ``seq``: the position of the intent of the last committed move.
    - ``at``: when that move was closed.
    """

    digest: Digest
    seq: int
    at: datetime.datetime


@dataclass(frozen=True)
class Receipt(Record):
    """The result of a move of a ``channel``.

    - ``op``: ``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``.
    - ``result``: ``committed``, ``unchanged`` (the channel pointed there already, nothing was written) or ``replayed``
      (the key had moved it before).
    - ``previous_digest``: the live digest before the move, None before the first one; ``digest``: the digest that the
      move made live, or the live digest if there was nothing to move.
    - ``move``: the move that this call made, or the one that its key had made before; None if there was nothing to
      move.
    - ``live``: the live digest now. After a replay, a later move may have set it.
    - ``warnings``: failures that did not stop the move, such as a pin that could not be written after it landed.
    """

    channel: Channel
    op: str
    result: str
    digest: Digest
    live: Live
    previous_digest: Digest | None = None
    move: MoveRecord | None = None
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class RecoveryResult(Record):
    """The result of a recovery: ``result`` is ``nothing`` (no move was open), or ``closed`` with the move's ``event``.

    ``warnings``: failures that did not stop it, such as a pin that could not be written.
    """

    result: str
    event: MoveRecord | None = None
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ActiveHold(Record):
    """A hold that was not ended.

    - ``seq``: its position, which is its id.
    - ``scope``: ``promotions`` stops promote and bootstrap, ``all`` every move.
    - ``reason``: the reason; ``provenance``: who asked; ``until``: when it ends by itself, None for no end.
    """

    seq: int
    scope: str
    reason: str
    provenance: Provenance
    until: datetime.datetime | None = None


@dataclass(frozen=True)
class OpenMove(Record):
    """The open move of a channel.

    - ``seq``: the position of its intent; ``op``, ``move_id``, ``key`` and ``previous``: as in ``Intent``.
    - ``target``: the digest that it points the channel at.
    - ``owner``: the worker that holds it; ``epoch``: how often it was taken over.
    """

    seq: int
    op: str
    move_id: str
    key: str
    target: Digest
    owner: str
    epoch: int
    previous: Digest | None = None


@dataclass(frozen=True)
class PossiblyOpen(Record):
    """A move that may be open: the append of its intent was not answered, and it is not in the log.

    - ``seq``: the position of the append; the next entry there decides. ``op`` and ``move_id``: as in ``Intent``.
    - ``target``: the digest that it points the channel at.
    """

    seq: int
    op: str
    move_id: str
    target: Digest


@dataclass(frozen=True)
class DeadMove(Record):
    """A move whose worker did not close it within its times. Planning does not change it.

    - ``seq``: the position of its intent; ``op``: its operation; ``target``: the digest that it points the channel at.
    - ``closing``: how executing the plan would close it: "complete" (it has the key of this request, and is put if
      it has not landed) or "commit_or_abort" (committed if it has landed, closed without a put otherwise).
    """

    seq: int
    op: str
    target: Digest
    closing: str


@dataclass(frozen=True)
class MigratedTo(Record):
    """The migration of a log: its last entry, at ``seq``, names the ledger ``ledger`` that continues it."""

    seq: int
    ledger: str


@dataclass(frozen=True)
class ChannelStatus(Record):
    """The state of a ``channel`` by its log.

    - ``size``: the number of entries in the log.
    - ``live``: the live digest, None before the first move; ``previous``: the one before the last move that changed it.
    - ``event``: the last committed move; ``open``: the move that is open; ``holds``: the holds in force.
    - ``migrated``: the ledger that continues the log, if it was migrated; the other fields are the state before that.
    - ``possibly_open``: the move that may be open, because the append of its intent was not answered.
    """

    channel: Channel
    size: int
    live: Digest | None = None
    previous: Digest | None = None
    event: MoveRecord | None = None
    open: OpenMove | None = None
    holds: tuple[ActiveHold, ...] = ()
    migrated: MigratedTo | None = None
    possibly_open: PossiblyOpen | None = None


@dataclass(frozen=True)
class HistoryPage(Record):
    """Some moves: ``events``, newest first; ``next`` is the ``before`` of the following page, None on the last one."""

    events: tuple[MoveRecord, ...]
    next: int | None = None
