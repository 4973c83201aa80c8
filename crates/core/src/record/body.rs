//! What entries say, by kind, but the intent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::intent::{Deadlines, Op};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Provenance, Text, Timestamp};

/// Another worker takes an open move over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Takeover {
    /// What the worker was asked for.
    pub op: TakeoverOp,
    /// The move.
    pub move_id: Text,
    /// The position of its intent.
    pub intent_seq: u64,
    /// The new worker.
    pub owner: Text,
    /// One more than before.
    pub epoch: u64,
    /// The worker before.
    pub previous_owner: Text,
    /// Who took it over.
    pub provenance: Provenance,
    /// The new worker's times.
    #[serde(flatten)]
    pub deadlines: Deadlines,
}

/// What a worker that takes a move over was asked for: a move of its own, or to close the open one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is documented at its variant of `Op`")]
pub enum TakeoverOp {
    Promote,
    Rollback,
    Bootstrap,
    Repair,
    Adopt,
    /// To complete the open move, or to abort it where it cannot be completed.
    Recover,
    /// To abort the open move.
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

/// How a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The tag was seen to point at the target.
    Committed,
    /// Every put was refused, or none was sent; the tag did not move.
    Failed,
    /// Closed without effect, as far as is known.
    Aborted,
}

impl Status {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Committed => "committed",
            Status::Failed => "failed",
            Status::Aborted => "aborted",
        }
    }
}

/// What became of the puts of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PutStatus {
    /// None was sent.
    None,
    /// The registry refused every one.
    Refused,
    /// It is not known: an answer was lost, or another worker may have sent one.
    Unknown,
    /// The registry accepted one.
    Accepted,
}

impl PutStatus {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            PutStatus::None => "none",
            PutStatus::Refused => "refused",
            PutStatus::Unknown => "unknown",
            PutStatus::Accepted => "accepted",
        }
    }
}

/// A move ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The move.
    pub move_id: Text,
    /// The position of its intent.
    pub intent_seq: u64,
    /// Who closed it: the owner at that epoch.
    pub owner: Text,
    /// The owner's epoch.
    pub epoch: u64,
    /// How it ended.
    pub status: Status,
    /// What became of its puts.
    pub put: PutStatus,
    /// What the tag pointed at last; absent if the tag was, or if it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// Puts that were sent by the worker that closed it.
    pub attempts: u64,
    /// True if another worker than the first closed it.
    pub recovered: bool,
    /// Why it did not commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorNote>,
}

/// An error, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ErrorNote {
    /// The code of the table.
    pub code: Text,
    /// What happened.
    pub text: Text,
}

/// Why a tag was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObservationCause {
    /// The tag was not where the log says.
    Drift,
}

/// The tag was seen at another digest than the log says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The live digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Digest>,
    /// What the registry answered; absent if the tag was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// Why the tag was looked at.
    pub cause: ObservationCause,
}

/// A person's consent to exactly one move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// What the move does.
    pub op: Op,
    /// What it points the channel at.
    pub target: Digest,
    /// The live digest before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The policy that judged it.
    pub policy: Digest,
    /// Who recorded it.
    pub provenance: Provenance,
    /// Who approved, where a CI imports a person's review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Approver>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What the person said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Text>,
}

/// A person who approved a move somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Approver {
    /// The person's id there.
    pub id: Text,
    /// Where, such as `github`.
    pub provider: Text,
    /// Where the review can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
}

/// Which moves a hold stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldScope {
    /// Promote and bootstrap; rollback, repair and adopt pass.
    #[default]
    Promotions,
    /// Every move.
    All,
}

impl HoldScope {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            HoldScope::Promotions => "promotions",
            HoldScope::All => "all",
        }
    }

    /// Whether a hold of this scope stops a move.
    pub fn covers(self, op: Op) -> bool {
        match self {
            HoldScope::All => true,
            HoldScope::Promotions => matches!(op, Op::Promote | Op::Bootstrap),
        }
    }
}

impl FromStr for HoldScope {
    type Err = Error;

    fn from_str(text: &str) -> Result<HoldScope> {
        match text {
            "promotions" => Ok(HoldScope::Promotions),
            "all" => Ok(HoldScope::All),
            other => {
                let message = format!("scope: {other:?} is neither \"promotions\" nor \"all\"");
                Err(Error::new(ErrorKind::ValueInvalid, message))
            }
        }
    }
}

/// Moves of the channel are stopped, until an [`Unhold`] names this entry or until it ends by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Which moves.
    pub scope: HoldScope,
    /// Why.
    pub reason: Text,
    /// Who.
    pub provenance: Provenance,
    /// When it ends by itself; absent: when it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unhold {
    /// The position of the hold, which is its id.
    pub hold: u64,
    /// Why.
    pub reason: Text,
    /// Who.
    pub provenance: Provenance,
}

/// The name of a check: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheckName(String);

impl CheckName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CheckName {
    type Error = Error;

    fn try_from(text: String) -> Result<CheckName> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
        if first && rest && text.len() <= 64 {
            return Ok(CheckName(text));
        }
        let why = "not 1 to 64 characters a-z, 0-9, '.', '_' and '-' that begin with a letter or digit";
        Err(Error::new(ErrorKind::ValueInvalid, format!("check name: {why}")))
    }
}

impl FromStr for CheckName {
    type Err = Error;

    fn from_str(text: &str) -> Result<CheckName> {
        text.to_owned().try_into()
    }
}

impl From<CheckName> for String {
    fn from(name: CheckName) -> String {
        name.0
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckVerdict {
    /// The digest passed.
    Pass,
    /// It did not.
    Fail,
}

/// A named verdict about a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Which check.
    pub name: CheckName,
    /// What it found.
    pub verdict: CheckVerdict,
    /// About what.
    pub digest: Digest,
    /// Who ran it.
    pub provenance: Provenance,
    /// Where the result can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
    /// When it counts no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A digest is declared unfit for this channel and those after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The digest.
    pub digest: Digest,
    /// Why.
    pub reason: Text,
    /// Who.
    pub provenance: Provenance,
    /// Where more can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
}

/// The end of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unblock {
    /// The blocked digest.
    pub digest: Digest,
    /// Why.
    pub reason: Text,
    /// Who.
    pub provenance: Provenance,
}

/// The policy that judges from here on, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyEntry {
    /// Its name.
    pub name: Text,
    /// The SHA-256 of `text`.
    pub digest: Digest,
    /// Its canonical form: guardrails, settings, the pipeline's environments and their order.
    pub text: String,
    /// True if a move under another policy is refused.
    pub binding: bool,
    /// Who wrote it.
    pub provenance: Provenance,
}

/// A cluster reported that it runs a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Which cluster.
    pub cluster: Text,
    /// The revision, such as `prod@sha256:…`.
    pub revision: Text,
    /// True if the cluster says that it is ready.
    pub ready: bool,
    /// When the cluster saw it.
    pub at: Timestamp,
}

/// The log goes on in another ledger; nothing is appended after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Migrated {
    /// Which ledger.
    pub ledger: Text,
    /// How many entries are before this one.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Digest,
    /// Who migrated it.
    pub provenance: Provenance,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}
