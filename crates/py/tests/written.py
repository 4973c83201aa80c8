"""Registries and ledgers in Python, for tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

from conftest import ADA, PROD
from tagwarden import Channel, Digest, Manifest, MemoryRegistry, Promoter, Reference, Repository, Tag

SHOP = Repository("reg.io/acme/shop")


class Shelf:
    """A ledger of lists."""

    def __init__(self) -> None:
        self.logs: dict[Channel, list[bytes]] = {}

    def size(self, channel: Channel) -> int:
        return len(self.logs.get(channel, []))

    def read(self, channel: Channel, start: int, limit: int) -> Sequence[bytes]:
        return self.logs.get(channel, [])[start : start + limit]

    def append(self, channel: Channel, seq: int, entry: bytes) -> bool:
        log = self.logs.get(channel, [])
        if seq != len(log):
            return False
        self.logs[channel] = [*log, entry]
        return True

    def channels(self) -> Sequence[Channel]:
        return list(self.logs)


class AsyncShelf:
    """A ledger of lists, written with coroutines."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self.shelf = shelf or Shelf()

    async def size(self, channel: Channel) -> int:
        return self.shelf.size(channel)

    async def read(self, channel: Channel, start: int, limit: int) -> Sequence[bytes]:
        return self.shelf.read(channel, start, limit)

    async def append(self, channel: Channel, seq: int, entry: bytes) -> bool:
        return self.shelf.append(channel, seq, entry)

    async def channels(self) -> Sequence[Channel]:
        return self.shelf.channels()


class Hoard:
    """A registry of dictionaries, written with coroutines."""

    def __init__(self) -> None:
        self.tags_of: dict[tuple[Repository, str], Digest] = {}
        self.manifests: dict[tuple[Repository, Digest], Manifest] = {}
        self.blobs: set[tuple[Repository, Digest]] = set()

    async def resolve(self, repository: Repository, tag: Tag) -> Digest | None:
        await asyncio.sleep(0)
        return self.tags_of.get((repository, str(tag)))

    async def fetch(self, reference: Reference) -> Manifest | None:
        repository = reference.repository
        digest = reference.digest or self.tags_of.get((repository, str(reference.tag)))
        return None if digest is None else self.manifests.get((repository, digest))

    async def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None:
        self.manifests[repository, manifest.digest] = manifest
        self.tags_of[repository, str(tag)] = manifest.digest

    async def tags(self, repository: Repository) -> list[Tag]:
        return [Tag(tag) for of, tag in self.tags_of if of == repository]

    async def has_blob(self, repository: Repository, digest: Digest) -> bool:
        return (repository, digest) in self.blobs


class Broken(Hoard):
    """A registry of which every call fails."""

    async def resolve(self, repository: Repository, tag: Tag) -> Digest | None:
        raise ConnectionError("no route")

    async def fetch(self, reference: Reference) -> Manifest | None:
        raise ConnectionError("no route")

    async def put(self, repository: Repository, tag: Tag, manifest: Manifest, timeout: float) -> None:
        raise ConnectionError("no route")

    async def tags(self, repository: Repository) -> list[Tag]:
        raise ConnectionError("no route")

    async def has_blob(self, repository: Repository, digest: Digest) -> bool:
        raise ConnectionError("no route")


def stocked(hoard: Hoard) -> list[Digest]:
    """Adds the releases 1.0 and 1.1 to the hoard. Returns their digests."""
    source = MemoryRegistry()
    for number, tag in enumerate(["1.0", "1.1"]):
        manifest = source.push_image(SHOP, tag, number)
        hoard.manifests[SHOP, manifest.digest] = manifest
        hoard.tags_of[SHOP, tag] = manifest.digest
    return [hoard.tags_of[SHOP, "1.0"], hoard.tags_of[SHOP, "1.1"]]


def bootstrapped() -> tuple[Hoard, Shelf, list[Digest]]:
    """A hoard and a shelf whose channel is at 1.0."""
    hoard, shelf = Hoard(), Shelf()
    releases = stocked(hoard)
    Promoter(hoard, shelf).bootstrap(PROD, f"{SHOP}:1.0", provenance=ADA)
    return hoard, shelf, releases


async def until(happens: Callable[[], bool]) -> None:
    """Waits until the condition is true, ten seconds at most."""
    for _ in range(1000):
        if happens():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 10 s")


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """Returns the work's result or raises its exception; fails if it takes longer."""
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append((work(), None))
        except BaseException as error:
            ended.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert ended, f"it has not ended after {seconds} s"
    value, error = ended[0]
    if error is not None:
        raise error
    return value
