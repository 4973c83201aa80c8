//! Who moves a channel: what was given, completed by what the CI says.

use tagwarden::{Provenance, ProvenanceParts, Result};

use crate::args::WhoArgs;

/// The provenance of these flags and this environment. PROVENANCE_INCOMPLETE, saying what to give.
pub(crate) fn of(who: &WhoArgs) -> Result<Provenance> {
    let mut parts = ProvenanceParts::default();
    parts.provider = who.provider.clone();
    parts.run_id = who.run_id.clone();
    parts.url = who.pipeline_url.clone();
    parts.actor = who.actor.clone();
    parts.commit = who.commit.clone();
    parts.release = who.release.clone();
    parts.fill(|name| std::env::var(name).ok())?.build()
}
