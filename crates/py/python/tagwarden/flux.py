"""Flux artifacts: packed from a directory, pushed under a version tag."""

from __future__ import annotations

import datetime
import os

from . import _tagwarden as _native
from ._call import encode, instant, wait
from .errors import fail
from .registry import OciRegistry
from .values import Digest, Repository, Tag

__all__ = ["Artifact", "pack_artifact", "push_artifact"]


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
    """Packs a directory. ``source`` is the URL of its repository, ``revision`` is ``<branch or tag>@sha1:<commit>``.

    InvalidValueError: SOURCE_INVALID for what cannot be packed, VALUE_INVALID.
    """
    request = {"directory": os.fspath(directory), "source": source, "revision": revision, "created": instant(created)}
    artifact, error = _native.pack(encode(request))
    if artifact is None:
        fail(error or "")
    return Artifact(artifact)


def push_artifact(
    artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag
) -> Digest:
    """Pushes it and points a version tag at it. RegistryError REGISTRY_REFUSED if the tag points at something else."""
    pushed = wait(artifact._native.push(registry._port, encode({"repository": repository, "tag": tag})))
    return Digest(pushed["digest"])
