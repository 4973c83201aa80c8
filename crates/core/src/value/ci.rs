//! Provenance from the environment variables of a CI system or from a person's terminal. Parts that a caller gives
//! complete and override it.
//!
//! Environment variables and login names are context, not evidence: what is read here is recorded as not verified.

mod known;
mod terminal;
#[cfg(test)]
mod tests;

pub use terminal::Terminal;

use known::{Ci, Env, KNOWN, Said, set};

use super::url::{public, without_query};
use super::{Actor, ActorKind, Commit, Job, Line, Provenance, ReleaseLabel, Run, SystemClock, invalid, joined};
use crate::error::{Error, ErrorKind, Result};

/// The parts of a [`Provenance`] before it is built. The caller gives some parts; [`ProvenanceParts::fill`] takes the
/// others from the CI system or, outside of a CI, from the terminal. A part that the caller gave is never read from the
/// environment.
///
/// ```
/// use tagwarden::ProvenanceParts;
/// let env = |name: &str| match name {
///     "GITHUB_ACTIONS" => Some("true".to_owned()),
///     "GITHUB_RUN_ID" => Some("42".to_owned()),
///     "GITHUB_ACTOR" => Some("octocat".to_owned()),
///     _ => None,
/// };
/// let mut given = ProvenanceParts::default();
/// given.release = Some("v1.4.2".parse().unwrap());
/// let provenance = given.fill(env).unwrap().build().unwrap();
/// assert_eq!(provenance.pipeline.provider.as_str(), "github-actions");
/// assert_eq!(provenance.actor.id.as_str(), "octocat");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProvenanceParts {
    /// The provider of the pipeline; `manual` if none is given and no CI is found. A given provider also selects the CI
    /// to read.
    pub provider: Option<Line>,
    /// The run's id. If it is given, then attempt, URL, workflow and job are not read from the CI, because they belong
    /// to another run.
    pub run_id: Option<Line>,
    /// The number of the attempt, from 1.
    pub attempt: Option<u32>,
    /// The URL of a page about the run. A user, a password or a token in it is removed.
    pub url: Option<Line>,
    /// The provider's name of the pipeline.
    pub workflow: Option<Line>,
    /// The job of the run.
    pub job: Option<Job>,
    /// The actor's id.
    pub actor: Option<Line>,
    /// The kind of the actor. If none is given, the actor is a person in three cases: the CI says that a person pressed
    /// a button for this run and the name does not end in `[bot]`; a person in a terminal was found; or the provider is
    /// `manual`. In all other cases the actor is a workload.
    pub actor_kind: Option<ActorKind>,
    /// The address of the source repository. A user, a password or a query in it is removed.
    pub repository_url: Option<Line>,
    /// The source commit.
    pub commit: Option<Commit>,
    /// The release's label. No CI provides it.
    pub release: Option<ReleaseLabel>,
    /// The terminal, if standard input or standard error is one. A person in a terminal need not give any part, unless
    /// the variable `CI` is set or a CI is found.
    pub terminal: Option<Terminal>,
    found: Found,
}

