//! `Fault`: the reason why a Git command failed, found in the text that Git and the server printed.
//!
//! The text only selects the kind of the error, and is shown in the error. It never decides if an entry was stored:
//! after a failed push, the branch is read again.

mod advice;
mod rules;
#[cfg(test)]
mod tests;
mod wording;

use super::credential::Credential;
use crate::error::{Error, ErrorKind};

pub(super) use self::wording::{Said, shown};

/// The command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A read of the branch or of its files.
    Fetch,
    /// A write to the branch.
    Push,
}

/// The repository and the circumstances of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// The ledger's URL without secrets, as errors show it.
    pub(super) place: &'a str,
    /// The URL that Git was called with.
    pub(super) remote: &'a str,
    pub(super) branch: &'a str,
    /// The credential that was sent; none if Git used its own.
    pub(super) credential: Option<&'a Credential>,
    /// The provider of the CI that runs this process, such as `github-actions`.
    pub(super) ci: Option<&'a str>,
}

/// The reason why a Git command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The repository has no such branch.
    NoBranch,
    /// The branch does not contain the commit that was read before.
    Forced,
    /// The branch has another tip than the push expected, in the words of git and the server.
    Stale(String),
    /// The server's repository has another hash algorithm than the cache.
    Format(String),
    /// The cache of this host is damaged, or another process uses it.
    Cache(String),
    /// The server does not send single objects.
    NoFilter(String),
    /// The server or Git refuses, until a person changes a setting.
    Refused(ErrorKind, String),
    /// Every other reason: the same command may succeed later.
    Unclear(String),
}

impl Fault {
    pub(super) fn of(call: Call, said: &Said, at: &At<'_>) -> Fault {
        let text = without_names(format!("{}\n{}", said.err, said.out), at);
        let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
        let words = || shown(said, at.credential);
        if call == Call::Fetch && has(&["couldn't find remote ref"]) {
            return Fault::NoBranch;
        }
        if call == Call::Fetch && has(&["(non-fast-forward)", "(forced update)", "(would clobber existing"]) {
            return Fault::Forced;
        }
        if has(&["mismatched algorithms", "this repository's hash algorithm"]) {
            return Fault::Format(words());
        }
        let is_cut = call == Call::Push && said.is_cut();
        if call == Call::Push && has(UNWRITABLE) && !is_cut {
            return Fault::Refused(ErrorKind::LedgerDenied, words());
        }
        if call == Call::Push && has(MOVED) && !is_cut {
            return Fault::Stale(words());
        }
        let own = without_names(said.own_lines(), at);
        if CACHE.iter().any(|words| own.contains(words)) && !has(&["remote unpack failed", "unpacker error"]) {
            return Fault::Cache(words());
        }
        match rules::judge(&text, call, at) {
            // The server said something, and then the connection was cut.
            Some(rules::Ruling::Refused(..)) if is_cut => Fault::Unclear(words()),
            Some(rules::Ruling::Refused(kind, advice)) => Fault::Refused(kind, with(words(), advice.as_deref())),
            Some(rules::Ruling::Unclear(advice)) => Fault::Unclear(with(words(), advice)),
            // Git prints these words after a failed connection, too, so the rules come first.
            None if call == Call::Fetch && has(NO_FILTER) => Fault::NoFilter(words()),
            None => Fault::Unclear(words()),
        }
    }

    /// The error of a command that had no effect. `what` names the operation, such as `append`.
    pub(super) fn into_error(self, what: &str, at: &At<'_>) -> Error {
        let unavailable = ErrorKind::LedgerUnavailable;
        let (kind, why) = match self {
            Fault::NoBranch => {
                let why = format!("the repository has no branch `{}`; run `tagwarden ledger init`", at.branch);
                (ErrorKind::LedgerAbsent, why)
            }
            Fault::Forced => {
                let why =
                    format!("the branch `{}` lost the commit that was read before: it was force-pushed", at.branch);
                (ErrorKind::LedgerForked, why)
            }
            Fault::Stale(words) => (unavailable, format!("the server does not update the branch: {words}")),
            Fault::Format(words) => {
                (ErrorKind::LedgerUnsupported, with(words, Some("use a Git server with an object format of this Git")))
            }
            Fault::Cache(words) => (unavailable, format!("the local cache cannot be used: {words}")),
            Fault::NoFilter(words) => (ErrorKind::LedgerUnsupported, words),
            Fault::Refused(kind, words) => (kind, words),
            Fault::Unclear(words) => (unavailable, words),
        };
        Error::new(kind, format!("{}: cannot {what}: {why}", at.place))
    }
}

/// The words of Git and of servers for a push whose lease is out of date (2.31 to 2.55, GitHub).
const MOVED: &[&str] = &[
    "(stale info)",
    "(fetch first)",
    "(non-fast-forward)",
    "failed to update ref",
    "cannot lock ref",
    "incorrect old value provided",
    "reference already exists",
    "reference does not exist",
];

/// The words of a server that cannot write the branch, whatever its tip is.
const UNWRITABLE: &[&str] =
    &["exists; cannot create", "(refname conflict)", ".lock': permission denied", ".lock': read-only file system"];

/// The words of Git for a cache that another process changes, or that is damaged.
const CACHE: &[&str] = &[
    "shallow.lock'",
    "shallow file has changed",
    ".lock': file exists",
    "fatal: not a git repository",
    "fatal: bad object",
    "fatal: bad config line",
    "invalid object",
    "loose object",
    "reference broken",
    "error: object file",
    "error: packfile",
    "missing blob",
    "unable to read tree",
    "unable to read sha1 file",
    "did not receive expected object",
    "remote did not send all necessary objects",
];

/// The words of a server without filters, or that sends only the tips of branches.
const NO_FILTER: &[&str] = &[
    "not our ref",
    "unadvertised object",
    "could not fetch",
    "filtering not recognized by server",
    "does not support --filter",
    "no such remote ref",
];

/// The text in lower case, without the names of repository and branch: a repository may be called `quota`.
fn without_names(text: String, at: &At<'_>) -> String {
    let branch = format!("refs/heads/{}", at.branch);
    let names = [at.remote, at.remote.strip_prefix("file://").unwrap_or_default(), &branch];
    names.iter().filter(|name| !name.is_empty()).fold(text, |text, name| text.replace(name, "")).to_ascii_lowercase()
}

fn with(words: String, advice: Option<&str>) -> String {
    match advice {
        Some(advice) => format!("{words}; {advice}"),
        None => words,
    }
}
