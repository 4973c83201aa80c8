//! Who asks, in which pipeline run: from the parts that a caller gives, and from what surrounds the process.

use std::collections::HashMap;

use tagwarden::{
    ActorKind, Commit, Job, Line, Provenance, ProvenanceParts, ReleaseLabel, Result, SystemClock, Terminal,
};

use crate::args::{parse, wrong};

/// The parts of a provenance, as a caller gives them.
#[derive(Clone, Debug, Default)]
pub struct ProvenanceArgs {
    /// The CI system of the pipeline; `manual` by default.
    pub provider: Option<String>,
    /// The pipeline run.
    pub run_id: Option<String>,
    /// The attempt of the run, from 1.
    pub attempt: Option<u32>,
    /// Where people can read about the run.
    pub url: Option<String>,
    /// The provider's name of the pipeline.
    pub workflow: Option<String>,
    /// The job of the run.
    pub job_id: Option<String>,
    /// The job's name for people.
    pub job_name: Option<String>,
    /// Who asks.
    pub actor: Option<String>,
    /// A person or a workload.
    pub actor_kind: Option<ActorKind>,
    /// Where the source is kept.
    pub repository_url: Option<String>,
    /// The source commit.
    pub commit: Option<Commit>,
    /// The release's name for people.
    pub release: Option<ReleaseLabel>,
}

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

impl ProvenanceArgs {
    /// The provenance. Missing parts are taken from `around`, if it is given. PROVENANCE_INCOMPLETE without a run or an
    /// actor.
    pub fn build(self, around: Option<Surroundings>) -> Result<Provenance> {
        let mut parts = self.parts()?;
        if let Some(Surroundings { environment, terminal, login }) = around {
            if terminal {
                parts.terminal = Some(Terminal::of(login, &SystemClock)?);
            }
            parts = parts.fill(|name| environment.get(name).cloned())?;
        }
        parts.build()
    }

    fn parts(self) -> Result<ProvenanceParts> {
        let line = |name, text: Option<String>| text.map(|text| parse::<Line>(name, &text)).transpose();
        let mut parts = ProvenanceParts::default();
        parts.provider = line("provider", self.provider)?;
        parts.run_id = line("run_id", self.run_id)?;
        parts.attempt = self.attempt;
        parts.url = line("url", self.url)?;
        parts.workflow = line("workflow", self.workflow)?;
        parts.job = match (line("job_id", self.job_id)?, line("job_name", self.job_name)?) {
            (Some(id), name) => Some(Job { id, name }),
            (None, Some(_)) => return Err(wrong("job_name", "it is the name of a job, whose id is missing")),
            (None, None) => None,
        };
        parts.actor = line("actor", self.actor)?;
        parts.actor_kind = self.actor_kind;
        parts.repository_url = line("repository_url", self.repository_url)?;
        parts.commit = self.commit;
        parts.release = self.release;
        Ok(parts)
    }
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
