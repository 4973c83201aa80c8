//! The codes of the rules of the log format, and the report of an entry that breaks one.

use serde::Serialize;

use crate::error::{Error, ErrorKind, words};

words! {
    /// The rule of the format that an entry breaks, in the order in which an entry is checked. A test compares the
    /// table in `docs/reference/ledger-format.md` with this enum.
    pub enum DefectCode {
        /// More than 32 KiB.
        TooLarge => "TOO_LARGE",
        /// Not a JSON object in UTF-8, deeper than 64 levels, or a key stands twice in one object.
        NotJson => "NOT_JSON",
        /// Another version than 1.
        TooNew => "TOO_NEW",
        /// Not the canonical bytes of what it says.
        NotCanonical => "NOT_CANONICAL",
        /// A control or bidirectional-override character in a key or string.
        ControlCharacter => "CONTROL_CHARACTER",
        /// A field outside of the body is missing or not of its form.
        Envelope => "ENVELOPE",
        /// The position in the entry is not its position in the log.
        Sequence => "SEQUENCE",
        /// An entry of another channel.
        Channel => "CHANNEL",
        /// The parent is not the hash of the entry before.
        Parent => "PARENT",
        /// The id stands in the log twice.
        IdReused => "ID_REUSED",
        /// An entry after the one that says that the log was migrated.
        AfterMigrated => "AFTER_MIGRATED",
        /// A kind that this version does not know.
        Kind => "KIND",
        /// A field of the body is missing or not of its form.
        Field => "FIELD",
        /// No pipeline run or no actor.
        Provenance => "PROVENANCE",
        /// An intent, or the end of the log, while a move is open.
        Interleaved => "INTERLEAVED",
        /// The policy that judged has no entry before the intent, or another one is binding.
        Policy => "POLICY",
        /// A bootstrap of a channel that has a live digest, or another move of one that has none.
        Bootstrap => "BOOTSTRAP",
        /// `previous` is not the live digest, or a repair does not lead to it, or `replaced` does not fit.
        Previous => "PREVIOUS",
        /// A rollback to a digest that was never live here.
        Target => "TARGET",
        /// The key has moved the channel before.
        KeyReused => "KEY_REUSED",
        /// The takeover does not fit the open move.
        Takeover => "TAKEOVER",
        /// The outcome does not fit the open move.
        Outcome => "OUTCOME",
        /// The end of a hold that is not in force.
        Hold => "HOLD",
        /// The end of a block that is not in force.
        Block => "BLOCK",
        /// The size or root is not that of the log before the entry.
        Migrated => "MIGRATED",
    }
}

impl DefectCode {
    /// True for broken bytes, a wrong position or a wrong parent: no entry after such a defect can be judged. An entry
    /// that breaks another rule is counted in size and root, and changes nothing in the state.
    pub fn ends_reading(self) -> bool {
        self <= DefectCode::Parent
    }
}

/// An entry's position and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[error("seq {seq}: {}: {why}", .code.as_str())]
pub struct Defect {
    /// The entry's position in its log.
    pub seq: u64,
    /// The rule.
    pub code: DefectCode,
    /// The details, for people.
    pub why: String,
}

impl From<Defect> for Error {
    /// LEDGER_TOO_NEW for an entry that a later version may have written, otherwise LEDGER_CORRUPT.
    fn from(defect: Defect) -> Error {
        let newer = matches!(defect.code, DefectCode::TooNew | DefectCode::Kind);
        let kind = if newer { ErrorKind::LedgerTooNew } else { ErrorKind::LedgerCorrupt };
        Error::new(kind, defect.to_string())
            .with_context("seq", defect.seq)
            .with_context("defect", defect.code.as_str())
    }
}

/// A broken rule and the details, before the position of its entry is known.
pub(super) type Broken = (DefectCode, String);

pub(super) type Checked<T> = std::result::Result<T, Broken>;

impl Defect {
    /// Reports a broken rule as one of the entry at `seq`.
    pub(super) fn at(seq: u64) -> impl Fn(Broken) -> Defect {
        move |(code, why)| Defect { seq, code, why }
    }
}

/// Returns a broken rule, with the details as in `format!`, unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $code:ident, $($why:tt)+) => {
        if !$holds {
            return Err((crate::log::DefectCode::$code, format!($($why)+)));
        }
    };
}
pub(super) use ensure;
