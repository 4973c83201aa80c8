"""Ledgers: by URL, in memory, or one that is written in Python."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from . import _tagwarden as _native
from ._backend import LedgerAdapter, described
from ._call import encode, wait, wait_async
from .values import Channel

__all__ = ["Ledger", "MemoryLedger", "OpenedLedger", "init_ledger", "open_ledger", "open_ledger_async"]


@runtime_checkable
class Ledger(Protocol):
    """Where the logs are kept. Write your own with these methods, plain or ``async def``.

    ``tagwarden.conformance.ledger`` holds one to the laws. An exception of ``append`` says that it is not known whether the
    entry stands.
    """

    def size(self, channel: Channel) -> int | Awaitable[int]:
        """How many entries the log has; 0 if there is none."""
        ...

    def read(self, channel: Channel, start: int, limit: int) -> Sequence[bytes] | Awaitable[Sequence[bytes]]:
        """The entries from ``start`` on, without gaps: at least one if there is one, at most ``limit``."""
        ...

    def append(self, channel: Channel, seq: int, entry: bytes) -> bool | Awaitable[bool]:
        """Stores the entry at ``seq`` if that is the next position: True if it was, False if it was not."""
        ...

    def channels(self) -> Sequence[Channel] | Awaitable[Sequence[Channel]]:
        """Every channel that has a log, in any order."""
        ...


class OpenedLedger:
    """A ledger of the core."""

    def __init__(self, native: _native.Ledger) -> None:
        self._port = native


class MemoryLedger(OpenedLedger):
    """A ledger in memory, for tests."""

    def __init__(self) -> None:
        super().__init__(_native.memory_ledger())


def open_ledger(url: str, *, access: Literal["write", "read"] = "write") -> OpenedLedger:
    """The ledger at a URL: a directory, ``file://``, ``s3://``, ``gs://``, ``az://`` or ``postgres://``.

    docs/ledgers.md says which is for whom. LedgerError: LEDGER_ABSENT, LEDGER_UNSUPPORTED, LEDGER_DENIED,
    LEDGER_UNAVAILABLE; InvalidValueError CONFIG_INVALID for a URL that is not understood.
    """
    return OpenedLedger(wait(_native.open_ledger(encode({"url": url, "access": access}))))


async def open_ledger_async(url: str, *, access: Literal["write", "read"] = "write") -> OpenedLedger:
    """Like ``open_ledger``, awaited."""
    return OpenedLedger(await wait_async(_native.open_ledger(encode({"url": url, "access": access}))))


def init_ledger(url: str) -> None:
    """Makes what a ledger needs, such as the tables of a database. Doing it again is no error."""
    wait(_native.init_ledger(encode({"url": url})))


def port(ledger: Any) -> tuple[_native.Ledger, LedgerAdapter | None]:
    """The native half of a ledger, and the adapter of one that is written in Python."""
    native = getattr(ledger, "_port", None)
    if isinstance(native, _native.Ledger):
        return native, None
    if not isinstance(ledger, Ledger):
        raise TypeError(f"a {type(ledger).__name__} is no ledger: it lacks methods of tagwarden.Ledger")
    adapter = LedgerAdapter(ledger, described(ledger))
    return _native.Ledger.written(adapter), adapter
