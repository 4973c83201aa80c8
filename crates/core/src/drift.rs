//! `Drift`: compares a channel's tag with its log.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::error::{Error, ErrorClass, ErrorKind};
use crate::log::{ChannelState, MigratedTo, OpenMove};
use crate::policy::{Finding, LiveHistory};
use crate::value::{Channel, Digest, Line, Timestamp};

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
    /// The tag points at a digest that a move set which this ledger does not know.
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
            Drift::MovedOutside { .. } | Drift::MovedBack { .. } | Drift::Missing { .. } => Some(ErrorClass::Drift),
            Drift::MoveInProgress { .. } | Drift::PossiblyOpen { .. } => Some(ErrorClass::Indeterminate),
            Drift::Unknown { .. } | Drift::Unsettled { .. } | Drift::LedgerBehind { .. } => Some(ErrorClass::Unknown),
            Drift::Corrupt { .. } | Drift::Truncated { .. } | Drift::Forked { .. } => Some(ErrorClass::Defect),
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |digest: &Option<Digest>| digest.map_or("nothing".to_owned(), |digest| digest.to_string());
        match self {
            Drift::InSync { live } => write!(f, "in sync at {live}"),
            Drift::MovedOutside { expected, observed } => {
                write!(f, "moved outside: {expected} is live, the tag points at {observed}, which never was")
            }
            Drift::MovedBack { expected, observed } => {
                write!(f, "moved back: {expected} is live, the tag points at {observed}, which was earlier")
            }
            Drift::Missing { expected } => write!(f, "missing: {expected} is live, the tag is gone"),
            Drift::Lagging { expected, observed } => {
                write!(
                    f,
                    "lagging: {expected} is live, the tag is read at {}, which may be an old answer",
                    at(observed)
                )
            }
            Drift::Unsettled { expected, observed } => {
                let observed = at(observed);
                write!(f, "unsettled: {expected} is live, the tag is read at {observed}, and reads may still lag")
            }
            Drift::LedgerBehind { expected, observed } => {
                write!(
                    f,
                    "ledger behind: {expected} is live here, the tag points at {observed}, promoted by another ledger"
                )
            }
            Drift::MoveInProgress { seq, target, observed, landing } => {
                let landing = match landing {
                    Landing::Landed => "has landed",
                    Landing::NotLanded => "has not landed",
                    Landing::Elsewhere => "was overtaken",
                };
                write!(f, "move in progress (seq {seq}) to {target} {landing}: the tag points at {}", at(observed))
            }
            Drift::PossiblyOpen { seq, target, observed } => {
                write!(
                    f,
                    "possibly open: the append of an intent (seq {seq}) to {target} was not answered; the tag points at {}",
                    at(observed)
                )
            }
            Drift::NeverRecorded { observed } => write!(f, "never recorded: the tag points at {}", at(observed)),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    at: Timestamp,
    channels: Vec<ChannelAudit>,
}

impl AuditReport {
    /// The report of an audit at `at`. It sorts the channels.
    pub fn new(at: Timestamp, mut channels: Vec<ChannelAudit>) -> AuditReport {
        channels.sort_by(|a, b| a.channel.cmp(&b.channel));
        AuditReport { at, channels }
    }

    /// The time of the audit.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Each channel once, in order.
    pub fn channels(&self) -> &[ChannelAudit] {
        &self.channels
    }

