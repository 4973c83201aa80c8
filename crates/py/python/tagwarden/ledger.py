"""Ledgers: by URL, in memory, or one that is written in Python."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from . import _tagwarden as _native
from ._backend import LedgerAdapter, described
from ._call import encode, given, untouched, wait, wait_async
from .values import Channel

__all__ = [
    "Ledger",
    "MemoryLedger",
    "OpenedLedger",
    "init_ledger",
    "init_ledger_async",
    "open_ledger",
    "open_ledger_async",
]


@runtime_checkable
class Ledger(Protocol):
    """The store of the logs.

    Write your own with these methods, plain or ``async def``; ``OpenedLedger`` and ``MemoryLedger`` have them, too.
    ``tagwarden.conformance.ledger`` tests it. An exception means that there is no answer: LEDGER_UNAVAILABLE, or the
    code of the LedgerError that was raised. In ``append`` it means that the result is unknown, unless it is a
    LedgerError LEDGER_DENIED: then nothing was stored and nothing will be. The exception is the cause of the promoter's
    error.

    ``timeout``, if there is such an attribute, is how long one call may take (seconds or a timedelta); 30 s by
    default.
    """

    def size(self, channel: Channel) -> int | Awaitable[int]:
        """How many entries the log has; 0 if there is none."""
        ...

    def read(self, channel: Channel, start: int, limit: int) -> Sequence[bytes] | Awaitable[Sequence[bytes]]:
        """The entries from ``start`` on, without gaps: at least one if there is one, at most ``limit``."""
        ...

    def append(self, channel: Channel, seq: int, entry: bytes) -> bool | Awaitable[bool]:
        """Stores the entry at ``seq`` if that is the next position: True if it was, False if it was not.

        After True, the entry survives a crash.
        """
        ...

    def channels(self) -> Sequence[Channel] | Awaitable[Sequence[Channel]]:
        """Every channel that has a log, in any order."""
        ...


class OpenedLedger:
    """A ledger of the core. Its methods are those of ``Ledger``, for one of your own that delegates to it.

    They block without the GIL. Each raises a LedgerError: LEDGER_UNAVAILABLE, LEDGER_DENIED, LEDGER_CORRUPT or
    LEDGER_TRUNCATED; InvalidValueError VALUE_INVALID for an invalid channel or position. A promoter calls them in Rust,
    unless a subclass overrides one.
    """

    def __init__(self, native: _native.Ledger) -> None:
        self._port = native

    def size(self, channel: str | Channel) -> int:
        """How many entries the log has; 0 if there is none."""
        return int(self._ask("size", channel=channel))

    def read(self, channel: str | Channel, start: int, limit: int) -> list[bytes]:
        """The entries from position ``start`` on, without gaps: at least one if there is one, at most ``limit``."""
        return [
            base64.b64decode(entry) for entry in self._ask("read", channel=channel, **{"from": start, "limit": limit})
        ]

    def append(self, channel: str | Channel, seq: int, entry: bytes) -> bool:
        """Stores the entry at ``seq`` if that is the next position: True if it was, False if it was not.

        LedgerError LEDGER_AMBIGUOUS: the result is unknown. The bytes are not checked: ``Promoter.verify`` does that.
        """
        return bool(self._ask("append", channel=channel, seq=seq, bytes=base64.b64encode(entry).decode()) == "stored")

    def channels(self) -> list[Channel]:
        """Every channel that has a log, in their order."""
        return [Channel._known(channel) for channel in self._ask("channels")]

    def _ask(self, method: str, **arguments: Any) -> Any:
        return wait(self._port.call(method, encode(arguments)))


class MemoryLedger(OpenedLedger):
    """A ledger in memory, for tests. It is gone with the process."""

    def __init__(self) -> None:
        super().__init__(_native.memory_ledger())


def open_ledger(url: str, *, access: Literal["write", "read"] = "write") -> OpenedLedger:
    """Opens the ledger at a URL. It creates a missing directory if ``access`` is ``write``, and nothing else.

    - ``url``: a directory's path, ``file://``, ``s3://``, ``gs://``, ``az://`` or ``postgres://``;
      docs/guides/ledgers.md says which one to choose. No output shows a password in it.
    - ``access``: ``write`` (the default), or ``read``: nothing is created or changed, and read permission is enough.

    LedgerError LEDGER_ABSENT, LEDGER_UNSUPPORTED, LEDGER_DENIED or LEDGER_UNAVAILABLE; InvalidValueError CONFIG_INVALID
    for an invalid URL.
    """
    return OpenedLedger(wait(_native.open_ledger(encode({"url": url, "access": access}))))


async def open_ledger_async(url: str, *, access: Literal["write", "read"] = "write") -> OpenedLedger:
    """``open_ledger``, awaited."""
    return OpenedLedger(await wait_async(_native.open_ledger(encode({"url": url, "access": access}))))


def init_ledger(url: str) -> None:
    """Creates the directory or the tables of a ledger. Safe to repeat.

    ``url`` and the errors are those of ``open_ledger``.
    """
    wait(_native.init_ledger(encode({"url": url})))


async def init_ledger_async(url: str) -> None:
    """``init_ledger``, awaited."""
    await wait_async(_native.init_ledger(encode({"url": url})))


def port(ledger: Any) -> tuple[_native.Ledger, LedgerAdapter | None]:
    """The native half of a ledger, and the adapter of one that is written in Python."""
    if isinstance(ledger, OpenedLedger) and untouched(ledger, OpenedLedger, ("size", "read", "append", "channels")):
        return ledger._port, None
    if not isinstance(ledger, Ledger):
        raise TypeError(f"a {type(ledger).__name__} is no ledger: it lacks methods of tagwarden.Ledger")
    adapter = LedgerAdapter(ledger, described(ledger))
    return given(_native.Ledger.written(adapter)), adapter
