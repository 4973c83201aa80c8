"""Variables of CI systems and references of other tools, by the cases that Rust and Node read too."""

from __future__ import annotations

import getpass
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from conftest import ADA
from tagwarden import InvalidValueError, MemoryLedger, MemoryRegistry, Promoter, Provenance, Reference, open_ledger

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"
ENVIRONMENTS: list[dict[str, Any]] = json.loads((VECTORS / "ci-environments.json").read_text())
REFERENCES: list[dict[str, str]] = json.loads((VECTORS / "references.json").read_text())
SHOP = "registry.example.com/acme/shop"


def surrounded(patch: pytest.MonkeyPatch, environment: dict[str, str], login: str | None) -> None:
    """Sets exactly these variables, and a terminal on standard error if there is a login name."""

    def user() -> str:
        if login is None:
            raise OSError("no user has this number")
        return login

    patch.setattr(os, "environ", environment)
    patch.setattr(os, "isatty", lambda fd: login is not None and fd == 2)
    patch.setattr(getpass, "getuser", user)


@pytest.mark.parametrize("case", ENVIRONMENTS, ids=lambda case: case["expect"].get("provider", "attempt"))
def test_environment_gives_its_provenance(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    surrounded(monkeypatch, case["env"], case["login_name"] if case.get("terminal") else None)
    made = Provenance.from_ci()
    for name, want in case["expect"].items():
        if name == "job":
            assert made.job_id == want["id"]
        elif want == "generated":
            assert uuid.UUID(made.run_id).version == 7
        else:
            assert getattr(made, name) == want
    assert made.attempt is None
    assert "identity" not in made.to_dict()


def test_unknown_ci_without_run_and_actor_is_provenance_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    surrounded(monkeypatch, {"CI": "true"}, "ada")
    with pytest.raises(InvalidValueError, match="--run-id.*--actor") as refused:
        Provenance.from_ci()
    assert refused.value.code == "PROVENANCE_INCOMPLETE"
    made = Provenance.from_ci(run_id="7", actor="ada")
    assert (made.provider, made.actor_kind) == ("manual", "workload")


def test_manual_provenance_is_a_person_with_a_new_run() -> None:
    made = Provenance.manual("ada")
    assert (made.provider, made.actor, made.actor_kind) == ("manual", "ada", "human")
    assert uuid.UUID(made.run_id).version == 7 and Provenance.manual("ada").run_id != made.run_id
    with pytest.raises(InvalidValueError, match="VALUE_INVALID"):
        Provenance.manual("")


def test_given_environment_ignores_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    surrounded(monkeypatch, {}, "ada")
    assert Provenance.from_ci().actor_kind == "human"
    with pytest.raises(InvalidValueError, match="PROVENANCE_INCOMPLETE"):
        Provenance.from_ci({})


def test_workflow_and_job_are_given_and_read_back() -> None:
    made = Provenance.of(run_id="7", actor="ada", workflow="Release", job_id="99", job_name="promote")
    assert (made.workflow, made.job_id, made.job_name) == ("Release", "99", "promote")
    assert made.actor_kind == "workload"
    bare = Provenance.of(run_id="7", actor="ada")
    assert (bare.workflow, bare.job_id, bare.job_name) == (None, None, None)
    with pytest.raises(InvalidValueError, match="job_name: it is the name of a job, whose id is missing"):
        Provenance.of(run_id="7", actor="ada", job_name="promote")


def test_references_of_other_tools_are_accepted() -> None:
    scheme, both, dsn = (case["given"] for case in REFERENCES)
    assert str(Reference(scheme)) == REFERENCES[0]["expect"]
    with pytest.raises(InvalidValueError, match="a libpq connection string; write it as postgres://") as refused:
        open_ledger(dsn)
    assert refused.value.code == "CONFIG_INVALID"

    registry = MemoryRegistry()
    digests = [registry.push_image(SHOP, f"1.4.{number}", number).digest for number in range(3)]
    promoter = Promoter(registry, MemoryLedger())
    prod = f"oci://{SHOP}:prod"
    promoter.bootstrap(prod, f"oci://{SHOP}:1.4.0", provenance=ADA)
    suffix = both.split("/shop", 1)[1].split("@", 1)[0]
    assert suffix == ":1.4.2"
    event = promoter.promote(prod, f"oci://{SHOP}{suffix}@{digests[2]}", provenance=ADA).move
    assert event is not None and event.intent.target.digest == digests[2]
    assert str(event.intent.provenance.release) == "1.4.2"
    assert {finding.verdict for finding in event.intent.findings} == {"pass"}
    event = promoter.promote(prod, f"{SHOP}{suffix}@{digests[1]}", provenance=ADA).move
    assert event is not None and event.intent.target.digest == digests[1]
    assert [finding.code for finding in event.intent.findings if finding.verdict == "warn"] == ["TARGET_TAG_DIFFERS"]
