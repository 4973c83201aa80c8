//! `ArtifactMeta`: the source of an artifact's content, given by the caller or read from git and the CI.

use std::path::Path;

use super::git::Git;
use super::revision::Revision;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Clock, Commit, Line, ProvenanceParts, SystemClock, Timestamp, public};

/// The source of an artifact's content, as its manifest records it. It is part of the digest. The record of promotions
/// is not in the manifest but in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactMeta {
    /// The URL of the source repository. A user or password in it is left out.
    pub source: Line,
    /// The branch or tag, and its commit.
    pub revision: Revision,
    /// The creation time of the content, written in whole seconds. Releases are ordered by it. To get the same digest
    /// from every build, use the time of the commit or `SOURCE_DATE_EPOCH` ([`ArtifactMeta::source_date_epoch`]).
    pub created: Timestamp,
}

impl ArtifactMeta {
    /// The time of a `SOURCE_DATE_EPOCH` value: seconds since 1970 (reproducible-builds.org). VALUE_INVALID if the
    /// value is not a whole number before the year 10000.
    pub fn source_date_epoch(value: &str) -> Result<Timestamp> {
        const YEAR_10000: u64 = 253_402_300_800;
        let seconds = value.parse::<u64>().ok().filter(|seconds| *seconds < YEAR_10000);
        let message = "SOURCE_DATE_EPOCH: not a whole number of seconds since 1970";
        let seconds = seconds.ok_or_else(|| Error::new(ErrorKind::ValueInvalid, message))?;
        Ok(Timestamp::from_unix_ms((seconds * 1000) as i64))
    }
}

/// The parts of an [`ArtifactMeta`] that a caller gives. [`MetaParts::fill`] takes the rest from git and the CI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetaParts {
    /// The URL of the source repository.
    pub source: Option<Line>,
    /// The branch or tag, and its commit.
    pub revision: Option<Revision>,
    /// The creation time of the content.
    pub created: Option<Timestamp>,
}

/// A complete [`ArtifactMeta`], with warnings about its values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilledMeta {
    /// The complete meta, without a user or password in its source.
    pub meta: ArtifactMeta,
    /// Warnings for a person: the directory differs from its commit, or `created` is the time of the clock.
    pub warnings: Vec<Line>,
}

impl MetaParts {
    /// Fills in the missing parts for the content of `dir`. git is run, and the CI's variables are read through `env`,
    /// only if a part is missing.
    ///
    /// - `source`: the URL of git's remote `origin`, else the repository's URL of the CI.
    /// - `revision`: git's commit, with the branch that is checked out, else the CI's branch or tag, else a tag of the
    ///   commit. Where `dir` is in no git repository: the CI's branch or tag, and its commit.
    /// - `created`: SOURCE_DATE_EPOCH, else the time of the revision's commit in git, else the clock.
    ///
    /// In a git repository the CI's values are used only if its commit is the one that is checked out: a job may have
    /// fetched another repository. VALUE_INVALID, naming the missing option, if the source or the revision is not
    /// found.
    pub fn fill(self, dir: &Path, env: impl Fn(&str) -> Option<String>) -> Result<FilledMeta> {
        let env: Env = &|name| env(name).filter(|value| !value.is_empty());
        let created = match self.created {
            Some(created) => Some(created),
            None => env("SOURCE_DATE_EPOCH").map(|epoch| ArtifactMeta::source_date_epoch(&epoch)).transpose()?,
        };
        if let (Some(source), Some(revision), Some(created)) = (&self.source, &self.revision, created) {
            let meta = ArtifactMeta { source: without_user(source)?, revision: revision.clone(), created };
            return Ok(FilledMeta { meta, warnings: Vec::new() });
        }
        let git = Git::of(dir);
        let given = self.source.is_some() && self.revision.is_some();
        let (found, why) = if given { Default::default() } else { Found::of(git.as_ref(), env)? };
        let revision = found.name.zip(found.commit).map(|(name, commit)| Revision::new(name, commit)).transpose()?;
        let (Some(source), Some(revision)) = (self.source.or(found.source), self.revision.or(revision)) else {
            let (dir, why) = (dir.display(), why.join("; "));
            let message = format!("{dir}: its source or revision is not known: {why}; give --source and --revision");
            return Err(Error::new(ErrorKind::ValueInvalid, Line::lossy(message).to_string()));
        };
        let mut warnings = Vec::new();
        let git = git.ok();
        if git.as_ref().is_some_and(|git| git.commit == *revision.commit() && git.is_changed()) {
            let dir = dir.display();
            warnings.push(Line::lossy(format!(
                "{dir} has changes that are not committed: its files are not those of {revision}"
            )));
        }
        let created = created.or_else(|| git.as_ref()?.time(revision.commit())).unwrap_or_else(|| {
            warnings.push(Line::lossy(BY_THE_CLOCK));
            SystemClock.now()
        });
        Ok(FilledMeta { meta: ArtifactMeta { source: without_user(&source)?, revision, created }, warnings })
    }
}

