"""The requirements of the ports, run on your own registry or ledger. What comes back is what was broken."""

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
    """A requirement that was broken, and what was seen."""

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

    ``broken`` is the same adapter where every answer fails; ``store`` stores blobs and manifests by digest, by whatever
    way there is; ``lag`` is how many seconds after its end a value of a tag may still be read.
    """
    port, down = _registry.port(registry)[0], _registry.port(broken)[0]
    request = encode({"repository": repository, "lag": ms(lag)})
    return [Failure(**found) for found in wait(_native.registry_requirements(port, down, _Store(store), request))]


class _Store(Adapter):
    """Where the requirements keep what they look for."""

    def __init__(self, store: Callable[[Repository, Sequence[bytes], Sequence[Manifest]], None]) -> None:
        super().__init__(store, "store")

    def _store(self, request: dict[str, Any]) -> None:
        blobs = [base64.b64decode(blob) for blob in request["blobs"]]
        manifests = [Manifest.from_dict(manifest) for manifest in request["manifests"]]
        self._run(self.written(Repository(request["repository"]), blobs, manifests))


def ledger(open: Callable[[], Any]) -> list[Failure]:
    """Runs the requirements of a ledger until the first that is broken.

    ``open`` opens it as a process would that has just started; one that does not outlive its process is given again.
    """
    return [Failure(**found) for found in wait(_native.ledger_requirements(lambda: _ledger.port(open())[0]))]
