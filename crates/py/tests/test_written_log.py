"""A promoter's log, checked by an independent verifier."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ADA, PROD
from tagwarden import (
    Channel,
    ChannelError,
    InjectedFault,
    Ledger,
    LedgerError,
    MemoryRegistry,
    MoveError,
    Promoter,
    Provenance,
    TagwardenError,
    Times,
    open_ledger,
)

VERIFIER = Path(__file__).resolve().parents[3] / "tests/tools/verify_ledger.py"
SHOP = "reg.io/acme/shop"
BEN = Provenance.of(provider="manual", run_id="run-2", actor="ben", actor_kind="human")
TIMES = Times(ttl=0.4, grace=0.2, quiet=0.2, put=0.2, settle=0.2)


class Dying:
    """A ledger that fails every append after the worker's intent."""

    def __init__(self, inner: Ledger, size: int) -> None:
        self.inner, self.size_then = inner, size

    def size(self, channel: Channel) -> Any:
        return self.inner.size(channel)

    def read(self, channel: Channel, start: int, limit: int) -> Any:
        return self.inner.read(channel, start, limit)

    def append(self, channel: Channel, seq: int, entry: bytes) -> Any:
        if seq > self.size_then:
            raise LedgerError("LEDGER_UNAVAILABLE", "the worker is gone")
        return self.inner.append(channel, seq, entry)

    def channels(self) -> Any:
        return self.inner.channels()


def everything(registry: MemoryRegistry, ledger: Ledger) -> Promoter:
    """A promoter that wrote every kind of entry: every operation, and every result of a move."""
    promoter = Promoter(registry, ledger, times=TIMES)
    promoter.bootstrap(PROD, f"{SHOP}:1.0", provenance=ADA)
    promoter.promote(PROD, f"{SHOP}:1.1", provenance=ADA)
    freeze = promoter.hold(PROD, reason="a freeze", provenance=ADA)
    promoter.hold(PROD, reason="an audit", provenance=BEN, scope="all")
    promoter.unhold_mine(PROD, reason="it is over", provenance=BEN)
    promoter.rollback(PROD, provenance=ADA)
    promoter.unhold(PROD, freeze, reason="it is over", provenance=BEN)
    registry.script([InjectedFault.refused("DENIED")], tag="prod")
    with pytest.raises(MoveError, match="MOVE_FAILED"):
        promoter.promote(PROD, f"{SHOP}:1.2", provenance=ADA)
    hotfix = registry.push_image(SHOP, "9.9", 9)
    registry.overwrite(SHOP, "prod", hotfix)
    with pytest.raises(ChannelError, match="CHANNEL_DRIFTED"):
        promoter.promote(PROD, f"{SHOP}:1.2", provenance=ADA)
    promoter.repair(PROD, provenance=ADA)
    registry.overwrite(SHOP, "prod", hotfix)
    promoter.adopt(PROD, provenance=ADA, reason="a hotfix")

    # Two workers die after their intents: one move is aborted, and one is completed.
    registry.push_image(SHOP, "1.3", 13)
    for put, abort, release in ((InjectedFault.before(), True, "1.2"), (InjectedFault.after(), False, "1.3")):
        registry.script([put], tag="prod")
        dying = Promoter(registry, Dying(ledger, promoter.current(PROD).size), times=TIMES)
        with pytest.raises(TagwardenError) as lost:
            dying.promote(PROD, f"{SHOP}:{release}", provenance=ADA, timeout=1)
        assert lost.value.retry == "recover", lost.value
        recovered = promoter.recover(PROD, provenance=BEN, abort=abort)
        assert recovered.event is not None and recovered.event.outcome is not None
        assert recovered.event.status == ("aborted" if abort else "committed") and recovered.event.outcome.recovered
        (takeover,) = recovered.event.takeovers
        assert (takeover.op, takeover.provenance) == ("abort" if abort else "recover", BEN)
    return promoter


def test_log_of_every_kind_of_entry_satisfies_the_independent_verifier(tmp_path: Path) -> None:
    registry = MemoryRegistry()
    for number, tag in enumerate(["1.0", "1.1", "1.2"]):
        registry.push_image(SHOP, tag, number)
    promoter = everything(registry, open_ledger(str(tmp_path)))
    (log,) = tmp_path.glob("**/*.jsonl")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    kinds = {entry["kind"] for entry in entries}
    assert kinds == {"policy", "intent", "outcome", "takeover", "observation", "hold", "unhold"}
    said = {(entry["kind"], name): set[str]() for entry in entries for name in ("op", "status", "scope")}
    for entry in entries:
        for name in ("op", "status", "scope"):
            if name in entry["body"]:
                said[entry["kind"], name].add(entry["body"][name])
    assert said["intent", "op"] == {"promote", "rollback", "bootstrap", "repair", "adopt"}
    assert said["takeover", "op"] == {"recover", "abort"}
    assert said["outcome", "status"] == {"committed", "failed", "aborted"}
    assert said["hold", "scope"] == {"promotions", "all"}

    command = [sys.executable, str(VERIFIER), str(log), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    verified, report = json.loads(ran.stdout), promoter.verify(PROD)
    assert report.valid and report.defects == ()
    assert (verified["entries"], verified["moves"], verified["committed"], verified["live"]) == (
        report.entries,
        report.moves,
        report.committed,
        str(report.live),
    )
