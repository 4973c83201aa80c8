"""``MemoryRegistry``: a registry in memory with scripted faults, for your own tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import _tagwarden as _native
from ._call import Seconds, encode, given, ms
from .registry import Manifest, NativeRegistry
from .values import Digest, Repository, Tag

__all__ = ["InjectedFault", "MemoryRegistry", "ReadFault"]


@dataclass(frozen=True)
class _Fault:
    _json: str

    def to_dict(self) -> dict[str, Any]:
        """As the core reads it."""
        import json

        read: dict[str, Any] = json.loads(self._json)
        return read

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._json})"


class InjectedFault(_Fault):
    """A fault of one put."""

    @staticmethod
    def _of(fault: str, **more: Any) -> InjectedFault:
        return InjectedFault(encode({"fault": fault, **more}))

    @staticmethod
    def passes() -> InjectedFault:
        """No fault; it takes one place in the order."""
        return InjectedFault._of("pass")

    @staticmethod
    def before() -> InjectedFault:
        """It fails before anything is applied, and the caller cannot know."""
        return InjectedFault._of("before")

    @staticmethod
    def after() -> InjectedFault:
        """It is applied, and the answer is lost."""
        return InjectedFault._of("after")

    @staticmethod
    def refused(code: str | None = None, *, status: int | None = None, message: str | None = None) -> InjectedFault:
        """The registry refuses in these words, and nothing moves.

        Without ``status`` (400 to 499) it is the one that vendors answer with this code. One of the two must be given.
        """
        return InjectedFault._of("refused", code=code, status=status, message=message)

    @staticmethod
    def denied() -> InjectedFault:
        """The registry does not accept the credentials, and nothing moves."""
        return InjectedFault._of("denied")

    @staticmethod
    def late(time: Seconds) -> InjectedFault:
        """The answer is lost now, and the put lands after this time."""
        return InjectedFault._of("late", time=ms(time))

    @staticmethod
    def twice(time: Seconds) -> InjectedFault:
        """It is applied, answered, and lands once more after this time."""
        return InjectedFault._of("twice", time=ms(time))

    @staticmethod
    def slow(time: Seconds) -> InjectedFault:
        """It takes this long. Beyond the caller's timeout the answer is lost, and the put lands nevertheless."""
        return InjectedFault._of("slow", time=ms(time))

    @staticmethod
    def stale(reads: int) -> InjectedFault:
        """It is applied, and this many of the next reads of the tag still answer the value before it."""
        return InjectedFault._of("stale", reads=reads)

    @staticmethod
    def gone() -> InjectedFault:
        """The answer is lost, and the tag is gone."""
        return InjectedFault._of("gone")

    @staticmethod
    def ignored() -> InjectedFault:
        """It is answered as applied, and nothing was."""
        return InjectedFault._of("ignored")

    @staticmethod
    def foreign_before(manifest: Manifest) -> InjectedFault:
        """A foreign writer moves the tag to this manifest just before the put lands."""
        return InjectedFault._of("foreign_before", **manifest.to_dict())

    @staticmethod
    def foreign_after(manifest: Manifest) -> InjectedFault:
        """A foreign writer moves the tag to this manifest just after the put landed."""
        return InjectedFault._of("foreign_after", **manifest.to_dict())


class ReadFault(_Fault):
    """A fault of one read."""

    @staticmethod
    def _of(fault: str, **more: Any) -> ReadFault:
        return ReadFault(encode({"fault": fault, **more}))

    @staticmethod
    def passes() -> ReadFault:
        """No fault; it takes one place in the order."""
        return ReadFault._of("pass")

    @staticmethod
    def unavailable() -> ReadFault:
        """No usable answer: REGISTRY_UNAVAILABLE."""
        return ReadFault._of("unavailable")

    @staticmethod
    def busy() -> ReadFault:
        """REGISTRY_BUSY."""
        return ReadFault._of("busy")

    @staticmethod
    def denied() -> ReadFault:
        """REGISTRY_DENIED."""
        return ReadFault._of("denied")

    @staticmethod
    def digest_mismatch() -> ReadFault:
        """A fetch gets other bytes than it asked for: REGISTRY_DIGEST_MISMATCH."""
        return ReadFault._of("digest_mismatch")

    @staticmethod
    def slow(time: Seconds) -> ReadFault:
        """It answers the value at the time of the request, after this delay."""
        return ReadFault._of("slow", time=ms(time))

    @staticmethod
    def stale() -> ReadFault:
        """It answers the tag's value before the last change."""
        return ReadFault._of("stale")

    @staticmethod
    def past(changes: int) -> ReadFault:
        """It answers the tag's value of this many changes ago: 0 is the value now, more than there were is *absent*."""
        return ReadFault._of("past", changes=changes)

    @staticmethod
    def lag(window: Seconds) -> ReadFault:
        """It lags this far behind, as every read does after ``MemoryRegistry.lag``."""
        return ReadFault._of("lag", window=ms(window))

    @staticmethod
    def foreign_before(manifest: Manifest) -> ReadFault:
        """A foreign writer moves the tag that is read to this manifest just before."""
        return ReadFault._of("foreign_before", **manifest.to_dict())

    @staticmethod
    def foreign_after(manifest: Manifest) -> ReadFault:
        """A foreign writer moves the tag that is read to this manifest just after."""
        return ReadFault._of("foreign_after", **manifest.to_dict())

    @staticmethod
    def deleted_after(digest: Digest) -> ReadFault:
        """A foreign writer deletes this manifest, and every tag on it, just after."""
        return ReadFault._of("deleted_after", digest=digest)


