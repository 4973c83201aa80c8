//! The records of both bindings: the answers of the core. Those with the fields of a struct or an enum of the core are
//! generated from it, by `generate.py`; the others are described here.
//!
//! Each binding includes this directory as its module `records`. Before that it defines, in its module `host`,
//! - the types of fields that are its own: `Channel`, `Count`, `Digest`, `Environment`, `List`, `OrderValue`,
//!   `Provenance`, `Reference`, `Repository`, `Tag` and `Time`;
//! - the macro `record!`, which makes a struct a record of its language;
//! - the macro `word!`, which makes an enum of words a value of its language.
//!
//! The fields are those of the core's JSON, so that a record that is written as JSON is what the command line prints.

mod generated;

pub use generated::*;

use tagwarden::{ErrorKind, drift, log, retention};
use tagwarden_bind::convert::{FromCore, to};
use tagwarden_bind::records;

use crate::host::{Channel, Count, List, Repository, Time};

records! {
    /// A kind of error.
    pub struct ErrorInfo {
        /// The stable code, `AREA_STATE`.
        pub code: String,
        /// The caller's next step.
        pub retry: Retry,
        /// The kind of the error; the exit code of the command line follows from it.
        pub class: ErrorClass,
        /// The code in one sentence.
        pub meaning: String,
    }

    /// The result of an audit.
    pub struct AuditReport {
        /// When it ran.
        pub at: Time,
        /// The worst that was found: `defect` (of a log), `drift`, `unknown` or `indeterminate` (a move is open), in
        /// this order; none if nothing is wrong.
        pub worst: Option<ErrorClass>,
        /// Each channel, in their order.
        pub channels: List<ChannelAudit>,
    }

    /// A log that a retention plan was made from. If it is longer now, the plan is void.
    pub struct LogSize {
        /// The channel of the log.
        pub channel: Channel,
        /// The number of its entries.
        pub size: Count,
    }

    /// The rule of a retention plan. A digest inside either window is kept.
    pub struct RetentionWindow {
        /// How many distinct digests are kept on each channel.
        pub keep_last: u32,
        /// How long a digest is kept after it stopped being live, in seconds.
        pub keep_for_s: Count,
    }

    /// The digests of a repository that must stay, and those that may go.
    pub struct RetentionPlan {
        /// The repository.
        pub repository: Repository,
        /// The time for which it was made.
        pub at: Time,
        /// The rule.
        pub rule: RetentionWindow,
        /// The logs that it was made from.
        pub logs: List<LogSize>,
        /// The log or tag that could not be read, so that nothing expires; none if all were read.
        pub blocked: Option<String>,
        /// Every known digest, kept or not.
        pub digests: List<DigestRetention>,
    }
}

impl FromCore<ErrorKind> for ErrorInfo {
    fn from_core(core: ErrorKind) -> ErrorInfo {
        let (code, meaning) = (core.code().to_owned(), core.meaning().to_owned());
        ErrorInfo { code, retry: to(core.retry()), class: to(core.class()), meaning }
    }
}

impl FromCore<drift::AuditReport> for AuditReport {
    fn from_core(core: drift::AuditReport) -> AuditReport {
        AuditReport { at: to(core.at), worst: to(core.class()), channels: to(core.channels().to_vec()) }
    }
}

impl FromCore<(tagwarden::Channel, u64)> for LogSize {
    fn from_core((channel, size): (tagwarden::Channel, u64)) -> LogSize {
        LogSize { channel: to(channel), size: to(size) }
    }
}

impl FromCore<retention::RetentionPlan> for RetentionPlan {
    fn from_core(core: retention::RetentionPlan) -> RetentionPlan {
        let retention::RetentionRule { keep_last, keep_for } = core.rule;
        let (blocked, digests) = (core.blocked().map(str::to_owned), to(core.digests()));
        let rule = RetentionWindow { keep_last: keep_last.get(), keep_for_s: to(keep_for.as_secs()) };
        RetentionPlan { repository: to(core.repository), at: to(core.at), rule, logs: to(core.logs), blocked, digests }
    }
}

impl FromCore<log::RecordedFinding> for Finding {
    fn from_core(core: log::RecordedFinding) -> Finding {
        let log::RecordedFinding { guardrail, verdict, code, why } = core;
        Finding { guardrail: to(guardrail), verdict: to(verdict), code: to(code), why: to(why), retry: None }
    }
}
