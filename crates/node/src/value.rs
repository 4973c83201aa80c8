//! Values: parsed by the core, kept by JavaScript as text and parts.

use napi_derive::napi;
use serde_json::{Value, json};
use tagwarden::{
    Algorithm, Channel, Commit, Digest, Environment, Error, ErrorKind, Key, Provenance, ProvenanceParts, Reference,
    ReleaseLabel, Repository, Result, Tag, Target, Timestamp,
};

use crate::error::thrown;
use crate::fields::Fields;

/// The text of a value of this kind as the core writes it, and its parts: `{text, …}`.
#[napi(catch_unwind)]
pub fn parse_value(kind: String, text: String) -> napi::Result<String> {
    parts(&kind, &text).map(|value| value.to_string()).map_err(|error| thrown(&error))
}

fn parts(kind: &str, text: &str) -> Result<Value> {
    Ok(match kind {
        "Digest" => {
            let digest: Digest = text.parse()?;
            let algorithm = match digest.algorithm() {
                Algorithm::Sha256 => "sha256",
                Algorithm::Sha512 => "sha512",
            };
            json!({ "text": digest, "algorithm": algorithm })
        }
        "Repository" => {
            let repository: Repository = text.parse()?;
            json!({ "text": repository, "registry": repository.registry(), "path": repository.path() })
        }
        "Tag" => json!({ "text": text.parse::<Tag>()? }),
        "Reference" => {
            let reference: Reference = text.parse()?;
            let (tag, digest) = match reference.target() {
                Target::Tag(tag) => (Some(tag), None),
                Target::Digest(digest) => (None, Some(digest)),
            };
            json!({ "text": reference, "repository": reference.repository(), "tag": tag, "digest": digest })
        }
        "Channel" => {
            let channel: Channel = text.parse()?;
            json!({ "text": channel, "repository": channel.repository(), "tag": channel.tag() })
        }
        "Environment" => json!({ "text": text.parse::<Environment>()? }),
        "Commit" => json!({ "text": text.parse::<Commit>()? }),
        "Key" => json!({ "text": text.parse::<Key>()? }),
        "ReleaseLabel" => json!({ "text": text.parse::<ReleaseLabel>()? }),
        "Timestamp" => json!({ "text": text.parse::<Timestamp>()? }),
        other => return Err(Error::new(ErrorKind::InternalFault, format!("{other} is no value"))),
    })
}

/// The digest of these bytes.
#[napi(catch_unwind)]
pub fn digest_of(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// A provenance of what is given, completed from `environment` where there is one.
#[napi(catch_unwind)]
pub fn provenance(
    given: String,
    environment: Option<std::collections::HashMap<String, String>>,
) -> napi::Result<String> {
    let built = || -> Result<Provenance> {
        let mut parts = parts_of(Fields::parse("provenance", &given)?)?;
        if let Some(environment) = environment {
            parts = parts.fill(|name| environment.get(name).cloned())?;
        }
        parts.build()
    };
    let built = built().and_then(|built| crate::call::text(&built));
    built.map_err(|error| thrown(&error))
}

fn parts_of(mut given: Fields) -> Result<ProvenanceParts> {
    let mut parts = ProvenanceParts::default();
    parts.provider = given.take("provider")?;
    parts.run_id = given.take("runId")?;
    parts.attempt = given.take("attempt")?;
    parts.url = given.take("url")?;
    parts.actor = given.take("actor")?;
    parts.actor_kind = given.take("actorKind")?;
    parts.repository_url = given.take("repositoryUrl")?;
    parts.commit = given.take("commit")?;
    parts.release = given.take("release")?;
    given.end()?;
    Ok(parts)
}
