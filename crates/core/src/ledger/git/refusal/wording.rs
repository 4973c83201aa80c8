//! The text that Git and the server printed, as errors show it.

use crate::ledger::git::credential::Credential;
use crate::secret::show;
use crate::value::{joined, public};

/// Beginnings of lines that say nothing about the reason, in lower case.
const NOISE: [&str; 25] = [
    "hint:",
    "to ",
    "from ",
    // The advice has it.
    "git config --global --add safe.directory",
    "done",
    "everything up-to-date",
    "warning:",
    "enumerating objects",
    "counting objects",
    "compressing objects",
    "writing objects",
    "receiving objects",
    "resolving deltas",
    "unpacking objects",
    "updating references",
    "processed ",
    "total ",
    "delta compression",
    "pseudo-terminal",
    "send-pack: unexpected disconnect",
    "failed to push some refs",
    "the remote end hung up",
    "could not read from remote repository",
    "please make sure you have the correct access rights",
    "and the repository exists.",
];

/// The output of a Git command in the C locale.
#[derive(Clone, Debug, Default)]
pub(in crate::ledger::git) struct Said {
    /// The exit code; none if a signal ended the command.
    pub(in crate::ledger::git) code: Option<i32>,
    pub(in crate::ledger::git) out: String,
    pub(in crate::ledger::git) err: String,
}

impl Said {
    /// True if a push ended before the server said what became of it: git was ended, or the connection.
    pub(super) fn is_cut(&self) -> bool {
        const ANSWERED: [&str; 7] = [
            "[rejected]",
            "[remote rejected]",
            "RPC failed; HTTP 3",
            "RPC failed; HTTP 4",
            // A 401 to the push itself: git asks for a login, and ends.
            "could not read Username",
            "could not read Password",
            "Authentication failed",
        ];
        const CUT: [&str; 3] = ["unexpected disconnect", "hung up unexpectedly", "[remote failure]"];
        let own = self.own_lines();
        let has = |words: &[&str]| words.iter().any(|words| own.contains(words));
        !has(&ANSWERED) && (self.code.is_none() || has(&CUT))
    }

    /// The lines of Git itself, without those of the server.
    pub(super) fn own_lines(&self) -> String {
        let lines = self.err.lines().filter(|line| !line.starts_with("remote:"));
        lines.chain(self.out.lines()).collect::<Vec<_>>().join("\n")
    }
}

/// The text that an error shows: the server's words, then those of Git, on one line and without secrets. At
/// most 1 KiB.
pub(in crate::ledger::git) fn shown(said: &Said, credential: Option<&Credential>) -> String {
    let (mut server, mut own, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for line in said.err.split(['\n', '\r']).chain(said.out.lines()) {
        let (from_server, line) = match line.strip_prefix("remote:") {
            Some(line) => (true, line.trim()),
            None => (false, line.trim()),
        };
        let line =
            ["fatal: ", "error: ", "ERROR: "].iter().fold(line, |line, mark| line.strip_prefix(mark).unwrap_or(line));
        let lower = line.to_ascii_lowercase();
        // Some servers draw a box around their words.
        if !line.contains(char::is_alphanumeric) || NOISE.iter().any(|noise| lower.starts_with(noise)) {
            continue;
        }
        match (from_server, reason(line)) {
            (true, _) => server.push(line),
            (false, Some(reason)) => reasons.push(reason),
            (false, None) => own.push(line),
        }
    }
    reasons.dedup();
    let server = server.join(" ");
    let parts = std::iter::once(server.as_str()).chain(own).chain(reasons.iter().map(String::as_str));
    let parts = parts.map(|part| part.trim_end_matches('.')).filter(|part| !part.is_empty());
    let words = joined(parts, "; ");
    if words.is_empty() {
        return match said.code {
            Some(code) => format!("git ended with exit code {code} and printed nothing"),
            None => "git was ended by a signal".to_owned(),
        };
    }
    let words: String = words.split_inclusive(' ').map(without_login).collect();
    show(&words, credential.map_or(&[], Credential::secrets))
}

/// The reason in the line of a ref, such as `! [remote rejected] a -> b (hook declined)`, also as `--porcelain` writes
/// it.
fn reason(line: &str) -> Option<String> {
    let (_, status) = line.strip_prefix('!')?.split_once('[')?;
    let (status, rest) = status.split_once(']')?;
    let reason = rest.split_once('(').map(|(_, reason)| reason.strip_suffix(')').unwrap_or(reason));
    Some(match reason {
        Some(reason) => format!("{status}: {reason}"),
        None => status.to_owned(),
    })
}

/// The word; a URL without its user, password and token.
fn without_login(word: &str) -> String {
    let url = word.trim_end_matches([' ', '\'', '"', ':', ',', '.', ')']);
    let rest = word.get(url.len()..).unwrap_or_default();
    if url.contains("://") { public(url) + rest } else { word.to_owned() }
}
