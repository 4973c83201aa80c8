//! The bodies of all kinds of entries except the intent.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::intent::{Deadlines, Op};
use crate::error::{Error, ErrorKind, Result, words};
use crate::value::{Digest, Line, Provenance, Timestamp, text_value};

/// Another worker takes an open move over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Takeover {
    /// The operation that the worker was asked for.
    pub op: TakeoverOp,
    /// The id of the move.
    pub move_id: Line,
    /// The position of its intent.
    pub intent_seq: u64,
    /// The new worker.
    pub owner: Line,
    /// One more than the epoch before.
    pub epoch: u64,
    /// The worker that held the move before.
    pub previous_owner: Line,
    /// The actor and the pipeline run of the takeover.
    pub provenance: Provenance,
    /// The new worker's time limits.
    #[serde(flatten)]
    pub deadlines: Deadlines,
}

/// The operation that a worker was asked for when it took a move over: a move of its own, or the end of the open one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is documented at its variant of `Op`")]
pub enum TakeoverOp {
    Promote,
    Rollback,
    Bootstrap,
    Repair,
    Adopt,
    /// Complete the open move, or abort it if it cannot be completed.
    Recover,
    /// Abort the open move.
    Abort,
}

impl From<Op> for TakeoverOp {
    fn from(op: Op) -> TakeoverOp {
        match op {
            Op::Promote => TakeoverOp::Promote,
            Op::Rollback => TakeoverOp::Rollback,
            Op::Bootstrap => TakeoverOp::Bootstrap,
            Op::Repair => TakeoverOp::Repair,
            Op::Adopt => TakeoverOp::Adopt,
        }
    }
}

words! {
    /// The result of a move.
    pub enum Status {
        /// The tag was seen to point at the target.
        Committed => "committed",
        /// Every put was refused, or none was sent; the tag did not move.
        Failed => "failed",
        /// ClosedMove without a result: it is not known that the move changed the tag.
        Aborted => "aborted",
    }
}

words! {
    /// The result of the puts of a move.
    pub enum PutStatus {
        /// No put was sent.
        None => "none",
        /// The registry refused every put.
        Refused => "refused",
        /// The result is not known: an answer was lost, or another worker may have sent a put.
        Unknown => "unknown",
        /// The registry accepted a put.
        Accepted => "accepted",
    }
}

/// A move ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outcome {
    /// The id of the move.
    pub move_id: Line,
    /// The position of its intent.
    pub intent_seq: u64,
    /// The worker that closed it: the owner at that epoch.
    pub owner: Line,
    /// The owner's epoch.
    pub epoch: u64,
    /// The result of the move.
    pub status: Status,
    /// The result of its puts.
    pub put: PutStatus,
    /// The digest in the last read of the tag; absent if the tag was absent or was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// The number of puts sent by the worker that closed the move.
    pub attempts: u64,
    /// True if a worker other than the first one closed it.
    pub recovered: bool,
    /// The reason why the move was not committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RecordedError>,
}

/// An error as it is recorded in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordedError {
    /// The code, from the table of [`ErrorKind`].
    pub code: Line,
    /// The message of the error.
    pub text: Line,
}

/// The reason for an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObservationCause {
    /// The tag did not point at the live digest.
    Drift,
}

/// The tag was seen at a digest other than the live one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Observation {
    /// The live digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Digest>,
    /// The digest that the registry answered; absent if the tag was absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// The reason for the observation.
    pub cause: ObservationCause,
}

/// A person's consent to exactly one move.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Approval {
    /// The operation.
    pub op: Op,
    /// The digest that the move points the channel at.
    pub target: Digest,
    /// The live digest before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The digest of the policy that judged the move.
    pub policy: Digest,
    /// The actor and the pipeline run that recorded it.
    pub provenance: Provenance,
    /// The person who approved, if a CI imports a person's review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<Approver>,
    /// The time at which it expires; absent: it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The person's comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<Line>,
}

/// A person who approved a move in another system.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Approver {
    /// The person's id in that system.
    pub id: Line,
    /// The system, such as `github`.
    pub provider: Line,
    /// The URL of the review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Line>,
}

words! {
    /// The moves that a hold stops.
    #[derive(Default)]
    pub enum HoldScope {
        /// Promote and bootstrap. Rollback, repair and adopt are allowed.
        Promotions => "promotions" default,
        /// Every move.
        All => "all",
    }
}

impl HoldScope {
    /// True if a hold of this scope stops a move with this operation.
    pub fn covers(self, op: Op) -> bool {
        self == HoldScope::All || matches!(op, Op::Promote | Op::Bootstrap)
    }
}

/// Stops moves of the channel until an [`Unhold`] names this entry or until its own end time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// The moves that it stops.
    pub scope: HoldScope,
    /// The reason.
    pub reason: Line,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
    /// The time at which it ends by itself; absent: only an [`Unhold`] ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unhold {
    /// The position of the hold's entry, which is its id.
    pub hold: u64,
    /// The reason.
    pub reason: Line,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
}

/// The name of a check: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckName(String);

impl FromStr for CheckName {
    type Err = Error;

    fn from_str(text: &str) -> Result<CheckName> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
        if first && rest && text.len() <= 64 {
            return Ok(CheckName(text.to_owned()));
        }
        let why = "not 1 to 64 characters a-z, 0-9, '.', '_' and '-' that begin with a letter or digit";
        Err(Error::new(ErrorKind::ValueInvalid, format!("check name: {why}")))
    }
}

text_value!(CheckName);

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckVerdict {
    /// The digest passed.
    Pass,
    /// The digest did not pass.
    Fail,
}

/// A named verdict about a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Check {
    /// The name of the check.
    pub name: CheckName,
    /// The verdict.
    pub verdict: CheckVerdict,
    /// The digest that was checked.
    pub digest: Digest,
    /// The actor and the pipeline run that ran the check.
    pub provenance: Provenance,
    /// The URL of the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Line>,
    /// The time from which it no longer counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Declares a digest unfit for this channel and those after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Block {
    /// The digest.
    pub digest: Digest,
    /// The reason.
    pub reason: Line,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
    /// A URL with more information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Line>,
}

/// The end of a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unblock {
    /// The blocked digest.
    pub digest: Digest,
    /// The reason.
    pub reason: Line,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
}

/// The policy that judges the moves after this entry, with its full text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyEntry {
    /// Its name.
    pub name: Line,
    /// The SHA-256 of `text`.
    pub digest: Digest,
    /// Its canonical form: guardrails, settings, the pipeline's environments and their order.
    pub text: String,
    /// True if moves under any other policy are refused.
    pub binding: bool,
    /// The actor and the pipeline run that wrote it.
    pub provenance: Provenance,
}

/// A cluster reported that it runs a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deployment {
    /// The name of the cluster.
    pub cluster: Line,
    /// The revision, such as `prod@sha256:…`.
    pub revision: Line,
    /// True if the cluster reports it as ready.
    pub ready: bool,
    /// The time at which the cluster saw it.
    pub at: Timestamp,
}

/// The log continues in another ledger; no entry may follow this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Migrated {
    /// The other ledger.
    pub ledger: Line,
    /// The number of entries before this one.
    pub size: u64,
    /// The RFC 6962 root over those entries.
    pub root: Digest,
    /// The actor and the pipeline run that migrated it.
    pub provenance: Provenance,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Line>,
}
