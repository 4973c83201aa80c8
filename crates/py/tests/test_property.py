"""A property test as users write it for their pipelines: random faults, the real engine, and an invariant."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ADA, PROD
from tagwarden import InjectedFault, MemoryLedger, MemoryRegistry, Promoter, TagwardenError, Times

FAULTS = st.sampled_from(
    [
        InjectedFault.passes(),
        InjectedFault.before(),
        InjectedFault.after(),
        InjectedFault.refused("DENIED"),
        InjectedFault.ignored(),
        InjectedFault.stale(2),
    ]
)
TIMES = Times(ttl=0.2, grace=0.05, quiet=0.05, put=0.05)


@settings(max_examples=25, deadline=None)
@given(
    faults=st.lists(FAULTS, max_size=6), moves=st.lists(st.sampled_from(["1.0", "1.1", "1.2"]), min_size=1, max_size=4)
)
def test_tag_has_the_live_digest_or_the_log_says_why_after_any_faults(
    faults: list[InjectedFault], moves: list[str]
) -> None:
    registry, ledger = MemoryRegistry(), MemoryLedger()
    for number, tag in enumerate(["1.0", "1.1", "1.2"]):
        registry.push_image("reg.io/acme/shop", tag, number)
    promoter = Promoter(registry, ledger, times=TIMES)
    promoter.bootstrap(PROD, "reg.io/acme/shop:1.0", provenance=ADA)
    registry.script(faults, tag="prod")
    for tag in moves:
        try:
            promoter.promote(PROD, f"reg.io/acme/shop:{tag}", provenance=ADA, timeout=2)
        except TagwardenError as error:
            assert error.retry in {"never", "later", "replan", "recover"}
    registry.calm()
    promoter.recover(PROD, provenance=ADA)
    current, report = promoter.current(PROD), promoter.verify(PROD)
    assert current.open is None and report.valid
    found = registry.peek("reg.io/acme/shop", "prod")
    if found != current.live:
        # A move was closed while it was unknown if its put would land; the log says so, and a repair ends it.
        closed = [move for move in promoter.history(PROD) if move.outcome and move.outcome.put == "unknown"]
        assert found in {move.intent.target.digest for move in closed}
        promoter.repair(PROD, provenance=ADA)
        assert registry.peek("reg.io/acme/shop", "prod") == promoter.current(PROD).live == current.live
