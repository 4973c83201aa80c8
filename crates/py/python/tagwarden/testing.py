"""An OCI registry over HTTP on loopback, in this process, for your own tests: the pytest fixture ``test_registry``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ._tagwarden import TestRegistry

__all__ = ["TestRegistry", "test_registry"]


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
