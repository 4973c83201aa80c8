"""An OCI registry over HTTP on loopback, in this process, for your own tests: the pytest fixture ``test_registry``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from . import _tagwarden as _native
from ._call import Seconds, encode, given, ms, wait
from .memory import MemoryRegistry
from .registry import Credentials
from .values import Repository

__all__ = ["TestRegistry", "test_registry"]


class TestRegistry:
    """A registry server. It starts when it is created, and stops with ``close`` or at the end of ``with``.

    >>> with TestRegistry() as registry:
    ...     digest = registry.memory.push_image(registry.repository("acme/shop"), "1.0", 1).digest
    """

    __test__ = False

    def __init__(self) -> None:
        self._native: _native.Server = wait(_native.start_server())
        self.memory: MemoryRegistry = MemoryRegistry(self._native.memory())
        """The registry that it serves, with its scripted faults."""

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``, the host of its repositories."""
        return self._native.host()

    def repository(self, path: str) -> Repository:
        """A repository of it."""
        return Repository(f"{self.host}/{path}")

    def demand(self, credentials: Credentials | None, *, token: bool = False) -> None:
        """Demands this user and password from now on, as Basic authentication or for a token; None demands nothing.

        ValueError for credentials without a user and a password; InvalidValueError VALUE_INVALID for a ``token``
        without credentials.
        """
        user, password = (credentials.user, credentials.password) if credentials else (None, None)
        if credentials and (user is None or password is None):
            raise ValueError("a test registry asks for a user and a password, and for nothing else")
        self._set("demand", user=user, password=password, token=token)

    def script_http(self, *faults: dict[str, Any], method: str | None = None, path: str | None = None) -> None:
        """The next requests meet these faults, in order, one each: only of this ``method``, if given, and only if their
        path ends with ``path``, if given.

        A fault is ``{"fault": "status", "status": 503}``. There are ``pass``, ``status`` and ``status_after``, ``busy``
        (``seconds``), ``html`` (``status``), ``redirect`` (``status``, ``location``), ``cut_body``, ``trickle`` and
        ``slow`` (``time`` in ms), ``closed``, ``closed_after``, ``silent``, ``silent_after``, ``wrong_digest`` and
        ``no_digest``.
        """
        self._set("script_http", faults=list(faults), method=method, path=path)

    def latency(self, latency: Seconds) -> None:
        """Delays each request by this long from now on."""
        self._set("latency", latency=ms(latency))

    def requests(self) -> list[dict[str, Any]]:
        """Every request so far: ``method``, ``path`` and ``status``."""
        return list(self._set("requests"))

    def clear_requests(self) -> None:
        """Forgets the requests so far."""
        self._set("clear_requests")

    def calm(self) -> None:
        """Drops the scripted faults that no request has met."""
        self._set("calm")

    def faults_left(self) -> int:
        """The number of scripted faults that no request has met yet."""
        return int(self._set("faults_left"))

    def end_tokens(self) -> None:
        """Invalidates the bearer tokens that it issued."""
        self._set("end_tokens")

    def close(self) -> None:
        """Stops it and frees the port. Safe to repeat."""
        wait(self._native.stop())

    def _set(self, name: str, /, **arguments: Any) -> Any:
        return given(self._native.set(name, encode(arguments)))

    def __enter__(self) -> TestRegistry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fixture() -> Iterator[TestRegistry]:
    """A registry over HTTP on loopback, for one test."""
    with contextlib.closing(TestRegistry()) as registry:
        yield registry


try:
    import pytest
except ImportError:  # Without pytest no test asks for a fixture.
    test_registry: Any = None
else:
    test_registry = pytest.fixture(name="test_registry")(_fixture)