const BY_THE_CLOCK: &str = "created is the time of the clock: packing the same files again gives another digest; to get the \
    same one, give the time (--created, or SOURCE_DATE_EPOCH)";

/// The environment. An empty variable counts as not set.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The values from git and the CI.
#[derive(Debug, Default)]
struct Found {
    source: Option<Line>,
    /// The name of the branch or tag.
    name: Option<Line>,
    commit: Option<Commit>,
}

impl Found {
    /// The values, and the reasons for missing ones.
    fn of(git: std::result::Result<&Git, &String>, env: Env) -> Result<(Found, Vec<String>)> {
        let by_ci = Found::by_ci(env);
        let no_ci = by_ci.as_ref().err().cloned();
        let (mut found, mut missing) = (by_ci.unwrap_or_default(), Vec::new());
        match git {
            Ok(git) => {
                let commit = Some(git.commit.clone());
                if found.commit != commit {
                    found = Found { commit, ..Found::default() };
                }
                let parse = |said: Option<String>| said.map(|said| said.parse::<Line>()).transpose();
                found.source = parse(git.origin())?.or(found.source);
                found.name = parse(git.branch())?.or(found.name);
                if found.name.is_none() {
                    found.name = parse(git.tag())?;
                }
                let no_source = "its git repository has no remote `origin`";
                let no_name = "no branch is checked out there, and no tag points at the commit";
                missing.extend(found.source.is_none().then(|| no_source.to_owned()));
                missing.extend(found.name.is_none().then(|| no_name.to_owned()));
            }
            Err(why) => missing.push(why.clone()),
        }
        missing.extend(no_ci);
        Ok((found, missing))
    }

    /// The values from the environment of a CI, or the reason why there are none.
    fn by_ci(env: Env) -> std::result::Result<Found, String> {
        let parts = ProvenanceParts::default().fill(env).map_err(|error| error.message().to_owned())?;
        let provider = parts.provider.ok_or_else(|| "no CI was found".to_owned())?;
        let names: &[&str] = match provider.as_str() {
            "gitlab-ci" => &["CI_COMMIT_REF_NAME"],
            "circleci" => &["CIRCLE_TAG", "CIRCLE_BRANCH"],
            "azure-pipelines" => &["BUILD_SOURCEBRANCHNAME"],
            "buildkite" => &["BUILDKITE_TAG", "BUILDKITE_BRANCH"],
            "jenkins" => &["TAG_NAME", "BRANCH_NAME"],
            // Gitea and Forgejo set the variables of GitHub.
            _ => &["GITHUB_REF_NAME"],
        };
        let name = names.iter().find_map(|name| Some((name, env(name)?)));
        let name = name.map(|(variable, name)| name.parse().map_err(|error: Error| format!("{variable}: {error}")));
        Ok(Found { source: parts.repository_url, name: name.transpose()?, commit: parts.commit })
    }
}

fn without_user(source: &Line) -> Result<Line> {
    public(source.as_str()).parse()
}

#[cfg(test)]
mod tests;
