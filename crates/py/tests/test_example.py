"""The README's example and the pipeline script, against Debian's docker-registry."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tagwarden

HERE = Path(__file__).parent.parent
CONFIG = """version: 0.1
storage:
  filesystem:
    rootdirectory: {root}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """A docker-registry on loopback, killed at the end of the test."""
    program = shutil.which("docker-registry")
    if program is None:
        assert os.environ.get("CI") != "true", "docker-registry is missing, and in CI nothing is skipped"
        pytest.skip("docker-registry is missing")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "registry.yml"
    config.write_text(CONFIG.format(root=tmp_path / "registry", port=port))
    child = subprocess.Popen([program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert child.poll() is None, "docker-registry ended"
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


def released(directory: Path) -> Path:
    directory.mkdir()
    (directory / "deployment.yaml").write_text("kind: Deployment\n")
    return directory


def test_pipeline_script_runs_on_docker_registry(host: str, tmp_path: Path) -> None:
    ledger, app = tmp_path / "ledger", released(tmp_path / "app")
    command = [sys.executable, str(HERE / "examples/release.py"), f"{host}/acme/shop", str(ledger), str(app)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[-1].startswith("audit: in sync; sha256:") and "may be deleted: False, live" in lines[-1], ran.stdout
    assert "CHANNEL_HELD, later" in ran.stdout and "pass   has-commit: there is a commit" in ran.stdout
    assert [line.split()[2] for line in lines[-4:-1]] == ["rollback", "promote", "bootstrap"], ran.stdout


def test_example_of_the_readme_runs_on_docker_registry(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = tagwarden.OciRegistry()
    app = released(tmp_path / "app")
    created = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    for tag, commit in (("1.4.1", "a" * 40), ("1.4.2", "b" * 40)):
        packed = tagwarden.pack_artifact(
            app, source="https://git.example/a", revision=f"main@sha1:{commit}", created=created
        )
        tagwarden.push_artifact(packed, registry, f"{host}/acme/shop", tag)
    (block,) = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(block.replace("registry.example.com", host), "README.md", "exec"), {})
    assert tagwarden.Promoter(registry, tagwarden.open_ledger("ledger")).verify(f"{host}/acme/shop:prod").committed == 3
