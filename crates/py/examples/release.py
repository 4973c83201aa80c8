"""A pipeline script: promotes a release through dev and prod of a real registry, and rolls it back.

usage: release.py REPOSITORY LEDGER DIRECTORY

REPOSITORY is on a registry that may be pushed to (a login is found as docker finds it), LEDGER is a URL or a directory,
DIRECTORY has the files to release.
"""

from __future__ import annotations

import datetime
import sys

import tagwarden
from tagwarden import Facts, Finding, OciRegistry, Pipeline, Promoter, Provenance, TagwardenError


class HasCommit:
    """A rule of our own: production takes releases only from a commit."""

    name = "has-commit"

    def judge(self, facts: Facts) -> Finding:
        if str(facts.channel.tag) == "prod" and facts.provenance.commit is None:
            return Finding.refuses("COMMIT_MISSING", "a release for prod names its commit")
        return Finding.passes("there is a commit, or it is not prod")


def main(repository: str, url: str, directory: str) -> int:
    dev, prod = tagwarden.Channel(f"{repository}:dev"), tagwarden.Channel(f"{repository}:prod")
    registry = OciRegistry()
    promoter = Promoter(
        registry,
        tagwarden.open_ledger(url),
        pipeline=Pipeline.of({"dev": dev, "prod": prod}),
        guardrails=[HasCommit()],
        policy="release",
    )
    commit = "4e1243bd22c66e76c2ba9eddc1f91394e57f9f83"
    who = Provenance.of(provider="example", run_id="1", actor="release-bot", actor_kind="workload", commit=commit)

    for number in (1, 2):
        created = datetime.datetime(2026, 1, number, tzinfo=datetime.timezone.utc)
        packed = tagwarden.pack_artifact(
            directory, source="https://git.example/acme/shop", revision=f"main@sha1:{commit}", created=created
        )
        pushed = tagwarden.push_artifact(packed, registry, repository, f"1.{number}")
        print(f"1.{number} is {pushed}")

    for channel in (dev, prod):
        promoter.bootstrap(channel, f"{repository}:1.1", provenance=who)
    promoter.promote(dev, f"{repository}:1.2", provenance=who, idempotency_key="run-1-dev")

    plan = promoter.plan(prod, "promote", source=dev, provenance=who, idempotency_key="run-1-prod")
    for finding in plan.findings:
        print(f"{finding.verdict:6} {finding.guardrail}: {finding.why}")
    receipt = promoter.execute(plan.approve())
    print(f"prod: {receipt.previous_digest} -> {receipt.digest}")

    hold = promoter.hold(prod, reason="incident 7", provenance=who)
    try:
        promoter.promote(prod, f"{repository}:1.1", provenance=who)
    except TagwardenError as error:
        refused = ", ".join(finding.code or "" for finding in error.findings if finding.verdict == "refuse")
        print(f"hold {hold}: {refused}, {error.retry}")
    promoter.unhold(prod, hold, reason="it is over", provenance=who)

    back = promoter.rollback(prod, provenance=who, reason="incident 7")
    print(f"prod: back at {back.digest}")
    for event in promoter.history(prod):
        print(f"{event.seq:4} {event.status:9} {event.intent.op:9} {event.intent.target.digest}")
    audit = promoter.audit(promoter.channels())
    verdict = promoter.may_delete(repository, back.digest)
    print(f"audit: {audit.worst or 'in sync'}; {back.digest} may be deleted: {verdict.allowed}, {verdict.because}")
    return 0 if audit.worst is None and promoter.verify(prod).valid else 1


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
