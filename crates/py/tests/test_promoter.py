"""Every method of the blocking promoter; the async promoter has the same methods."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import json

import pytest

import tagwarden
from conftest import ADA, PROD, QUICK, World
from tagwarden import AsyncPromoter, ChannelError, InvalidValueError, Pipeline, PolicyRefusedError, Promoter

UTC = datetime.timezone.utc


def test_promotion_and_rollback_are_in_state_and_history(world: World) -> None:
    receipt = world.promote()
    assert (receipt.result, receipt.op) == ("committed", "promote")
    assert (receipt.previous_digest, receipt.digest) == (world.releases[0], world.releases[1])
    assert receipt.move is not None and receipt.move.outcome is not None
    who = receipt.move.intent.provenance
    assert (who.actor, who.run_id, who.release) == ("ada", "run-1", tagwarden.ReleaseLabel("1.1"))
    assert [finding.verdict for finding in receipt.move.intent.findings] == ["pass"] * 9
    assert world.registry.peek("reg.io/acme/shop", "prod") == world.releases[1]
    current = world.promoter.current(PROD)
    assert (current.live, current.previous) == (world.releases[1], world.releases[0])
    assert world.promoter.previous(PROD) == world.releases[0]
    back = world.promoter.rollback(PROD, provenance=ADA, reason="it was slow")
    assert back.digest == world.releases[0] and back.move is not None and back.move.intent.reason == "it was slow"
    assert [event.intent.op for event in world.promoter.history(PROD)] == ["rollback", "promote", "bootstrap"]
    page = world.promoter.history_page(PROD, limit=2)
    assert [event.seq for event in page.events] == [5, 3] and page.next == 3
    assert world.promoter.channels() == (tagwarden.Channel(PROD),)


def test_same_idempotency_key_moves_once(world: World) -> None:
    assert world.promote(key="job-1").result == "committed"
    assert world.promote(key="job-1").result == "replayed"
    with pytest.raises(ChannelError) as mismatch:
        world.promote("1.2", key="job-1")
    assert (mismatch.value.code, mismatch.value.retry) == ("IDEMPOTENCY_MISMATCH", "never")


def test_rerun_of_an_old_job_is_superseded_or_drifted(world: World) -> None:
    old, newer = world.promote(key="job-1"), world.promote("1.2", key="job-2")
    with pytest.raises(ChannelError) as superseded:
        world.promote(key="job-1")
    error, live = superseded.value, newer.live
    assert (error.code, error.retry) == ("IDEMPOTENCY_SUPERSEDED", "never")
    assert error.context["live"] == str(world.releases[2]) and error.context["live_seq"] == str(live.seq)
    assert old.move is not None
    for words in (
        f"was committed (seq {old.move.seq}) and replaced by {world.releases[2]}",
        f"run run-1, ada, at {error.context['live_at']}",
        "a retry needs nothing more",
    ):
        assert words in str(error), error
    assert world.registry.peek("reg.io/acme/shop", "prod") == world.releases[2]

    # The old job's digest is live again; then the tag is moved by hand.
    world.promoter.rollback(PROD, provenance=ADA)
    assert world.promote(key="job-1").result == "replayed"
    world.registry.overwrite("reg.io/acme/shop", "prod", world.registry.push_image("reg.io/acme/shop", "9.9", 9))
    with pytest.raises(ChannelError) as drifted:
        world.promote(key="job-1")
    assert drifted.value.code == "CHANNEL_DRIFTED"


def test_plan_is_approved_and_executed_only_once(world: World) -> None:
    plan = world.promoter.plan(PROD, "promote", source="reg.io/acme/shop:1.2", provenance=ADA)
    assert (plan.previous_digest, plan.digest) == (world.releases[0], world.releases[2])
    assert {finding.verdict for finding in plan.findings} == {"pass"} and plan.settled is None
    approved = plan.approve()
    assert world.promoter.execute(approved).digest == world.releases[2]
    with pytest.raises(InvalidValueError, match="was executed already: plan again"):
        world.promoter.execute(approved)
    with pytest.raises(InvalidValueError, match="was approved already: plan again"):
        plan.approve()
    with pytest.raises(TypeError, match="ApprovedPlan"):
        world.promoter.execute(plan)  # type: ignore[arg-type]


def test_drift_is_found_repaired_and_adopted(world: World) -> None:
    other = world.registry.push_image("reg.io/acme/shop", "9.9", 9)
    world.registry.overwrite("reg.io/acme/shop", "prod", other)
    report = world.promoter.audit([PROD])
    assert report.worst == "drift" and report.channels[0].observed == other.digest
    assert report.channels[0].state == "moved_outside"
    with pytest.raises(ChannelError) as drifted:
        world.promote()
    assert drifted.value.code == "CHANNEL_DRIFTED"
    assert world.promoter.repair(PROD, provenance=ADA).digest == world.releases[0]
    world.registry.overwrite("reg.io/acme/shop", "prod", other)
    with pytest.raises(InvalidValueError, match="adopt needs a reason"):
        world.promoter.adopt(PROD, provenance=ADA)
    assert world.promoter.adopt(PROD, provenance=ADA, reason="hotfix").digest == other.digest
    assert world.promoter.audit([PROD]).worst is None
    with pytest.raises(TypeError, match="expected several values, got str"):
        world.promoter.audit(PROD)


def test_missing_part_of_the_live_digest_is_a_finding_and_no_drift(world: World) -> None:
    image = world.registry.push_image("reg.io/acme/shop", "2.0", 20)
    world.promoter.promote(PROD, "reg.io/acme/shop:2.0", provenance=ADA)
    layer = json.loads(image.data)["layers"][0]["digest"]
    assert world.registry.delete_blob("reg.io/acme/shop", layer)
    assert world.promoter.audit([PROD]).channels[0].findings == ()
    report = world.promoter.audit([PROD], parts=True)
    (finding,) = report.channels[0].findings
    assert (report.worst, report.channels[0].state) == (None, "in_sync")
    assert (finding.verdict, finding.code) == ("warn", "TARGET_INCOMPLETE") and layer in finding.why


def test_rollback_to_an_incomplete_target_passes_with_an_override(world: World) -> None:
    image = world.registry.push_image("reg.io/acme/shop", "2.0", 20)
    for release in ("2.0", "1.1"):
        world.promoter.promote(PROD, f"reg.io/acme/shop:{release}", provenance=ADA)
    world.registry.delete_blob("reg.io/acme/shop", json.loads(image.data)["layers"][0]["digest"])
    with pytest.raises(PolicyRefusedError) as refused:
        world.promoter.rollback(PROD, provenance=ADA)
    assert [found.code for found in refused.value.findings if found.verdict == "refuse"] == ["TARGET_INCOMPLETE"]
    back = world.promoter.rollback(PROD, provenance=ADA, override=["parts-present"], reason="nodes have it")
    assert back.digest == image.digest and back.warnings == () and back.move is not None
    decision = back.move.intent.decision
    assert decision is not None and [note.guardrail for note in decision.overrides] == ["parts-present"]


def test_at_gives_the_live_move_of_a_time(world: World) -> None:
    event = world.promoter.at(PROD, datetime.datetime.now(UTC))
    assert event is not None and event.intent.target.digest == world.releases[0]
    assert world.promoter.at(PROD, datetime.datetime(2020, 1, 1, tzinfo=UTC)) is None
    with pytest.raises(ValueError, match="without a time zone"):
        world.promoter.at(PROD, datetime.datetime(2020, 1, 1))


def test_verify_is_valid_and_the_live_digest_is_kept(world: World) -> None:
    world.promote()
    report = world.promoter.verify(PROD)
    assert report.valid and (report.entries, report.moves, report.committed) == (5, 2, 2)
    plan = world.promoter.retention_plan("reg.io/acme/shop", rule=tagwarden.RetentionRule(keep_last=1, keep_for=60))
    assert {judged.digest for judged in plan.digests if judged.kept} >= {world.releases[1]}
    verdict = world.promoter.may_delete("reg.io/acme/shop", world.releases[1])
    assert not verdict.allowed and verdict.because == f"live (channel {PROD})"


def test_promotion_that_skips_an_environment_is_refused() -> None:
    registry = tagwarden.MemoryRegistry()
    registry.push_image("reg.io/acme/shop", "1.0", 1)
    registry.push_image("reg.io/acme/shop", "1.1", 2)
    stages = Pipeline.of({"dev": "reg.io/acme/shop:dev", "prod": PROD})
    promoter = Promoter(registry, tagwarden.MemoryLedger(), pipeline=stages)
    promoter.bootstrap("reg.io/acme/shop:dev", "reg.io/acme/shop:1.0", provenance=ADA)
    promoter.bootstrap(PROD, "reg.io/acme/shop:1.0", provenance=ADA)
    with pytest.raises(PolicyRefusedError) as refused:
        promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA)
    codes = [finding.code for finding in refused.value.findings if finding.verdict == "refuse"]
    assert codes == ["STAGE_SKIPPED"], refused.value
    promoter.promote("reg.io/acme/shop:dev", "reg.io/acme/shop:1.1", provenance=ADA)
    dev = tagwarden.Channel("reg.io/acme/shop:dev")
    assert promoter.promote(PROD, dev, provenance=ADA).result == "committed"


def test_async_promoter_moves_plans_and_lists_events(world: World) -> None:
    async def moves() -> None:
        promoter = AsyncPromoter(world.registry, world.ledger, times=QUICK)
        receipts = await asyncio.gather(
            *(
                promoter.promote(
                    PROD, "reg.io/acme/shop:1.1", provenance=ADA, idempotency_key="k", on_conflict="requeue"
                )
                for _ in range(4)
            )
        )
        assert sorted(receipt.result for receipt in receipts) == ["committed"] + ["replayed"] * 3
        plan = await promoter.plan(PROD, "rollback", provenance=ADA)
        assert (await promoter.execute(plan.approve())).digest == world.releases[0]
        assert [event.intent.op async for event in promoter.history(PROD)] == ["rollback", "promote", "bootstrap"]
        with pytest.raises(ChannelError):
            await promoter.rollback("reg.io/acme/shop:nowhere", provenance=ADA)

    asyncio.run(moves())


def test_both_promoters_have_the_same_methods() -> None:
    def methods(of: type) -> dict[str, list[str]]:
        public = inspect.getmembers(of, inspect.isroutine)
        return {name: list(inspect.signature(m).parameters) for name, m in public if not name.startswith("_")}

    assert methods(Promoter) == methods(AsyncPromoter)
    assert {
        "plan",
        "execute",
        "bootstrap",
        "promote",
        "rollback",
        "repair",
        "adopt",
        "recover",
        "hold",
        "unhold",
    } <= set(methods(Promoter))


def test_memory_registry_records_every_change_of_a_tag(world: World) -> None:
    world.registry.push_image("reg.io/acme/shop", "prod", 66)
    world.registry.delete_tag("reg.io/acme/shop", "prod")
    *_, hotfix, gone = [change for change in world.registry.changes() if change["tag"] == "prod"]
    assert hotfix["digest"] is not None and gone == {"repository": "reg.io/acme/shop", "tag": "prod", "digest": None}
