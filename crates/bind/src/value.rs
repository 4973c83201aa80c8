//! Values: parsed by the core, stored by the other language as text and parts.

use std::collections::HashMap;

use serde_json::{Value, json};
use tagwarden::{
    AsWritten, Channel, Commit, Digest, Environment, Error, ErrorKind, IdempotencyKey, Job, Provenance,
    ProvenanceParts, Reference, ReleaseLabel, Repository, Result, SystemClock, Tag, Target, Terminal, Timestamp,
};

use crate::fields::Fields;

/// Parses a value of this kind. Returns the text as the core writes it, and the parts: `{text, …}`. VALUE_INVALID if
/// the text is not such a value.
pub fn parse_value(kind: &str, text: &str) -> Result<Value> {
    Ok(match kind {
        "Digest" => {
            let digest: Digest = text.parse()?;
            json!({ "text": digest, "algorithm": digest.algorithm() })
        }
        "Repository" => {
            let AsWritten(repository): AsWritten<Repository> = text.parse()?;
            json!({ "text": repository, "registry": repository.registry(), "path": repository.path() })
        }
        "Tag" => json!({ "text": text.parse::<Tag>()? }),
        "Reference" => {
            let AsWritten(reference): AsWritten<Reference> = text.parse()?;
            let (tag, digest) = match reference.target() {
                Target::Tag(tag) => (Some(tag), None),
                Target::Digest(digest) => (None, Some(digest)),
            };
            json!({ "text": reference, "repository": reference.repository(), "tag": tag, "digest": digest })
        }
        "Channel" => {
            let AsWritten(channel): AsWritten<Channel> = text.parse()?;
            json!({ "text": channel, "repository": channel.repository(), "tag": channel.tag() })
        }
        "Environment" => json!({ "text": text.parse::<Environment>()? }),
        "Commit" => json!({ "text": text.parse::<Commit>()? }),
        "IdempotencyKey" => json!({ "text": text.parse::<IdempotencyKey>()? }),
        "ReleaseLabel" => json!({ "text": text.parse::<ReleaseLabel>()? }),
        "Timestamp" => json!({ "text": text.parse::<Timestamp>()? }),
        other => return Err(Error::new(ErrorKind::InternalFault, format!("{other} is no value"))),
    })
}

/// The SHA-256 digest of these bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
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

/// A provenance from the given parts. Missing parts are taken from `around`, if it is given. PROVENANCE_INCOMPLETE
/// without a run or an actor.
pub fn provenance(given: Fields, around: Option<Surroundings>) -> Result<Provenance> {
    let mut parts = parts_of(given)?;
    if let Some(Surroundings { environment, terminal, login }) = around {
        if terminal {
            parts.terminal = Some(Terminal::of(login, &SystemClock)?);
        }
        parts = parts.fill(|name| environment.get(name).cloned())?;
    }
    parts.build()
}

/// Reads the argument `provenance`, an existing provenance in the core's JSON, and builds it again. Building removes
/// what must not be in a ledger, such as a password in a URL. It accepts no `identity`: only the verifier of a token
/// may set that.
pub(crate) fn built(asked: &mut Fields) -> Result<Provenance> {
    let mut given = asked.record("provenance")?;
    let (mut run, mut actor) = (given.record("pipeline")?, given.record("actor")?);
    let mut parts = ProvenanceParts::default();
    parts.provider = Some(run.need_text("provider")?);
    parts.run_id = Some(run.need_text("run_id")?);
    parts.attempt = run.take("attempt")?;
    parts.url = run.text("url")?;
    parts.workflow = run.text("workflow")?;
    if let Some(mut job) = run.inner("job")? {
        parts.job = Some(Job { id: job.need_text("id")?, name: job.text("name")? });
        job.end()?;
    }
    run.end()?;
    parts.actor = Some(actor.need_text("id")?);
    parts.actor_kind = Some(actor.need("kind")?);
    actor.end()?;
    parts.repository_url = given.text("repository_url")?;
    parts.commit = given.take("commit")?;
    parts.release = given.text("release")?;
    given.end()?;
    parts.build()
}

