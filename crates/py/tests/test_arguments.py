"""Arguments: wrong types, wrong values, texts that a log cannot hold, and who asks."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

import tagwarden
from conftest import ADA, PROD, World
from tagwarden import (
    Channel,
    Digest,
    InvalidValueError,
    OciRegistry,
    Provenance,
    Reference,
    open_ledger,
)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("reg.io/acme/shop", "VALUE_INVALID"),
        ("", "VALUE_INVALID"),
        ("reg.io/acme/shop:" + "x" * 1_000_000, "VALUE_INVALID"),
        ("reg.io/acme/shop:\ud800", "lone surrogate"),
    ],
)
def test_invalid_channel_is_a_short_value_error(world: World, wrong: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        world.promoter.current(wrong)
    with pytest.raises(ValueError, match=why) as error:
        Channel(wrong)
    assert len(str(error.value)) < 1000


def test_wrong_argument_is_a_type_or_value_error(world: World) -> None:
    with pytest.raises(TypeError, match="expected a str or Channel, got bytes"):
        world.promoter.current(b"reg.io/acme/shop:prod")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Provenance"):
        world.promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=None)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match='on_conflict: "shove" is none of wait, requeue, fail'):
        world.promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=ADA, on_conflict="shove")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"invalid timeout: -1 is not a number of seconds from 0 to 9007199254740$"):
        world.promoter.recover(PROD, provenance=ADA, timeout=-1)
    with pytest.raises(InvalidValueError, match=r"actor: .*invisible character U\+200B at byte 2"):
        Provenance.of(run_id="7", actor="ad\u200ba")
    with pytest.raises(TypeError):
        Digest(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["x" * 10_000_000, "", "two\nlines", "\x1b[31m", "\u202e", "\0"], ids=lambda text: ascii(text[:9])
)
def test_text_that_a_log_cannot_hold_is_refused_and_writes_nothing(world: World, text: str) -> None:
    shop = "reg.io/acme/shop:1.1"
    before = world.promoter.verify(PROD).entries
    for work in (
        lambda: world.promoter.promote(PROD, shop, provenance=ADA, reason=text),
        lambda: world.promoter.promote(PROD, shop, provenance=ADA, idempotency_key=text),
        lambda: world.promoter.hold(PROD, reason=text, provenance=ADA),
        lambda: Provenance.of(provider="manual", run_id=text, actor="ada"),
    ):
        with pytest.raises(InvalidValueError) as refused:
            work()
        assert refused.value.code in {"VALUE_INVALID", "PROVENANCE_INCOMPLETE"} and len(str(refused.value)) < 1000
    assert world.promoter.verify(PROD).entries == before


def test_lone_surrogate_is_a_value_error_in_every_argument(world: World) -> None:
    shop, lone = "reg.io/acme/shop:1.1", "\ud800"
    for work in (
        lambda: world.promoter.promote(PROD, shop, provenance=ADA, reason=lone),
        lambda: world.promoter.promote(PROD, lone, provenance=ADA),
        lambda: world.promoter.promote(PROD, shop, provenance=ADA, idempotency_key=lone),
        lambda: world.promoter.audit([PROD, lone]),
        lambda: world.ledger.size(lone),  # type: ignore[arg-type]
        lambda: world.registry.resolve(lone, "prod"),
        lambda: Provenance.of(provider="manual", run_id=lone, actor="ada"),
        lambda: open_ledger(lone),
        lambda: OciRegistry(docker_config=lone),
    ):
        with pytest.raises(ValueError, match="a string with a lone surrogate is no text"):
            work()


@pytest.mark.parametrize("wrong", [5, 1.5, b"x", ["a"], {"a": 1}, object(), float("nan")], ids=ascii)
def test_argument_of_a_wrong_type_is_an_error_that_names_it(world: World, wrong: Any) -> None:
    shop = "reg.io/acme/shop:1.1"
    before = world.promoter.verify(PROD).entries
    works: dict[str, Callable[[], object]] = {
        "channel": lambda: world.promoter.current(wrong),
        "source": lambda: world.promoter.promote(PROD, wrong, provenance=ADA),
        "provenance": lambda: world.promoter.promote(PROD, shop, provenance=wrong),
        "idempotency_key": lambda: world.promoter.promote(PROD, shop, provenance=ADA, idempotency_key=wrong),
        "reason": lambda: world.promoter.promote(PROD, shop, provenance=ADA, reason=wrong),
        "expected": lambda: world.promoter.promote(PROD, shop, provenance=ADA, expected=wrong),
        "on_conflict": lambda: world.promoter.promote(PROD, shop, provenance=ADA, on_conflict=wrong),
        "to": lambda: world.promoter.rollback(PROD, wrong, provenance=ADA),
        "abort": lambda: world.promoter.recover(PROD, provenance=ADA, abort=wrong),
        "scope": lambda: world.promoter.hold(PROD, reason="why", provenance=ADA, scope=wrong),
        "until": lambda: world.promoter.hold(PROD, reason="why", provenance=ADA, until=wrong),
        "rule": lambda: world.promoter.retention_plan("reg.io/acme/shop", rule=wrong),
        "keep_last": lambda: world.promoter.retention_plan(
            "reg.io/acme/shop", rule=tagwarden.RetentionRule(keep_last=-wrong if isinstance(wrong, int) else wrong)
        ),
        "digest": lambda: world.promoter.may_delete("reg.io/acme/shop", wrong),
        "override": lambda: world.promoter.bootstrap(PROD, override=wrong, provenance=ADA),
    }
    for place, work in works.items():
        with pytest.raises((TypeError, ValueError)) as refused:
            work()
        assert not isinstance(refused.value, InvalidValueError) or f"{place}: " in str(refused.value), refused.value
    with pytest.raises(TypeError):
        world.promoter.execute(wrong)
    assert world.promoter.verify(PROD).entries == before


def test_values_hash_and_sort_and_environment_gives_a_provenance() -> None:
    digest = Digest.of(b"x")
    assert {digest: 1}[Digest(str(digest))] == 1 and pickle.loads(pickle.dumps(digest)) == digest
    assert repr(Channel(PROD)) == f"Channel('{PROD}')" and Channel(PROD) != Reference(PROD)
    assert sorted([Channel("b.io/x:a"), Channel("a.io/x:b")])[0] == Channel("a.io/x:b")
    with pytest.raises(AttributeError):
        digest.algorithm = "other"  # type: ignore[misc]
    built = Provenance.from_ci({"GITHUB_ACTIONS": "true"}, run_id="1", actor="ada", provider="github-actions")
    assert built.run_id == "1" and built.actor == "ada"
    with pytest.raises(InvalidValueError, match="PROVENANCE_INCOMPLETE"):
        Provenance.from_ci({})
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_ACTOR": "octocat"}
    built = Provenance.from_ci({**ci, "LATIN": "caf\udce9", "\udce9": "1", "GITHUB_SHA": "\udce9"})
    assert (built.actor, built.to_dict().get("commit")) == ("octocat", None)
    with pytest.raises(InvalidValueError, match="GITHUB_ACTOR not set"):
        Provenance.from_ci({**ci, "GITHUB_ACTOR": "caf\udce9"})


def test_provenance_by_hand_has_no_password_and_no_identity(world: World) -> None:
    by_hand = {**ADA.to_dict(), "repository_url": "https://ada:hunter2@git.example.com/shop.git"}
    receipt = world.promoter.promote(PROD, "reg.io/acme/shop:1.1", provenance=Provenance.from_dict(by_hand))
    assert receipt.move is not None
    assert receipt.move.intent.provenance.repository_url == "https://git.example.com/shop.git"
    token = {
        "issuer": "https://token.example.com",
        "subject": "ci",
        "audience": "a",
        "token_sha256": str(Digest.of(b"")),
    }
    verified = Provenance.from_dict({**by_hand, "identity": token})
    assert verified.identity is not None and verified.identity["subject"] == "ci"
    with pytest.raises(InvalidValueError, match="provenance: identity: only the verifier of a token may set it"):
        world.promoter.promote(PROD, "reg.io/acme/shop:1.2", provenance=verified)
    with pytest.raises(InvalidValueError, match="provenance: identity"):
        world.promoter.hold(PROD, reason="incident", provenance=verified)
    with pytest.raises(InvalidValueError, match="provenance: identity"):
        world.promoter.recover(PROD, provenance=verified)
