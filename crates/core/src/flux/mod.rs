//! Flux: artifacts that it consumes.

mod artifact;
#[cfg(feature = "oci")]
mod push;
mod revision;
mod source;

pub use artifact::{Artifact, ArtifactMeta, CONFIG_TYPE, CONTENT_TYPE};
pub use revision::Revision;
pub use source::MAX_SOURCE;