/// The source of the parts that were not given.
#[derive(Clone, Copy, Debug, Default)]
enum Found {
    /// No source: neither a known CI nor a person in a terminal was found.
    #[default]
    Nothing,
    /// No source: this is a CI, but it is not known or not the one that `provider` names.
    OtherCi,
    /// A CI.
    Ci(&'static Ci),
    /// A CI, and a person pressed a button for the run. If the run id was given, the start of that run is not known.
    Button(&'static Ci),
    /// A person in a terminal.
    Person,
}

impl Provenance {
    /// A provenance with the required parts only: a provider, its run id and the actor's id. The actor is a person if
    /// the provider is `manual`, else a workload. VALUE_INVALID if one of the parts is not a [`Line`].
    pub fn new(provider: &str, run_id: &str, actor: &str) -> Result<Provenance> {
        let part = |what: &str, text: &str| text.parse().map(Some).map_err(|e: Error| invalid(what, e, None));
        let provider = part("provenance provider", provider)?;
        let run_id = part("provenance run id", run_id)?;
        let actor = part("provenance actor", actor)?;
        ProvenanceParts { provider, run_id, actor, ..ProvenanceParts::default() }.build()
    }

    /// The provenance in the environment variables of the CI system, read through `env`: GitHub, Gitea or Forgejo
    /// Actions, GitLab CI, CircleCI, Azure Pipelines, Buildkite or Jenkins.
    ///
    /// PROVENANCE_INCOMPLETE if no CI or more than one is found, or if the run or the actor is missing; VALUE_INVALID,
    /// with the name of the variable, if a value is malformed. Use [`ProvenanceParts`] to complete or override parts,
    /// and for a person in a terminal.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Provenance> {
        ProvenanceParts::default().fill(env)?.build()
    }

    /// [`Provenance::from_env`] with the environment variables of this process. A variable that is not Unicode counts
    /// as not set.
    pub fn from_ci() -> Result<Provenance> {
        Provenance::from_env(|name| std::env::var(name).ok())
    }

    /// The provenance of a person outside of a CI: the provider is `manual`, the run id a new UUID of version 7.
    /// VALUE_INVALID if `actor` is not a [`Line`].
    pub fn manual(actor: &str) -> Result<Provenance> {
        Provenance::new(MANUAL, Terminal::of(None, &SystemClock)?.run_id.as_str(), actor)
    }
}

impl ProvenanceParts {
    /// Fills in the parts that were not given, from the CI system that `env` shows or, if it shows none, from the
    /// terminal. Without either, nothing is filled in.
    ///
    /// PROVENANCE_INCOMPLETE if `env` shows more than one CI and `provider` does not select one; VALUE_INVALID, with
    /// the name of the variable, if a value is malformed. An empty variable counts as not set. A commit that is not a
    /// commit id, such as `HEAD`, and an attempt that is not a number from 1 are left out.
    pub fn fill(self, env: impl Fn(&str) -> Option<String>) -> Result<ProvenanceParts> {
        let env: Env = &|name| env(name).filter(|value| !value.is_empty());
        match detect(env, self.provider.as_ref())? {
            Some(ci) => self.fill_from(ci, env),
            None => self.fill_by_hand(env),
        }
    }

    fn fill_from(mut self, ci: &'static Ci, env: Env) -> Result<ProvenanceParts> {
        self.found = Found::Ci(ci);
        self.provider = or_read(self.provider, || parsed(ci.marker, ci.provider).map(Some))?;
        if self.run_id.is_none() {
            let parts: Option<Vec<String>> = ci.run_id.iter().map(|name| env(name)).collect();
            if let Some(parts) = parts {
                self.run_id = Some(parsed(&ci.run_id.join(" and "), &parts.join("#"))?);
            }
            if (ci.pressed)(env) {
                self.found = Found::Button(ci);
            }
            // Parts that only help to find the run must not stop a release: a malformed one is left out or shown with
            // replacement characters.
            let said = |name: Option<&str>| name.and_then(env);
            self.attempt = self.attempt.or_else(|| said(ci.attempt)?.parse().ok().filter(|attempt| *attempt > 0));
            self.workflow = self.workflow.or_else(|| said(ci.workflow).map(Line::lossy));
            self.url = or_read(self.url, || ci.url.read(env, "the run's URL"))?;
            if let (None, Some((variable, name))) = (&self.job, ci.job)
                && let Some(id) = env(variable)
            {
                self.job = Some(Job { id: parsed(variable, &id)?, name: said(name).map(Line::lossy) });
            }
        }
        self.actor = or_read(self.actor, || first(env, ci.actor))?;
        // A symbolic commit, such as HEAD or a branch, is left out; it is no error.
        self.commit = self.commit.or_else(|| env(ci.commit)?.parse().ok());
        self.repository_url = or_read(self.repository_url, || ci.repository_url.read(env, "the repository's URL"))?;
        Ok(self)
    }

    /// Fills in the parts of a person in a terminal. Without a terminal or in a CI nothing is filled in, so the caller
    /// must give the run and the actor.
    fn fill_by_hand(mut self, env: Env) -> Result<ProvenanceParts> {
        let manual = self.provider.as_ref().is_none_or(|provider| provider.as_str() == MANUAL);
        if set(env, "CI") || KNOWN.iter().any(|ci| set(env, ci.marker)) {
            self.found = Found::OtherCi;
            return Ok(self);
        }
        let (true, Some(terminal)) = (manual, &self.terminal) else { return Ok(self) };
        self.run_id = self.run_id.or_else(|| Some(terminal.run_id.clone()));
        self.actor = or_read(self.actor, || first(env, &PERSON))?;
        let login = || terminal.login.as_ref().map(|login| parsed("the login name", login)).transpose();
        self.actor = or_read(self.actor, login)?;
        self.found = Found::Person;
        Ok(self)
    }

