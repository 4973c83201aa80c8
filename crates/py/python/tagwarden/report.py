"""Reports about whole logs and repositories: frozen records, like those of ``tagwarden.record``."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._record import Record
from .record import Finding
from .values import Channel, Digest, Repository

__all__ = [
    "AuditReport",
    "ChannelAudit",
    "Defect",
    "DigestRetention",
    "LogReport",
    "MayDelete",
    "RetentionPlan",
]


@dataclass(frozen=True)
class ChannelAudit(Record):
    """The comparison of a ``channel``'s tag with its log.

    - ``state``: ``in_sync``; ``moved_outside`` (to a digest that was never live here), ``moved_back`` (to an earlier
      one), ``missing`` (the tag is gone); ``lagging`` and ``unsettled`` (the registry may answer an older value);
      ``ledger_behind`` (promoted by a move that this ledger does not have); ``move_in_progress`` (a move is under way,
      or needs ``recover``); ``possibly_open`` (the append of an intent was not answered); ``never_recorded`` (the log
      has no committed move); ``corrupt``, ``truncated``, ``forked`` (of its log); ``unknown`` (it could not be read).
    - ``live``: the live digest, if it is in sync; ``expected``: the live digest, if it is not.
    - ``observed``: the observed digest of the tag.
    - ``seq`` and ``target``: for a move that is or may be open, the position of its intent and its target;
      ``landing``: ``landed``, ``not_landed`` or ``elsewhere``, by the observed digest.
    - ``why``: the reason for ``unknown``, or the log's defect.
    - ``size``: the number of entries in the log.
    - ``findings``: warnings, such as parts of the live digest that are missing.
    """

    channel: Channel
    state: str
    live: Digest | None = None
    expected: Digest | None = None
    observed: Digest | None = None
    seq: int | None = None
    target: Digest | None = None
    landing: str | None = None
    why: str | None = None
    size: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class AuditReport(Record):
    """The result of an audit.

    - ``at``: when it ran; ``channels``: each channel, in their order.
    - ``worst``: ``defect`` (of a log), ``drift``, ``unknown`` or ``indeterminate`` (a move is open), in this order;
      None if nothing is wrong.
    """

    at: datetime.datetime
    channels: tuple[ChannelAudit, ...]
    worst: str | None = None


@dataclass(frozen=True)
class Defect(Record):
    """A rule of the log's format that the entry at ``seq`` breaks: its ``code``, and ``why``.

    ``docs/reference/ledger-format.md`` lists the codes.
    """

    seq: int
    code: str
    why: str


@dataclass(frozen=True)
class LogReport(Record):
    """The result of the check of a whole log.

    - ``entries``: how many entries count: their bytes, position and parent are right. An entry that breaks another rule
      counts, but does not change the state.
    - ``moves``: how many moves were closed, ``committed``: how many of them were committed.
    - ``root``: the RFC 6962 root over the entries that count.
    - ``channel``: the channel of the log.
    - ``live`` and ``previous``: as in ``ChannelStatus``.
    - ``open_intent``: the position of the open move's intent, None if no move is open.
    - ``holds``: the positions of holds that were not ended; a hold with an ``until`` may have expired.
    - ``blocked``: the digests that are blocked.
    - ``migrated``: the position of the entry that names the ledger that continues the log, ``migrated_to``.
    - ``torn_bytes``: the bytes of a last append that never returned, which is no defect.
    - ``clock_went_back``: how many entries say an earlier time than the one before them. A warning: time never orders.
    - ``defect``: the first rule that is broken; ``defects``: all of them, in the order of the log. After 100 the check
      stops; nothing can be checked after broken bytes, a wrong position or a wrong parent.
    """

    entries: int
    moves: int
    committed: int
    root: Digest
    channel: Channel | None = None
    live: Digest | None = None
    previous: Digest | None = None
    open_intent: int | None = None
    holds: tuple[int, ...] = ()
    blocked: tuple[Digest, ...] = ()
    migrated: int | None = None
    migrated_to: str | None = None
    torn_bytes: int = 0
    clock_went_back: int = 0
    defect: Defect | None = None
    defects: tuple[Defect, ...] = ()

    @property
    def valid(self) -> bool:
        """True if no rule is broken."""
        return self.defect is None


@dataclass(frozen=True)
class DigestRetention(Record):
    """A ``digest`` of a retention plan.

    - ``pin``: ``held`` if a pin keeps it alive in the registry, ``absent`` otherwise.
    - ``kept``: True if it must stay; ``because``: the reason, for people. ``to_dict`` has it for programs.
    """

    digest: Digest
    pin: str
    kept: bool
    because: str

    @classmethod
    def _of(cls, json: dict[str, Any], known: bool = True) -> DigestRetention:
        kept = "keep" in json
        digest = Digest._known(json["digest"]) if known else Digest(json["digest"])
        return cls(digest, json["pin"], kept, _because(json["keep" if kept else "expire"]))._with(json)

    def _made(self) -> dict[str, Any]:
        fate = "keep" if self.kept else "expire"
        return {"digest": str(self.digest), "pin": self.pin, fate: {"reason": self.because}}


@dataclass(frozen=True)
class RetentionPlan(Record):
    """The digests of a ``repository`` that must stay, ``at`` a time.

    - ``digests``: every known digest, kept or not.
    - ``blocked``: the log or tag that could not be read, so that nothing expires; None if all were read.
    """

    repository: Repository
    at: datetime.datetime
    digests: tuple[DigestRetention, ...]
    blocked: str | None = None


@dataclass(frozen=True)
class MayDelete(Record):
    """The permission to delete a digest: ``allowed``, and ``because``, the reason for people."""

    allowed: bool
    because: str

    @classmethod
    def _of(cls, json: dict[str, Any], known: bool = True) -> MayDelete:
        allowed = "yes" in json
        return cls(allowed, _because(json["yes" if allowed else "no"]["because"]))._with(json)

    def _made(self) -> dict[str, Any]:
        return {"yes" if self.allowed else "no": {"because": {"reason": self.because}}}


def _because(why: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{name} {value}" for name, value in why.items() if name != "reason")
    return f"{why['reason']} ({rest})" if rest else str(why["reason"])
