use uuid::Uuid;

use super::*;
use crate::log::{
    Approval, Block, Deployment, Hold, HoldScope, Migrated, ObservationCause, Op, PolicyEntry, RecordedError, Source,
    Status, Takeover, TakeoverOp, Unblock, Unhold,
};
use crate::testing::entries;
use crate::value::Timestamp;

const DIGEST: &str = "sha256:0aca8b7f1c2a25556ae7a5c4059c4610beeee84aaa65d298faff4549293c1e75";

fn prod() -> Channel {
    "registry.example.com/acme/shop:prod".parse().unwrap()
}

fn digest() -> Digest {
    DIGEST.parse().unwrap()
}

fn ada() -> Provenance {
    Provenance::new("github-actions", "1234567", "ada").unwrap()
}

fn entry(body: Body) -> Entry {
    let at = "2026-11-23T06:12:31.923Z".parse().unwrap();
    Entry { channel: prod(), seq: 42, id: Uuid::nil(), at, parent: None, body }
}

fn commit(body: Body) -> Commit {
    Commit::of(&entry(body))
}

fn intent() -> Intent {
    let live = Some(Digest::of(b"live"));
    let mut intent = entries::intent(&prod(), 42, live, digest()).unwrap();
    intent.source = Source::Reference("registry.example.com/acme/shop:1.4.2".parse().unwrap());
    intent
}

fn line(text: &str) -> Line {
    text.parse().unwrap()
}

#[test]
fn promotion_reads_as_a_sentence_with_run_actor_and_reason() {
    let mut intent = intent();
    intent.provenance = ada();
    intent.provenance.pipeline.attempt = Some(2);
    intent.provenance.pipeline.url = Some(line("https://github.com/acme/shop/actions/runs/1234567"));
    intent.reason = Some(line("fixes the basket"));
    assert_eq!(
        commit(Body::Intent(Box::new(intent))),
        Commit {
            message: "promote acme/shop:prod to 1.4.2 (sha256:0aca8b7f1c2a)\n\n\
                      Channel: registry.example.com/acme/shop:prod (entry 42)\n\
                      Run: github-actions 1234567 (attempt 2) https://github.com/acme/shop/actions/runs/1234567\n\
                      Actor: ada (workload)\n\
                      Reason: fixes the basket\n\n\
                      [skip ci]\n"
                .to_owned(),
            author: "ada".to_owned(),
            email: ADDRESS.to_owned(),
            seconds: 1_795_414_351,
        }
    );
}

