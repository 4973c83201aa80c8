//! `Git`: one call of the `git` of this machine, in surroundings where nothing of the user's settings but the
//! credentials, the proxies and the SSH settings counts.

mod process;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, ErrorKind as IoErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) use self::process::Output;
use super::credential::TOKEN;
use crate::error::{Error, ErrorKind, Result};

/// The oldest version of git with all that is used here: GIT_CONFIG_COUNT.
const OLDEST: (u32, u32) = (2, 31);

/// Variables that bind git to a repository, or that change its output (`git rev-parse --local-env-vars` and others).
/// GIT_CONFIG_COUNT and GIT_CONFIG_PARAMETERS stay: they may hold the user's credentials.
const UNSET: [&str; 24] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CURL_VERBOSE",
    "GIT_DEFAULT_HASH",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_LAZY_FETCH",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
    "LANGUAGE",
    "SSH_ASKPASS",
];

/// Variables that are set for every call.
const SET: [(&str, &str); 6] = [
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_DEFAULT_REF_FORMAT", "files"),
    ("GIT_TRACE2", "0"),
    ("GIT_TRACE2_EVENT", "0"),
    ("GIT_TRACE2_PERF", "0"),
];

/// Settings that are given on the command line, where they win over all others.
///
/// - Colours would change what Git says.
/// - Without an unpackLimit of its own, a user's `transfer.unpackLimit=1` makes a pack of each append and of each look.
const SETTINGS: [&str; 22] = [
    "color.advice=false",
    "color.push=false",
    "color.remote=false",
    "color.transport=false",
    "core.askPass=",
    "core.hooksPath=/dev/null",
    "core.logAllRefUpdates=false",
    "fastimport.unpackLimit=100",
    "fetch.prune=false",
    "fetch.showForcedUpdates=true",
    "fetch.unpackLimit=100",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "i18n.commitEncoding=UTF-8",
    "maintenance.auto=false",
    "protocol.version=2",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.negotiate=false",
    "push.pushOption=",
    "push.recurseSubmodules=no",
    "transfer.unpackLimit=100",
];

/// A call of git.
#[derive(Debug)]
pub(super) struct Git {
    arguments: Vec<OsString>,
    input: Option<Vec<u8>>,
    variables: Vec<(String, String)>,
    directory: Option<PathBuf>,
    /// True for a question to the user's own repository, whose settings then count.
    is_users: bool,
    limit: Duration,
}

impl Git {
    /// A call in the bare repository at `repository`.
    pub(super) fn within(repository: &Path, limit: Duration) -> Git {
        Git::new(Some(repository), limit).args([OsString::from("--git-dir"), repository.into()]).settings()
    }

    /// A call outside of every repository, in the directory `dir`.
    pub(super) fn outside(dir: &Path, limit: Duration) -> Git {
        Git::new(Some(dir), limit).settings()
    }

    /// A question to git where the user is: the working directory, with the user's own settings.
    pub(super) fn asked(limit: Duration) -> Git {
        Git { is_users: true, ..Git::new(None, limit) }
    }

    fn new(directory: Option<&Path>, limit: Duration) -> Git {
        let directory = directory.map(Path::to_owned);
        Git { arguments: Vec::new(), input: None, variables: Vec::new(), directory, is_users: false, limit }
    }

    fn settings(self) -> Git {
        self.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
    }

    /// Adds arguments.
    pub(super) fn args<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Git {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets the standard input; without it there is none.
    pub(super) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Git {
        self.input = Some(bytes.into());
        self
    }

    /// Sets a variable of the environment.
    pub(super) fn variable(mut self, name: &str, value: impl Into<String>) -> Git {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Sets variables of the environment, where no other user of the machine can read them.
    pub(super) fn variables(mut self, variables: &[(String, String)]) -> Git {
        self.variables.extend_from_slice(variables);
        self
    }

    /// Runs git until it ends or its time is over. LEDGER_UNSUPPORTED if there is no git; LEDGER_UNAVAILABLE if it
    /// cannot be started.
    pub(super) fn run(self) -> Result<Output> {
        let mut command = Command::new("git");
        command.args(&self.arguments);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        if !self.is_users {
            for name in UNSET {
                command.env_remove(name);
            }
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_TRACE") {
                command.env_remove(name);
            }
        }
        command.env_remove("GIT_CURL_VERBOSE").env_remove(TOKEN).envs(SET).envs(self.variables.iter().cloned());
        let Git { directory, input, limit, .. } = self;
        process::run(command, input, limit).map_err(|e| match &directory {
            // The error does not say if the program is missing or the directory.
            Some(directory) if !directory.is_dir() => {
                Error::new(ErrorKind::LedgerUnavailable, format!("cannot run git in {}: {e}", directory.display()))
            }
            _ => cannot_start(e),
        })
    }
}

fn cannot_start(e: io::Error) -> Error {
    let (oldest, _) = needed();
    match e.kind() {
        IoErrorKind::NotFound => {
            let message = format!("{oldest}, and there is none on the PATH: install it, or name another ledger");
            Error::new(ErrorKind::LedgerUnsupported, message)
        }
        _ => Error::new(ErrorKind::LedgerUnavailable, format!("cannot run git: {e}")).with_source(e),
    }
}

fn needed() -> (String, (u32, u32)) {
    let (major, minor) = OLDEST;
    (format!("a ledger in a Git branch needs git {major}.{minor} or later"), OLDEST)
}

/// LEDGER_UNSUPPORTED unless there is a git that is new enough.
pub(super) fn check_version() -> Result<()> {
    let said = Git::asked(Duration::from_secs(10)).args(["version"]).run()?.text();
    let (needed, oldest) = needed();
    match version(&said) {
        Some(found) if found >= oldest => Ok(()),
        _ => {
            let said: String = said.chars().filter(|c| !c.is_control()).take(60).collect();
            Err(Error::new(ErrorKind::LedgerUnsupported, format!("{needed}, and this machine has `{said}`")))
        }
    }
}

/// The version in the answer of `git version`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
