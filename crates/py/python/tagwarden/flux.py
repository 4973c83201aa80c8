"""Flux artifacts: packed from a directory, pushed under a version tag."""

from __future__ import annotations

import base64
import datetime
import functools
import os
from collections.abc import Mapping
from typing import Any

from . import _tagwarden as _native
from ._call import encode, given, wait, wait_async
from .registry import Manifest, OciRegistry
from .values import Digest, Repository, Tag, instant

__all__ = ["Artifact", "pack_artifact", "pack_artifact_async", "push_artifact", "push_artifact_async"]


class Artifact:
    """A packed Flux artifact: a manifest, its config and its layer. The same directory gives the same digest."""

    def __init__(self, native: _native.Artifact) -> None:
        self._native = native

    @property
    def digest(self) -> Digest:
        """The digest of its manifest."""
        return self.manifest.digest

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""
        return Manifest.from_dict(self._packed["manifest"])

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """Its config and its layer."""
        return tuple(base64.b64decode(blob) for blob in self._packed["blobs"])

    @functools.cached_property
    def _packed(self) -> Mapping[str, Any]:
        packed: Mapping[str, Any] = given(self._native.packed())
        return packed


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
    return Artifact(wait(_pack(directory, source, revision, created)))


async def pack_artifact_async(
    directory: str | os.PathLike[str], *, source: str, revision: str, created: datetime.datetime
) -> Artifact:
    """``pack_artifact``, awaited."""
    return Artifact(await wait_async(_pack(directory, source, revision, created)))


def _pack(directory: str | os.PathLike[str], source: str, revision: str, created: datetime.datetime) -> _native.Call:
    path, at = os.fspath(directory), instant(created)
    return _native.pack(encode({"directory": path, "source": source, "revision": revision, "created": at}))


def push_artifact(artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag) -> Digest:
    """Pushes it and points a version tag at it: the digest that was read back. The same artifact again is no error.

    RegistryError REGISTRY_REFUSED if the tag points at something else, which never moves; what ``OciRegistry`` raises
    otherwise. TypeError for another registry.
    """
    return Digest(wait(_push(artifact, registry, repository, tag)))


async def push_artifact_async(
    artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag
) -> Digest:
    """``push_artifact``, awaited. A cancelled task aborts it: the same again is safe."""
    return Digest(await wait_async(_push(artifact, registry, repository, tag)))


def _push(artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag) -> _native.Call:
    if not isinstance(registry, OciRegistry):
        raise TypeError(f"an artifact is pushed to an OciRegistry, not to a {type(registry).__name__}")
    return artifact._native.push(registry._port, encode({"repository": repository, "tag": tag}))
