//! `Drift`: compares a channel's tag with its log.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, ErrorClass, ErrorKind};
use crate::log::{ChannelState, MigratedTo, OpenMove};
use crate::policy::{Finding, LiveHistory};
use crate::value::{Channel, Digest, Line, Timestamp, or_nothing};

/// The relation between a channel's tag, as the registry answered, and the channel's log.
///
/// If the tag or the log could not be read, the state is [`Drift::Unknown`], never in sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Drift {
    /// The tag points at the live digest, and no move is open.
    InSync {
        /// The live digest.
        live: Digest,
    },
    /// The live digest is blocked, here or in an earlier environment. The tag points at it, or at an older value that lag
    /// explains.
    BlockedAndLive {
        /// The live digest.
        live: Digest,
        /// The blocks: by whom, why and in which log.
        why: Line,
        /// The newest earlier digest that is not blocked; absent if there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        instead: Option<Digest>,
    },
    /// The tag points at a digest that was never live here: another writer moved it without the ledger.
    MovedOutside {
        /// The live digest.
        expected: Digest,
        /// The digest that the tag points at.
        observed: Digest,
    },
    /// The tag points at a digest that was live here earlier: another writer moved it without the ledger, or a put
    /// landed late.
    MovedBack {
        /// The live digest.
        expected: Digest,
        /// The digest that the tag points at.
        observed: Digest,
    },
    /// The tag is absent.
    Missing {
        /// The live digest.
        expected: Digest,
    },
    /// The tag was read at another value than the live digest, and that may be an old answer of the registry.
    Lagging {
        /// The live digest.
        expected: Digest,
        /// The digest that the tag was read at; absent if the tag was absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Digest>,
    },
    /// Like `Lagging`, and reads did not settle within the audit's timeout.
    Unsettled {
        /// The live digest.
        expected: Digest,
        /// The digest that the tag was read at; absent if the tag was absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Digest>,
    },
    /// The tag points at the target of a move that this ledger does not know.
    LedgerBehind {
        /// The live digest.
        expected: Digest,
        /// The digest that the tag points at.
        observed: Digest,
    },
    /// A move has begun and is not closed: it is under way, or must be recovered.
    MoveInProgress {
        /// The position of its intent in the log.
        seq: u64,
        /// The digest that it points the channel at.
        target: Digest,
        /// The digest that the tag points at.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Digest>,
        /// The progress of the move.
        landing: Landing,
    },
    /// The append of an intent was not answered, and the log does not have it: a move may be open.
    PossiblyOpen {
        /// The position for which the intent was sent.
        seq: u64,
        /// The digest that it points the channel at.
        target: Digest,
        /// The digest that the tag points at.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Digest>,
    },
    /// The log has no committed move.
    NeverRecorded {
        /// The digest that the tag points at; absent if the tag is absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Digest>,
    },
    /// An entry of the log was changed, or breaks a rule.
    Corrupt {
        /// The error's code and text, which names the entry and the defect.
        why: Line,
    },
    /// The log is shorter than it was at an earlier read.
    Truncated {
        /// The error's code and text.
        why: Line,
    },
    /// The log is not a continuation of the log that was read earlier.
    Forked {
        /// The error's code and text.
        why: Line,
    },
    /// The tag or the log could not be read, or the log was migrated.
    Unknown {
        /// The reason: the error's code and text, or the ledger that the log was migrated to.
        why: Line,
    },
}

/// The progress of an open move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Landing {
    /// The tag points at the move's target.
    Landed,
    /// The tag is as it was before the move.
    NotLanded,
    /// The tag is at another value: another writer moved it while the move was open.
    Elsewhere,
}

impl Drift {
    /// Judges the registry's answer for a channel's tag (none: proven absent) by the channel's log. `here` is the
    /// history of the answered digest in this channel.
    pub fn judge(state: &ChannelState, observed: &Result<Option<Digest>, Error>, here: LiveHistory) -> Drift {
        let observed = match observed {
            Ok(observed) => *observed,
            Err(error) => {
                let why = Line::lossy(format!("{}: {error}", error.code()));
                return match error.kind() {
                    ErrorKind::LedgerCorrupt => Drift::Corrupt { why },
                    ErrorKind::LedgerTruncated => Drift::Truncated { why },
                    ErrorKind::LedgerForked => Drift::Forked { why },
                    _ => Drift::Unknown { why },
                };
            }
        };
        if let Some(MigratedTo { seq, ledger }) = &state.migrated {
            return Drift::Unknown { why: Line::lossy(format!("the log was migrated to {ledger} (seq {seq})")) };
        }
        if let Some(open) = &state.open {
            let OpenMove { seq, target, .. } = *open;
            let landing = match observed {
                Some(observed) if observed == target => Landing::Landed,
                observed if observed == open.before() => Landing::NotLanded,
                _ => Landing::Elsewhere,
            };
            return Drift::MoveInProgress { seq, target, observed, landing };
        }
        match (state.live, observed) {
            (None, observed) => Drift::NeverRecorded { observed },
            (Some(live), Some(observed)) if live == observed => Drift::InSync { live },
            (Some(expected), None) => Drift::Missing { expected },
            (Some(expected), Some(observed)) => match here {
                LiveHistory::Live | LiveHistory::Earlier => Drift::MovedBack { expected, observed },
                LiveHistory::Never => Drift::MovedOutside { expected, observed },
            },
        }
    }

