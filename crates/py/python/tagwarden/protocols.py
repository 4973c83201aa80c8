"""A registry, a ledger and a guardrail of your own are objects with these methods, plain or ``async def``."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol, runtime_checkable

from ._tagwarden import Channel, Digest, Facts, Finding, Manifest, Reference, Repository, Tag

__all__ = ["Guardrail", "Ledger", "Registry"]


@runtime_checkable
class Registry(Protocol):
    """The store of manifests and of the tags that point at them.

    Write your own with these methods, plain or ``async def``; ``OciRegistry`` and ``MemoryRegistry`` have them, too.
    ``tagwarden.conformance.registry`` tests it. An exception means that there is no answer: REGISTRY_UNAVAILABLE, or
    the code of the RegistryError that was raised. In ``put`` it means that the result is unknown, unless it is a
    RegistryError REGISTRY_REFUSED or REGISTRY_DENIED: then nothing was moved and nothing will land later. The exception
    is the cause of the promoter's error.

    ``timeout``, if there is such an attribute, is how long one call may take (seconds or a timedelta); 30 s by
    default. A put has its own.
    """

    def resolve(self, repository: Repository, tag: Tag) -> Digest | None | Awaitable[Digest | None]:
        """The digest that a tag points at, or None if it is proven absent."""
        ...

    def fetch(self, reference: Reference) -> Manifest | None | Awaitable[Manifest | None]:
        """The manifest of a reference, or None if it is proven absent."""
        ...

    def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None | Awaitable[None]:
        """Points the tag at a manifest; ``timeout`` in seconds."""
        ...

    def tags(self, repository: Repository) -> Sequence[Tag] | Awaitable[Sequence[Tag]]:
        """All tags of a repository, in any order."""
        ...

    def has_blob(self, repository: Repository, digest: Digest) -> bool | Awaitable[bool]:
        """True if the blob exists, False if it is proven absent."""
        ...


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


@runtime_checkable
class Guardrail(Protocol):
    """One rule. It is pure: the same facts give the same finding. Its exceptions refuse the move (GUARDRAIL_FAILED).

    ``settings``, if there is such an attribute, is JSON and goes into the policy's digest. ``timeout``, if there is
    such an attribute, is how long it may take (seconds or a timedelta); 30 s by default. A rule that takes longer
    refuses the move.
    """

    @property
    def name(self) -> str:
        """Its name, in lower case with dashes; unique in a policy."""
        ...

    def judge(self, facts: Facts) -> Finding | Awaitable[Finding]:
        """The rule's finding about a move."""
        ...