    /// The provenance. PROVENANCE_INCOMPLETE if the run or the actor is missing; the message names the variables that
    /// were not set and the options to give.
    pub fn build(self) -> Result<Provenance> {
        let (Some(run_id), Some(id)) = (self.run_id.clone(), self.actor.clone()) else { return Err(self.missing()) };
        let given = self.provider.as_ref().map(Line::as_str);
        let kind = self.actor_kind.unwrap_or(match self.found {
            Found::Person => ActorKind::Human,
            Found::Button(_) if !id.as_str().ends_with("[bot]") => ActorKind::Human,
            _ if given == Some(MANUAL) => ActorKind::Human,
            _ => ActorKind::Workload,
        });
        let provider = given.unwrap_or(MANUAL).parse()?;
        let url = self.url.map(|url| public(url.as_str()).parse()).transpose()?;
        let repository_url = self.repository_url.map(|url| without_query(&public(url.as_str())).parse()).transpose()?;
        let ProvenanceParts { attempt, workflow, job, commit, release, .. } = self;
        let (pipeline, actor) = (Run { provider, run_id, attempt, url, workflow, job }, Actor { id, kind });
        Ok(Provenance { pipeline, actor, repository_url, commit, release, identity: None })
    }

    fn missing(&self) -> Error {
        let known = KNOWN.each_ref().map(|ci| ci.marker).join(", ");
        let of = self.provider.as_ref().map_or(String::new(), |provider| format!(" of provider {provider}"));
        let (why, run_id, actor): (_, &[&str], &[&str]) = match self.found {
            Found::Ci(ci) | Found::Button(ci) => (format!("{} does not say it", ci.name), ci.run_id, ci.actor),
            Found::Person => ("no login name was found".to_owned(), &[], &PERSON),
            Found::OtherCi => (format!("this is a CI, and no CI{of} that is known was found (by {known})"), &[], &[]),
            Found::Nothing => (format!("no CI{of} was found (by {known}), nor a person in a terminal"), &[], &[]),
        };
        let (mut give, mut unset): (Vec<&str>, Vec<&str>) = Default::default();
        if self.run_id.is_none() {
            give.push("the run id (--run-id)");
            unset.extend(run_id);
        }
        if self.actor.is_none() {
            give.push("the actor (--actor)");
            unset.extend(actor);
        }
        let unset = if unset.is_empty() { String::new() } else { format!(" ({} not set)", unset.join(", ")) };
        incomplete(format!("{why}{unset}; give {}", give.join(" and ")))
    }
}

/// The provider outside of a CI.
const MANUAL: &str = "manual";

/// The variables with a person's name, outside of a CI, in the order in which they are read.
const PERSON: [&str; 3] = ["TAGWARDEN_ACTOR", "LOGNAME", "USER"];

impl Said {
    fn read(&self, env: Env, what: &str) -> Result<Option<Line>> {
        let (name, said) = match self {
            Said::In(name) => (*name, env(name)),
            Said::Composed(compose) => (what, compose(env)),
        };
        said.map(|value| parsed(name, &value)).transpose()
    }
}

/// The only CI system that `env` shows, or the one that `provider` names; none if it shows none.
fn detect(env: Env, provider: Option<&Line>) -> Result<Option<&'static Ci>> {
    let mut found: Vec<&'static Ci> = KNOWN.iter().filter(|ci| set(env, ci.marker)).collect();
    let posed: Vec<&str> = found.iter().flat_map(|ci| ci.poses_as).copied().collect();
    found.retain(|ci| !posed.contains(&ci.marker));
    if let Some(provider) = provider {
        found.retain(|ci| ci.provider == provider.as_str());
    }
    match found.as_slice() {
        [] => Ok(None),
        [ci] => Ok(Some(ci)),
        several => {
            let several = joined(several.iter().map(|ci| format!("{} ({})", ci.name, ci.marker)), ", ");
            Err(incomplete(format!("several CI systems were found: {several}; give the provider")))
        }
    }
}

/// The part that was given, or else the one that is read.
fn or_read<T>(given: Option<T>, read: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
    given.map_or_else(read, |given| Ok(Some(given)))
}

/// The value of the first of these variables that is set.
fn first(env: Env, names: &[&str]) -> Result<Option<Line>> {
    let said = names.iter().find_map(|name| Some((name, env(name)?)));
    said.map(|(name, value)| parsed(name, &value)).transpose()
}

/// The parsed value of a variable; an error begins with the variable's name.
fn parsed<T: std::str::FromStr<Err = Error>>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|e: Error| Error::new(e.kind(), format!("{name}: {e}")))
}

fn incomplete(why: String) -> Error {
    Error::new(ErrorKind::ProvenanceIncomplete, format!("provenance: {why}"))
}
