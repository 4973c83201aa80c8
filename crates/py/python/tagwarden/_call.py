"""Calls of the native half: blocking and awaited."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from . import _tagwarden as _native
from .errors import fail
from .values import Value, instant, sound

Seconds: TypeAlias = float | datetime.timedelta
"""A duration: seconds, or a timedelta."""


def encode(arguments: dict[str, Any]) -> str:
    """Arguments as JSON; None is left out. TypeError for an unsupported type, ValueError for a lone surrogate."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return sound(json.dumps(given, default=_plain, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Value):
        return str(value)
    if isinstance(value, datetime.datetime):
        return instant(value)
    to_dict = getattr(value, "to_dict", None)
    if to_dict is None:
        raise TypeError(f"a {type(value).__name__} is no argument")
    return to_dict()


def ms(duration: Seconds | None) -> float | None:
    """Seconds as milliseconds. ValueError if it is negative or not finite."""
    if duration is None:
        return None
    seconds = duration.total_seconds() if isinstance(duration, datetime.timedelta) else float(duration)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{seconds} is no duration in seconds")
    return seconds * 1000


def given(ended: tuple[Any, str | None, BaseException | None]) -> Any:
    """Returns the result of a call that ended, or raises its error."""
    value, error, exception = ended
    if error is not None:
        fail(error, exception)
    return json.loads(value) if isinstance(value, str) else value


def wait(call: _native.Call) -> Any:
    """Blocks until the call ends; checks for signals every 50 ms."""
    return given(call.wait())


async def wait_async(call: _native.Call) -> Any:
    """Awaits the call. Cancelling the task or closing the coroutine aborts the call."""
    import asyncio  # Here, because it is half of the package's import time and blocking programs do not need it.

    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(ended: tuple[Any, str | None, BaseException | None]) -> None:
        if not future.done():
            future.set_result(ended)

    def done(value: Any, error: str | None, exception: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, (value, error, exception))
        except RuntimeError:
            pass  # The loop is closed, so nothing awaits the future.

    call.then(done)
    try:
        ended = await future
    except BaseException:  # Cancelled, or the coroutine was closed.
        call.abort()
        raise
    return given(ended)


def untouched(backend: object, base: type, methods: Iterable[str]) -> bool:
    """True if a backend overrides no method of the core's class: then the core calls its own, without Python."""
    kind = type(backend)
    return all(getattr(kind, name) is getattr(base, name) and name not in vars(backend) for name in methods)
