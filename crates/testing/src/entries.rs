//! Bodies of entries for tests, with the required fields only. A test changes the fields that it is about.

use tagwarden::log::{Decision, Intent, Op, Outcome, PutStatus, RecordedPolicy, Source, Status, TargetManifest};
use tagwarden::{Channel, Digest, Line, Provenance, Result, Timestamp};

/// The intent at `seq` of the log of `channel`: a promotion to `target`, or a bootstrap if nothing is live yet. The
/// policy is `default` with the text `{}`.
pub fn intent(channel: &Channel, seq: u64, live: Option<Digest>, target: Digest) -> Result<Intent> {
    Ok(Intent {
        op: if live.is_none() { Op::Bootstrap } else { Op::Promote },
        move_id: Line::lossy(format!("move-{seq}")),
        key: format!("key-{seq}").parse()?,
        request: Digest::of(&seq.to_be_bytes()),
        previous: live,
        target: TargetManifest::new(target, Line::lossy("application/vnd.oci.image.manifest.v1+json"), 1269),
        source: Source::Reference(channel.repository().digest(target)),
        provenance: Provenance::new("manual", "run-1", "ada")?,
        reason: None,
        expected: None,
        order: None,
        upstream: Vec::new(),
        decision: Decision {
            at: Timestamp::from_unix_ms(1_795_000_000_000),
            policy: RecordedPolicy { name: Line::lossy("default"), digest: Digest::of(b"{}") },
            findings: Vec::new(),
            overrides: Vec::new(),
            approvals: Vec::new(),
            checks: Vec::new(),
        },
        replaced: None,
        predecessor: None,
        set: None,
        owner: Line::lossy("worker"),
        epoch: 0,
        deadlines: Default::default(),
    })
}

/// The outcome of the move that `intent` at `seq` began: the registry accepted its put, and the tag was seen at the
/// target.
pub fn outcome(seq: u64, intent: &Intent) -> Outcome {
    Outcome {
        move_id: intent.move_id.clone(),
        intent_seq: seq,
        owner: intent.owner.clone(),
        epoch: intent.epoch,
        status: Status::Committed,
        put: PutStatus::Accepted,
        observed: Some(intent.target.digest),
        attempts: 1,
        recovered: false,
        error: None,
    }
}
