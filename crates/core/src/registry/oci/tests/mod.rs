//! `OciRegistry` against a scripted registry that sends raw bytes.

mod absence;
mod authentication;
mod blobs;
mod hidden;
mod lists;
mod puts;
mod reads;
mod retries;
mod scopes;
mod secrets;
mod token_servers;
mod words;

use std::time::Duration;

use super::script::Script;
use super::*;

pub(super) const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const BODY: &str = r#"{"schemaVersion":2}"#;

/// Options with short timeouts and no look-up of credentials.
pub(super) fn options() -> OciOptions {
    let options = OciOptions::new().lookup(CredentialSource::Nowhere).certs_dir("/nowhere");
    options.retry_for(Duration::from_millis(500)).total_timeout(Duration::from_secs(5))
}

pub(super) fn registry(options: OciOptions) -> OciRegistry {
    OciRegistry::new(options).unwrap()
}

pub(super) fn repository(script: &Script) -> Repository {
    format!("{}/acme/shop", script.host()).parse().unwrap()
}

pub(super) fn prod() -> Tag {
    "prod".parse().unwrap()
}

pub(super) fn manifest() -> Manifest {
    Manifest::new(BODY, TYPE).unwrap()
}

pub(super) fn digest() -> String {
    manifest().digest().to_string()
}
