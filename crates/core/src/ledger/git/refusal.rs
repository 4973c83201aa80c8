//! `Fault`: the meaning of a Git command that did not succeed, by the words of Git and of the server.
//!
//! The words never decide whether an entry was stored: after a push that did not succeed, the branch is read again.
//! They choose the kind of the error, and the error shows them.

mod rules;
#[cfg(test)]
mod tests;
mod wording;

use super::credential::Credential;
use crate::error::{Error, ErrorKind};

pub(super) use self::wording::{Said, shown};

/// The command that did not succeed.
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
    /// The ledger's URL, for people.
    pub(super) place: &'a str,
    /// The address that Git was given.
    pub(super) remote: &'a str,
    pub(super) branch: &'a str,
    /// The credential that was sent; none if Git used its own.
    pub(super) credential: Option<&'a Credential>,
    /// The provider of the CI that runs this process, such as `github-actions`.
    pub(super) ci: Option<&'a str>,
}

/// The reason why a Git command did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The repository has no such branch.
    NoBranch,
    /// The branch does not contain the commit that was read before.
    Forced,
    /// The branch has another tip than the push expected.
    Stale,
    /// The own cache is damaged, or another process uses it.
    Cache(String),
    /// The server does not send single objects.
    NoFilter(String),
    /// The server, or Git itself, does not do this: a person must change something.
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
        if call == Call::Push && has(MOVED) {
            return Fault::Stale;
        }
        if has(CACHE) && !has(&["remote unpack failed", "unpacker error"]) {
            return Fault::Cache(words());
        }
        match rules::judge(&text, call, at) {
            Some(rules::Ruling::Refused(kind, advice)) => Fault::Refused(kind, with(words(), advice.as_deref())),
            Some(rules::Ruling::Unclear(advice)) => Fault::Unclear(with(words(), advice)),
            // Git says this also after the words for a server that it could not reach.
            None if call == Call::Fetch && has(NO_FILTER) => Fault::NoFilter(words()),
            None => Fault::Unclear(words()),
        }
    }

    /// The error of a command that had no effect. `what` is what it was for, such as `append`.
    pub(super) fn into_error(self, what: &str, at: &At<'_>) -> Error {
        let unavailable = ErrorKind::LedgerUnavailable;
        let (kind, why) = match self {
            Fault::NoBranch => {
                let why = format!("the repository has no branch `{}`; run `tagwarden ledger init`", at.branch);
                (ErrorKind::LedgerAbsent, why)
            }
            Fault::Forced => {
                let why =
                    format!("the branch `{}` does not contain what was read before: it was forced back", at.branch);
                (ErrorKind::LedgerTruncated, why)
            }
            Fault::Stale => (unavailable, format!("others append to the branch `{}` all the time", at.branch)),
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

/// The text in lower case, without the names that people gave: a repository may be called `quota`.
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
