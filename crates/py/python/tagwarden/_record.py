"""Frozen records of the core's JSON."""

from __future__ import annotations

import copy
import datetime
import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from .provenance import Provenance
from .values import Value, instant

_R = TypeVar("_R", bound="Record")


class Record:
    """A frozen record with its JSON."""

    @classmethod
    def from_dict(cls: type[_R], json: Mapping[str, Any]) -> _R:
        """Parses the core's JSON. KeyError if a required field is missing."""
        return cls._of(copy.deepcopy(dict(json)), known=False)

    @classmethod
    def _of(cls: type[_R], json: dict[str, Any], known: bool = True) -> _R:
        """Wraps JSON that is not shared. ``known``: the core wrote it, so that its values need no parsing."""
        # One update instead of one `object.__setattr__` for each frozen field takes half the time.
        record, given = object.__new__(cls), json.get
        vars(record).update((name, read(given(key), key)) for name, key, read in _readers(typing.cast(Any, cls), known))
        return record._with(json)

    def _with(self: _R, json: dict[str, Any]) -> _R:
        """Keeps the JSON that the record was parsed from."""
        vars(self)["_json"] = json
        return self

    def to_dict(self) -> dict[str, Any]:
        """The core's JSON."""
        json: dict[str, Any] | None = getattr(self, "_json", None)
        return self._made() if json is None else copy.deepcopy(json)

    def _made(self) -> dict[str, Any]:
        """The JSON of a record that was made by hand."""
        pairs = ((f.name.rstrip("_"), getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return {name: _written(value) for name, value in pairs if value is not None}


_Reader: typing.TypeAlias = Callable[[Any, str], Any]


@functools.cache
def _readers(cls: typing.Any, known: bool) -> tuple[tuple[str, str, _Reader], ...]:
    """Each field of a record: its name, its name in JSON (without a trailing ``_``), and its reader."""
    hints = typing.get_type_hints(cls)
    return tuple((f.name, f.name.rstrip("_"), _reader(hints[f.name], known)) for f in fields(cls))


def _reader(hint: Any, known: bool) -> _Reader:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        hints = [argument for argument in arguments if argument is not type(None)]
        some = _reader(hints[0], known) if len(hints) == 1 else _needed(None)  # a number or a text
        if len(hints) == len(arguments):
            return some
        return lambda value, name: None if value is None else some(value, name)
    if origin is tuple:
        item = _reader(arguments[0], known)
        return lambda value, name: tuple([item(each, name) for each in value or ()])
    return _needed(_maker(hint, known))


def _needed(make: Callable[[Any], Any] | None) -> _Reader:
    def read(value: Any, name: str) -> Any:
        if value is None:
            raise KeyError(name)
        return value if make is None else make(value)

    return read


def _maker(hint: Any, known: bool) -> Callable[[Any], Any] | None:
    """The function that makes a value of its JSON; None if the JSON is the value."""
    if isinstance(hint, type) and issubclass(hint, Record):
        return functools.partial(hint._of, known=known)
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint._known if known else hint
    if hint is Provenance:
        return Provenance._of
    if hint is datetime.datetime:
        return lambda value: datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return None


def _written(value: Any) -> Any:
    if isinstance(value, Record | Provenance):
        return value.to_dict()
    if isinstance(value, Value):
        return str(value)
    if isinstance(value, datetime.datetime):
        return instant(value)
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return value