class MemoryRegistry(NativeRegistry):
    """A registry in memory, for tests. It is gone with the process.

    Its port is the five methods of ``Registry``. The other methods bypass the port, as a foreign writer does: they are
    not listed in ``calls``, and no fault applies to them.
    """

    def __init__(self, _native_registry: _native.MemoryRegistry | None = None) -> None:
        self._native = _native_registry or _native.MemoryRegistry()
        self._port = self._native.port()

    def push(self, repository: str | Repository, tag: str | Tag, manifest: Manifest) -> Digest:
        """Points a tag at a manifest."""
        return Digest(self._set("push", repository=repository, tag=tag, **manifest.to_dict()))

    def push_image(self, repository: str | Repository, tag: str | Tag, number: int) -> Manifest:
        """Pushes a small valid image with all that it names; the same number gives the same bytes."""
        return Manifest.from_dict(self._set("push_image", repository=repository, tag=tag, number=number))

    def store_blob(self, repository: str | Repository, data: bytes) -> Digest:
        """Stores a blob."""
        import base64

        return Digest(self._set("store_blob", repository=repository, bytes=base64.b64encode(data).decode()))

    def overwrite(self, repository: str | Repository, tag: str | Tag, manifest: Manifest) -> Digest | None:
        """Moves a tag around the ledger. Returns the digest that it pointed at before, or None."""
        before = self._set("overwrite", repository=repository, tag=tag, **manifest.to_dict())
        return None if before is None else Digest(before)

    def delete_tag(self, repository: str | Repository, tag: str | Tag) -> bool:
        """Deletes a tag. True if it existed."""
        return bool(self._set("delete_tag", repository=repository, tag=tag))

    def delete_manifest(self, repository: str | Repository, digest: str | Digest) -> bool:
        """Deletes a manifest and every tag on it. True if it existed."""
        return bool(self._set("delete_manifest", repository=repository, digest=digest))

    def delete_blob(self, repository: str | Repository, digest: str | Digest) -> bool:
        """Deletes a blob. True if it existed."""
        return bool(self._set("delete_blob", repository=repository, digest=digest))

    def peek(self, repository: str | Repository, tag: str | Tag) -> Digest | None:
        """The digest that a tag points at, or None."""
        found = self._set("peek", repository=repository, tag=tag)
        return None if found is None else Digest(found)

    def holds(self, repository: str | Repository, digest: str | Digest) -> bool:
        """True if the repository has the manifest."""
        return bool(self._set("holds", repository=repository, digest=digest))

    def hide(
        self,
        repository: str | Repository,
        digest: str | Digest,
        *,
        code: str | None = None,
        status: int | None = None,
        message: str | None = None,
    ) -> None:
        """Hides this manifest: a resolve of a tag that points at it, and a fetch of it, fail.

        Other reads and all puts work as before. The arguments are those of ``InjectedFault.refused``. The error is
        REGISTRY_DENIED for 401 and 403, REGISTRY_BUSY for 429, else REGISTRY_UNAVAILABLE.
        """
        words = {"code": code, "status": status, "message": message}
        self._set("hide", repository=repository, digest=digest, **words)

    def unhide(self, repository: str | Repository, digest: str | Digest) -> bool:
        """Ends ``hide``. True if the manifest was hidden."""
        return bool(self._set("unhide", repository=repository, digest=digest))

    def script(self, faults: Iterable[InjectedFault], *, tag: str | Tag | None = None) -> None:
        """The next puts (of this tag, if one is given) meet these faults, in order, one each; pins are puts, too."""
        self._set("script", faults=[fault.to_dict() for fault in faults], tag=tag)

    def script_reads(self, faults: Iterable[ReadFault], *, tag: str | Tag | None = None) -> None:
        """The next reads (or resolves of this tag) meet these faults, in order, one each."""
        self._set("script_reads", faults=[fault.to_dict() for fault in faults], tag=tag)

    def lag(self, window: Seconds) -> None:
        """From now on a read of a tag answers any value, a digest or *absent*, that the tag had within this time.

        The values come in any order and are equally likely. 0 is the initial value, and ends the lag. The random
        numbers have a fixed seed, or that of ``chaos``. Fetches by digest, blobs and lists of tags do not lag.
        """
        self._set("lag", window=ms(window))

    def chaos(self, seed: int, percent: int, *, latency: Seconds | None = None, lag: Seconds | None = None) -> None:
        """Injects random faults from a seed into ``percent`` of the calls that meet no scripted fault.

        ``latency`` is the longest delay of a call; ``lag`` is how long after a change a stale read may answer the value
        before. ``MemoryRegistry.lag`` makes every read lag, over more than one value.
        """
        self._set("chaos", seed=seed, percent=percent, latency=ms(latency), lag=ms(lag))

    def calm(self) -> None:
        """Ends chaos, and drops the scripted faults that no call has met. ``lag`` stays; ``lag(0)`` ends it."""
        self._set("calm")

    def latency(self, latency: Seconds) -> None:
        """Each call takes this long from now on."""
        self._set("latency", latency=ms(latency))

    def faults_left(self) -> int:
        """The number of scripted faults that no call has met yet."""
        return int(self._set("faults_left"))

    def calls(self) -> list[Mapping[str, str]]:
        """Every call of the port so far: ``call`` and its arguments."""
        return list(self._set("calls"))

    def clear_calls(self) -> None:
        """Forgets the calls so far."""
        self._set("clear_calls")

    def changes(self) -> list[Mapping[str, str | None]]:
        """Every change of a tag so far: ``repository``, ``tag``, and ``digest`` (None: deleted)."""
        return list(self._set("changes"))

    def _set(self, method: str, **arguments: Any) -> Any:
        return given(self._native.set(method, encode(arguments)))
