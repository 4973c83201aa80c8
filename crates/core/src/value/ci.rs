//! Provenance from what a CI system says in environment variables, or from the terminal that a person sits at, completed
//! and overridden by what a caller gives.
//!
//! Environment variables and login names are context, not evidence: what is read here is recorded as not verified.

mod known;
mod terminal;
#[cfg(test)]
mod tests;

pub use terminal::Terminal;

use known::{Ci, Env, KNOWN, Said, set};

use super::{Actor, ActorKind, Commit, Job, Provenance, ReleaseLabel, Run, Text};
use crate::error::{Error, ErrorKind, Result};

/// The parts of a [`Provenance`] before it is built: what a caller gives, then what the CI system says or, outside of a
/// CI, the terminal ([`ProvenanceParts::fill`]). A part that was given is never read from the environment.
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
    /// Whose pipeline; `manual` if none is given and no CI is found. Given, it also says which CI to read.
    pub provider: Option<Text>,
    /// The run's id. If it is given, attempt, URL, workflow and job are not read from the CI: they are of another run.
    pub run_id: Option<Text>,
    /// Which attempt of the run, from 1.
    pub attempt: Option<u32>,
    /// Where people can read about the run. A user or password in it is left out.
    pub url: Option<Text>,
    /// What the provider calls the pipeline.
    pub workflow: Option<Text>,
    /// The job of the run.
    pub job: Option<Job>,
    /// The actor's id.
    pub actor: Option<Text>,
    /// A person or a workload. If none is given: a person who pressed a button for this very run, as the CI says, and
    /// whose name does not end in `[bot]`; a person in a terminal; an actor of the provider `manual`. Everything else
    /// is a workload.
    pub actor_kind: Option<ActorKind>,
    /// Where the source is kept. A user, a password or a query in it is left out.
    pub repository_url: Option<Text>,
    /// The source commit.
    pub commit: Option<Commit>,
    /// The release's label. No CI says it.
    pub release: Option<ReleaseLabel>,
    /// The terminal, where standard input or standard error is one. There a person needs to give nothing, unless the
    /// variable `CI` is set or a CI is found.
    pub terminal: Option<Terminal>,
    found: Found,
}

/// Where the parts that were not given come from.
#[derive(Clone, Copy, Debug, Default)]
enum Found {
    /// Nowhere: neither a known CI nor a person in a terminal was found.
    #[default]
    Nothing,
    /// Nowhere: the variable `CI` says that it is a CI, and it is none that is known.
    OtherCi,
    /// A CI. Given a run id, it is not known who began that run.
    Ci(&'static Ci, Began),
    /// A person in a terminal.
    Person,
}

/// How a CI's run began.
#[derive(Clone, Copy, Debug)]
enum Began {
    /// A person pressed a button for it.
    ByButton,
    /// Otherwise, or it is not known.
    Otherwise,
}

impl Provenance {
    /// The provenance that the CI system says in its environment variables, read through `env`: GitHub, Gitea and Forgejo
    /// Actions, GitLab CI, CircleCI, Azure Pipelines, Buildkite or Jenkins.
    ///
    /// PROVENANCE_INCOMPLETE if none or several of them are found, or if the run or the actor is not said; VALUE_INVALID,
    /// naming the variable, if one of these two is not of its form. To complete or override parts, and for a person in a
    /// terminal: [`ProvenanceParts`].
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Provenance> {
        ProvenanceParts::default().fill(env)?.build()
    }
}

impl ProvenanceParts {
    /// Fills in what was not given from the CI system that `env` shows, or, if it shows none, from the terminal; nothing
    /// if there is neither.
    ///
    /// PROVENANCE_INCOMPLETE if it shows several and `provider` does not say which; VALUE_INVALID, naming the variable,
    /// if a value is not of its form. A variable that is empty counts as not set. A commit that is none, such as `HEAD`,
    /// and an attempt that is no number from 1 are left out.
    pub fn fill(self, env: impl Fn(&str) -> Option<String>) -> Result<ProvenanceParts> {
        let env: Env = &|name| env(name).filter(|value| !value.is_empty());
        match detect(env, self.provider.as_ref())? {
            Some(ci) => self.fill_from(ci, env),
            None => self.fill_by_hand(env),
        }
    }

    fn fill_from(mut self, ci: &'static Ci, env: Env) -> Result<ProvenanceParts> {
        let mut began = Began::Otherwise;
        if self.provider.is_none() {
            self.provider = Some(parsed(ci.marker, ci.provider)?);
        }
        if self.run_id.is_none() {
            let parts: Option<Vec<String>> = ci.run_id.iter().map(|name| env(name)).collect();
            if let Some(parts) = parts {
                self.run_id = Some(parsed(&ci.run_id.join(" and "), &parts.join("#"))?);
            }
            if (ci.pressed)(env) {
                began = Began::ByButton;
            }
            // What only helps to find the run again stops no release: it is left out, or shown as well as can be.
            let said = |name: Option<&str>| name.and_then(env);
            self.attempt = self.attempt.or_else(|| said(ci.attempt)?.parse().ok().filter(|attempt| *attempt > 0));
            self.workflow = self.workflow.or_else(|| said(ci.workflow).map(Text::lossy));
            if self.url.is_none() {
                self.url = ci.url.read(env, "the run's URL")?;
            }
            if let (None, Some(name), Some(id)) = (&self.job, ci.job_id, said(ci.job_id)) {
                self.job = Some(Job { id: parsed(name, &id)?, name: said(ci.job_name).map(Text::lossy) });
            }
        }
        if self.actor.is_none() {
            self.actor = first(env, ci.actor)?;
        }
        // A commit may be symbolic, such as HEAD or a branch: that is no commit, and no error.
        self.commit = self.commit.or_else(|| env(ci.commit)?.parse().ok());
        if self.repository_url.is_none() {
            self.repository_url = ci.repository_url.read(env, "the repository's URL")?;
        }
        self.found = Found::Ci(ci, began);
        Ok(self)
    }

