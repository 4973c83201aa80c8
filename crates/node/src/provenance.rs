//! The actor and the pipeline run of a request.

use std::collections::HashMap;

use napi::Env;
use napi::bindgen_prelude::{FromNapiValue, Unknown, sys};
use napi_derive::napi;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use tagwarden::{Commit, Line, ReleaseLabel, Result};
use tagwarden_bind::convert::to;
use tagwarden_bind::provenance::{Surroundings, build, job, provenance as rebuilt};

use crate::args::in_camel_case;
use crate::call::sync;
use crate::given::Text;
use crate::host::Provenance;
use crate::js::Js;
use crate::records::ActorKind;

options! {
    /// The parts of a provenance, as they are given.
    #[derive(Default)]
    pub struct ProvenanceParts {
        /// The CI system of the pipeline; `manual` if none is given and no CI is found.
        pub provider: Option<Line>,
        /// The run's id there.
        pub run_id: Option<Line>,
        /// Which attempt of the run, from 1.
        pub attempt: Option<u32>,
        /// Where people can read about the run. A user or password in it is left out.
        pub url: Option<Line>,
        /// The provider's name of the pipeline.
        pub workflow: Option<Line>,
        /// The job of the run.
        pub job_id: Option<Line>,
        /// The job's name for people.
        pub job_name: Option<Line>,
        /// The actor: the person or workload that asks.
        pub actor: Option<Line>,
        /// By default `human` if the CI says that a person started exactly this run, in a terminal, and for the provider
        /// `manual`; else `workload`.
        pub actor_kind: Option<ActorKind>,
        /// The source repository.
        pub repository_url: Option<Line>,
        /// The source commit.
        pub commit: Option<Text<Commit>>,
        /// The release's name for people.
        pub release: Option<Text<ReleaseLabel>>,
    }
}

impl ProvenanceParts {
    fn core(self) -> Result<tagwarden::ProvenanceParts> {
        let mut parts = tagwarden::ProvenanceParts::default();
        parts.provider = self.provider;
        parts.run_id = self.run_id;
        parts.attempt = self.attempt;
        parts.url = self.url;
        parts.workflow = self.workflow;
        parts.job = job(self.job_id, self.job_name).map_err(in_camel_case)?;
        parts.actor = self.actor;
        parts.actor_kind = self.actor_kind.map(Into::into);
        parts.repository_url = self.repository_url;
        parts.commit = self.commit.map(|Text(commit)| commit);
        parts.release = self.release.map(|Text(release)| release);
        Ok(parts)
    }
}

/// A provenance of these parts, completed from `environment` if it is given, and from the terminal. `index.js` finds those.
#[napi(catch_unwind, skip_typescript)]
pub fn provenance(
    parts: Option<ProvenanceParts>,
    environment: Option<Variables>,
    terminal: bool,
    login: Option<String>,
) -> napi::Result<Provenance> {
    let around = environment.map(|Variables(environment)| Surroundings { environment, terminal, login });
    Ok(to(sync(parts.unwrap_or_default().core().and_then(|parts| build(parts, around)))?))
}

/// The provenance of a person outside of a CI.
#[napi(catch_unwind, skip_typescript)]
pub fn manual_provenance(actor: Text<Line>) -> napi::Result<Provenance> {
    Ok(to(sync(tagwarden::Provenance::manual(actor.as_str()))?))
}

/// The variables of an environment. TypeError for one that is no string.
pub struct Variables(HashMap<String, String>);

impl FromNapiValue for Variables {
    #[allow(unsafe_code, reason = "every conversion of napi is an unsafe function")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Variables> {
        let variables = HashMap::deserialize(Js(unsafe { Unknown::from_napi_value(env, value) }?));
        variables.map(Variables).map_err(|wrong| wrong.of_type().thrown(&Env::from_raw(env)))
    }
}

/// The provenance of a request. Only the verifier of a token may set an `identity`.
#[derive(Deserialize)]
struct Given {
    pipeline: tagwarden::Run,
    actor: tagwarden::Actor,
    repository_url: Option<Line>,
    commit: Option<Commit>,
    release: Option<ReleaseLabel>,
}

/// Reads the provenance of a request, and builds it again. Building removes what must not be in a ledger, such as a
/// password in a URL.
pub fn read<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<tagwarden::Provenance, D::Error> {
    let Given { pipeline, actor, repository_url, commit, release } = Given::deserialize(from)?;
    let given = tagwarden::Provenance { pipeline, actor, repository_url, commit, release, identity: None };
    rebuilt("provenance", given).map_err(D::Error::custom)
}
