//! `Description`: the artifact type and the annotations of a manifest, for people and for the log.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Manifest;

/// The artifact type and the annotations of a manifest. They decide nothing: they are empty if the manifest cannot be
/// read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Description {
    /// `artifactType` (OCI image specification, *Image Manifest*).
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// `annotations` of the manifest itself.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// The description of the manifest; empty if it cannot be read.
    pub fn description(&self) -> Description {
        serde_json::from_slice(self.bytes()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(json: &str) -> Description {
        Manifest::new(json.to_owned(), "application/vnd.oci.image.manifest.v1+json").unwrap().description()
    }

    #[test]
    fn description_has_artifact_type_and_annotations() {
        let read = description(r#"{"artifactType":"a/b","annotations":{"org.opencontainers.image.version":"1.4.2"}}"#);
        assert_eq!(read.artifact_type.as_deref(), Some("a/b"));
        assert_eq!(read.annotations["org.opencontainers.image.version"], "1.4.2");
    }

    #[test]
    fn description_of_odd_manifest_is_empty() {
        assert_eq!(description("[]"), Description::default());
        assert_eq!(description(r#"{"annotations":{"a":1}}"#), Description::default());
    }
}