fn parts_of(mut given: Fields) -> Result<ProvenanceParts> {
    let mut parts = ProvenanceParts::default();
    parts.provider = given.text("provider")?;
    parts.run_id = given.text("run_id")?;
    parts.attempt = given.take("attempt")?;
    parts.url = given.text("url")?;
    parts.workflow = given.text("workflow")?;
    let job_name = given.text("job_name")?;
    parts.job = match (given.text("job_id")?, job_name) {
        (Some(id), name) => Some(Job { id, name }),
        (None, Some(_)) => return Err(given.wrong("job_name", "it is the name of a job, whose id is missing")),
        (None, None) => None,
    };
    parts.actor = given.text("actor")?;
    parts.actor_kind = given.take("actor_kind")?;
    parts.repository_url = given.text("repository_url")?;
    parts.commit = given.take("commit")?;
    parts.release = given.text("release")?;
    given.end()?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Style;

    fn rebuilt(provenance: Value) -> Result<Provenance> {
        let text = json!({ "provenance": provenance }).to_string();
        built(&mut Fields::parse(Style::Camel, "promote", &text).unwrap())
    }

    #[test]
    fn invisible_character_in_an_argument_is_refused() {
        let given = |id: &str| json!({ "actor": { "id": id, "kind": "human" }, "pipeline": { "provider": "manual", "run_id": "1" } });
        assert!(rebuilt(given("ada")).is_ok());
        let error = rebuilt(given("ad\u{200b}a")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueInvalid);
        assert!(error.message().ends_with("actor: id: text: invisible character U+200B at byte 2"), "{error}");
    }

    #[test]
    fn a_provenance_by_hand_holds_no_more_than_a_built_one() {
        let mut given = json!({
            "pipeline": {
                "provider": "jenkins", "run_id": "job/7", "attempt": 2, "url": "https://ci:hunter2@ci.example.com/job/7",
                "workflow": "Release", "job": { "id": "99", "name": "promote" },
            },
            "actor": { "id": "ada", "kind": "human" },
            "repository_url": "https://x:token@git.example.com/shop.git?access_token=t",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "release": "v1.4.2",
        });
        let written = json!(rebuilt(given.clone()).unwrap());
        given["pipeline"]["url"] = json!("https://ci.example.com/job/7");
        given["repository_url"] = json!("https://git.example.com/shop.git");
        assert_eq!(written, given);
        assert_eq!(json!(rebuilt(given.clone()).unwrap()), given, "built twice it is the same");

        given["identity"] = json!({ "issuer": "https://token.example.com", "subject": "ci" });
        let error = rebuilt(given).unwrap_err();
        assert_eq!(error.message(), "promote: provenance: identity: it is not known here");
        let run = json!({ "provider": "ci", "run_id": "7", "runid": "8" });
        let error = rebuilt(json!({ "pipeline": run, "actor": { "id": "ada", "kind": "human" } })).unwrap_err();
        assert_eq!(error.message(), "promote: provenance: pipeline: runid: it is not known here");
        let error = rebuilt(json!({ "pipeline": { "provider": "ci" } })).unwrap_err();
        assert_eq!(error.message(), "promote: provenance: actor: it is missing");
        assert_eq!(rebuilt(Value::Null).unwrap_err().message(), "promote: provenance: it is missing");
    }

    /// Python and Node read them too.
    #[test]
    fn the_vectors_of_values_hold() {
        let vectors: Vec<Value> = serde_json::from_str(include_str!("../../../tests/vectors/values.json")).unwrap();
        assert!(vectors.len() >= 23);
        for vector in vectors {
            let parsed = parse_value(vector["kind"].as_str().unwrap(), vector["given"].as_str().unwrap());
            match parsed {
                Ok(value) => assert_eq!(value["text"], vector["text"], "{vector}"),
                Err(error) => assert_eq!(error.code(), vector["code"], "{vector}"),
            }
        }
    }
}
