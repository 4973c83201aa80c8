"""Values, parsed by the core: an invalid one cannot exist. Every function that takes a value also takes its text."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from . import _tagwarden as _native

__all__ = [
    "Channel",
    "Commit",
    "Digest",
    "Environment",
    "IdempotencyKey",
    "Pipeline",
    "Reference",
    "ReleaseLabel",
    "Repository",
    "Stage",
    "Tag",
]

_V = TypeVar("_V", bound="Value")


class Value:
    """Text of a certain grammar. Equal texts of one class are equal values; they are ordered as the core orders them.

    The constructor raises InvalidValueError (VALUE_INVALID), which says what, why and at which byte.
    """

    __slots__ = ("_split", "_text")
    _kind: ClassVar[str]
    _text: str
    _split: Mapping[str, Any] | None

    def __init_subclass__(cls) -> None:
        """A class of your own follows the grammar of the one that it is derived from."""
        if Value in cls.__bases__:
            cls._kind = cls.__name__

    def __init__(self, text: str | Value) -> None:
        if not isinstance(text, (str, Value)):
            raise TypeError(f"{type(self).__name__} is made of a str, not of a {type(text).__name__}")
        parts = parsed(_native.parse_value(self._kind, sound(str(text))))
        object.__setattr__(self, "_text", parts.pop("text"))
        object.__setattr__(self, "_split", parts)

    @classmethod
    def _known(cls: type[_V], text: str) -> _V:
        """A value that the core wrote. It is parsed only when its parts are read."""
        value = object.__new__(cls)
        object.__setattr__(value, "_text", text)
        object.__setattr__(value, "_split", None)
        return value

    @property
    def _parts(self) -> Mapping[str, Any]:
        if self._split is None:
            object.__setattr__(self, "_split", type(self)(self._text)._split)
        return self._split or {}

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Value) and type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._text))

    def __lt__(self: _V, other: _V) -> bool:
        return self._order() < other._order() if type(other) is type(self) else NotImplemented

    def __le__(self: _V, other: _V) -> bool:
        return self._order() <= other._order() if type(other) is type(self) else NotImplemented

    def __gt__(self: _V, other: _V) -> bool:
        return self._order() > other._order() if type(other) is type(self) else NotImplemented

    def __ge__(self: _V, other: _V) -> bool:
        return self._order() >= other._order() if type(other) is type(self) else NotImplemented

    def _order(self) -> tuple[Any, ...]:
        return (self._text,)

    def __reduce__(self) -> tuple[type[Value], tuple[str]]:
        return type(self), (self._text,)


class Digest(Value):
    """The digest of some bytes: ``sha256:<64 hex>`` or ``sha512:<128 hex>``, in lower case.

    >>> Digest.of(b"").algorithm
    'sha256'
    """

    __slots__ = ()

    @staticmethod
    def of(data: bytes) -> Digest:
        """The SHA-256 of these bytes."""
        return Digest(_native.digest_of(data))

    @property
    def algorithm(self) -> str:
        """``sha256`` or ``sha512``."""
        return str(self._parts["algorithm"])


class Repository(Value):
    """``registry/path``, such as ``registry.example.com/acme/shop``. There is no default registry."""

    __slots__ = ()

    @property
    def registry(self) -> str:
        """``host`` or ``host:port``."""
        return str(self._parts["registry"])

    @property
    def path(self) -> str:
        """The path after the registry."""
        return str(self._parts["path"])


class Tag(Value):
    """1 to 128 characters of ``[A-Za-z0-9_.-]`` that do not begin with ``.`` or ``-``."""

    __slots__ = ()


class Reference(Value):
    """``repository:tag`` or ``repository@digest``."""

    __slots__ = ()

    @property
    def repository(self) -> Repository:
        """The repository."""
        return Repository(self._parts["repository"])

    @property
    def tag(self) -> Tag | None:
        """The tag, unless it names a digest."""
        return Tag(self._parts["tag"]) if self._parts["tag"] else None

    @property
    def digest(self) -> Digest | None:
        """The digest, unless it names a tag."""
        return Digest(self._parts["digest"]) if self._parts["digest"] else None

    def _order(self) -> tuple[Any, ...]:
        return self._parts["repository"], self._parts["tag"] is None, self._text


class Channel(Value):
    """A tag of a repository that is moved, such as ``registry.example.com/acme/shop:prod``.

    >>> Channel("registry.example.com/acme/shop:prod").tag
    Tag('prod')
    """

    __slots__ = ()

    @property
    def repository(self) -> Repository:
        """The repository."""
        return Repository(self._parts["repository"])

    @property
    def tag(self) -> Tag:
        """The tag."""
        return Tag(self._parts["tag"])

    def _order(self) -> tuple[Any, ...]:
        return self._parts["repository"], self._parts["tag"]


class Environment(Value):
    """The name of an environment: lower case letters, digits and dashes."""

    __slots__ = ()


class IdempotencyKey(Value):
    """An idempotency key: the same request with the same key moves a channel once."""

    __slots__ = ()


class Commit(Value):
    """The hash of a commit, in hex."""

    __slots__ = ()


class ReleaseLabel(Value):
    """The name of a release."""

    __slots__ = ()


@dataclass(frozen=True)
class Stage:
    """An ``environment`` and its ``channel``."""

    environment: Environment
    channel: Channel

    def to_dict(self) -> dict[str, Any]:
        """``{environment, channel}``."""
        return {"environment": str(self.environment), "channel": str(self.channel)}


@dataclass(frozen=True)
class Pipeline:
    """The environments that a release goes through: ``stages``, in their order. ``Pipeline.of`` makes one.

    A promoter raises InvalidValueError for an empty one, and for one that names an environment or a channel twice.
    """

    stages: tuple[Stage, ...]

    @staticmethod
    def of(stages: Mapping[str, str | Channel] | Iterable[tuple[str, str | Channel]]) -> Pipeline:
        """From names and channels in order: ``Pipeline.of({"dev": "reg.io/a:dev", "prod": "reg.io/a:prod"})``."""
        pairs = stages.items() if isinstance(stages, Mapping) else stages
        return Pipeline(tuple(Stage(Environment(name), Channel(channel)) for name, channel in pairs))

    def to_dict(self) -> list[dict[str, Any]]:
        """The stages."""
        return [stage.to_dict() for stage in self.stages]


def instant(at: datetime.datetime) -> str:
    """A point in time as RFC 3339, in UTC and whole milliseconds. ValueError for one without a time zone."""
    if at.tzinfo is None:
        raise ValueError("a datetime without a time zone is no point in time")
    at = at.astimezone(datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def is_text(text: str) -> bool:
    """True for a string that UTF-8 can carry: one without lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sound(text: str) -> str:
    """Returns a string that UTF-8 can carry. ValueError for a lone surrogate."""
    if not is_text(text):
        raise ValueError("a string with a lone surrogate is no text")
    return text


def parsed(ended: tuple[Any, str | None, BaseException | None]) -> dict[str, Any]:
    """Returns the JSON object of a native function, or raises its error."""
    text, error, _ = ended
    if error is not None:
        from .errors import fail

        fail(error)
    parts: dict[str, Any] = json.loads(text)
    return parts
