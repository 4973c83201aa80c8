//! Referrers: `GET /v2/<name>/referrers/<digest>?artifactType=`.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, OCI_FILTERS_APPLIED};
use super::handle::{Asked, Shared, not_allowed};
use tagwarden::registry::{MANIFEST_TYPES, Manifest};
use tagwarden::{Digest, Repository};

pub(super) fn answer(shared: &Shared, asked: &Asked, repository: &Repository, subject: &Digest) -> Answer {
    if asked.method != Method::GET {
        return not_allowed();
    }
    if !shared.has_referrers() {
        return Answer::body(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n");
    }
    let manifests = shared.memory.manifests(repository);
    let wanted = asked.query.first("artifactType");
    let referrers: Vec<Value> = manifests
        .iter()
        .filter(|manifest| matches!(manifest.subject(), Ok(Some(named)) if named.digest == *subject))
        .filter_map(descriptor)
        .filter(|referrer| wanted.is_none_or(|wanted| referrer.get("artifactType") == Some(&json!(wanted))))
        .collect();
    let [_, index, ..] = MANIFEST_TYPES;
    let body = json!({ "manifests": referrers, "mediaType": index, "schemaVersion": 2 });
    let answer = Answer::body(StatusCode::OK, index, body.to_string());
    if wanted.is_some() { answer.with(OCI_FILTERS_APPLIED, "artifactType") } else { answer }
}

/// The descriptor of a manifest in a list of referrers. Its artifact type is the manifest's own, else the media type of
/// its config.
fn descriptor(manifest: &Manifest) -> Option<Value> {
    let body: Value = serde_json::from_slice(manifest.bytes()).ok()?;
    let own = body.get("artifactType").filter(|own| own.as_str().is_some_and(|own| !own.is_empty()));
    let artifact_type = own.or_else(|| body.get("config")?.get("mediaType"));
    let mut descriptor = json!({
        "digest": manifest.digest().to_string(),
        "mediaType": manifest.media_type().as_str(),
        "size": manifest.bytes().len(),
    });
    let fields = descriptor.as_object_mut()?;
    for (name, value) in [("artifactType", artifact_type), ("annotations", body.get("annotations"))] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    Some(descriptor)
}
