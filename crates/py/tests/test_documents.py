"""The code in the documents runs unchanged."""

from __future__ import annotations

import inspect
import os
import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from conftest import QUICK
from tagwarden import Credentials, MemoryRegistry, OciRegistry, Promoter, Provenance, open_ledger
from tagwarden.testing import TestRegistry

ROOT = Path(__file__).parents[3]


def test_example_of_the_readme_begins_that_of_the_package() -> None:
    # test_example.py runs the package's example.
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert "promoter.promote(" in block and f"```python\n{block}" in (ROOT / "crates/py/README.md").read_text()


def test_table_of_the_guide_has_every_method() -> None:
    table = re.findall(r"^\| `(\w+)\(", (ROOT / "docs/guides/python.md").read_text(), re.M)
    assert sorted(table) == sorted(
        name for name, _ in inspect.getmembers(Promoter, inspect.isroutine) if name[0] != "_"
    )


def test_code_of_the_guide_runs_and_type_checks(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/guides/python.md").read_text(), re.S)
    assert len(blocks) == 12
    tutorial = tmp_path / "tutorial.py"
    tutorial.write_text("\n".join(blocks))
    ran = subprocess.run([sys.executable, str(tutorial)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "COMMIT_MISSING" not in ran.stdout and "names its commit" in ran.stdout, ran.stdout
    typed = subprocess.run([sys.executable, "-m", "mypy", "--strict", str(tutorial)], capture_output=True, text=True)
    assert typed.returncode == 0, typed.stdout


def test_ten_tasks_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry, shop = MemoryRegistry(), "registry.example.com/acme/shop"
    for number, tag in enumerate(("1.4.1", "1.4.2")):
        registry.push_image(shop, tag, number)
    runpy.run_path(str(ROOT / "crates/py/examples/tasks.py"))["tasks"](registry, str(tmp_path / "ledger"), shop)
    said = capsys.readouterr().out
    assert "POLICY_REFUSED" in said and "worst: None" in said, said


def test_step_without_the_action_runs_and_can_be_repeated(tmp_path: Path) -> None:
    (step,) = re.findall(r"python - <<'EOF'\n(.*?)\n    EOF", (ROOT / "docs/guides/github-action.md").read_text(), re.S)
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "4711",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_ACTOR": "ada",
        "GITHUB_SHA": "f0b672321a89484f4da859ffc741bbfe8b5b693d",
        "GITHUB_JOB": "release",
    }
    with TestRegistry() as registry:
        shop, ledger = registry.repository("acme/shop"), tmp_path / "ledger"
        ledger.mkdir()
        release = registry.memory.push_image(shop, "1.4.2", 2).digest
        registry.memory.push_image(shop, "1.4.1", 1)
        registry.demand(Credentials("ada", "secret"))
        login = {registry.host: Credentials("ada", "secret")}
        promoter = Promoter(OciRegistry(credentials=login), open_ledger(str(ledger)), times=QUICK)
        who = Provenance.from_ci(github)
        promoter.bootstrap(f"{shop}:preprod", f"{shop}:1.4.2", provenance=who)
        promoter.bootstrap(f"{shop}:prod", f"{shop}:1.4.1", provenance=who)
        script = textwrap.dedent(step).replace("ghcr.io", registry.host).replace("s3://acme-audit/shop", str(ledger))
        # The second run waits until reads are settled: shorter times than the default of 30 s.
        assert "pipeline=pipeline)" in script and " Provenance, " in script
        script = script.replace("pipeline=pipeline)", "pipeline=pipeline, times=Times(quiet=0.5, put=0.5, settle=0.5))")
        script = script.replace(" Provenance, ", " Provenance, Times, ")
        secret = {"REGISTRY_TOKEN": "secret"}
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **github, **secret}
        command = [sys.executable, "-"]
        ran = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, env=environment)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.endswith(f" -> {release}\n"), ran.stdout
        event = promoter.current(f"{shop}:prod").event
        assert event is not None and event.intent.provenance.run_id == "4711"
        again = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, env=environment)
        assert again.returncode == 0 and promoter.current(f"{shop}:prod").event == event, again.stderr
