"""Flux artifacts: packed from a directory, pushed under a version tag."""

from __future__ import annotations

import datetime
import os
from typing import Any

from . import _tagwarden as _native
from ._call import encode, instant, wait, wait_async
from .errors import fail
from .registry import OciRegistry
from .values import Digest, Repository, Tag

__all__ = ["Artifact", "pack_artifact", "pack_artifact_async", "push_artifact", "push_artifact_async"]


class Artifact:
    """A packed Flux artifact: the same directory gives the same digest."""

    def __init__(self, native: _native.Artifact) -> None:
        self._native = native

    @property
    def digest(self) -> Digest:
        """The digest of its manifest."""
        return Digest(self._native.digest())


def pack_artifact(
    directory: str | os.PathLike[str], *, source: str, revision: str, created: datetime.datetime
) -> Artifact:
    """Packs the files below a directory, 64 MiB at most, but what version control keeps (``.git`` and the like).

    - ``source``: the URL of the source repository. A user or password in it is left out.
    - ``revision``: ``<branch or tag>@sha1:<40 hex>``, or ``@sha256:<64 hex>``: the whole commit.
    - ``created``: when the content was made, an aware datetime, written in whole seconds. The time of the commit gives
      the same digest from every build.

    InvalidValueError SOURCE_INVALID for what cannot be packed, with the path, or VALUE_INVALID.
    """
    request = {"directory": os.fspath(directory), "source": source, "revision": revision, "created": instant(created)}
    artifact, error = _native.pack(encode(request))
    if artifact is None:
        fail(error or "")
    return Artifact(artifact)


async def pack_artifact_async(
    directory: str | os.PathLike[str], *, source: str, revision: str, created: datetime.datetime
) -> Artifact:
    """``pack_artifact``, in a thread. A cancelled task leaves it to its end, which nobody sees."""
    import asyncio

    return await asyncio.to_thread(pack_artifact, directory, source=source, revision=revision, created=created)


def push_artifact(artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag) -> Digest:
    """Pushes it and points a version tag at it: the digest that was read back. The same artifact again is no error.

    RegistryError REGISTRY_REFUSED if the tag points at something else, which never moves; what ``OciRegistry`` raises
    otherwise. TypeError for another registry.
    """
    return _pushed(wait(_push(artifact, registry, repository, tag)))


async def push_artifact_async(
    artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag
) -> Digest:
    """``push_artifact``, awaited. A cancelled task aborts it: the same again is safe."""
    return _pushed(await wait_async(_push(artifact, registry, repository, tag)))


def _push(artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag) -> _native.Call:
    if not isinstance(registry, OciRegistry):
        raise TypeError(f"an artifact is pushed to an OciRegistry, not to a {type(registry).__name__}")
    return artifact._native.push(registry._port, encode({"repository": repository, "tag": tag}))


def _pushed(given: Any) -> Digest:
    return Digest(given if isinstance(given, str) else given["digest"])
