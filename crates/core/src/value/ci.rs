//! Provenance from what a CI system says in environment variables, completed and overridden by what a caller gives.
//!
//! Environment variables are context, not evidence: what is read here is recorded as not verified.

use super::{Actor, ActorKind, Commit, Provenance, ReleaseLabel, Run, Text};
use crate::error::{Error, ErrorKind, Result};

/// The parts of a [`Provenance`] before it is built: what a caller gives, then what the CI system says
/// ([`ProvenanceParts::fill`]). A part that was given is never read from the environment.
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
    /// The run's id. If it is given, attempt and URL are not read from the CI: they are of another run.
    pub run_id: Option<Text>,
    /// Which attempt of the run, from 1.
    pub attempt: Option<u32>,
    /// Where people can read about the run. A user or password in it is left out.
    pub url: Option<Text>,
    /// The actor's id.
    pub actor: Option<Text>,
    /// A person or a workload; if none is given, a person for the provider `manual` and a workload otherwise.
    pub actor_kind: Option<ActorKind>,
    /// Where the source is kept. A user, a password or a query in it is left out.
    pub repository_url: Option<Text>,
    /// The source commit.
    pub commit: Option<Commit>,
    /// The release's label. No CI says it.
    pub release: Option<ReleaseLabel>,
    found: Option<&'static Ci>,
}

/// A CI system, and the variables in which it says what.
#[derive(Debug)]
struct Ci {
    name: &'static str,
    provider: &'static str,
    /// The variable that is set (and not `false` or `0`) in its runs.
    marker: &'static str,
    /// All of them, joined by `#`.
    run_id: &'static [&'static str],
    attempt: Option<&'static str>,
    /// The first that is set.
    actor: &'static [&'static str],
    commit: &'static str,
    url: Said,
    repository_url: Said,
}

/// Where a URL comes from.
#[derive(Debug)]
enum Said {
    /// A variable holds it.
    In(&'static str),
    /// It is made of several.
    Composed(fn(Env) -> Option<String>),
}

/// The environment; a variable that is empty counts as not set.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

static KNOWN: [Ci; 6] = [
    Ci {
        name: "GitHub Actions",
        provider: "github-actions",
        marker: "GITHUB_ACTIONS",
        run_id: &["GITHUB_RUN_ID"],
        attempt: Some("GITHUB_RUN_ATTEMPT"),
        actor: &["GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"],
        commit: "GITHUB_SHA",
        url: Said::Composed(|env| Some(format!("{}/actions/runs/{}", github(env)?, env("GITHUB_RUN_ID")?))),
        repository_url: Said::Composed(github),
    },
    Ci {
        name: "GitLab CI",
        provider: "gitlab-ci",
        marker: "GITLAB_CI",
        run_id: &["CI_PIPELINE_ID"],
        attempt: None,
        actor: &["GITLAB_USER_LOGIN"],
        commit: "CI_COMMIT_SHA",
        url: Said::In("CI_PIPELINE_URL"),
        repository_url: Said::In("CI_PROJECT_URL"),
    },
    Ci {
        name: "CircleCI",
        provider: "circleci",
        marker: "CIRCLECI",
        run_id: &["CIRCLE_WORKFLOW_ID"],
        attempt: None,
        actor: &["CIRCLE_USERNAME"],
        commit: "CIRCLE_SHA1",
        url: Said::In("CIRCLE_BUILD_URL"),
        repository_url: Said::In("CIRCLE_REPOSITORY_URL"),
    },
    Ci {
        name: "Azure Pipelines",
        provider: "azure-pipelines",
        marker: "TF_BUILD",
        run_id: &["BUILD_BUILDID"],
        attempt: None,
        actor: &["BUILD_REQUESTEDFOR"],
        commit: "BUILD_SOURCEVERSION",
        url: Said::Composed(azure),
        repository_url: Said::In("BUILD_REPOSITORY_URI"),
    },
    Ci {
        name: "Buildkite",
        provider: "buildkite",
        marker: "BUILDKITE",
        run_id: &["BUILDKITE_BUILD_ID"],
        attempt: None,
        actor: &["BUILDKITE_BUILD_CREATOR"],
        commit: "BUILDKITE_COMMIT",
        url: Said::In("BUILDKITE_BUILD_URL"),
        repository_url: Said::In("BUILDKITE_REPO"),
    },
    Ci {
        name: "Jenkins",
        provider: "jenkins",
        marker: "JENKINS_URL",
        run_id: &["JOB_NAME", "BUILD_NUMBER"],
        attempt: None,
        // Of the plugin build-user-vars; Jenkins itself does not say who started a build.
        actor: &["BUILD_USER_ID"],
        commit: "GIT_COMMIT",
        url: Said::In("BUILD_URL"),
        repository_url: Said::In("GIT_URL"),
    },
];

fn github(env: Env) -> Option<String> {
    let server = env("GITHUB_SERVER_URL")?;
    Some(format!("{}/{}", server.trim_end_matches('/'), env("GITHUB_REPOSITORY")?))
}

fn azure(env: Env) -> Option<String> {
    let (server, project) = (env("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")?, env("SYSTEM_TEAMPROJECT")?);
    let build = env("BUILD_BUILDID")?;
    Some(format!("{}/{}/_build/results?buildId={build}", server.trim_end_matches('/'), encoded(&project)))
}

impl Provenance {
    /// The provenance that the CI system says in its environment variables, read through `env`: GitHub Actions, GitLab
    /// CI, CircleCI, Azure Pipelines, Buildkite or Jenkins.
    ///
    /// PROVENANCE_INCOMPLETE if none or several of them are found, or if the run or the actor is not said; VALUE_INVALID,
    /// naming the variable, if a value is not of its form. To complete or override parts: [`ProvenanceParts`].
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Provenance> {
        ProvenanceParts::default().fill(env)?.build()
    }
}

impl ProvenanceParts {
    /// Fills in what was not given from the CI system that `env` shows; nothing if it shows none.
    ///
    /// PROVENANCE_INCOMPLETE if it shows several and `provider` does not say which; VALUE_INVALID, naming the variable,
    /// if a value is not of its form. A variable that is empty counts as not set.
    pub fn fill(mut self, env: impl Fn(&str) -> Option<String>) -> Result<ProvenanceParts> {
        let env: Env = &|name| env(name).filter(|value| !value.is_empty());
        let Some(ci) = detect(env, self.provider.as_ref())? else {
            return Ok(self);
        };
        self.found = Some(ci);
        if self.provider.is_none() {
            self.provider = Some(parsed(ci.marker, ci.provider)?);
        }
        if self.run_id.is_none() {
            let parts: Option<Vec<String>> = ci.run_id.iter().map(|name| env(name)).collect();
            if let Some(parts) = parts {
                self.run_id = Some(parsed(&ci.run_id.join(" and "), &parts.join("#"))?);
            }
            if self.attempt.is_none() {
                self.attempt = ci.attempt.and_then(|name| Some((name, env(name)?))).map(attempt).transpose()?;
            }
            if self.url.is_none() {
                self.url = ci.url.read(env, "the run's URL")?;
            }
        }
        if self.actor.is_none() {
            let said = ci.actor.iter().find_map(|name| Some((name, env(name)?)));
            self.actor = said.map(|(name, value)| parsed(name, &value)).transpose()?;
        }
        if self.commit.is_none() {
            self.commit = env(ci.commit).map(|value| parsed(ci.commit, &value)).transpose()?;
        }
        if self.repository_url.is_none() {
            self.repository_url = ci.repository_url.read(env, "the repository's URL")?;
        }
        Ok(self)
    }

