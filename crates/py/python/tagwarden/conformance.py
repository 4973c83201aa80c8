"""The laws of the ports, run on your own registry or ledger. What comes back is what was broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import _tagwarden as _native
from . import ledger as _ledger
from . import registry as _registry
from ._call import wait
from .registry import Manifest
from .values import Repository

__all__ = ["Violation", "ledger", "registry"]


@dataclass(frozen=True)
class Violation:
    """A law that was broken, and what was seen."""

    law: str
    seen: str


def registry(
    registry: Any,
    *,
    broken: Any,
    host: str,
    store: Callable[[Repository, Sequence[bytes], Sequence[Manifest]], None],
    lag: float = 0,
) -> list[Violation]:
    """Runs every law of a registry, in repositories below ``host`` that nothing was pushed to.

    ``broken`` is the same adapter where every answer fails; ``store`` stores blobs and manifests by digest, by whatever way
    there is; ``lag`` is how many seconds a read may lag behind a put.
    """

    def stored(repository: str, blobs: list[bytes], manifests: list[tuple[bytes, str]]) -> None:
        store(Repository(repository), blobs, [Manifest(*manifest) for manifest in manifests])

    port, down = _registry.port(registry)[0], _registry.port(broken)[0]
    return [Violation(*pair) for pair in wait(_native.registry_laws(port, down, host, stored, lag))]


def ledger(open: Callable[[], Any]) -> list[Violation]:
    """Runs the laws of a ledger until the first that is broken.

    ``open`` opens it as a process would that has just started; one that does not outlive its process is given again.
    """
    return [Violation(*pair) for pair in wait(_native.ledger_laws(lambda: _ledger.port(open())[0]))]
