"""The scenarios of tests/vectors/stories.json, which Rust and Node run too, give the listed results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tagwarden import (
    Channel,
    MemoryLedger,
    MemoryRegistry,
    Pipeline,
    Promoter,
    Provenance,
    ReadFault,
    Receipt,
    RetentionRule,
    TagwardenError,
    Times,
)

STORIES = json.loads((Path(__file__).resolve().parents[3] / "tests/vectors/stories.json").read_text())
SHOP = "registry.example.com/acme/shop"
WHO = Provenance.of(provider="manual", run_id="run-1", actor="ada", commit="f0b6723", release="v1")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
def test_stories_give_the_listed_results(story: dict[str, Any]) -> None:
    registry = MemoryRegistry()
    for tag, number in story["images"].items():
        registry.push_image(SHOP, tag, number)
    stages = story.get("pipeline")
    pipeline = Pipeline.of({name: f"{SHOP}:{name}" for name in stages}) if stages else None
    promoter = Promoter(registry, MemoryLedger(), pipeline=pipeline, times=Times(quiet=0.2, put=0.2, settle=0.2))
    for step in story["steps"]:
        try:
            ended = told(promoter, registry, step)
        except TagwardenError as error:
            findings = [finding.to_dict() for finding in error.findings]
            ended = {"code": error.code, "retry": error.retry, "findings": findings}
        assert timeless(ended) == step["is"], step


def told(promoter: Promoter, registry: MemoryRegistry, step: dict[str, Any]) -> Any:
    """Runs one step. Returns its result."""
    channel = f"{SHOP}:{step.get('channel')}"
    source: Any = f"{SHOP}:{step['source']}" if "source" in step else None
    if "source_channel" in step:
        source = Channel(f"{SHOP}:{step['source_channel']}")
    terms: dict[str, Any] = {
        "provenance": WHO,
        "idempotency_key": step.get("idempotency_key"),
        "reason": step.get("reason"),
        "expected": image(step.get("expected")),
    }
    to, rule = image(step.get("to")), step.get("rule")
    kept = RetentionRule(keep_last=rule["keep_last"], keep_for=rule["keep_for_s"]) if rule else None
    match step["do"]:
        case "push":
            registry.push_image(SHOP, step["tag"], step["image"])
            return None
        case "untag":
            return registry.delete_tag(SHOP, step["tag"])
        case "fail_reads":
            return registry.script_reads([ReadFault.unavailable()] * step["times"])
        case "bootstrap":
            return receipt(promoter.bootstrap(channel, source, **terms))
        case "promote":
            return receipt(promoter.promote(channel, source, **terms))
        case "rollback":
            return receipt(promoter.rollback(channel, to, **terms))
        case "repair":
            return receipt(promoter.repair(channel, **terms))
        case "adopt":
            return receipt(promoter.adopt(channel, **terms))
        case "hold":
            return promoter.hold(channel, reason=step["reason"], scope=step.get("scope", "promotions"), provenance=WHO)
        case "unhold":
            return promoter.unhold(channel, step["hold"], reason=step["reason"], provenance=WHO)
        case "plan":
            plan = promoter.plan(channel, step["op"], source, to, **terms)
            change = {"previous_digest": str(plan.previous_digest), "digest": str(plan.digest)}
            return {"change": change, "findings": [finding.to_dict() for finding in plan.findings]}
        case "audit":
            return promoter.audit(f"{SHOP}:{tag}" for tag in step["channels"]).to_dict()
        case "retention_plan":
            return promoter.retention_plan(SHOP, rule=kept).to_dict()
        case "may_delete":
            return promoter.may_delete(SHOP, str(image(step["digest"])), rule=kept).to_dict()
        case other:
            raise AssertionError(f"{other} is not known")


def receipt(given: Receipt) -> dict[str, Any]:
    json = given.to_dict()
    return {name: json[name] for name in ("result", "previous_digest", "digest") if name in json}


def image(text: str | None) -> str | None:
    """Replaces ``image 3`` by the digest of that image; returns any other text unchanged."""
    number = re.fullmatch(r"image (\d+)", text or "")
    return str(MemoryRegistry().push_image(SHOP, "x", int(number[1])).digest) if number else text


def timeless(ended: Any) -> Any:
    """Replaces every time by the word TIME."""
    return json.loads(re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", json.dumps(ended)))
