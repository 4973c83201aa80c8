"""Registries: every OCI registry, or one that is written in Python."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from . import _tagwarden as _native
from ._backend import RegistryAdapter, described
from ._call import encode, ms
from .errors import fail
from .values import Digest, Reference, Repository, Tag

__all__ = ["Credentials", "Manifest", "OciRegistry", "Registry"]


@dataclass(frozen=True)
class Manifest:
    """A manifest, byte- and type-exact."""

    data: bytes = field(repr=False)
    media_type: str

    @property
    def digest(self) -> Digest:
        """The SHA-256 of its bytes."""
        return Digest.of(self.data)

    def to_dict(self) -> dict[str, str]:
        """``{bytes, media_type}``, the bytes in base 64."""
        return {"bytes": base64.b64encode(self.data).decode(), "media_type": self.media_type}

    @staticmethod
    def from_dict(json: Mapping[str, str]) -> Manifest:
        """The other way."""
        return Manifest(base64.b64decode(json["bytes"]), json["media_type"])


@runtime_checkable
class Registry(Protocol):
    """Where manifests are kept and tags point at them. Write your own with these methods, plain or ``async def``.

    ``tagwarden.conformance.registry`` holds one to the laws. An exception says that there is no answer. In ``put`` it says
    that the end is not known, unless it is a RegistryError REGISTRY_REFUSED or REGISTRY_DENIED: then nothing was moved and
    nothing will land later.
    """

    def resolve(self, repository: Repository, tag: Tag) -> Digest | None | Awaitable[Digest | None]:
        """The digest that a tag points at, or None if it is proven absent."""
        ...

    def fetch(self, reference: Reference) -> Manifest | None | Awaitable[Manifest | None]:
        """The manifest of a reference, or None if it is proven absent."""
        ...

    def put(self, repository: Repository, tag: Tag, manifest: Manifest, time_out: float) -> None | Awaitable[None]:
        """Points the tag at a manifest; ``time_out`` in seconds."""
        ...

    def tags(self, repository: Repository) -> Sequence[Tag] | Awaitable[Sequence[Tag]]:
        """All tags of a repository, in any order."""
        ...

    def has_blob(self, repository: Repository, digest: Digest) -> bool | Awaitable[bool]:
        """True if the blob is there, False if it is proven absent."""
        ...


@dataclass(frozen=True)
class Credentials:
    """A login: user and password, or one of the two tokens. ``repr`` shows none of them."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    identity_token: str | None = field(default=None, repr=False)
    registry_token: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, str]:
        """What is given."""
        return {name: value for name, value in vars(self).items() if value is not None}


Seconds: TypeAlias = float | datetime.timedelta


class OciRegistry:
    """Every OCI registry. Credentials are those given for a host, or found as ``lookup`` says.

    ``lookup`` is ``nowhere``, ``environment``, ``docker`` or ``environment_then_docker`` (the default); ``schemes``
    says by host how it is spoken to (by default loopback over HTTP and all others over TLS); times are seconds or
    timedelta. InvalidValueError CONFIG_INVALID for options that contradict each other.
    """

    def __init__(
        self,
        *,
        credentials: Mapping[str, Credentials] | None = None,
        lookup: Literal["nowhere", "environment", "docker", "environment_then_docker"] | None = None,
        docker_config: str | None = None,
        ca_pem: str | None = None,
        schemes: Mapping[str, Literal["http", "https"]] | None = None,
        realms: Iterable[str] = (),
        access: Literal["pull", "pull_push"] | None = None,
        connect_time_out: Seconds | None = None,
        idle_time_out: Seconds | None = None,
        total_time_out: Seconds | None = None,
        upload_time_out: Seconds | None = None,
        retries: int | None = None,
        max_retry_after: Seconds | None = None,
    ) -> None:
        options: dict[str, Any] = {
            "credentials": {host: given.to_dict() for host, given in (credentials or {}).items()},
            "lookup": lookup,
            "docker_config": docker_config,
            "ca_pem": ca_pem,
            "schemes": dict(schemes or {}),
            "realms": list(realms),
            "access": access,
            "connect_time_out": ms(connect_time_out),
            "idle_time_out": ms(idle_time_out),
            "total_time_out": ms(total_time_out),
            "upload_time_out": ms(upload_time_out),
            "retries": retries,
            "max_retry_after": ms(max_retry_after),
        }
        port, error = _native.oci_registry(encode(options))
        if port is None:
            fail(error or "")
        self._port = port


def port(registry: Any) -> tuple[_native.Registry, RegistryAdapter | None]:
    """The native half of a registry, and the adapter of one that is written in Python."""
    native = getattr(registry, "_port", None)
    if isinstance(native, _native.Registry):
        return native, None
    if not isinstance(registry, Registry):
        raise TypeError(f"a {type(registry).__name__} is no registry: it lacks methods of tagwarden.Registry")
    adapter = RegistryAdapter(registry, described(registry))
    return _native.Registry.written(adapter), adapter