#[test]
fn every_kind_of_entry_has_a_subject() {
    let (provenance, reason) = (ada(), line("because"));
    let outcome = entries::outcome(41, &intent());
    let failed = Outcome {
        status: Status::Failed,
        observed: None,
        error: Some(RecordedError { code: line("MOVE_FAILED"), text: line("the registry answered 400") }),
        ..outcome.clone()
    };
    let takeover = Takeover {
        op: TakeoverOp::Recover,
        move_id: line("m"),
        intent_seq: 41,
        owner: line("b"),
        epoch: 1,
        previous_owner: line("a"),
        provenance: provenance.clone(),
        deadlines: Default::default(),
    };
    let observation =
        Observation { expected: Some(digest()), observed: Some(Digest::of(b"x")), cause: ObservationCause::Drift };
    let approval = Approval {
        op: Op::Promote,
        target: digest(),
        previous: None,
        policy: Digest::of(b"{}"),
        provenance: provenance.clone(),
        approver: None,
        expires_at: None,
        comment: Some(reason.clone()),
    };
    let hold = Hold { scope: HoldScope::All, reason: reason.clone(), provenance: provenance.clone(), until: None };
    let check = Check {
        name: "scan".parse().unwrap(),
        verdict: CheckVerdict::Fail,
        digest: digest(),
        provenance: provenance.clone(),
        url: None,
        expires_at: None,
    };
    let block = Block { digest: digest(), reason: reason.clone(), provenance: provenance.clone(), url: None };
    let policy = PolicyEntry {
        name: line("default"),
        digest: digest(),
        text: "{}".to_owned(),
        binding: true,
        provenance: provenance.clone(),
    };
    let deployment = Deployment {
        cluster: line("eu-1"),
        revision: line("prod@sha256:0aca"),
        ready: false,
        at: Timestamp::from_unix_ms(0),
    };
    let migrated = Migrated {
        ledger: line("s3://audit/tagwarden"),
        size: 42,
        root: digest(),
        provenance: provenance.clone(),
        reason: Some(reason.clone()),
    };
    let because = "Actor: ada (workload)\nReason: because\n";
    for (body, subject, part) in [
        (
            Body::Intent(Box::new(Intent { op: Op::Rollback, ..intent() })),
            "rollback acme/shop:prod to 1.4.2 (sha256:0aca8b7f1c2a)",
            "Actor: ada (human)",
        ),
        (Body::Outcome(outcome), "committed acme/shop:prod at sha256:0aca8b7f1c2a", "Move: entry 41\n"),
        (Body::Outcome(failed), "failed acme/shop:prod", "Error: MOVE_FAILED: the registry answered 400\n"),
        (Body::Takeover(takeover), "takeover acme/shop:prod", "Move: entry 41\nRun: github-actions 1234567\n"),
        (
            Body::Observation(observation),
            "observation acme/shop:prod: sha256:2d711642b726 instead of sha256:0aca8b7f1c2a",
            "",
        ),
        (Body::Approval(approval), "approval acme/shop:prod: promote to sha256:0aca8b7f1c2a", because),
        (Body::Hold(hold), "hold acme/shop:prod (all)", because),
        (
            Body::Unhold(Unhold { hold: 40, reason: reason.clone(), provenance: provenance.clone() }),
            "unhold acme/shop:prod",
            "Hold: entry 40\n",
        ),
        (Body::Check(check), "check acme/shop:prod: scan fail (sha256:0aca8b7f1c2a)", "Actor: ada (workload)\n"),
        (Body::Block(block), "block acme/shop:prod: sha256:0aca8b7f1c2a", because),
        (
            Body::Unblock(Unblock { digest: digest(), reason: reason.clone(), provenance: provenance.clone() }),
            "unblock acme/shop:prod: sha256:0aca8b7f1c2a",
            because,
        ),
        (
            Body::Policy(policy),
            "policy acme/shop:prod: default (binding, sha256:0aca8b7f1c2a)",
            "Actor: ada (workload)\n",
        ),
        (Body::Deployment(deployment), "deployment acme/shop:prod: prod@sha256:0aca in eu-1 (not ready)", ""),
        (Body::Migrated(migrated), "migrated acme/shop:prod to s3://audit/tagwarden", because),
    ] {
        let commit = commit(body);
        assert_eq!(commit.message.lines().next(), Some(subject));
        assert!(commit.message.contains(part), "{}", commit.message);
        assert!(commit.message.ends_with("\n\n[skip ci]\n"), "{}", commit.message);
    }
}

#[test]
fn release_without_a_name_is_its_digest() {
    let own = Intent { source: Source::Reference(prod().reference()), ..intent() };
    let by_digest = Intent { source: Source::Reference(prod().repository().digest(digest())), ..intent() };
    for intent in [own, by_digest] {
        let subject = commit(Body::Intent(Box::new(intent))).message;
        assert!(subject.starts_with("promote acme/shop:prod to sha256:0aca8b7f1c2a\n"), "{subject}");
    }
}

#[test]
fn entry_without_an_actor_is_written_by_the_committer() {
    let commit = commit(Body::Outcome(entries::outcome(41, &intent())));
    assert_eq!(commit.author, COMMITTER.0);
    assert!(!commit.message.contains("Actor:"), "{}", commit.message);
}

#[test]
fn author_is_what_git_can_write() {
    for (name, want) in [
        ("ada", "ada"),
        ("github-actions[bot]", "github-actions[bot]"),
        ("Ada Lovelace <ada@example.com>", "Ada Lovelace ada@example.com"),
        ("Ada K.", "Ada K"),
        ("\"'.,:;\\", UNKNOWN),
        ("<>", UNKNOWN),
        (" ", UNKNOWN),
        ("أحمد", "أحمد"),
    ] {
        assert_eq!(author(name), want);
    }
}

#[test]
fn invisible_characters_of_older_entries_stay_out_of_the_message() {
    let reason: Line = serde_json::from_str("\"a\u{2028}Signed-off-by: eve\u{feff}\"").unwrap();
    let message = commit(Body::Intent(Box::new(Intent { reason: Some(reason), ..intent() }))).message;
    assert!(message.contains("\nReason: a\u{fffd}Signed-off-by: eve\u{fffd}\n"), "{message}");
}

#[test]
fn time_before_1970_is_1970() {
    let early = Entry { at: Timestamp::from_unix_ms(-1), ..entry(Body::Outcome(entries::outcome(41, &intent()))) };
    assert_eq!(Commit::of(&early).seconds, 0);
}
