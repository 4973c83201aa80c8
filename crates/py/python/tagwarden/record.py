"""What the core answers, as frozen records. ``to_dict`` gives the core's own JSON; fields are only ever added there.

Times are aware datetimes in UTC; sequence numbers are positions in a channel's log, from 0.
"""

from __future__ import annotations

import copy
import datetime
import functools
import types
import typing
from collections.abc import Callable, Mapping
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
        return cls._of(copy.deepcopy(dict(json)), known=False)

    @classmethod
    def _of(cls: type[_R], json: dict[str, Any], known: bool = True) -> _R:
        """Of JSON that nobody else holds; ``known`` says that the core wrote it, so that its values need no parsing."""
        record = cls(**{name: read(json.get(key), key) for name, key, read in _readers(typing.cast(Any, cls), known)})
        object.__setattr__(record, "_json", json)
        return record

    def to_dict(self) -> dict[str, Any]:
        """The core's JSON."""
        json: dict[str, Any] | None = getattr(self, "_json", None)
        if json is not None:
            return copy.deepcopy(json)
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return {name: _written(value) for name, value in pairs if value is not None}


_Reader: typing.TypeAlias = Callable[[Any, str], Any]


@functools.cache
def _readers(cls: typing.Any, known: bool) -> tuple[tuple[str, str, _Reader], ...]:
    """Each field of a record: its name, its name in JSON (``from_`` is ``from``), and what reads it."""
    hints = typing.get_type_hints(cls)
    return tuple((f.name, f.name.rstrip("_"), _reader(hints[f.name], known)) for f in fields(cls))


def _reader(hint: Any, known: bool) -> _Reader:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (hint,) = (argument for argument in arguments if argument is not type(None))
        some = _reader(hint, known)
        return lambda value, name: None if value is None else some(value, name)
    if origin is tuple:
        item = _reader(arguments[0], known)
        return lambda value, name: tuple(item(each, name) for each in value or ())
    return functools.partial(_needed, _maker(hint, known))


def _maker(hint: Any, known: bool) -> Callable[[Any], Any]:
    if isinstance(hint, type) and issubclass(hint, Record):
        return functools.partial(hint._of, known=known)
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint._known if known else hint
    if hint is datetime.datetime:
        return lambda value: datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return lambda value: value


def _needed(make: Callable[[Any], Any], value: Any, name: str) -> Any:
    if value is None:
        raise KeyError(name)
    return make(value)


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
