"""The code in the documents runs as it stands."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

from tagwarden import Promoter

ROOT = Path(__file__).parents[3]


def test_the_table_has_every_method() -> None:
    table = re.findall(r"^\| `(\w+)\(", (ROOT / "docs/python.md").read_text(), re.M)
    assert sorted(table) == sorted(
        name for name, _ in inspect.getmembers(Promoter, inspect.isfunction) if name[0] != "_"
    )


def test_the_tutorial_runs_and_has_its_types(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.S)
    assert len(blocks) == 7
    tutorial = tmp_path / "tutorial.py"
    tutorial.write_text("\n".join(blocks))
    ran = subprocess.run([sys.executable, str(tutorial)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "COMMIT_MISSING" not in ran.stdout and "names its commit" in ran.stdout, ran.stdout
    typed = subprocess.run([sys.executable, "-m", "mypy", "--strict", str(tutorial)], capture_output=True, text=True)
    assert typed.returncode == 0, typed.stdout
