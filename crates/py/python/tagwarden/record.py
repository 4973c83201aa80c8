"""What the core answers of moves, as frozen records. ``to_dict`` gives the core's own JSON, which only ever grows.

Times are aware datetimes in UTC; sequence numbers are positions in a channel's log, from 0.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from ._record import Record
from .provenance import Provenance
from .values import Channel, Digest

__all__ = [
    "Current",
    "Finding",
    "GoesOn",
    "Intent",
    "Live",
    "OpenMove",
    "Outcome",
    "Page",
    "Predecessor",
    "PromotionEvent",
    "Receipt",
    "Recovered",
    "Standing",
    "Subject",
    "TakenOver",
]


@dataclass(frozen=True)
class Finding(Record):
    """What a guardrail says of a move.

    - ``verdict``: ``pass``, ``warn`` or ``refuse``; a refusal stops the move.
    - ``why``: for people, with names, numbers and units.
    - ``code``: the stable code of a warning or a refusal, ``AREA_STATE``; None for a pass.
    - ``guardrail``: whose it is. The policy fills it in.
    """

    verdict: str
    why: str
    code: str | None = None
    guardrail: str | None = None

    @staticmethod
    def passes(why: str) -> Finding:
        """Nothing stands against it."""
        return Finding("pass", why)

    @staticmethod
    def warns(code: str, why: str) -> Finding:
        """Worth knowing; it does not stop the move."""
        return Finding("warn", why, code)

    @staticmethod
    def refuses(code: str, why: str) -> Finding:
        """It stops the move."""
        return Finding("refuse", why, code)


@dataclass(frozen=True)
class Subject(Record):
    """The manifest that a move points at: its ``digest``, its ``media_type`` and its ``size`` in bytes."""

    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True)
class Intent(Record):
    """What a move was to do, who asked, and how it was judged. ``to_dict`` has more: source, policy, deadlines.

    - ``op``: ``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``.
    - ``move_id``: a UUIDv7; ``key``: the idempotency key; ``request``: the digest of the request as it was given.
    - ``from_``: the live digest before, None before the first move; ``to``: the target.
    - ``provenance``: the pipeline run, the actor, the commit and the release.
    - ``reason``: why, in the words of who asked.
    - ``replaced``: what the tag pointed at instead of the live digest, in a repair.
    - ``owner``: the worker, at random; ``epoch``: 0, each takeover adds 1.
    """

    op: str
    move_id: str
    key: str
    request: Digest
    to: Subject
    provenance: Provenance
    owner: str
    epoch: int
    from_: Digest | None = None
    reason: str | None = None
    replaced: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What each guardrail said, as it stands in the log; empty for an intent that was made by hand."""
        decision: dict[str, Any] = self.to_dict().get("decision", {})
        return tuple(Finding._of(finding) for finding in decision.get("findings", ()))


@dataclass(frozen=True)
class Predecessor(Record):
    """The log that a new one continues: its ``channel``, its ``size`` in entries and its RFC 6962 ``root``.

    ``Promoter.verify`` of the old log gives both numbers.
    """

    channel: Channel
    size: int
    root: Digest


@dataclass(frozen=True)
class Outcome(Record):
    """How a move ended.

    - ``seq`` and ``at``: where the outcome stands, and when it was written.
    - ``status``: ``committed``, ``failed`` (the registry refused; nothing moved) or ``aborted`` (closed without
      effect).
    - ``attempts``: how many puts whoever closed it sent; ``ambiguous``: True if the answer to one was lost.
    - ``recovered``: True if another worker than the first closed it.
    - ``observed``: what the tag pointed at in the end, None if it was absent or not looked at.
    """

    seq: int
    at: datetime.datetime
    status: str
    attempts: int
    ambiguous: bool
    recovered: bool
    observed: Digest | None = None


