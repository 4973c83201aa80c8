//! The parts of a release: the blobs and manifests that its manifest names, and the search for them in the registry.
//!
//! It depends on a registry and a repository, not on a run: a move and an audit use the same code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::diff::platforms;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Op;
use crate::registry::{Content, Descriptor, MANIFEST_TYPES, Manifest, Registry};
use crate::value::{Digest, Line, Repository};

/// The parts of a manifest that are missing or unknown. A part that is in neither list is in the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Parts that the registry says it does not have.
    pub(super) missing: Vec<Line>,
    /// Parts that could not be looked at, with the registry's error, and manifests that are not understood.
    pub(super) unknown: Vec<Line>,
}

/// The parts that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The manifests of an index; each must be understood. For an image this sends no request.
    Manifests,
    /// All of them: manifests, configs, layers.
    Everything,
}

impl Depth {
    /// The parts that an operation looks at; none for a bootstrap and an adoption, which take the tag as it is.
    ///
    /// A promotion leaves the blobs out: for an image they would cost every promotion a round trip, and registries
    /// check them when a manifest is put. Not all registries check the children of an index.
    pub(super) fn of(op: Op) -> Option<Depth> {
        match op {
            Op::Promote => Some(Depth::Manifests),
            Op::Rollback | Op::Repair => Some(Depth::Everything),
            Op::Bootstrap | Op::Adopt => None,
        }
    }
}

/// Looks for the parts of manifests in one repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preflight<'a> {
    pub(super) registry: &'a dyn Registry,
    pub(super) repository: &'a Repository,
    pub(super) depth: Depth,
}

/// The most parts, channels, tags or manifests that are read at the same time.
pub(super) const AT_ONCE: usize = 16;

/// The longest time for all parts together: a host that does not answer must not delay an incident's rollback.
const WITHIN: Duration = Duration::from_secs(10);

/// One part of a manifest.
#[derive(Clone, Debug)]
enum Part {
    Blob(Digest),
    /// A manifest, and what the index that names it says of it; none for a manifest that no index names.
    Manifest(Digest, Option<Named>),
}

/// A manifest as an index names it.
#[derive(Clone, Debug)]
struct Named {
    media_type: Line,
    platform: Option<Line>,
}

/// The registry's answer for one part.
enum Found {
    /// The part is in the registry. A manifest is read, because it names parts of its own.
    There(Option<Manifest>),
    Missing,
}

impl Preflight<'_> {
    /// Looks for the parts of `manifest`. It never fails: a part that cannot be looked at is unknown.
    pub(super) async fn parts(&self, manifest: &Manifest) -> Parts {
        self.search(vec![manifest.clone()], Vec::new()).await
    }

    /// Looks for the manifest with this digest, and for its parts.
    pub(super) async fn parts_of(&self, digest: Digest) -> Parts {
        self.search(Vec::new(), vec![Part::Manifest(digest, None)]).await
    }

    /// Looks for these parts and for those that the manifests name, until no manifest names another one.
    async fn search(&self, mut manifests: Vec<Manifest>, mut named: Vec<Part>) -> Parts {
        let deadline = Instant::now() + WITHIN;
        let mut parts = Parts::default();
        let mut seen = BTreeSet::new();
        while !manifests.is_empty() || !named.is_empty() {
            for manifest in std::mem::take(&mut manifests) {
                match manifest.content() {
                    Ok(content) => {
                        let parts = self.named(&manifest, content);
                        named.extend(parts.filter(|part| seen.insert(part.to_string())));
                    }
                    Err(error) => {
                        let why = format!("{} is not understood: {}", manifest.digest(), error.message());
                        parts.unknown.push(Line::lossy(why));
                    }
                }
            }
            // Collected first: with the closure inside the stream, the compiler cannot see that the future is Send.
            let looks: Vec<_> = std::mem::take(&mut named).into_iter().map(|part| self.look(part, deadline)).collect();
            let mut looked = stream::iter(looks).buffered(AT_ONCE);
            while let Some((part, found)) = looked.next().await {
                match found {
                    Ok(Found::There(manifest)) => manifests.extend(manifest),
                    Ok(Found::Missing) => parts.missing.push(Line::lossy(part.to_string())),
                    Err(error) => parts.unknown.push(Line::lossy(format!("{part}: {error}"))),
                }
            }
        }
        parts
    }

    /// The parts that a manifest names and that this depth includes.
    fn named(&self, manifest: &Manifest, content: Content) -> impl Iterator<Item = Part> {
        let platforms = match content {
            Content::Index { .. } => platforms(manifest),
            Content::Image { .. } | Content::Artifact { .. } => BTreeMap::new(),
        };
        let (blobs, manifests) = match content {
            Content::Image { config, mut layers } => {
                layers.insert(0, config);
                (layers, Vec::new())
            }
            Content::Artifact { blobs } => (blobs, Vec::new()),
            Content::Index { manifests } => (Vec::new(), manifests),
        };
        let blobs = if self.depth == Depth::Manifests { Vec::new() } else { blobs };
        let blobs = blobs.into_iter().filter(|blob| !blob.is_foreign()).map(|blob| Part::Blob(blob.digest));
        blobs.chain(manifests.into_iter().map(move |Descriptor { digest, media_type, .. }| {
            Part::Manifest(digest, Some(Named { media_type, platform: platforms.get(&digest).cloned().flatten() }))
        }))
    }

    /// Looks for one part. REGISTRY_UNAVAILABLE if the answer comes after the deadline.
    async fn look(&self, part: Part, deadline: Instant) -> (Part, Result<Found>) {
        let found = timeout_at(deadline, self.ask(&part)).await.unwrap_or_else(|_| {
            let (host, within) = (self.repository.registry(), WITHIN.as_secs());
            let message = format!("{host} did not say within {within} s whether it is there");
            Err(Error::new(ErrorKind::RegistryUnavailable, message))
        });
        (part, found)
    }

    async fn ask(&self, part: &Part) -> Result<Found> {
        match part {
            Part::Blob(digest) => match self.registry.has_blob(self.repository, digest).await? {
                true => Ok(Found::There(None)),
                false => Ok(Found::Missing),
            },
            Part::Manifest(digest, named) => {
                match (self.registry.fetch(&self.repository.digest(*digest)).await?, named) {
                    (Some(manifest), _) => Ok(Found::There(Some(manifest))),
                    // An index may name content that is not a manifest, and a registry may store that elsewhere.
                    (None, Some(Named { media_type, .. })) if !MANIFEST_TYPES.contains(&media_type.as_str()) => {
                        let message = format!(
                            "{} has no manifest of it, and {media_type} is not the media type of one",
                            self.repository
                        );
                        Err(Error::new(ErrorKind::ManifestUnsupported, message))
                    }
                    (None, _) => Ok(Found::Missing),
                }
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Blob(digest) => write!(f, "blob {digest}"),
            Part::Manifest(digest, Some(Named { platform: Some(platform), .. })) => {
                write!(f, "manifest {digest} ({platform})")
            }
            Part::Manifest(digest, _) => write!(f, "manifest {digest}"),
        }
    }
}

#[cfg(test)]
mod tests;
