"""Blocks, holds of a pipeline, orders, comparisons and ``tagwarden.toml``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from conftest import ADA, PROD, QUICK, World, processing
from tagwarden import (
    AsyncPromoter,
    Channel,
    ChannelError,
    Config,
    InvalidValueError,
    MemoryLedger,
    MemoryRegistry,
    OciRegistry,
    Pipeline,
    PolicyRefusedError,
    Promoter,
    Reference,
    RegistryError,
    RetentionRule,
    TestRegistry,
    pack_artifact,
    push_artifact,
)

SHOP = "reg.io/acme/shop"
PREPROD = f"{SHOP}:preprod"
HOUR = timedelta(hours=1)

FILE = f"""
ledger = "ledger"

[order]
by = "semver"

[[pipeline]]
environment = "preprod"
channel = "{PREPROD}"

[[pipeline]]
environment = "prod"
channel = "{PROD}"
[pipeline.policy]
forward-only = {{ mode = "refuse", ops = ["repair"] }}
promotion-order = "warn"
after-rollback = "hold"
override = {{ allowed = ["parts-present"] }}

[registry."reg.io"]
settle = "45s"

[retention]
keep-last = 4
keep-for = "2d"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tagwarden.toml"
    file.write_text(FILE)
    return file


def codes(work: Callable[[], object]) -> list[str | None]:
    """The codes of the refusing findings."""
    with pytest.raises(PolicyRefusedError) as error:
        work()
    return [finding.code for finding in error.value.findings if finding.verdict == "refuse"]


def test_config_says_what_the_file_has(file: Path) -> None:
    config = Config.read(file)
    assert config.file == file and config.ledger == str(file.parent / "ledger")
    assert config.order is not None and (config.order.by, config.order.required) == ("semver", False)
    preprod, prod = config.environments
    assert (str(preprod.environment), str(preprod.channel), preprod.policy.name) == ("preprod", PREPROD, "standard")
    assert (prod.policy.name, prod.after_rollback) == ("prod", "hold")
    default, own = ({used.name: (used.mode, used.ops) for used in one.guardrails} for one in (preprod, prod))
    assert (default["forward-only"], own["forward-only"]) == (("warn", ("promote",)), ("refuse", ("promote", "repair")))
    assert (default["promotion-order"][0], own["promotion-order"][0], len(own)) == ("refuse", "warn", 9)
    assert (prod.override.allowed, prod.override.by, preprod.override.allowed) == (("parts-present",), None, None)
    assert config.channel("prod") == Channel(PROD) and config.channel("staging") is None
    assert config.retention == RetentionRule(keep_last=4, keep_for=2 * 86_400)
    assert [(registry.host, registry.settle_ms) for registry in config.registries] == [("reg.io", 45_000)]
    assert Config.find(file.parent / "below").environments == config.environments
    assert prod == type(prod).from_dict(prod.to_dict())


def test_config_without_a_file_is_empty_and_a_wrong_one_names_its_place(tmp_path: Path) -> None:
    config = Config.find(tmp_path)
    assert (config.file, config.ledger, config.order, config.environments) == (None, None, None, ())
    with pytest.raises(InvalidValueError, match="CONFIG_INVALID: the configuration names no ledger"):
        config.open_ledger()
    (tmp_path / "tagwarden.toml").write_text("ledgr = 'x'\n")
    with pytest.raises(InvalidValueError, match=r"tagwarden\.toml:1:1: .*ledger"):
        Config.find(tmp_path)
    with pytest.raises(InvalidValueError, match="CONFIG_INVALID"):
        Config.read(tmp_path / "absent.toml")


def test_promoter_of_a_config_has_the_policy_of_its_environment(file: Path) -> None:
    config, registry = Config.read(file), MemoryRegistry()
    for n, tag in enumerate(["1.0.0", "1.1.0", "1.2.0"]):
        registry.push_image(SHOP, tag, n)
    ledger = config.open_ledger()
    promoter = Promoter(registry, ledger, config=config, channel="reg.io/acme/shop:prod", times=QUICK)
    promoter.bootstrap(PROD, "1.0.0", provenance=ADA)
    receipt = promoter.promote(PROD, "1.2.0", provenance=ADA)
    assert receipt.move is not None and receipt.move.intent.order is not None
    assert receipt.move.intent.order.to_dict() == {"by": "semver", "value": "1.2.0"}
    assert receipt.move.intent.decision.policy == config.environments[1].policy
    assert codes(lambda: promoter.promote(PROD, "1.1.0", provenance=ADA)) == ["ORDER_OUTDATED"]

    def in_spite() -> None:
        promoter.promote(PROD, "1.1.0", provenance=ADA, override=["forward-only"], reason="a hotfix")

    assert codes(in_spite) == ["OVERRIDE_NOT_ALLOWED"]

    back = promoter.rollback(PROD, provenance=ADA)
    (hold,) = promoter.holds(PROD)
    assert back.hold == hold.seq and hold.scope == "promotions" and hold.reason.startswith("after-rollback: ")
    assert set(codes(lambda: promoter.promote(PROD, "1.2.0", provenance=ADA))) == {"CHANNEL_HELD", "ROLLED_BACK"}

    async def opened() -> tuple[str, ...]:
        ledger = await config.open_ledger_async(access="read")
        return tuple(str(channel) for channel in ledger.channels())

    assert asyncio.run(opened()) == (PROD,)


