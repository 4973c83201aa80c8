//! The error type of this crate, and the only table of error codes.
//!
//! An [`Error`] has a kind ([`Error::kind`], with a stable code of the form `AREA_STATE`), a class that says who has to
//! act ([`ErrorKind::class`]), the next step of a caller ([`ErrorKind::retry`]), and the objects on which it happened
//! ([`Error::context`]).

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

/// The result of every fallible function in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Defines an enum whose values are words: serde reads and writes each value as its word. `default` after a word is for an
/// enum that derives `Default`.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[doc = $doc:literal])+ $value:ident => $word:literal $($default:ident)?,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $(#[$default])? $value,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$value),+];

            /// The word for the value.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$value => $word,)+ }
            }

            /// The meaning of the value, in the words of its documentation.
            pub fn meaning(self) -> &'static str {
                match self { $($name::$value => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The next step of a caller after an error.
    pub enum Retry {
        /// The same call will fail again until something else changes.
        Never => "never",
        /// The same call may succeed later.
        Later => "later",
        /// The facts have changed: read them again, then decide again.
        Replan => "replan",
        /// A move may be incomplete: `recover` the channel (any machine can).
        Recover => "recover",
    }
}

words! {
    /// The class of an error. Refused is a decision, failed is a fault, unknown is neither.
    pub enum ErrorClass {
        /// A fault: an operation did not work, and nothing was moved.
        Failed => "failed",
        /// The caller's input is wrong.
        Usage => "usage",
        /// A decision: the policy, a hold or another move prevents the operation. Nothing was moved.
        Refused => "refused",
        /// The tag does not point at the digest that the ledger names.
        Drift => "drift",
        /// A move began and its end is not known: the channel has an open intent.
        Indeterminate => "indeterminate",
        /// The answer to a question is not known.
        Unknown => "unknown",
        /// The ledger's bytes break a rule of its format.
        Defect => "defect",
    }
}

impl ErrorClass {
    /// The exit code of the command line: 1 to 7, in the order of the variants.
    pub fn exit_code(self) -> u8 {
        self as u8 + 1
    }
}

macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident => $code:literal, $retry:ident, $class:ident;)+) => {
        words! {
            /// The kind of an error. A test compares the table in `docs/reference/errors.md` with this enum.
            #[non_exhaustive]
            pub enum ErrorKind {
                $($(#[doc = $doc])+ $kind => $code,)+
            }
        }

        impl ErrorKind {
            /// The stable code, `AREA_STATE`. Never renamed, never reused.
            pub fn code(self) -> &'static str {
                self.as_str()
            }

            /// The next step of a caller.
            pub fn retry(self) -> Retry {
                match self { $(ErrorKind::$kind => Retry::$retry,)+ }
            }

            /// The class of the kind; it decides the exit code.
            pub fn class(self) -> ErrorClass {
                match self { $(ErrorKind::$kind => ErrorClass::$class,)+ }
            }
        }
    };
}

