"""Registries: every OCI registry, or one that is written in Python."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from . import _tagwarden as _native
from ._backend import RegistryAdapter, described
from ._call import Seconds, encode, given, ms, untouched, wait
from .values import Digest, Reference, Repository, Tag

__all__ = ["Credentials", "Manifest", "NativeRegistry", "OciRegistry", "Registry"]


@dataclass(frozen=True)
class Manifest:
    """A manifest, byte- and type-exact: ``data``, at most 4 MiB, and ``media_type``, with which it is served."""

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
        """The manifest of a dict that ``to_dict`` made."""
        return Manifest(base64.b64decode(json["bytes"]), json["media_type"])


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


class NativeRegistry:
    """A registry of the core. Its methods are those of ``Registry``, for one of your own that delegates to it.

    They block without the GIL. Each raises a RegistryError: REGISTRY_UNAVAILABLE, REGISTRY_BUSY, REGISTRY_DENIED,
    REGISTRY_DIGEST_MISMATCH or REGISTRY_UNSUPPORTED, and for a manifest MANIFEST_INVALID, MANIFEST_AMBIGUOUS,
    MANIFEST_UNSUPPORTED or MANIFEST_TOO_LARGE; InvalidValueError VALUE_INVALID for an invalid argument.
    A promoter calls them in Rust, unless a subclass overrides one.
    """

    _port: _native.Registry

    def resolve(self, repository: str | Repository, tag: str | Tag) -> Digest | None:
        """The digest that a tag points at, or None if it is proven absent."""
        found = self._ask("resolve", repository=repository, tag=tag)
        return None if found is None else Digest._known(found)

    def fetch(self, reference: str | Reference) -> Manifest | None:
        """The manifest of a reference, hashed and checked, or None if it is proven absent."""
        found = self._ask("fetch", reference=reference)
        return None if found is None else Manifest.from_dict(found)

    def put(
        self, repository: str | Repository, tag: str | Tag, manifest: Manifest, timeout: Seconds | None = None
    ) -> None:
        """Points the tag at a manifest. The registry's acceptance is no proof: read the tag back.

        - ``timeout``: how long it may take, in seconds or as a timedelta; 15 s by default.

        RegistryError REGISTRY_REFUSED or REGISTRY_DENIED: nothing was moved, and nothing will land later. After any
        other RegistryError the result is unknown: the put may still land.

        This bypasses every ledger: move a channel with a ``Promoter``.
        """
        self._ask("put", repository=repository, tag=tag, timeout=ms(timeout), **manifest.to_dict())

    def tags(self, repository: str | Repository) -> list[Tag]:
        """All tags of a repository, pins included, in any order. An absent repository has none."""
        return [Tag._known(tag) for tag in self._ask("tags", repository=repository)]

    def has_blob(self, repository: str | Repository, digest: str | Digest) -> bool:
        """True if the blob exists, False if it is proven absent."""
        return bool(self._ask("has_blob", repository=repository, digest=digest))

    def _ask(self, method: str, **arguments: Any) -> Any:
        return wait(self._port.call(method, encode(arguments)))


@dataclass(frozen=True)
class Credentials:
    """A login; ``repr`` shows only the user. ``Credentials()`` is no login.

    - ``user`` and ``password`` (or an access token in its place), together;
    - ``identity_token``: a token server exchanges it for a registry token;
    - ``registry_token``: it is sent unchanged.

    ``OciRegistry`` raises InvalidValueError CONFIG_INVALID for a mixture.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    identity_token: str | None = field(default=None, repr=False)
    registry_token: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, str]:
        """The given parts, secrets included."""
        return {name: value for name, value in vars(self).items() if value is not None}


class OciRegistry(NativeRegistry):
    """Every OCI registry, each reached by the host in a repository. Nothing is sent before the first call.

    Hosts are ``host`` or ``host:port``, as in a repository; times are seconds or timedelta; None is the default.

    - ``credentials``: by host; they take precedence over those that are looked up. None by default.
    - ``lookup``: where credentials are looked up when a registry asks for them: ``nowhere``, ``environment``
      (``TAGWARDEN_USERNAME`` and ``TAGWARDEN_PASSWORD``, or ``TAGWARDEN_IDENTITY_TOKEN``, for the host that
      ``TAGWARDEN_REGISTRY`` names or for all), ``docker`` (the credentials of ``docker login``, helpers included) or
      ``environment_then_docker``, the default.
    - ``docker_config``: the file to read; by default ``$DOCKER_CONFIG/config.json``, else ``~/.docker/config.json``.
    - ``ca_pem``: roots to trust besides the platform's own, the text of a PEM file. None by default.
    - ``schemes``: by host, ``http`` or ``https``. By default HTTP for loopback and HTTPS for all others.
    - ``realms``: hosts of token servers that registries may name on another site. By default a token server must be on
      the registry's own site.
    - ``access``: the access of tokens: ``pull``, enough to audit, or ``pull_push``, the default.
    - ``connect_timeout``: the longest that a connection may take to open, TLS included. 5 s by default.
    - ``idle_timeout``: the longest that a registry may send nothing while an answer is awaited, that to a put
      included: no shorter than a put's timeout (``Times.put``). 15 s by default.
    - ``total_timeout``: the longest that a read may take, with token, retries and body; for a tag list, each page. 30 s
      by default.
    - ``upload_timeout``: the longest that the upload of one blob may take. 300 s by default.
    - ``retries``: how often a read is tried again after a 5xx, a 429, a lost connection or a cut body. 5 by default. A
      put is tried again only if the registry certainly did not process it.
    - ``max_retry_after``: the longest ``Retry-After`` to wait for; a longer one is REGISTRY_BUSY. 10 s by default.

    InvalidValueError CONFIG_INVALID for credentials that are a mixture and CA certificates that cannot be used;
    VALUE_INVALID for another invalid value. No error and no ``repr`` shows a credential.
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
        connect_timeout: Seconds | None = None,
        idle_timeout: Seconds | None = None,
        total_timeout: Seconds | None = None,
        upload_timeout: Seconds | None = None,
        retries: int | None = None,
        max_retry_after: Seconds | None = None,
    ) -> None:
        options: dict[str, Any] = {
            "credentials": {host: login.to_dict() for host, login in (credentials or {}).items()},
            "lookup": lookup,
            "docker_config": docker_config,
            "ca_pem": ca_pem,
            "schemes": dict(schemes or {}),
            "realms": list(realms),
            "access": access,
            "connect_timeout": ms(connect_timeout),
            "idle_timeout": ms(idle_timeout),
            "total_timeout": ms(total_timeout),
            "upload_timeout": ms(upload_timeout),
            "retries": retries,
            "max_retry_after": ms(max_retry_after),
        }
        self._port = given(_native.oci_registry(encode(options)))


def port(registry: Any) -> tuple[_native.Registry, RegistryAdapter | None]:
    """The native half of a registry, and the adapter of one that is written in Python."""
    methods = ("resolve", "fetch", "put", "tags", "has_blob")
    if isinstance(registry, NativeRegistry) and untouched(registry, NativeRegistry, methods):
        return registry._port, None
    if not isinstance(registry, Registry):
        raise TypeError(f"a {type(registry).__name__} is no registry: it lacks methods of tagwarden.Registry")
    adapter = RegistryAdapter(registry, described(registry))
    return given(_native.Registry.written(adapter)), adapter
