//! The provenance of a command: from its flags, completed from the CI or the terminal.

use std::io::{IsTerminal, stderr, stdin};

use tagwarden::{ActorKind, Provenance, ProvenanceParts, Result, SystemClock, Terminal};

use crate::args::{Kind, WhoArgs};

/// True if a person can be asked a question: both standard input and standard error are a terminal, and no CI runs this.
pub(crate) fn is_person_in_terminal() -> bool {
    stdin().is_terminal() && stderr().is_terminal() && std::env::var_os("CI").is_none_or(|ci| ci.is_empty())
}

/// The provenance from these flags, this environment and this terminal. PROVENANCE_INCOMPLETE, naming the missing flag.
pub(crate) fn of(who: &WhoArgs) -> Result<Provenance> {
    let mut parts = ProvenanceParts::default();
    parts.provider = who.provider.clone();
    parts.run_id = who.run_id.clone();
    parts.url = who.pipeline_url.clone();
    parts.actor = who.actor.clone();
    parts.actor_kind = who.actor_kind.map(|kind| match kind {
        Kind::Human => ActorKind::Human,
        Kind::Workload => ActorKind::Workload,
    });
    parts.commit = who.commit.clone();
    parts.release = who.release.clone();
    if stdin().is_terminal() || stderr().is_terminal() {
        // If there is no login name, the error names the flag to use.
        parts.terminal = Some(Terminal::of(whoami::username().ok(), &SystemClock)?);
    }
    parts.fill(|name| std::env::var(name).ok())?.build()
}
