"""Contract tests of the ports for your own registry or ledger. They return the requirements that it breaks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import _tagwarden as _native
from . import ledger as _ledger
from . import registry as _registry
from ._backend import Adapter
from ._call import encode, ms, wait
from .registry import Manifest
from .values import Repository

__all__ = ["Failure", "ledger", "registry"]


@dataclass(frozen=True)
class Failure:
    """A requirement that was broken, and the wrong behaviour."""

    requirement: str
    seen: str


def registry(
    registry: Any,
    *,
    broken: Any,
    repository: str | Repository,
    store: Callable[[Repository, Sequence[bytes], Sequence[Manifest]], None],
    lag: float = 0,
) -> list[Failure]:
    """Runs every requirement of a registry, each in a new repository below ``repository``.

    ``broken`` is the same adapter, but every call of it fails; ``store`` stores blobs and manifests by digest,
    around the port; ``lag`` is how many seconds after a change a read may still answer the old value of a tag.
    """
    port, down = _registry.port(registry)[0], _registry.port(broken)[0]
    request = encode({"repository": repository, "lag": ms(lag)})
    return [Failure(**found) for found in wait(_native.registry_requirements(port, down, _Store(store), request))]


class _Store(Adapter):
    """Stores the blobs and manifests that the requirements read."""

    def __init__(self, store: Callable[[Repository, Sequence[bytes], Sequence[Manifest]], None]) -> None:
        super().__init__(store, "store")

    def _store(self, request: dict[str, Any]) -> None:
        blobs = [base64.b64decode(blob) for blob in request["blobs"]]
        manifests = [Manifest.from_dict(manifest) for manifest in request["manifests"]]
        self._run(self.written(Repository(request["repository"]), blobs, manifests))


def ledger(open: Callable[[], Any]) -> list[Failure]:
    """Runs the requirements of a ledger until the first that is broken.

    ``open`` opens it as a new process does. For a ledger in memory it returns the same object again.
    """
    return [Failure(**found) for found in wait(_native.ledger_requirements(lambda: _ledger.port(open())[0]))]
