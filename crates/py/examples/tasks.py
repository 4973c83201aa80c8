"""Ten everyday tasks. ``docs/guides/three-languages.md`` shows them beside Rust and Node."""

import sys

from tagwarden import OciRegistry, PolicyRefusedError, Promoter, Provenance, Registry, open_ledger


def tasks(registry: Registry, url: str, shop: str) -> None:
    """Does the ten tasks in a repository that has the releases 1.4.1 and 1.4.2."""
    # task: open
    promoter = Promoter(registry, open_ledger(url))
    prod = f"{shop}:prod"
    who = Provenance.manual("ada")  # in a pipeline: Provenance.from_ci()

    # task: promote
    promoter.promote(prod, f"{shop}:1.4.1", provenance=who)
    new = f"{shop}:1.4.2"
    receipt = promoter.promote(prod, new, provenance=who, idempotency_key="4711-1", reason="release day")
    print(receipt.previous_digest, "->", receipt.digest)

    # task: plan
    plan = promoter.plan(prod, "promote", f"{shop}:1.4.1", provenance=who)
    for finding in plan.findings:
        print(f"{finding.guardrail}: {finding.why}")

    # task: rollback
    promoter.rollback(prod, provenance=who, reason="error rate")
    promoter.rollback(prod, "1.4.2", provenance=who)

    # task: current
    current = promoter.current(prod)
    print("live", current.live, "before", current.previous)

    # task: history
    for moved in promoter.history(prod):
        print(f"#{moved.seq} {moved.intent.op} {moved.intent.target.digest}")

    # task: hold
    hold = promoter.hold(prod, reason="incident 7", provenance=who)
    try:
        promoter.promote(prod, f"{shop}:1.4.1", provenance=who)
    except PolicyRefusedError as refused:
        print(refused)
    promoter.unhold(prod, hold, reason="solved", provenance=who)

    # task: audit
    print("worst:", promoter.audit([prod]).worst)

    # task: recover
    print(promoter.recover(prod, provenance=who))

    # task: retention
    print(promoter.may_delete(shop, receipt.digest))
    # task: end


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: tasks.py LEDGER REPOSITORY")
    tasks(OciRegistry(), *sys.argv[1:])
