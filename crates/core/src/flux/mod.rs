//! Flux: artifacts that it consumes.

mod artifact;
mod git;
mod meta;
#[cfg(feature = "oci")]
mod push;
mod revision;
mod rules;
mod secret;
mod source;

#[cfg(feature = "config")]
pub(crate) use git::origin;

pub use artifact::{Artifact, CONFIG_TYPE, CONTENT_TYPE, Packed};
pub use meta::{ArtifactMeta, FilledMeta, MetaParts};
pub use revision::Revision;
pub use rules::{DEFAULT_IGNORE_PATHS, PackOptions};
pub use source::MAX_SOURCE;
