//! The actor and the pipeline run of a request: from the parts that a caller gives, and from the environment.

use std::collections::HashMap;

use tagwarden::{Job, Line, Provenance, ProvenanceParts, Result, SystemClock, Terminal};

use crate::args::wrong;

/// The environment from which missing parts of a provenance are taken.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment variables.
    pub environment: HashMap<String, String>,
    /// True if standard input or standard error is a terminal.
    pub terminal: bool,
    /// The login name, if the system has one.
    pub login: Option<String>,
}

/// The job of a run. VALUE_INVALID for a name without an id.
pub fn job(id: Option<Line>, name: Option<Line>) -> Result<Option<Job>> {
    match (id, name) {
        (Some(id), name) => Ok(Some(Job { id, name })),
        (None, Some(_)) => Err(wrong("job_name", "it is the name of a job, whose id is missing")),
        (None, None) => Ok(None),
    }
}

/// The provenance of these parts. Missing ones are taken from `around`, if it is given. PROVENANCE_INCOMPLETE without a
/// run or an actor.
pub fn build(mut parts: ProvenanceParts, around: Option<Surroundings>) -> Result<Provenance> {
    if let Some(Surroundings { environment, terminal, login }) = around {
        if terminal {
            parts.terminal = Some(Terminal::of(login, &SystemClock)?);
        }
        parts = parts.fill(|name| environment.get(name).cloned())?;
    }
    parts.build()
}

/// A provenance that a caller gives for a request, built again. Building removes what must not be in a ledger, such as
/// a password in a URL. VALUE_INVALID if it has an `identity`: only the verifier of a token may set that.
pub fn provenance(name: &str, given: Provenance) -> Result<Provenance> {
    let Provenance { pipeline, actor, repository_url, commit, release, identity } = given;
    if identity.is_some() {
        return Err(wrong(name, "identity: only the verifier of a token may set it"));
    }
    let mut parts = ProvenanceParts::default();
    parts.provider = Some(pipeline.provider);
    parts.run_id = Some(pipeline.run_id);
    parts.attempt = pipeline.attempt;
    parts.url = pipeline.url;
    parts.workflow = pipeline.workflow;
    parts.job = pipeline.job;
    parts.actor = Some(actor.id);
    parts.actor_kind = Some(actor.kind);
    parts.repository_url = repository_url;
    parts.commit = commit;
    parts.release = release;
    parts.build()
}
