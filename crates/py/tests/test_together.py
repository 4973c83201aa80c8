"""Rust, Python and Node take turns and race on one channel of one registry and one ledger."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tagwarden import OciRegistry, Promoter, Provenance, open_ledger
from tagwarden.testing import TestRegistry

ROOT = Path(__file__).parents[3]
EACH = 6
TAGS = ["1.0", "1.1", "1.2"]

IN_PYTHON = """
import sys
from tagwarden import OciRegistry, Promoter, Provenance, open_ledger
shop, ledger, name, *tags = sys.argv[1:]
promoter = Promoter(OciRegistry(lookup="nowhere"), open_ledger(ledger))
who = Provenance.of(provider="manual", run_id=name, actor="python", actor_kind="workload")
for n, tag in enumerate(tags):
    key = f"{name}-{n}"
    promoter.promote(f"{shop}:prod", f"{shop}:{tag}", provenance=who, idempotency_key=key, on_conflict="requeue")
"""
IN_NODE = """
const { OciRegistry, Promoter, Provenance, openLedger } = require(process.argv[1])
const [shop, ledger, name, ...tags] = process.argv.slice(2)
;(async () => {
  const promoter = new Promoter(new OciRegistry({ lookup: 'nowhere' }), await openLedger(ledger))
  const provenance = Provenance.of({ provider: 'manual', runId: name, actor: 'node', actorKind: 'workload' })
  for (const [n, tag] of tags.entries())
    await promoter.promote(`${shop}:prod`, `${shop}:${tag}`, {
      provenance, idempotencyKey: `${name}-${n}`, onConflict: 'requeue',
    })
})()
"""


def needed(what: str, path: Path | None) -> str:
    """The path of a program or package that an earlier stage built. Missing, it fails in CI and skips elsewhere."""
    if path is None or not path.exists():
        assert os.environ.get("CI") != "true", f"{what} is missing, and in CI nothing is skipped"
        pytest.skip(f"{what} is missing")
    return str(path)


class Commands:
    """Commands of each language that move the channel to some tags."""

    def __init__(self, shop: str, ledger: str) -> None:
        node = shutil.which("node")
        cli = os.environ.get("TAGWARDEN_CLI", "target/debug/tagwarden")
        self.cli = needed(cli, ROOT / cli)
        self.node = needed("node", Path(node) if node else None)
        native = list((ROOT / "crates/node").glob("tagwarden.*.node"))
        self.package = str(Path(needed("the Node package", native[0] if native else None)).parent)
        self.shop, self.ledger = shop, ledger

    def python(self, name: str, tags: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", IN_PYTHON, self.shop, self.ledger, name, *tags]

    def in_node(self, name: str, tags: Sequence[str]) -> list[str]:
        return [self.node, "-e", IN_NODE, self.package, self.shop, self.ledger, name, *tags]

    def rust(self, name: str, tags: Sequence[str]) -> list[str]:
        who = f"--ledger {self.ledger} --provider manual --actor rust --run-id {name} --on-conflict requeue"
        moves = [
            f"{self.cli} promote {self.shop}:prod --source {self.shop}:{tag} --idempotency-key {name}-{n} {who}"
            for n, tag in enumerate(tags)
        ]
        return ["sh", "-ec", "\n".join(moves)]


def test_moves_of_rust_python_and_node_make_one_history(tmp_path: Path) -> None:
    with TestRegistry() as registry:
        shop, ledger = str(registry.repository("acme/shop")), str(tmp_path / "ledger")
        os.mkdir(ledger)
        for number, tag in enumerate(TAGS):
            registry.memory.push_image(shop, tag, number)
        commands = Commands(shop, ledger)
        promoter = Promoter(OciRegistry(lookup="nowhere"), open_ledger(ledger))
        who = Provenance.of(provider="manual", run_id="together", actor="ada", actor_kind="human")
        promoter.bootstrap(f"{shop}:prod", f"{shop}:1.0", provenance=who)

        turn = 0
        for command in (commands.python, commands.in_node, commands.rust):
            turn += 1
            ran = subprocess.run(command(f"turn-{turn}", [TAGS[turn % 3]]), capture_output=True, text=True, timeout=60)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        racing = {
            name: [TAGS[(start + n) % 3] for n in range(EACH)]
            for start, name in enumerate(["race-python", "race-node", "race-rust"])
        }
        race = [
            commands.python("race-python", racing["race-python"]),
            commands.in_node("race-node", racing["race-node"]),
            commands.rust("race-rust", racing["race-rust"]),
        ]
        running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for c in race]
        for child in running:
            said, _ = child.communicate(timeout=120)
            assert child.returncode == 0, said

        events = list(promoter.history(f"{shop}:prod"))
        actors = {event.intent.provenance.actor for event in events}
        assert actors == {"ada", "python", "node", "rust"}
        before = None
        for event in reversed(events):
            assert event.status == "committed" and event.intent.previous == before, event
            before = event.intent.target.digest
        assert len({event.intent.key for event in events}) == len(events)
        assert before == registry.memory.peek(shop, "prod") and promoter.current(f"{shop}:prod").open is None

        (log,) = Path(ledger).glob("*.jsonl")
        verify = [sys.executable, str(ROOT / "tests/tools/verify_ledger.py"), str(log), "--json"]
        verified = subprocess.run(verify, capture_output=True, text=True, timeout=60)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert json.loads(verified.stdout)["committed"] == len(events)
