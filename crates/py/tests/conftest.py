"""Shared fixtures: a registry with releases, a promoter, and a provenance."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from tagwarden import Digest, Ledger, MemoryLedger, MemoryRegistry, Promoter, Provenance, Receipt, Repository, Times

PROD = "reg.io/acme/shop:prod"
ADA = Provenance.of(provider="manual", run_id="run-1", actor="ada", actor_kind="human")

QUICK = Times(ttl=10, grace=0.5, quiet=0.5, put=0.5, settle=0.5)
"""Short times, because a replay waits until reads are settled, by default for 30 s."""


def processing(name: str) -> str:
    """The note of a TypeError about an argument. Exceptions have notes from Python 3.11 on (PEP 678)."""
    return f"\nwhile processing '{name}'" if sys.version_info >= (3, 11) else ""


@dataclass
class World:
    """A shop with three releases, whose channel is bootstrapped at 1.0."""

    registry: MemoryRegistry
    ledger: Ledger
    promoter: Promoter
    releases: list[Digest]

    def promote(self, tag: str = "1.1", key: str | None = None) -> Receipt:
        return self.promoter.promote(PROD, f"reg.io/acme/shop:{tag}", provenance=ADA, idempotency_key=key)


@pytest.fixture
def world() -> World:
    registry, ledger = MemoryRegistry(), MemoryLedger()
    shop = Repository("reg.io/acme/shop")
    releases = [registry.push_image(shop, tag, n).digest for n, tag in enumerate(["1.0", "1.1", "1.2"])]
    promoter = Promoter(registry, ledger, times=QUICK)
    promoter.bootstrap(PROD, "reg.io/acme/shop:1.0", provenance=ADA)
    return World(registry, ledger, promoter, releases)