    /// The worst class of any channel, in this order: defect, drift, unknown, indeterminate; none if nothing is wrong.
    /// Its [`ErrorClass::exit_code`] is 7, 4, 6 or 5.
    pub fn class(&self) -> Option<ErrorClass> {
        let found: Vec<ErrorClass> = self.channels.iter().filter_map(|audited| audited.drift.class()).collect();
        let worst_first = [ErrorClass::Defect, ErrorClass::Drift, ErrorClass::Unknown, ErrorClass::Indeterminate];
        worst_first.into_iter().find(|class| found.contains(class))
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

impl Serialize for AuditReport {
    /// `{at, worst?: "defect" | "drift" | "unknown" | "indeterminate", channels: [{channel, size, state, …}]}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let worst = self.class().map(|class| match class {
            ErrorClass::Defect => "defect",
            ErrorClass::Drift => "drift",
            ErrorClass::Indeterminate => "indeterminate",
            _ => "unknown",
        });
        let mut fields = serializer.serialize_struct("AuditReport", 3)?;
        fields.serialize_field("at", &self.at)?;
        match worst {
            Some(worst) => fields.serialize_field("worst", worst)?,
            None => fields.skip_field("worst")?,
        }
        fields.serialize_field("channels", &self.channels)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Deadlines, Op};

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn state(live: Option<&str>) -> ChannelState {
        let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        state.live = live.map(digest);
        state
    }

    fn open(op: Op, from: Option<&str>, to: &str, replaced: Option<&str>) -> ChannelState {
        let mut state = state(from);
        state.open = Some(OpenMove {
            seq: 7,
            op,
            move_id: Line::lossy("m"),
            key: "k".parse().unwrap(),
            request: digest("r"),
            previous: from.map(digest),
            target: digest(to),
            replaced: replaced.map(digest),
            as_it_is: op == Op::Adopt,
            owner: Line::lossy("o"),
            epoch: 0,
            deadlines: Deadlines::default(),
            quiet_ms: 1,
            settle_ms: 1,
        });
        state
    }

    /// Each row: the log, the registry's answer, that digest's history here → the state in JSON, the exit code.
    #[test]
    fn every_state_of_log_and_tag_has_its_word_and_exit_code() {
        use LiveHistory::{Earlier, Never};
        let moved = |live| {
            let mut state = state(live);
            state.migrated = Some(MigratedTo { seq: 3, ledger: Line::lossy("s3://bucket") });
            state
        };
        let table = [
            (state(Some("a")), Some("a"), LiveHistory::Live, "in_sync", None),
            (state(Some("a")), Some("b"), Never, "moved_outside", Some(4)),
            (state(Some("a")), Some("b"), Earlier, "moved_back", Some(4)),
            (state(Some("a")), None, Never, "missing", Some(4)),
            (state(None), Some("b"), Never, "never_recorded", None),
            (state(None), None, Never, "never_recorded", None),
            (moved(Some("a")), Some("a"), LiveHistory::Live, "unknown", Some(6)),
            (open(Op::Promote, Some("a"), "b", None), Some("a"), LiveHistory::Live, "not_landed", Some(5)),
            (open(Op::Promote, Some("a"), "b", None), Some("b"), Never, "landed", Some(5)),
            (open(Op::Promote, Some("a"), "b", None), Some("c"), Never, "elsewhere", Some(5)),
            (open(Op::Promote, Some("a"), "b", None), None, Never, "elsewhere", Some(5)),
            (open(Op::Bootstrap, None, "b", None), None, Never, "not_landed", Some(5)),
            (open(Op::Bootstrap, None, "b", None), Some("b"), Never, "landed", Some(5)),
            (open(Op::Repair, Some("a"), "a", Some("x")), Some("x"), Never, "not_landed", Some(5)),
            (open(Op::Repair, Some("a"), "a", Some("x")), Some("a"), LiveHistory::Live, "landed", Some(5)),
            (open(Op::Repair, Some("a"), "a", None), None, Never, "not_landed", Some(5)),
            (open(Op::Adopt, Some("a"), "x", None), Some("x"), Never, "landed", Some(5)),
        ];
        for (state, observed, here, word, exit) in table {
            let drift = Drift::judge(&state, &Ok(observed.map(digest)), here);
            let json = serde_json::to_value(&drift).unwrap();
            let found = json.get("landing").unwrap_or(&json["state"]).as_str().unwrap();
            assert_eq!((found, drift.class().map(ErrorClass::exit_code)), (word, exit), "{drift}");
        }
    }

    #[test]
    fn a_failure_to_look_is_unknown_whatever_the_log_says() {
        let failed = || Err(Error::new(ErrorKind::RegistryUnavailable, "503 after 3 tries\u{1b}[31m"));
        for state in [state(Some("a")), state(None), open(Op::Promote, Some("a"), "b", None)] {
            let drift = Drift::judge(&state, &failed(), LiveHistory::Live);
            assert_eq!(drift.to_string(), "unknown: REGISTRY_UNAVAILABLE: 503 after 3 tries\u{fffd}[31m");
            assert_eq!(drift.class(), Some(ErrorClass::Unknown));
        }
    }

    #[test]
    fn a_log_with_a_defect_has_a_state_of_its_own() {
        for (kind, word) in [
            (ErrorKind::LedgerCorrupt, "corrupt"),
            (ErrorKind::LedgerTruncated, "truncated"),
            (ErrorKind::LedgerForked, "forked"),
        ] {
            let drift = Drift::judge(&state(Some("a")), &Err(Error::new(kind, "seq 1")), LiveHistory::Live);
            assert_eq!(drift.to_string(), format!("{word}: {}: seq 1", kind.code()));
            assert_eq!(serde_json::to_value(&drift).unwrap()["state"], word);
            assert_eq!(drift.class().map(ErrorClass::exit_code), Some(7));
        }
    }

    #[test]
    fn a_report_is_one_line_a_channel_and_ends_with_the_worst() {
        let audited =
            |tag: &str, drift| ChannelAudit::new(format!("reg.io/acme/shop:{tag}").parse().unwrap(), 2, drift);
        let (a, b) = (digest("a"), digest("b"));
        let unknown = || Drift::Unknown { why: Line::lossy("429") };
        let landed = || Drift::MoveInProgress { seq: 7, target: b, observed: Some(b), landing: Landing::Landed };
        let report = |drifts: Vec<Drift>| {
            let tags = ["prod", "dev", "preprod"];
            let channels = tags.into_iter().zip(drifts).map(|(tag, drift)| audited(tag, drift));
            AuditReport::new(Timestamp::from_unix_ms(0), channels.collect())
        };
        let all = report(vec![Drift::MovedBack { expected: a, observed: b }, unknown(), landed()]);
        assert_eq!(
            all.to_string(),
            format!(
                "reg.io/acme/shop:dev  unknown: 429\n\
                 reg.io/acme/shop:preprod  move in progress (seq 7) to {b} has landed: the tag points at {b}\n\
                 reg.io/acme/shop:prod  moved back: {a} is live, the tag points at {b}, which was earlier"
            )
        );
        assert_eq!(all.class(), Some(ErrorClass::Drift));
        let corrupt = || Drift::Corrupt { why: Line::lossy("seq 1") };
        assert_eq!(report(vec![Drift::Missing { expected: a }, corrupt()]).class(), Some(ErrorClass::Defect));
        assert_eq!(report(vec![unknown(), landed()]).class(), Some(ErrorClass::Unknown));
        assert_eq!(report(vec![landed(), Drift::InSync { live: a }]).class(), Some(ErrorClass::Indeterminate));
        assert_eq!(report(vec![unknown(), Drift::InSync { live: a }]).class(), Some(ErrorClass::Unknown));
        assert_eq!(report(vec![Drift::InSync { live: a }]).class(), None);
        assert_eq!(
            serde_json::to_value(report(vec![Drift::Missing { expected: a }])).unwrap(),
            serde_json::json!({
                "at": "1970-01-01T00:00:00.000Z",
                "worst": "drift",
                "channels": [{"channel": "reg.io/acme/shop:prod", "size": 2, "state": "missing", "expected": a}],
            })
        );
    }
}
