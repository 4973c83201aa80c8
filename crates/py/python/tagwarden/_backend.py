"""Adapters that the native half calls when a backend or guardrail is written in Python: JSON in, JSON out."""

from __future__ import annotations

import atexit
import base64
import inspect
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._call import ms
from .record import Finding
from .values import Channel, Digest, Reference, Repository, Tag

if TYPE_CHECKING:
    import asyncio


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


@dataclass(frozen=True)
class _Raised:
    error: BaseException


class Adapter:
    """Calls the methods of a user's object, plain or ``async def``."""

    def __init__(self, written: Any, name: str) -> None:
        self.written = written
        self.name = name
        self.timeout = ms(getattr(written, "timeout", None))
        self.loop: asyncio.AbstractEventLoop | None = None

    def ask(self, method: str, request: str) -> str:
        """The native half calls this on its own thread."""
        answer: str = _THREADS.run(lambda: json.dumps(getattr(self, f"_{method}")(json.loads(request))))
        return answer

    def _run(self, result: Any) -> Any:
        """The result, plain or of a coroutine. It runs in the adapter's loop, or in our own if that one has ended."""
        if not inspect.isawaitable(result):
            return result
        import asyncio
        import concurrent.futures

        async def awaited() -> Any:
            try:
                return await result
            except (KeyboardInterrupt, SystemExit) as error:
                # These exceptions end the coroutine's loop. The user's loop shall end, the shared one must not.
                if not in_own_loop():
                    raise
                return _Raised(error)

        coroutine = awaited()
        loop = self.loop if self.loop is not None and self.loop.is_running() else _LOOP.get()
        try:
            running = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # The loop was closed after the check.
            loop = _LOOP.get()
            running = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            while not concurrent.futures.wait([running], _LOOK).done:
                if loop.is_closed():
                    coroutine.close()
                    raise RuntimeError(f"the event loop was closed before {self.name} had answered")
            given = running.result()
        finally:
            if inspect.iscoroutine(result):
                result.close()  # The loop may have ended before the coroutine began.
        if isinstance(given, _Raised):
            raise given.error
        return given


class RegistryAdapter(Adapter):
    """A registry written in Python."""

    def _resolve(self, request: dict[str, Any]) -> str | None:
        found = self._run(self.written.resolve(Repository(request["repository"]), Tag(request["tag"])))
        return None if found is None else str(found)

    def _fetch(self, request: dict[str, Any]) -> dict[str, str] | None:
        found = self._run(self.written.fetch(Reference(request["reference"])))
        return None if found is None else found.to_dict()

    def _put(self, request: dict[str, Any]) -> Any:
        from .registry import Manifest

        manifest = Manifest.from_dict(request["manifest"])
        place = Repository(request["repository"]), Tag(request["tag"])
        return self._run(self.written.put(*place, manifest, request["timeout"] / 1000))

    def _tags(self, request: dict[str, Any]) -> list[str]:
        return [str(tag) for tag in _listed("tags", self._run(self.written.tags(Repository(request["repository"]))))]

    def _has_blob(self, request: dict[str, Any]) -> Any:
        return self._run(self.written.has_blob(Repository(request["repository"]), Digest(request["digest"])))


class LedgerAdapter(Adapter):
    """A ledger written in Python."""

    def _size(self, request: dict[str, Any]) -> Any:
        return self._run(self.written.size(Channel(request["channel"])))

    def _read(self, request: dict[str, Any]) -> list[str]:
        entries = self._run(self.written.read(Channel(request["channel"]), request["from"], request["limit"]))
        return [base64.b64encode(entry).decode() for entry in _listed("read", entries)]

    def _append(self, request: dict[str, Any]) -> str:
        entry = base64.b64decode(request["bytes"])
        stored = self._run(self.written.append(Channel(request["channel"]), request["seq"], entry))
        if not isinstance(stored, bool):
            raise TypeError(f"append gave a {type(stored).__name__}, and not whether the entry was stored")
        return "stored" if stored else "lost"

    def _channels(self, request: dict[str, Any]) -> list[str]:
        return [str(channel) for channel in _listed("channels", self._run(self.written.channels()))]


def _listed(method: str, given: Any) -> Iterable[Any]:
    """The items of a list. A string is an error: its letters are no items."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{method} gave a {type(given).__name__}, and no list")
    return given


class GuardrailAdapter(Adapter):
    """A guardrail written in Python."""

    def __init__(self, written: Any) -> None:
        super().__init__(written, str(written.name))
        self.settings = json.dumps(getattr(written, "settings", None))

    def _judge(self, facts: dict[str, Any]) -> dict[str, Any]:
        from .guardrail import Facts

        found = self._run(self.written.judge(Facts(facts)))
        if not isinstance(found, Finding):
            raise TypeError(f"judge gave a {type(found).__name__}, and no Finding")
        given = {"verdict": found.verdict, "code": found.code, "why": found.why, "retry": found.retry}
        return {name: value for name, value in given.items() if value is not None}


def described(written: Any) -> str:
    """A backend's name in errors."""
    return f"{type(written).__module__}.{type(written).__qualname__}"
