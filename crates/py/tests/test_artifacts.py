"""``pack_artifact``: the paths that it leaves out, and the defaults of source, revision and time."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

import tagwarden
from conftest import processing
from tagwarden import InvalidValueError


def test_left_out_lists_skipped_paths_and_include_packs_them(tmp_path: Path) -> None:
    for name in ("app.yaml", "logo.png", ".env", "a.md"):
        (tmp_path / name).write_text("x")
    (tmp_path / "key.txt").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    created = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

    def packed(**options: Any) -> tuple[str, ...]:
        revision = "main@sha1:" + "a" * 40
        made = tagwarden.pack_artifact(
            tmp_path, source="https://git.example/a", revision=revision, created=created, **options
        )
        assert made.warnings == ()
        return made.left_out

    assert packed() == (".env", "key.txt", "logo.png")
    assert packed(include=[".env", "logo.png"]) == ("key.txt",)
    assert packed(ignore_paths=["*.md"]) == (".env", "a.md", "key.txt")
    assert packed(ignore_paths=[]) == (".env", "key.txt")
    with pytest.raises(InvalidValueError, match="SOURCE_INVALID.*has no nothing, which was to be included"):
        packed(include=["nothing"])
    for name in ("ignore_paths", "include"):
        with pytest.raises(TypeError, match=f"expected several values, got str{processing(name)}$"):
            packed(**{name: "*.md"})


def test_source_and_revision_not_given_come_from_the_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GITHUB_ACTIONS",
        "GITLAB_CI",
        "CIRCLECI",
        "TF_BUILD",
        "BUILDKITE",
        "JENKINS_URL",
        "SOURCE_DATE_EPOCH",
    ):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "app.yaml").write_text("x")
    with pytest.raises(InvalidValueError, match="not a git repository.*no CI was found; give --source and --revision"):
        tagwarden.pack_artifact(tmp_path)
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("CI_PROJECT_URL", "https://gitlab.example.com/acme/shop")
    monkeypatch.setenv("CI_COMMIT_REF_NAME", "main")
    monkeypatch.setenv("CI_COMMIT_SHA", "a" * 40)
    packed = tagwarden.pack_artifact(tmp_path)
    annotations = json.loads(packed.manifest.data)["annotations"]
    assert annotations["org.opencontainers.image.source"] == "https://gitlab.example.com/acme/shop"
    assert annotations["org.opencontainers.image.revision"] == "main@sha1:" + "a" * 40
    assert packed.warnings[0].startswith("created is the time of the clock")