error_kinds! {
    /// A value does not follow its grammar; the message says what, why and at which byte.
    ValueInvalid => "VALUE_INVALID", Never, Usage;
    /// A pipeline run or an actor is missing, and nothing is recorded without them.
    ProvenanceIncomplete => "PROVENANCE_INCOMPLETE", Never, Usage;
    /// The configuration contradicts itself or cannot be read.
    ConfigInvalid => "CONFIG_INVALID", Never, Usage;
    /// A file that was to be packed does not exist or cannot be packed.
    SourceInvalid => "SOURCE_INVALID", Never, Usage;

    /// The policy says no; every finding is in the error.
    PolicyRefused => "POLICY_REFUSED", Never, Refused;
    /// Another move came first: the plan is stale.
    ChannelChanged => "CHANNEL_CHANGED", Replan, Refused;
    /// Another move is under way.
    ChannelBusy => "CHANNEL_BUSY", Later, Refused;
    /// The channel's log has no committed move yet.
    ChannelNotBootstrapped => "CHANNEL_NOT_BOOTSTRAPPED", Never, Refused;
    /// The channel's log has a committed move already.
    ChannelBootstrapped => "CHANNEL_BOOTSTRAPPED", Never, Refused;
    /// The tag is absent, and there is nothing to take over or to hold.
    ChannelAbsent => "CHANNEL_ABSENT", Never, Refused;
    /// The tag points at something else than the first state that was named.
    ChannelOccupied => "CHANNEL_OCCUPIED", Never, Refused;
    /// The tag does not point at the live digest: it was moved around the ledger.
    ChannelDrifted => "CHANNEL_DRIFTED", Never, Drift;
    /// After the put, the tag pointed at a third digest: it was overwritten.
    ChannelOverwritten => "CHANNEL_OVERWRITTEN", Never, Drift;
    /// There is no earlier live digest to roll back to, or it must be named.
    RollbackNoTarget => "ROLLBACK_NO_TARGET", Never, Refused;
    /// The record has no such release: no such move, or nothing was live so long ago.
    ReleaseUnknown => "RELEASE_UNKNOWN", Never, Failed;
    /// The key was used by another request on this channel.
    IdempotencyMismatch => "IDEMPOTENCY_MISMATCH", Never, Refused;
    /// The key's move was committed, and a later move replaced what it made live.
    IdempotencySuperseded => "IDEMPOTENCY_SUPERSEDED", Never, Refused;
    /// The channel was moved a moment ago, and the registry may still answer an older value.
    ChannelUnsettled => "CHANNEL_UNSETTLED", Later, Unknown;

    /// The move was closed without success: the registry refused the put or the pins, the time to
    /// live passed, or the move was abandoned.
    MoveFailed => "MOVE_FAILED", Later, Failed;
    /// A move began, and it is not known whether the tag moved.
    MoveIndeterminate => "MOVE_INDETERMINATE", Recover, Indeterminate;
    /// Another worker took the move over and will close it.
    MoveTakenOver => "MOVE_TAKEN_OVER", Recover, Indeterminate;

    /// The registry did not give a usable answer.
    RegistryUnavailable => "REGISTRY_UNAVAILABLE", Later, Unknown;
    /// The registry asked to slow down for longer than the caller can wait.
    RegistryBusy => "REGISTRY_BUSY", Later, Unknown;
    /// The registry did not accept the credentials.
    RegistryDenied => "REGISTRY_DENIED", Never, Failed;
    /// The registry refused a write.
    RegistryRefused => "REGISTRY_REFUSED", Never, Failed;
    /// The registry does not have what was asked for.
    RegistryAbsent => "REGISTRY_ABSENT", Never, Failed;
    /// The registry sent bytes of another digest than was asked for, or lacks a manifest that it accepted.
    RegistryDigestMismatch => "REGISTRY_DIGEST_MISMATCH", Never, Failed;
    /// The registry cannot do this.
    RegistryUnsupported => "REGISTRY_UNSUPPORTED", Never, Failed;
    /// The answer to a write was lost: it may have been applied.
    RegistryAmbiguous => "REGISTRY_AMBIGUOUS", Recover, Indeterminate;
    /// The manifest is not valid JSON of a kind that is known here.
    ManifestInvalid => "MANIFEST_INVALID", Never, Failed;
    /// The manifest can be read in two ways.
    ManifestAmbiguous => "MANIFEST_AMBIGUOUS", Never, Failed;
    /// The manifest is of a kind that is not supported.
    ManifestUnsupported => "MANIFEST_UNSUPPORTED", Never, Failed;
    /// The manifest is larger than 4 MiB.
    ManifestTooLarge => "MANIFEST_TOO_LARGE", Never, Failed;

    /// The ledger cannot be read or written now.
    LedgerUnavailable => "LEDGER_UNAVAILABLE", Later, Unknown;
    /// There is no ledger at that address.
    LedgerAbsent => "LEDGER_ABSENT", Never, Failed;
    /// The ledger did not accept the credentials, or they do not allow this.
    LedgerDenied => "LEDGER_DENIED", Never, Failed;
    /// The store cannot keep a ledger: it does not do what one needs.
    LedgerUnsupported => "LEDGER_UNSUPPORTED", Never, Failed;
    /// The answer to an append was lost: the entry may be there.
    LedgerAmbiguous => "LEDGER_AMBIGUOUS", Recover, Indeterminate;
    /// A rule of the log format is broken; the message names the position and the defect.
    LedgerCorrupt => "LEDGER_CORRUPT", Never, Defect;
    /// The log is shorter than was seen before.
    LedgerTruncated => "LEDGER_TRUNCATED", Never, Defect;
    /// Two different histories are shown for one log.
    LedgerForked => "LEDGER_FORKED", Never, Defect;
    /// The log has entries of a later version: it can be read, not written.
    LedgerTooNew => "LEDGER_TOO_NEW", Never, Refused;
    /// The log goes on in another ledger.
    LedgerMigrated => "LEDGER_MIGRATED", Never, Refused;
    /// The tag was moved by a move that this ledger does not know: it is an older copy, or another ledger governs it.
    LedgerBehind => "LEDGER_BEHIND", Never, Unknown;
    /// The repository has pins that this ledger does not know: another ledger governs it.
    LedgerForeign => "LEDGER_FOREIGN", Never, Refused;
    /// An entry is larger than 32 KiB.
    EntryTooLarge => "ENTRY_TOO_LARGE", Never, Usage;

    /// A rule inside this library was broken; please report it.
    InternalFault => "INTERNAL_FAULT", Never, Failed;
}

