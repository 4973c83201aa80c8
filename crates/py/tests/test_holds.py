"""Holds: their authors, the moves that they stop, and their ends."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable

import pytest

from conftest import ADA, PROD, World
from tagwarden import (
    ActiveHold,
    AsyncPromoter,
    ChannelError,
    InvalidValueError,
    MemoryLedger,
    MemoryRegistry,
    PolicyRefusedError,
    Promoter,
    Provenance,
    Receipt,
)

UTC = datetime.timezone.utc
SHOP = "reg.io/acme/shop"
BEN = Provenance.of(provider="manual", run_id="run-2", actor="ben", actor_kind="human")


def refused(work: Callable[[], object]) -> list[tuple[str | None, str]]:
    """The refusing findings, code and reason. A hold can be lifted, so the error says ``later``."""
    with pytest.raises(PolicyRefusedError) as error:
        work()
    assert (error.value.code, error.value.retry) == ("POLICY_REFUSED", "later")
    refusing = [finding for finding in error.value.findings if finding.verdict == "refuse"]
    assert {finding.retry for finding in refusing} == {"later"}
    return [(finding.code, finding.why) for finding in refusing]


def test_hold_of_one_person_ended_leaves_the_hold_of_another(world: World) -> None:
    promoter = world.promoter
    ada = promoter.hold(PROD, reason="incident 7", provenance=ADA)
    ben = promoter.hold(PROD, reason="an audit", provenance=BEN, scope="all")
    assert promoter.holds(PROD) == promoter.current(PROD).holds
    assert [(hold.seq, hold.scope, hold.reason, hold.provenance) for hold in promoter.holds(PROD)] == [
        (ada, "promotions", "incident 7", ADA),
        (ben, "all", "an audit", BEN),
    ]
    assert promoter.unhold(PROD, ada, reason="it is over", provenance=BEN) == ben + 1
    assert [hold.seq for hold in promoter.holds(PROD)] == [ben]
    why = f"held for all moves by ben until it is ended (hold {ben}): an audit"
    assert refused(world.promote) == [("CHANNEL_HELD", why)]
    with pytest.raises(InvalidValueError, match=f"hold {ada} of {PROD} is not in force; in force: {ben}"):
        promoter.unhold(PROD, ada, reason="again", provenance=ADA)
    promoter.unhold(PROD, ben, reason="it is over", provenance=BEN)
    assert world.promote().result == "committed"
    assert promoter.verify(PROD).holds == ()


def test_unhold_mine_ends_the_holds_of_one_person(world: World) -> None:
    promoter = world.promoter
    first, other, second = (promoter.hold(PROD, reason="why", provenance=who) for who in (ADA, BEN, ADA))
    assert promoter.unhold_mine(PROD, reason="it is over", provenance=ADA) == (first, second)
    assert [hold.seq for hold in promoter.holds(PROD)] == [other]
    assert promoter.unhold_mine(PROD, reason="again", provenance=ADA) == ()


def test_hold_of_promotions_lets_rollback_repair_and_adopt_pass(world: World) -> None:
    world.promote()
    hold = world.promoter.hold(PROD, reason="incident 7", provenance=ADA)
    why = f"held for promotions by ada until it is ended (hold {hold}): incident 7"
    assert refused(lambda: world.promote("1.2")) == [("CHANNEL_HELD", why)]
    assert world.promoter.rollback(PROD, provenance=ADA).digest == world.releases[0]
    hotfix = world.registry.push_image(SHOP, "9.9", 9)
    world.registry.overwrite(SHOP, "prod", hotfix)
    assert world.promoter.repair(PROD, provenance=ADA).digest == world.releases[0]
    world.registry.overwrite(SHOP, "prod", hotfix)
    assert world.promoter.adopt(PROD, provenance=ADA, reason="hotfix").digest == hotfix.digest
    assert [held.seq for held in world.promoter.holds(PROD)] == [hold]


def test_hold_of_promotions_stops_a_bootstrap() -> None:
    registry = MemoryRegistry()
    registry.push_image(SHOP, "1.0", 1)
    promoter = Promoter(registry, MemoryLedger())
    with pytest.raises(ChannelError, match="CHANNEL_ABSENT"):
        promoter.hold(PROD, reason="not yet", provenance=ADA)
    registry.push_image(SHOP, "prod", 1)
    promoter.hold(PROD, reason="not yet", provenance=ADA)
    ((code, _),) = refused(lambda: promoter.bootstrap(PROD, f"{SHOP}:1.0", provenance=ADA))
    assert code == "CHANNEL_HELD"


def test_hold_of_all_moves_stops_every_move(world: World) -> None:
    world.promote()
    hold = world.promoter.hold(PROD, reason="an audit", provenance=BEN, scope="all")
    held = [("CHANNEL_HELD", f"held for all moves by ben until it is ended (hold {hold}): an audit")]
    assert refused(lambda: world.promote("1.2")) == held
    assert refused(lambda: world.promoter.rollback(PROD, provenance=ADA)) == held
    world.registry.overwrite(SHOP, "prod", world.registry.push_image(SHOP, "9.9", 9))
    assert refused(lambda: world.promoter.repair(PROD, provenance=ADA)) == held
    assert refused(lambda: world.promoter.adopt(PROD, provenance=ADA, reason="hotfix")) == held


def test_hold_with_an_end_is_recorded_and_a_past_end_is_refused(world: World) -> None:
    until = datetime.datetime(2099, 1, 1, tzinfo=UTC)
    world.promoter.hold(PROD, reason="incident 7", provenance=ADA, until=until)
    assert [hold.until for hold in world.promoter.holds(PROD)] == [until]
    past = datetime.datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidValueError, match="would have ended already"):
        world.promoter.hold(PROD, reason="incident 7", provenance=ADA, until=past)
    with pytest.raises(InvalidValueError, match='scope: "some" is none of promotions, all'):
        world.promoter.hold(PROD, reason="incident 7", provenance=ADA, scope="some")  # type: ignore[arg-type]


def test_async_promoter_holds_like_the_blocking_promoter(world: World) -> None:
    async def holds() -> tuple[ActiveHold, ...]:
        promoter = AsyncPromoter(world.registry, world.ledger)
        first = await promoter.hold(PROD, reason="incident 7", provenance=ADA)
        await promoter.hold(PROD, reason="an audit", provenance=BEN)
        await promoter.hold(PROD, reason="a freeze", provenance=BEN, scope="all")
        await promoter.unhold(PROD, first, reason="it is over", provenance=ADA)
        assert len(await promoter.unhold_mine(PROD, reason="it is over", provenance=BEN)) == 2
        await promoter.hold(PROD, reason="again", provenance=ADA)
        assert (await promoter.recover(PROD, provenance=ADA)).result == "nothing"
        return await promoter.holds(PROD)

    (hold,) = asyncio.run(holds())
    assert (hold,) == world.promoter.holds(PROD) and hold.reason == "again"


def test_rollback_accepts_a_digest_a_release_or_a_move(world: World) -> None:
    def back(to: str) -> Receipt:
        again = ["not-rolled-back"]
        world.promoter.promote(PROD, f"{SHOP}:1.2", provenance=ADA, override=again, reason="to go back once more")
        return world.promoter.rollback(PROD, to, provenance=ADA)

    first = world.promoter.current(PROD).event
    assert first is not None
    for to in (str(world.releases[0]), "1.0", f"prod#{first.seq}"):
        assert back(to).digest == world.releases[0]
    with pytest.raises(InvalidValueError, match="after '#' is not the sequence number of a move"):
        world.promoter.rollback(PROD, "prod#", provenance=ADA)