    /// The class of the state; none if nothing is wrong, or if the tag only lags.
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            Drift::InSync { .. } | Drift::NeverRecorded { .. } | Drift::Lagging { .. } => None,
            Drift::BlockedAndLive { .. }
            | Drift::MovedOutside { .. }
            | Drift::MovedBack { .. }
            | Drift::Missing { .. } => Some(ErrorClass::Drift),
            Drift::MoveInProgress { .. } | Drift::PossiblyOpen { .. } => Some(ErrorClass::Indeterminate),
            Drift::Unknown { .. } | Drift::Unsettled { .. } | Drift::LedgerBehind { .. } => Some(ErrorClass::Unknown),
            Drift::Corrupt { .. } | Drift::Truncated { .. } | Drift::Forked { .. } => Some(ErrorClass::Defect),
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Drift::InSync { live } => write!(f, "in sync at {live}"),
            Drift::BlockedAndLive { why, .. } => write!(f, "blocked and live: {why}"),
            Drift::MovedOutside { expected, observed } => {
                write!(f, "moved outside: {expected} is live, the tag points at {observed}, which was never live here")
            }
            Drift::MovedBack { expected, observed } => {
                write!(f, "moved back: {expected} is live, the tag points at {observed}, which was live here earlier")
            }
            Drift::Missing { expected } => write!(f, "missing: {expected} is live, the tag is gone"),
            Drift::Lagging { expected, observed } => {
                let observed = or_nothing(*observed);
                write!(f, "lagging: {expected} is live, the tag is read at {observed}, which may be an old answer")
            }
            Drift::Unsettled { expected, observed } => {
                let observed = or_nothing(*observed);
                write!(f, "unsettled: {expected} is live, the tag is read at {observed}, and reads may still lag")
            }
            Drift::LedgerBehind { expected, observed } => {
                write!(f, "ledger behind: {expected} is live here, the tag points at {observed}, ")?;
                f.write_str("the target of a move that this ledger does not know")
            }
            Drift::MoveInProgress { seq, target, observed, landing } => {
                let landing = match landing {
                    Landing::Landed => "has landed",
                    Landing::NotLanded => "has not landed",
                    Landing::Elsewhere => "was overtaken",
                };
                let observed = or_nothing(*observed);
                write!(f, "move in progress (seq {seq}) to {target} {landing}: the tag points at {observed}")
            }
            Drift::PossiblyOpen { seq, target, observed } => {
                let observed = or_nothing(*observed);
                write!(f, "possibly open: the append of an intent (seq {seq}) to {target} was not answered; ")?;
                write!(f, "the tag points at {observed}")
            }
            Drift::NeverRecorded { observed } => {
                write!(f, "never recorded: the tag points at {}", or_nothing(*observed))
            }
            Drift::Corrupt { why } => write!(f, "corrupt: {why}"),
            Drift::Truncated { why } => write!(f, "truncated: {why}"),
            Drift::Forked { why } => write!(f, "forked: {why}"),
            Drift::Unknown { why } => write!(f, "unknown: {why}"),
        }
    }
}

/// One channel of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelAudit {
    /// The channel.
    pub channel: Channel,
    /// The number of entries of its log.
    pub size: u64,
    /// Its state.
    #[serde(flatten)]
    pub drift: Drift,
    /// Warnings. They do not change the state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl ChannelAudit {
    /// A channel whose log had `size` entries, and no findings.
    pub fn new(channel: Channel, size: u64, drift: Drift) -> ChannelAudit {
        ChannelAudit { channel, size, drift, findings: Vec::new() }
    }
}

/// The result of an audit, for each channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// The time of the audit.
    pub at: Timestamp,
    #[serde(rename = "worst", skip_serializing_if = "Option::is_none")]
    class: Option<ErrorClass>,
    channels: Vec<ChannelAudit>,
}

impl AuditReport {
    /// The report of an audit at `at`. It sorts the channels.
    pub fn new(at: Timestamp, mut channels: Vec<ChannelAudit>) -> AuditReport {
        channels.sort_by(|a, b| a.channel.cmp(&b.channel));
        let worst_first = [ErrorClass::Defect, ErrorClass::Drift, ErrorClass::Unknown, ErrorClass::Indeterminate];
        let found = |class: &ErrorClass| channels.iter().any(|audited| audited.drift.class() == Some(*class));
        AuditReport { at, class: worst_first.into_iter().find(found), channels }
    }

    /// Each channel once, in order.
    pub fn channels(&self) -> &[ChannelAudit] {
        &self.channels
    }

    /// The worst class of any channel, in this order: defect, drift, unknown, indeterminate; none if nothing is wrong.
    /// Its [`ErrorClass::exit_code`] is 7, 4, 6 or 5.
    pub fn class(&self) -> Option<ErrorClass> {
        self.class
    }
}

impl fmt::Display for AuditReport {
    /// One line for each channel: `<channel>  <state>`, and one more for each finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ChannelAudit { channel, drift, findings, .. }) in self.channels.iter().enumerate() {
            let before = if at == 0 { "" } else { "\n" };
            write!(f, "{before}{channel}  {drift}")?;
            for finding in findings {
                write!(f, "\n  warning: {finding}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