    /// A person in a terminal needs to say nothing; anything else must say who it is.
    fn fill_by_hand(mut self, env: Env) -> Result<ProvenanceParts> {
        let manual = self.provider.as_ref().is_none_or(|provider| provider.as_str() == MANUAL);
        if set(env, "CI") || KNOWN.iter().any(|ci| set(env, ci.marker)) {
            self.found = Found::OtherCi;
            return Ok(self);
        }
        let (true, Some(terminal)) = (manual, &self.terminal) else { return Ok(self) };
        if self.run_id.is_none() {
            self.run_id = Some(terminal.run_id.clone());
        }
        if self.actor.is_none() {
            let login = || terminal.login.as_ref().map(|login| parsed("the login name", login)).transpose();
            self.actor = match first(env, &PERSON)? {
                Some(actor) => Some(actor),
                None => login()?,
            };
        }
        self.found = Found::Person;
        Ok(self)
    }

    /// The provenance. PROVENANCE_INCOMPLETE if the run or the actor is missing, saying which variable was not set and
    /// what to give.
    pub fn build(self) -> Result<Provenance> {
        let (Some(run_id), Some(id)) = (&self.run_id, &self.actor) else { return Err(self.missing()) };
        let given = self.provider.as_ref().map(Text::as_str);
        let kind = self.actor_kind.unwrap_or(match self.found {
            Found::Person => ActorKind::Human,
            Found::Ci(_, Began::ByButton) if !id.as_str().ends_with("[bot]") => ActorKind::Human,
            _ if given == Some(MANUAL) => ActorKind::Human,
            _ => ActorKind::Workload,
        });
        let url = self.url.map(|url| public(url.as_str()).parse()).transpose()?;
        let repository_url = self.repository_url.map(|url| without_query(&public(url.as_str())).parse()).transpose()?;
        Ok(Provenance {
            pipeline: Run {
                provider: given.unwrap_or(MANUAL).parse()?,
                run_id: run_id.clone(),
                attempt: self.attempt,
                url,
                workflow: self.workflow,
                job: self.job,
            },
            actor: Actor { id: id.clone(), kind },
            repository_url,
            commit: self.commit,
            release: self.release,
            identity: None,
        })
    }

    fn missing(&self) -> Error {
        let (run_id, actor): (&[&str], &[&str]) = match self.found {
            Found::Ci(ci, _) => (ci.run_id, ci.actor),
            Found::Person => (&[], &PERSON),
            Found::Nothing | Found::OtherCi => (&[], &[]),
        };
        let missing = [
            (self.run_id.is_none(), "the run id (--run-id)", run_id),
            (self.actor.is_none(), "the actor (--actor)", actor),
        ];
        let (give, unset): (Vec<_>, Vec<_>) =
            missing.into_iter().filter(|(missing, ..)| *missing).map(|(_, give, names)| (give, names)).unzip();
        let (give, unset) = (give.join(" and "), unset.concat().join(", "));
        let known = || KNOWN.each_ref().map(|ci| ci.marker).join(", ");
        let whose = self.provider.as_ref().map_or(String::new(), |provider| format!(" of provider {provider}"));
        incomplete(match self.found {
            Found::Ci(ci, _) => format!("{} does not say it ({unset} not set); give {give}", ci.name),
            Found::Person => format!("no login name was found ({unset} not set); give {give}"),
            Found::OtherCi => {
                format!("this is a CI, and no CI{whose} that is known was found (by {}); give {give}", known())
            }
            Found::Nothing => {
                format!("no CI{whose} was found (by {}), nor a person in a terminal; give {give}", known())
            }
        })
    }
}

/// The provider outside of a CI.
const MANUAL: &str = "manual";

/// Where a person's name is said, outside of a CI.
const PERSON: [&str; 3] = ["TAGWARDEN_ACTOR", "LOGNAME", "USER"];

impl Said {
    fn read(&self, env: Env, what: &str) -> Result<Option<Text>> {
        let (name, said) = match self {
            Said::In(name) => (*name, env(name)),
            Said::Composed(compose) => (what, compose(env)),
        };
        said.map(|value| parsed(name, &value)).transpose()
    }
}

/// The one CI system that `env` shows, or the one that `provider` names.
fn detect(env: Env, provider: Option<&Text>) -> Result<Option<&'static Ci>> {
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
            let several: Vec<_> = several.iter().map(|ci| format!("{} ({})", ci.name, ci.marker)).collect();
            Err(incomplete(format!("several CI systems were found: {}; give the provider", several.join(", "))))
        }
    }
}

/// The first of these variables that is set.
fn first(env: Env, names: &[&str]) -> Result<Option<Text>> {
    let said = names.iter().find_map(|name| Some((name, env(name)?)));
    said.map(|(name, value)| parsed(name, &value)).transpose()
}

/// The value of a variable, whose name stands before the error.
fn parsed<T: std::str::FromStr<Err = Error>>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|e: Error| Error::new(e.kind(), format!("{name}: {e}")))
}

fn incomplete(why: String) -> Error {
    Error::new(ErrorKind::ProvenanceIncomplete, format!("provenance: {why}"))
}

/// A URL without `user:password@`: nothing that could be a credential goes into a ledger. The `git@` of an scp-like
/// address is no credential and stays.
pub(crate) fn public(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}