@dataclass(frozen=True)
class TakenOver(Record):
    """A takeover of an open move by another worker.

    - ``seq`` and ``at``: where it stands, and when it was written.
    - ``owner``: the new worker; ``previous_owner``: the one before; ``epoch``: one more than before.
    """

    seq: int
    at: datetime.datetime
    owner: str
    previous_owner: str
    epoch: int


@dataclass(frozen=True)
class PromotionEvent(Record):
    """A move of a ``channel``, from its intent to its outcome.

    - ``seq`` and ``at``: where the intent stands, and when it was written.
    - ``status``: ``open``, ``committed``, ``failed`` or ``aborted``.
    - ``intent``: what it was to do; ``outcome``: how it ended, None while it is open.
    - ``takeovers``: the workers that took it over, in order.
    """

    channel: Channel
    seq: int
    at: datetime.datetime
    status: str
    intent: Intent
    outcome: Outcome | None = None
    takeovers: tuple[TakenOver, ...] = ()


@dataclass(frozen=True)
class Live(Record):
    """What is live on a channel.

    - ``digest``: the live digest; ``seq``: where the intent of the last committed move stands.
    - ``at``: when that move was closed.
    """

    digest: Digest
    seq: int
    at: datetime.datetime


@dataclass(frozen=True)
class Receipt(Record):
    """What a move of a ``channel`` did.

    - ``op``: ``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``.
    - ``result``: ``committed``, ``unchanged`` (the channel was there, nothing was written) or ``replayed`` (the key had
      moved it before).
    - ``previous_digest``: the live digest before the move, None before the first one; ``digest``: the digest that the
      move made live, or the live digest if there was nothing to move.
    - ``move``: the move that this call made, or the one that its key had made before; None if there was nothing to
      move.
    - ``live``: what is live now. After a replay that may be what a later move set.
    """

    channel: Channel
    op: str
    result: str
    digest: Digest
    live: Live
    previous_digest: Digest | None = None
    move: PromotionEvent | None = None


@dataclass(frozen=True)
class Recovered(Record):
    """What a recovery did: ``result`` is ``nothing`` (no move was open), or ``closed`` with the move's ``event``."""

    result: str
    event: PromotionEvent | None = None


@dataclass(frozen=True)
class Standing(Record):
    """A hold that stands: its position ``seq``, its ``reason``, ``by`` whom, and ``until`` when, None for no end."""

    seq: int
    reason: str
    by: str
    until: datetime.datetime | None = None


@dataclass(frozen=True)
class OpenMove(Record):
    """The move that holds a channel.

    - ``seq``: where its intent stands; ``op``, ``move_id``, ``key``, ``from_`` and ``to``: as in ``Intent``.
    - ``owner``: the worker that holds it; ``epoch``: how often it was taken over.
    """

    seq: int
    op: str
    move_id: str
    key: str
    to: Digest
    owner: str
    epoch: int
    from_: Digest | None = None


@dataclass(frozen=True)
class GoesOn(Record):
    """A log was closed at ``seq``, because it goes on in another ledger: ``to`` is its name."""

    seq: int
    to: str


@dataclass(frozen=True)
class Current(Record):
    """What a ``channel`` is now, as its log says.

    - ``size``: how many entries the log has.
    - ``live``: the live digest, None before the first move; ``previous``: the one before the last move that changed it.
    - ``event``: the last committed move; ``open``: the move that is open; ``hold``: the hold that stands.
    - ``moved``: where the log goes on, if it moved to another ledger: all else is what was, then.
    """

    channel: Channel
    size: int
    live: Digest | None = None
    previous: Digest | None = None
    event: PromotionEvent | None = None
    open: OpenMove | None = None
    hold: Standing | None = None
    moved: GoesOn | None = None


@dataclass(frozen=True)
class Page(Record):
    """Some moves: ``events``, newest first; ``next`` is the ``before`` of the following page, None on the last one."""

    events: tuple[PromotionEvent, ...]
    next: int | None = None
