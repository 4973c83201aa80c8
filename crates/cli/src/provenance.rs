//! Who asks: what was given, completed by what the CI says, or by the terminal.

use std::io::{IsTerminal, stderr, stdin};

use tagwarden::{ActorKind, Provenance, ProvenanceParts, Result, SystemClock, Terminal};

use crate::args::{Kind, WhoArgs};

/// The provenance of these flags, this environment and this terminal. PROVENANCE_INCOMPLETE, saying what to give.
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
        // Without a name, the error says what to give.
        parts.terminal = Some(Terminal::of(whoami::username().ok(), &SystemClock)?);
    }
    parts.fill(|name| std::env::var(name).ok())?.build()
}