    /// The provenance. PROVENANCE_INCOMPLETE if the run or the actor is missing, saying which variable was not set and
    /// what to give.
    pub fn build(self) -> Result<Provenance> {
        let missing = [
            (self.run_id.is_none(), "the run id (--run-id)", self.found.map_or(&[][..], |ci| ci.run_id)),
            (self.actor.is_none(), "the actor (--actor)", self.found.map_or(&[][..], |ci| ci.actor)),
        ];
        let (Some(run_id), Some(id)) = (self.run_id, self.actor) else {
            let missing = missing.into_iter().filter(|(missing, ..)| *missing);
            let (give, unset): (Vec<_>, Vec<_>) = missing.map(|(_, give, names)| (give, names)).unzip();
            let give = give.join(" and ");
            return Err(incomplete(match self.found {
                Some(ci) => format!("{} does not say it ({} not set); give {give}", ci.name, unset.concat().join(", ")),
                None => {
                    let markers: Vec<_> = KNOWN.iter().map(|ci| ci.marker).collect();
                    let whose = self.provider.map_or(String::new(), |provider| format!(" of provider {provider}"));
                    format!("no CI{whose} was found (by {}); give {give}", markers.join(", "))
                }
            }));
        };
        let manual = self.provider.as_ref().is_none_or(|provider| provider.as_str() == "manual");
        let kind = self.actor_kind.unwrap_or(if manual { ActorKind::Human } else { ActorKind::Workload });
        let provider = match self.provider {
            Some(provider) => provider,
            None => "manual".parse()?,
        };
        let url = self.url.map(|url| public(url.as_str()).parse()).transpose()?;
        let repository_url = self.repository_url.map(|url| without_query(&public(url.as_str())).parse()).transpose()?;
        Ok(Provenance {
            pipeline: Run { provider, run_id, attempt: self.attempt, url },
            actor: Actor { id, kind },
            repository_url,
            commit: self.commit,
            release: self.release,
            identity: None,
        })
    }
}

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
    let set = |ci: &&Ci| env(ci.marker).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0");
    let mut found: Vec<&'static Ci> = KNOWN.iter().filter(set).collect();
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

fn attempt((name, value): (&str, String)) -> Result<u32> {
    match value.parse() {
        Ok(attempt @ 1..) => Ok(attempt),
        _ => Err(Error::new(ErrorKind::ValueInvalid, format!("{name}: not a number from 1"))),
    }
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

/// Percent-encoded as one segment of a path (RFC 3986, section 2.3 stays as it is).
fn encoded(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests;
