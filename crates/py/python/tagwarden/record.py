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
    "Predecessor",
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
    """What a move was to do, and who asked. ``to_dict`` has more: source, provenance, decision, deadlines.

    - ``op``: ``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``.
    - ``move_id``: a UUIDv7; ``key``: the idempotency key; ``request``: the digest of the request as it was given.
    - ``from_``: the live digest before, None before the first move; ``to``: the target.
    - ``reason``: why, in the words of who asked.
    - ``replaced``: what the tag pointed at instead of the live digest, in a repair.
    - ``owner``: the worker, at random; ``epoch``: 0, each takeover adds 1.
    """

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
class PromotionEvent(Record):
    """A move of a ``channel``, from its intent to its outcome.

    - ``seq`` and ``at``: where the intent stands, and when it was written.
    - ``status``: ``open``, ``committed``, ``failed`` or ``aborted``.
    - ``intent``: what it was to do; ``outcome``: how it ended, None while it is open.
    """

    channel: Channel
    seq: int
    at: datetime.datetime
    status: str
    intent: Intent
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Receipt(Record):
    """What a move of a ``channel`` did.

    - ``op``: ``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``.
    - ``result``: ``committed``, ``unchanged`` (the channel was there, nothing was written) or ``replayed`` (the key had
      moved it before).
    - ``from_``: the live digest before, None before the first move; ``to``: the live digest now.
    - ``event``: the move in the log; None if nothing was written.
    """

    channel: Channel
    op: str
    result: str
    to: Digest
    from_: Digest | None = None
    event: PromotionEvent | None = None


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
class Current(Record):
    """What a ``channel`` is now, as its log says.

    - ``size``: how many entries the log has.
    - ``live``: the live digest, None before the first move; ``previous``: the one before the last move that changed it.
    - ``event``: the last committed move; ``open``: the move that is open; ``hold``: the hold that stands.
    """

    channel: Channel
    size: int
    live: Digest | None = None
    previous: Digest | None = None
    event: PromotionEvent | None = None
    open: OpenMove | None = None
    hold: Standing | None = None


@dataclass(frozen=True)
class Page(Record):
    """Some moves: ``events``, newest first; ``next`` is the ``before`` of the following page, None on the last one."""

    events: tuple[PromotionEvent, ...]
    next: int | None = None


@dataclass(frozen=True)
class Audited(Record):
    """How the tag of a ``channel`` stands to its log.

    - ``state``: ``in_sync``; ``moved_outside`` (to a digest that was never live here), ``moved_back`` (to an earlier
      one), ``missing`` (the tag is gone); ``open_intent`` (a move is under way, or to be recovered); ``never_recorded``
      (the log has no committed move); ``unknown`` (it could not be looked at).
    - ``live``: the live digest, if it is in sync; ``expected``: the live digest, if it is not.
    - ``observed``: what the tag points at.
    - ``why``: of what is unknown.
    """

    channel: Channel
    state: str
    live: Digest | None = None
    expected: Digest | None = None
    observed: Digest | None = None
    why: str | None = None


@dataclass(frozen=True)
class AuditReport(Record):
    """What an audit found.

    - ``at``: when it looked; ``channels``: each channel, in their order.
    - ``worst``: ``drift``, ``indeterminate`` (a move is open) or ``unknown``; None if nothing is wrong.
    """

    at: datetime.datetime
    channels: tuple[Audited, ...]
    worst: str | None = None


@dataclass(frozen=True)
class LogReport(Record):
    """What the check of a whole log found. ``to_dict`` has more, such as the first ``defect``.

    - ``entries``: how many entries hold; ``moves``: how many moves were closed, ``committed``: how many of them so.
    - ``root``: the RFC 6962 root over the entries that hold, a digest.
    - ``live`` and ``previous``: as in ``Current``.
    - ``open_intent``: where the intent of the open move stands, None if none is open.
    """

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
    """A ``digest`` of a retention plan. Why it is kept or may go is in ``to_dict``.

    - ``pin``: ``held`` if a pin keeps it alive in the registry, ``absent`` otherwise.
    """

    digest: Digest
    pin: str

    @property
    def kept(self) -> bool:
        """True if it must stay."""
        return "keep" in self.to_dict()


@dataclass(frozen=True)
class RetentionPlan(Record):
    """Which digests of a ``repository`` must stay, ``at`` a time.

    - ``digests``: every digest that is known, with its fate.
    - ``blocked``: what could not be looked at, so that nothing expires; None if everything was.
    """

    repository: Repository
    at: datetime.datetime
    digests: tuple[Judged, ...]
    blocked: str | None = None


@dataclass(frozen=True)
class MayDelete(Record):
    """Whether a digest may be deleted: ``allowed``, and ``because`` of what, for people."""

    allowed: bool
    because: str

    @classmethod
    def _of(cls, json: dict[str, Any], known: bool = True) -> MayDelete:
        allowed = "yes" in json
        why = json["yes" if allowed else "no"]["because"]
        rest = ", ".join(f"{name} {value}" for name, value in why.items() if name != "reason")
        made = cls(allowed, f"{why['reason']} ({rest})" if rest else str(why["reason"]))
        object.__setattr__(made, "_json", json)
        return made

    def to_dict(self) -> dict[str, Any]:
        """The core's JSON: ``{yes: {because, pin}}`` or ``{no: {because}}``, where ``because`` has a ``reason``."""
        if hasattr(self, "_json"):
            return super().to_dict()
        return {"yes" if self.allowed else "no": {"because": {"reason": self.because}}}
