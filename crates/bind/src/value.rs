//! Values: parsed by the core, kept by the other language as text and parts.

use std::collections::HashMap;

use serde_json::{Value, json};
use tagwarden::{
    Algorithm, Channel, Commit, Digest, Environment, Error, ErrorKind, Key, Provenance, ProvenanceParts, Reference,
    ReleaseLabel, Repository, Result, Tag, Target, Timestamp,
};

use crate::fields::Fields;

/// The text of a value of this kind as the core writes it, and its parts: `{text, …}`. VALUE_INVALID if it is none.
pub fn parse_value(kind: &str, text: &str) -> Result<Value> {
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

/// The SHA-256 digest of these bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// A provenance of what is given, completed from `environment` where there is one. PROVENANCE_INCOMPLETE without a run or
/// an actor.
pub fn provenance(given: Fields, environment: Option<&HashMap<String, String>>) -> Result<Provenance> {
    let mut parts = parts_of(given)?;
    if let Some(environment) = environment {
        parts = parts.fill(|name| environment.get(name).cloned())?;
    }
    parts.build()
}

fn parts_of(mut given: Fields) -> Result<ProvenanceParts> {
    let mut parts = ProvenanceParts::default();
    parts.provider = given.take("provider")?;
    parts.run_id = given.take("run_id")?;
    parts.attempt = given.take("attempt")?;
    parts.url = given.take("url")?;
    parts.actor = given.take("actor")?;
    parts.actor_kind = given.take("actor_kind")?;
    parts.repository_url = given.take("repository_url")?;
    parts.commit = given.take("commit")?;
    parts.release = given.take("release")?;
    given.end()?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

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
