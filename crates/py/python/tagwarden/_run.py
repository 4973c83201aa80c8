"""Event loops and threads: how a call is awaited, and where the methods of backends written in Python run."""

from __future__ import annotations

import atexit
import inspect
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


async def awaited(call: Any) -> Any:
    """Awaits a call of the native half. Cancelling the task or closing the coroutine aborts the call."""
    import asyncio  # Here, because it is half of the package's import time and blocking programs do not need it.

    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    call.start(loop, future)
    try:
        return await future
    except BaseException:  # It failed or was cancelled, or the coroutine was closed.
        call.abort()
        raise


class _Threads:
    """Daemon threads in which backends run.

    A native thread only waits for them, without the GIL: a native thread that runs Python, or takes the GIL, while the
    interpreter ends would crash the process.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Resets to the state of a new process: a forked child has none of its parent's threads."""
        self._idle: list[queue.SimpleQueue[Callable[[], None]]] = []
        self._used = False
        self._ended = False

    def run(self, work: Callable[[], Any]) -> Any:
        """Runs the work on a daemon thread and returns its result. It never returns if the interpreter ends first."""
        told: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def tell() -> None:
            ended = _tried(work)
            if not self._ended:
                told.put(ended)

        if self._ended:
            time.sleep(_END)
            raise RuntimeError("the Python interpreter is ending")
        self._used = True
        self._give(tell)
        value, error = told.get()
        if error is not None:
            raise error
        return value

    def _give(self, work: Callable[[], None]) -> None:
        try:
            thread = self._idle.pop()
        except IndexError:
            thread = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(thread,), name="tagwarden-backend", daemon=True).start()
        thread.put(work)

    def _serve(self, given: queue.SimpleQueue[Callable[[], None]]) -> None:
        while True:
            given.get()()
            self._idle.append(given)

    def end(self) -> None:
        """Stops giving results to native threads. A thread that got one just before has left the interpreter by now."""
        self._ended = True
        if self._used:
            time.sleep(_SETTLE)


_END = 5.0
"""Seconds for which a call that begins while the interpreter ends is delayed: longer than the shutdown takes."""
_SETTLE = 0.05
"""Seconds that a thread takes at most to return to the native half."""


def _tried(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:
        return None, error


class _Loop:
    """An event loop in its own thread, for coroutines of backends if the caller's loop does not run."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Resets to the state of a new process."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="tagwarden-loop", daemon=True)
                self._thread.start()
            return self._loop

    def is_here(self) -> bool:
        """True in the loop's own thread."""
        return self._thread is threading.current_thread()


_THREADS, _LOOP = _Threads(), _Loop()
atexit.register(_THREADS.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_THREADS.begin)
    os.register_at_fork(after_in_child=_LOOP.begin)

_LOOK = 0.5
"""Seconds between two checks whether the event loop of a coroutine was closed."""


def in_own_loop() -> bool:
    """True in a coroutine that runs in the package's own loop. A blocking call there would stop that loop."""
    return _LOOP.is_here()


def ask(
    method: Callable[..., Any], arguments: tuple[Any, ...], loop: asyncio.AbstractEventLoop | None, name: str
) -> Any:
    """Calls a method of the backend ``name``, plain or ``async def``; a sequence is returned as a tuple.

    The native half calls this on its own thread. A coroutine runs in ``loop``, or in our own if that one has ended.
    """
    return _THREADS.run(lambda: _listed(_result(method(*arguments), loop, name)))


def _listed(given: Any) -> Any:
    """The items of a sequence as a tuple. The letters of a string are no items."""
    if isinstance(given, (str, bytes, dict)) or not isinstance(given, Iterable):
        return given
    return tuple(given)


def _result(result: Any, loop: asyncio.AbstractEventLoop | None, name: str) -> Any:
    """The result, plain or of a coroutine."""
    if not inspect.isawaitable(result):
        return result
    import asyncio
    import concurrent.futures

    async def awaited() -> tuple[Any, BaseException | None]:
        try:
            return await result, None
        except (KeyboardInterrupt, SystemExit) as error:
            # These exceptions end the coroutine's loop. The user's loop shall end, the shared one must not.
            if not in_own_loop():
                raise
            return None, error

    coroutine = awaited()
    if loop is None or not loop.is_running():
        loop = _LOOP.get()
    try:
        running = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:  # The loop was closed after the check.
        loop = _LOOP.get()
        running = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        while not concurrent.futures.wait([running], _LOOK).done:
            if loop.is_closed():
                coroutine.close()
                raise RuntimeError(f"the event loop was closed before {name} had answered")
        given, error = running.result()
    finally:
        if inspect.iscoroutine(result):
            result.close()  # The loop may have ended before the coroutine began.
    if error is not None:
        raise error
    return given
