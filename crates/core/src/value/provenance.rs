//! `Provenance`: the actor, the pipeline run, the commit and the release of a move.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Digest, Line, ReleaseLabel, invalid, text_value};
use crate::error::{Error, Result};

/// A commit: 7 to 64 lower-case hex digits (a whole SHA-1 has 40, a whole SHA-256 has 64).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Commit(Arc<str>);

impl FromStr for Commit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Commit> {
        if let Some(at) = text.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(invalid("commit", "not a lower-case hex digit", Some(at)));
        }
        match text.len() {
            7..=64 => Ok(Commit(text.into())),
            length => Err(invalid("commit", format!("{length} hex digits instead of 7 to 64"), None)),
        }
    }
}

text_value!(Commit);

/// One run of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// The provider of the pipeline, such as `github-actions`; `manual` outside of a pipeline.
    pub provider: Line,
    /// The run's id at the provider.
    pub run_id: Line,
    /// The number of the attempt, from 1, if the provider counts attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The URL of a page about the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Line>,
    /// The provider's name of the pipeline, such as `Release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Line>,
    /// The job of the run. If the provider does not count attempts, the job tells two attempts of one run apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
}

/// One job of a pipeline run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Job {
    /// The job's id at the provider. It is text, even if the provider uses numbers.
    pub id: Line,
    /// The name of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
}

/// The kind of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person.
    Human,
    /// A workload: a pipeline's own identity.
    Workload,
    /// A kind that this version does not know. Only read, never written.
    #[serde(other, skip_serializing)]
    Other,
}

/// The person or workload that moved a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The actor's id at the provider.
    pub id: Line,
    /// A person or a workload.
    pub kind: ActorKind,
}

/// The verified claims behind an actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The token's `iss`.
    pub issuer: Line,
    /// The token's `sub`.
    pub subject: Line,
    /// The token's `aud`.
    pub audience: Line,
    /// The claims that the policy names, each as text.
    #[serde(default)]
    pub claims: BTreeMap<Line, Line>,
    /// The SHA-256 of the token.
    pub token_sha256: Digest,
}

/// The origin of a move. It cannot be built without a pipeline run and an actor.
///
/// ```
/// use tagwarden::Provenance;
/// let provenance = Provenance::new("manual", "incident-7", "ada").unwrap();
/// assert_eq!(provenance.actor.id.as_str(), "ada");
/// assert!(Provenance::new("manual", "", "ada").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provenance {
    /// The pipeline run.
    pub pipeline: Run,
    /// The actor.
    pub actor: Actor,
    /// The address of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_url: Option<Line>,
    /// The source commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The release's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseLabel>,
    /// The verified claims; absent if nothing was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

impl From<&Provenance> for Provenance {
    fn from(provenance: &Provenance) -> Provenance {
        provenance.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provenance_cannot_be_built_without_run_and_actor() {
        let error = |run, actor| Provenance::new("manual", run, actor).unwrap_err().to_string();
        assert_eq!(error("", "ada"), "provenance run id: text: it is empty at byte 0");
        assert_eq!(error("1", ""), "provenance actor: text: it is empty at byte 0");
        let json = r#"{"actor":{"id":"","kind":"human"},"pipeline":{"provider":"manual","run_id":"1"}}"#;
        assert!(serde_json::from_str::<Provenance>(json).is_err());
    }

    #[test]
    fn run_with_workflow_and_job_round_trips() {
        let json = r#"{"provider":"gitlab-ci","run_id":"10","workflow":"Release","job":{"id":"99","name":"promote"}}"#;
        let run: Run = serde_json::from_str(json).unwrap();
        assert_eq!(run.job, Some(Job { id: "99".parse().unwrap(), name: Some("promote".parse().unwrap()) }));
        assert_eq!(serde_json::to_string(&run).unwrap(), json);
        let number = r#"{"provider":"gitlab-ci","run_id":"10","job":{"id":99}}"#;
        assert!(serde_json::from_str::<Run>(number).is_err(), "a job's id is text");
    }

    #[test]
    fn errors_say_what_why_and_where() {
        assert_eq!("zz".parse::<Commit>().unwrap_err().to_string(), "commit: not a lower-case hex digit at byte 0");
        assert_eq!("abc".parse::<Commit>().unwrap_err().to_string(), "commit: 3 hex digits instead of 7 to 64");
    }
}
