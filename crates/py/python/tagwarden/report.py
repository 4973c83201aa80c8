"""What the core answers of whole logs and repositories, as frozen records, like those of ``tagwarden.record``."""

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
    """How the tag of a ``channel`` stands to its log.

    - ``state``: ``in_sync``; ``moved_outside`` (to a digest that was never live here), ``moved_back`` (to an earlier
      one), ``missing`` (the tag is gone); ``lagging`` and ``unsettled`` (the registry may answer an older value);
      ``ledger_behind`` (promoted by a move that this ledger does not know); ``move_in_progress`` (a move is under way,
      or to be recovered); ``possibly_open`` (the append of an intent was not answered); ``never_recorded`` (the log has
      no committed move); ``corrupt``, ``truncated``, ``forked`` (of its log); ``unknown`` (it could not be looked at).
    - ``live``: the live digest, if it is in sync; ``expected``: the live digest, if it is not.
    - ``observed``: what the tag points at.
    - ``seq`` and ``target``: of a move that is or may be open, where its intent stands and what it is to make live;
      ``landing``: ``landed``, ``not_landed`` or ``elsewhere``, by what the tag points at.
    - ``why``: of what is unknown, and of a log's defect.
    - ``size``: how many entries the log has.
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
    """What an audit found.

    - ``at``: when it looked; ``channels``: each channel, in their order.
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
    """What the check of a whole log found.

    - ``entries``: how many entries count: their bytes, position and parent are right. One that breaks another rule
      counts, and changed nothing.
    - ``moves``: how many moves were closed, ``committed``: how many of them so.
    - ``root``: the RFC 6962 root over the entries that count.
    - ``channel``: whose log it is.
    - ``live`` and ``previous``: as in ``ChannelStatus``.
    - ``open_intent``: where the intent of the open move stands, None if none is open.
    - ``holds``: the holds that were not ended, by position; one with an end may be over.
    - ``blocked``: the digests that are blocked.
    - ``migrated``: where the entry stands that says the log goes on in another ledger, ``migrated_to``.
    - ``torn_bytes``: of a last append that never returned, which is no defect.
    - ``clock_went_back``: how many entries say an earlier time than the one before them. A warning: time never orders.
    - ``defect``: the first rule that is broken; ``defects``: all of them, in the order of the log. After 100 the check
      stops, and after broken bytes, a wrong position or a wrong parent nothing can be judged.
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
    - ``kept``: True if it must stay, and ``because`` of what, for people; ``to_dict`` says it for programs.
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
    """Which digests of a ``repository`` must stay, ``at`` a time.

    - ``digests``: every digest that is known, with its fate.
    - ``blocked``: what could not be looked at, so that nothing expires; None if everything was.
    """

    repository: Repository
    at: datetime.datetime
    digests: tuple[DigestRetention, ...]
    blocked: str | None = None


@dataclass(frozen=True)
class MayDelete(Record):
    """Whether a digest may be deleted: ``allowed``, and ``because`` of what, for people."""

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