def test_config_and_channel_belong_together(file: Path) -> None:
    config, parts = Config.read(file), (MemoryRegistry(), MemoryLedger())
    with pytest.raises(InvalidValueError, match="VALUE_INVALID: channel: "):
        Promoter(*parts, config=config)
    with pytest.raises(InvalidValueError, match="VALUE_INVALID: channel: "):
        Promoter(*parts, channel=PROD)
    with pytest.raises(InvalidValueError, match="VALUE_INVALID: pipeline: "):
        Promoter(*parts, config=config, channel=PROD, pipeline=Pipeline.of({"prod": PROD}))
    with pytest.raises(TypeError, match=f"not an instance of 'Config'{processing('config')}$"):
        Promoter(*parts, config=str(file), channel=PROD)  # type: ignore[arg-type]


def test_order_is_given_as_a_text_or_a_number(tmp_path: Path) -> None:
    file = tmp_path / "tagwarden.toml"
    file.write_text(f'[order]\nby = "build-number"\n[[pipeline]]\nenvironment = "prod"\nchannel = "{PROD}"\n')
    registry = MemoryRegistry()
    for n, tag in enumerate("abc"):
        registry.push_image(SHOP, tag, n)
    promoter = Promoter(registry, MemoryLedger(), config=Config.read(file), channel=PROD, times=QUICK)
    promoter.bootstrap(PROD, "a", provenance=ADA, order=41)
    moved = promoter.promote(PROD, "b", provenance=ADA, order="42").move
    assert moved is not None and moved.intent.order is not None and moved.intent.order.value == 42
    # Without a value, a release keeps the one that it has in the log.
    for tag, order, code in (("c", 41, "ORDER_OUTDATED"), ("a", None, "ORDER_OUTDATED"), ("c", None, "ORDER_UNKNOWN")):
        plan = promoter.plan(PROD, "promote", tag, provenance=ADA, order=order)
        assert [finding.code for finding in plan.findings if finding.verdict == "warn"] == [code]
    with pytest.raises(InvalidValueError, match="order: a rollback brings no release"):
        promoter.plan(PROD, "rollback", provenance=ADA, order=41)
    with pytest.raises(InvalidValueError, match='order: "x" is not a whole number'):
        promoter.promote(PROD, "b", provenance=ADA, order="x")


def test_order_without_a_configured_kind_is_refused(world: World) -> None:
    with pytest.raises(InvalidValueError, match="order: no order of releases is configured"):
        world.promoter.promote(PROD, "1.1", provenance=ADA, order="1.1")


def test_blocked_release_is_refused_until_the_block_ends(world: World) -> None:
    promoter = world.promoter
    done = promoter.block("1.1", reason="it loses orders", provenance=ADA, only=PROD, url="https://acme.example/7")
    block = done.block
    assert (done.channel, done.digest, done.already) == (Channel(PROD), world.releases[1], False)
    (blocked,) = promoter.blocks(PROD)
    assert (blocked.seq, blocked.channel, blocked.digest) == (block, Channel(PROD), world.releases[1])
    assert (blocked.reason, blocked.url) == ("it loses orders", "https://acme.example/7")
    assert promoter.current(PROD).blocks == (blocked,)
    again = promoter.block(world.releases[1], reason="again", provenance=ADA, only=PROD)
    assert (again.block, again.already) == (block, True)
    assert codes(world.promote) == ["TARGET_BLOCKED"]
    with pytest.raises(InvalidValueError, match="is not blocked on"):
        promoter.unblock("1.2", reason="it is fine", provenance=ADA, only=PROD)
    assert promoter.unblock("1.1", reason="it is fine", provenance=ADA, only=PROD) == block + 1
    assert world.promote().result == "committed" and promoter.blocks(PROD) == ()


def test_block_needs_a_channel_or_a_pipeline_and_a_release(world: World) -> None:
    with pytest.raises(InvalidValueError, match="CONFIG_INVALID: there is no pipeline, so no first environment"):
        world.promoter.block("1.1", reason="bad", provenance=ADA)
    with pytest.raises(RegistryError, match="REGISTRY_ABSENT: 9.9 does not exist now"):
        world.promoter.block("9.9", reason="bad", provenance=ADA, only=PROD)


