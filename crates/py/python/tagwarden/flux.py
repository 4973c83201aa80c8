"""Flux artifacts: packed from a directory, pushed under a version tag."""

from __future__ import annotations

import base64
import datetime
import functools
import os
from collections.abc import Iterable, Mapping
from typing import Any

from . import _tagwarden as _native
from ._call import encode, given, wait, wait_async
from .provenance import _texts
from .registry import Manifest, OciRegistry
from .values import Digest, Repository, Tag, instant

__all__ = ["Artifact", "pack_artifact", "pack_artifact_async", "push_artifact", "push_artifact_async"]


class Artifact:
    """A packed Flux artifact: a manifest, its config and its layer; and the paths that were left out."""

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

    @property
    def left_out(self) -> tuple[str, ...]:
        """The paths inside the directory that were left out; a directory as a whole, with ``/`` at its end."""
        return tuple(self._packed["left_out"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for people: the directory differs from its commit, or ``created`` is the clock's time."""
        return tuple(self._packed["warnings"])

    @functools.cached_property
    def _packed(self) -> Mapping[str, Any]:
        packed: Mapping[str, Any] = given(self._native.packed())
        return packed


def pack_artifact(
    directory: str | os.PathLike[str],
    *,
    source: str | None = None,
    revision: str | None = None,
    created: datetime.datetime | None = None,
    ignore_paths: Iterable[str] | None = None,
    include: Iterable[str] = (),
) -> Artifact:
    """Packs the files of a directory, 64 MiB at most. Equal files, source, revision and time give an equal digest.

    - ``source``: the URL of the source repository; a user or password in it is left out. By default that of git's
      remote ``origin``, else the CI's.
    - ``revision``: ``<branch or tag>@sha1:<40 hex>``, or ``@sha256:<64 hex>``: the whole commit. By default git's
      branch (else the CI's branch or tag, else a tag of the commit) and commit; outside of a git repository the CI's.
    - ``created``: when the content was made, an aware datetime, written in whole seconds; releases are put in order by
      it. By default the time in SOURCE_DATE_EPOCH, else that of the commit, else now.
    - ``ignore_paths``: patterns of paths to leave out, as in a ``.gitignore``. By default, as ``flux push artifact``:
      ``.git/``, ``.gitignore``, ``.gitmodules``, ``.gitattributes``, ``*.jpg``, ``*.jpeg``, ``*.gif``, ``*.png``,
      ``*.wmv``, ``*.flv``, ``*.tar.gz``, ``*.zip``; patterns of your own replace these.
    - ``include``: paths inside the directory that are always packed, even if a pattern matches them.

    Also left out are the paths that a ``.sourceignore`` matches, in its directory and below; and, unless ``include``
    names them, ``.env`` and ``.env.*``, private keys (by their name or their content), ``*.pem``, ``.git``, ``.hg``,
    ``.svn`` and ``.jj``. ``Artifact.left_out`` lists them.

    InvalidValueError SOURCE_INVALID for a file that cannot be packed, with its path; VALUE_INVALID for an invalid
    argument, or if neither git nor a CI names the source or the revision.
    """
    return Artifact(wait(_pack(directory, source, revision, created, ignore_paths, include)))


async def pack_artifact_async(
    directory: str | os.PathLike[str],
    *,
    source: str | None = None,
    revision: str | None = None,
    created: datetime.datetime | None = None,
    ignore_paths: Iterable[str] | None = None,
    include: Iterable[str] = (),
) -> Artifact:
    """``pack_artifact``, awaited."""
    return Artifact(await wait_async(_pack(directory, source, revision, created, ignore_paths, include)))


def _pack(
    directory: str | os.PathLike[str],
    source: str | None,
    revision: str | None,
    created: datetime.datetime | None,
    ignore_paths: Iterable[str] | None,
    include: Iterable[str],
) -> _native.Call:
    arguments = {
        "directory": os.fspath(directory),
        "source": source,
        "revision": revision,
        "created": None if created is None else instant(created),
        "ignore_paths": None if ignore_paths is None else _paths("ignore_paths", ignore_paths),
        "include": _paths("include", include),
        "environment": _texts(os.environ),
    }
    return _native.pack(encode(arguments))


def _paths(name: str, paths: Iterable[str]) -> list[str]:
    if isinstance(paths, str):
        raise TypeError(f"{name}: expected several texts, got one")
    return list(paths)


def push_artifact(artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag) -> Digest:
    """Pushes it and points a version tag at it. Returns the digest that was read back. Safe to repeat.

    RegistryError REGISTRY_REFUSED if the tag points at another digest: a version tag never moves. The other errors are
    those of ``OciRegistry``. TypeError for a registry that is no ``OciRegistry``.
    """
    return Digest(wait(_push(artifact, registry, repository, tag)))


async def push_artifact_async(
    artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag
) -> Digest:
    """``push_artifact``, awaited. Cancelling the task aborts the push; it is safe to repeat."""
    return Digest(await wait_async(_push(artifact, registry, repository, tag)))


def _push(artifact: Artifact, registry: OciRegistry, repository: str | Repository, tag: str | Tag) -> _native.Call:
    if not isinstance(registry, OciRegistry):
        raise TypeError(f"an artifact is pushed to an OciRegistry, not to a {type(registry).__name__}")
    return artifact._native.push(registry._port, encode({"repository": repository, "tag": tag}))
