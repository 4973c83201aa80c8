"""What the core answers, as frozen records. ``to_dict`` gives the core's own JSON; fields are only ever added there.

Times are aware datetimes in UTC; sequence numbers are positions in a channel's log, from 0.
"""

from __future__ import annotations

import copy
import datetime
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .values import Channel, Digest, Repository, Value

__all__ = [
    "AuditReport",
    "Audited",
    "Current",
    "Finding",
    "Intent",
    "Judged",
    "LogReport",
    "MayDelete",
    "OpenMove",
    "Outcome",
    "Page",
    "PromotionEvent",
    "Receipt",
    "Recovered",
    "RetentionPlan",
    "Standing",
    "Subject",
]

_R = TypeVar("_R", bound="Record")


class Record:
    """A frozen record with its JSON."""

    @classmethod
    def from_dict(cls: type[_R], json: Mapping[str, Any]) -> _R:
        """Of the core's JSON. KeyError if a field that there must be is missing."""
        hints = _hints(typing.cast(Any, cls))
        record = cls(**{name: _read(hints[name], json.get(name), name) for name in (f.name for f in fields(cls))})  # type: ignore[arg-type]
        object.__setattr__(record, "_json", copy.deepcopy(dict(json)))
        return record

    def to_dict(self) -> dict[str, Any]:
        """The core's JSON."""
        json: dict[str, Any] | None = getattr(self, "_json", None)
        if json is not None:
            return copy.deepcopy(json)
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return {name: _written(value) for name, value in pairs if value is not None}


@functools.cache
def _hints(cls: typing.Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _read(hint: Any, value: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _read(hint, value, name)
    if origin is tuple:
        return tuple(_read(arguments[0], item, name) for item in value or ())
    if value is None:
        raise KeyError(name)
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_dict(value)
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint(value)
    if hint is datetime.datetime:
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value


def _written(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Value):
        return str(value)
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return value


@dataclass(frozen=True)
class Finding(Record):
    """What a guardrail says of a move: ``verdict`` is ``pass``, ``warn`` or ``refuse``, ``code`` that of the last two."""

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
    """The manifest that a move points at; ``size`` in bytes."""

    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True)
class Intent(Record):
    """What a move was to do, and who asked. ``to_dict`` has more: provenance, decision, deadlines."""

    op: str
    move_id: str
    key: str
    request: Digest
    to: Subject
    owner: str
    epoch: int
    from_: Digest | None = None
    reason: str | None = None
    replaced: str | None = None

    @classmethod
    def from_dict(cls, json: Mapping[str, Any]) -> Intent:
        """Of the core's JSON, where ``from_`` is ``from``."""
        return _with_from(cls, json)


@dataclass(frozen=True)
class Outcome(Record):
    """How a move ended: ``status`` is ``committed``, ``failed`` or ``aborted``; ``recovered`` by another worker."""

    seq: int
    at: datetime.datetime
    status: str
    attempts: int
    ambiguous: bool
    recovered: bool
    observed: Digest | None = None


@dataclass(frozen=True)
class PromotionEvent(Record):
    """A move, from its intent at ``seq`` to its outcome: ``open``, ``committed``, ``failed`` or ``aborted``."""

    channel: Channel
    seq: int
    at: datetime.datetime
    status: str
    intent: Intent
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Receipt(Record):
    """What a move did: ``committed``, ``unchanged`` (nothing was written) or ``replayed`` (the key had moved it)."""

    channel: Channel
    op: str
    result: str
    to: Digest
    from_: Digest | None = None
    event: PromotionEvent | None = None

    @classmethod
    def from_dict(cls, json: Mapping[str, Any]) -> Receipt:
        """Of the core's JSON, where ``from_`` is ``from``."""
        return _with_from(cls, json)


@dataclass(frozen=True)
class Recovered(Record):
    """What a recovery did: ``nothing``, or ``closed`` with the move's event."""

    result: str
    event: PromotionEvent | None = None


@dataclass(frozen=True)
class Standing(Record):
    """A hold that stands."""

    seq: int
    reason: str
    by: str
    until: datetime.datetime | None = None


@dataclass(frozen=True)
class OpenMove(Record):
    """The move that holds a channel."""

    seq: int
    op: str
    move_id: str
    key: str
    to: Digest
    owner: str
    epoch: int
    from_: Digest | None = None

    @classmethod
    def from_dict(cls, json: Mapping[str, Any]) -> OpenMove:
        """Of the core's JSON, where ``from_`` is ``from``."""
        return _with_from(cls, json)


@dataclass(frozen=True)
class Current(Record):
    """What a channel is now, as its log of ``size`` entries says."""

    channel: Channel
    size: int
    live: Digest | None = None
    previous: Digest | None = None
    event: PromotionEvent | None = None
    open: OpenMove | None = None
    hold: Standing | None = None


@dataclass(frozen=True)
class Page(Record):
    """Moves, newest first; ``next`` is where the following page begins, None at the end."""

    events: tuple[PromotionEvent, ...]
    next: int | None = None


@dataclass(frozen=True)
class Audited(Record):
    """How the tag stands to the log: ``in_sync``, ``moved_outside``, ``moved_back``, ``missing``, ``open_intent``,
    ``never_recorded`` or ``unknown``."""

    channel: Channel
    state: str
    live: Digest | None = None
    expected: Digest | None = None
    observed: Digest | None = None
    why: str | None = None


@dataclass(frozen=True)
class AuditReport(Record):
    """What an audit found; ``worst`` is ``drift``, ``indeterminate`` or ``unknown``, None if nothing is wrong."""

    at: datetime.datetime
    channels: tuple[Audited, ...]
    worst: str | None = None


@dataclass(frozen=True)
class LogReport(Record):
    """What the check of a whole log found. ``root`` is the RFC 6962 root; a ``defect`` is in ``to_dict``."""

    entries: int
    moves: int
    committed: int
    root: str
    live: Digest | None = None
    previous: Digest | None = None
    open_intent: int | None = None

    @property
    def holds(self) -> bool:
        """True if no rule is broken."""
        return self.to_dict().get("defect") is None


@dataclass(frozen=True)
class Judged(Record):
    """A digest of a retention plan; why it is kept or may go is in ``to_dict``."""

    digest: Digest
    pin: str

    @property
    def kept(self) -> bool:
        """True if it must stay."""
        return "keep" in self.to_dict()


@dataclass(frozen=True)
class RetentionPlan(Record):
    """Which digests of a repository must stay; ``blocked`` says why nothing expires."""

    repository: Repository
    at: datetime.datetime
    digests: tuple[Judged, ...]
    blocked: str | None = None


@dataclass(frozen=True)
class MayDelete:
    """Whether a digest may be deleted, and why."""

    allowed: bool
    because: str

    @staticmethod
    def from_dict(json: Mapping[str, Any]) -> MayDelete:
        """Of the core's JSON."""
        allowed = "yes" in json
        why = (json["yes"] if allowed else json["no"])["because"]
        rest = ", ".join(f"{name} {value}" for name, value in why.items() if name != "reason")
        return MayDelete(allowed, f"{why['reason']} ({rest})" if rest else str(why["reason"]))


def _with_from(cls: type[_R], json: Mapping[str, Any]) -> _R:
    record: _R = Record.from_dict.__func__(cls, {**json, "from_": json.get("from")})  # type: ignore[attr-defined]
    object.__setattr__(record, "_json", copy.deepcopy(dict(json)))
    return record