def test_block_and_hold_of_a_pipeline_reach_every_environment(world: World) -> None:
    pipeline = Pipeline.of({"preprod": PREPROD, "prod": PROD})
    promoter = Promoter(world.registry, world.ledger, pipeline=pipeline, times=QUICK)
    promoter.block(world.releases[1], reason="bad", provenance=ADA)
    assert [str(blocked.channel) for blocked in promoter.blocks(PROD)] == [PREPROD]
    held = promoter.hold_pipeline(reason="incident 7", provenance=ADA, scope="all")
    assert [str(one.channel) for one in held] == [PREPROD, PROD]
    for one in held:
        assert [hold.seq for hold in promoter.holds(one.channel)] == [one.hold]
    with pytest.raises(InvalidValueError, match="CONFIG_INVALID"):
        world.promoter.hold_pipeline(reason="incident 7", provenance=ADA)
    again = promoter.hold_pipeline(reason="an audit", provenance=ADA, until=datetime.now(timezone.utc) + HOUR)
    assert [promoter.holds(one.channel)[1].scope for one in again] == ["promotions", "promotions"]


def test_audit_says_blocked_and_live(world: World) -> None:
    world.promote()
    world.promoter.block("1.1", reason="bad", provenance=ADA, only=PROD)
    (audited,) = world.promoter.audit([PROD]).channels
    assert (audited.state, audited.live, audited.instead) == ("blocked_and_live", world.releases[1], world.releases[0])


def test_release_names_are_those_of_the_core(world: World) -> None:
    promoter, (first, second, third) = world.promoter, world.releases
    world.promote("1.1")
    for name in ("1.2", f"{SHOP}:1.2", third, Reference(f"{SHOP}:1.2"), f"1.2@{third}"):
        assert promoter.plan(PROD, "promote", name, provenance=ADA).digest == third, name
    for name in ("prod~1", "~1", f"{PROD}~1"):
        assert promoter.plan(PROD, "promote", name, provenance=ADA).digest == first, name
    assert promoter.plan(PROD, "rollback", to="~1", provenance=ADA).digest == first
    for move, code in ((promoter.promote, "RELEASE_UNKNOWN"), (promoter.rollback, "ROLLBACK_NO_TARGET")):
        with pytest.raises(ChannelError) as unknown:
            move(PROD, "prod~9", provenance=ADA)
        assert (unknown.value.code, unknown.value.retry) == (code, "never")
    assert promoter.rollback(PROD, "prod~1", provenance=ADA).digest == first
    assert promoter.promote(PROD, "prod#3", provenance=ADA, override=["not-rolled-back"], reason="x").digest == second
    with pytest.raises(TypeError, match="a str, Digest, Reference or Channel"):
        promoter.plan(PROD, "promote", 7, provenance=ADA)  # type: ignore[arg-type]


def test_diff_says_what_changes_between_two_releases(world: World) -> None:
    world.promote("1.1")
    diff = world.promoter.diff("prod~1", "prod", channel=PROD)
    assert (diff.old.name, diff.old.digest, diff.new.digest) == ("prod~1", world.releases[0], world.releases[1])
    assert diff.old.facts == diff.new.facts == "registry" and diff.files is None
    assert diff.new.live is not None and diff.new.live.channel == Channel(PROD)
    assert diff.between is not None and (diff.between.count, diff.between.moves[0].op) == (1, "promote")
    assert diff.layers is not None and len(diff.layers.added) == len(diff.layers.gone) == 1
    assert diff == type(diff).from_dict(diff.to_dict())

    promoter = AsyncPromoter(world.registry, world.ledger)
    assert asyncio.run(promoter.diff("prod~1", "prod", channel=PROD, unified=True, timeout=5)).layers == diff.layers
    with pytest.raises(InvalidValueError, match="name the channel that it is about"):
        world.promoter.diff("1.0", "1.1")


def test_diff_of_artifacts_has_their_files(test_registry: TestRegistry, tmp_path: Path) -> None:
    registry, shop = OciRegistry(lookup="nowhere"), test_registry.repository("acme/shop")
    (tmp_path / "service.yaml").write_text("kind: Service\n")
    for n in (1, 2):
        (tmp_path / "app.yaml").write_text(f"replicas: {n}\n")
        source, revision = "https://github.com/acme/shop", f"main@sha1:{str(n) * 40}"
        packed = pack_artifact(
            tmp_path, source=source, revision=revision, created=datetime(2026, 1, n, tzinfo=timezone.utc)
        )
        push_artifact(packed, registry, shop, f"1.{n}")
    promoter = Promoter(registry, MemoryLedger())
    diff = promoter.diff("1.1", "1.2", channel=f"{shop}:prod", unified=True)
    assert diff.files is not None
    (file,) = diff.files
    assert (file.path, file.change) == ("app.yaml", "changed")
    assert file.unified is not None and file.unified.endswith("-replicas: 1\n+replicas: 2\n")
    assert diff.compare_url == f"https://github.com/acme/shop/compare/{'1' * 40}...{'2' * 40}"
    assert diff.new.annotations["created"] == "2026-01-02T00:00:00Z" and diff.between is None and diff.notes == ()
    plain = promoter.diff("1.1", "1.2", channel=f"{shop}:prod").files
    assert plain is not None and [file.unified for file in plain] == [None]