/// An error: its kind, a message, its context and the next step of a caller.
///
/// `Display` gives the message alone, for people; [`Error::code`] is for programs. No message, context or `Debug`
/// output ever holds a credential.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    retry: Option<Retry>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`, with a message for people.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), context: Vec::new(), retry: None, source: None }))
    }

    /// Adds one part of the context, as a name and a value (`channel`, `seq`, `move_id`, …). If the name has a value
    /// already, that value stays.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        if self.0.context.iter().all(|(known, _)| *known != name) {
            self.0.context.push((name, value.to_string()));
        }
        self
    }

    /// Names the channel whose log is broken in the message, unless the error names it or another one: a move of one
    /// channel reads the logs of others, too. Errors that are not about the entries of a log stay as they are.
    pub(crate) fn in_log_of(mut self, channel: impl fmt::Display) -> Self {
        use ErrorKind::{LedgerCorrupt, LedgerForked, LedgerTooNew, LedgerTruncated};
        let channel = channel.to_string();
        let is_of_entries = matches!(self.0.kind, LedgerCorrupt | LedgerForked | LedgerTooNew | LedgerTruncated);
        let is_of_another = self.context().any(|(name, named)| name == "channel" && named != channel);
        if is_of_entries && !is_of_another && !self.0.message.contains(&channel) {
            self.0.message = format!("the log of {channel}: {}", self.0.message);
        }
        self.with_context("channel", channel)
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, `AREA_STATE`.
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// The next step of a caller: that of the kind, unless [`Error::with_retry`] set another one.
    pub fn retry(&self) -> Retry {
        self.0.retry.unwrap_or(self.0.kind.retry())
    }

    /// Sets the next step of a caller, for an error where it depends on more than the kind.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = Some(retry);
        self
    }

    /// The message without the context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The context, as names and values in the order in which they were added.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The error that caused this one, if it is a `T`.
    pub fn source_as<T: std::error::Error + 'static>(&self) -> Option<&T> {
        self.0.source.as_deref().and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.0.message)?;
        for (name, value) in &self.0.context {
            write!(f, " {name}={value:?}")?;
        }
        self.0.source.iter().try_for_each(|source| write!(f, " because {source}"))
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Error {
        match never {}
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_area_state_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for kind in ErrorKind::ALL {
            let code = kind.code();
            assert!(code.contains('_') && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{code}");
            assert!(seen.insert(code), "{code} twice");
            assert!(kind.meaning().ends_with('.'), "{code}: {:?}", kind.meaning());
        }
    }

    #[test]
    fn an_error_reads_as_a_sentence_and_debugs_with_its_context() {
        let error = Error::new(ErrorKind::ChannelChanged, "prod moved").with_context("seq", 4).with_context("seq", 5);
        assert_eq!(error.to_string(), "prod moved");
        assert_eq!(format!("{error:?}"), r#"CHANNEL_CHANGED: prod moved seq="4""#);
        assert_eq!(error.retry(), Retry::Replan);
    }
}
