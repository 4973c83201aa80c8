//! `Contents`: the platforms and layers of a release, read from the registry.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Content, Descriptor, Manifest, Registry};
use crate::value::{Digest, Line, Repository};

/// The most manifests that are read at the same time.
const AT_ONCE: usize = 8;

/// The largest config of an image that is read, in bytes: 1 MiB.
const MAX_CONFIG: usize = 1024 * 1024;

/// The media types of configs that name a platform.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// A layer of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Layer {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: Line,
    /// The platform whose image has it; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Line>,
}

/// The platforms and layers of a release.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) platforms: Vec<Line>,
    pub(crate) layers: Vec<Layer>,
}

impl Contents {
    /// Reads what a manifest names. An error if the manifest, an image of an index or a config cannot be read.
    pub(crate) async fn read(
        registry: &dyn Registry,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<Contents> {
        match manifest.content()? {
            Content::Image { config, layers } => Contents::of_image(registry, repository, &config, layers).await,
            Content::Artifact { blobs } => Ok(Contents { layers: of_platform(blobs, None), ..Contents::default() }),
            Content::Index { manifests } => {
                let platforms = platforms(manifest);
                let images = manifests.into_iter().filter_map(|image| {
                    let platform = platforms.get(&image.digest).cloned();
                    // A build's attestation has no platform, or an unknown one.
                    platform.flatten().map(|platform| of_child(registry, repository, image.digest, platform))
                });
                // Collected first: with the closure inside the stream, the compiler cannot see that the future is Send.
                let images: Vec<_> = images.collect();
                let images: Vec<Contents> = stream::iter(images).buffered(AT_ONCE).try_collect().await?;
                Ok(images.into_iter().fold(Contents::default(), |mut all, image| {
                    all.platforms.extend(image.platforms);
                    all.layers.extend(image.layers);
                    all
                }))
            }
        }
    }

    async fn of_image(
        registry: &dyn Registry,
        repository: &Repository,
        config: &Descriptor,
        layers: Vec<Descriptor>,
    ) -> Result<Contents> {
        if !IMAGE_CONFIGS.contains(&config.media_type.as_str()) {
            return Ok(Contents { layers: of_platform(layers, None), ..Contents::default() });
        }
        let bytes = registry.fetch_blob(repository, &config.digest, MAX_CONFIG).await?;
        let bytes = bytes.filter(|bytes| config.digest.verify(bytes)).ok_or_else(|| absent(&config.digest))?;
        let platform: Platform = serde_json::from_slice(&bytes).unwrap_or_default();
        let platform = platform.named();
        let layers = of_platform(layers, platform.as_ref());
        Ok(Contents { platforms: platform.into_iter().collect(), layers })
    }
}

/// The layers of an image of an index.
async fn of_child(
    registry: &dyn Registry,
    repository: &Repository,
    digest: Digest,
    platform: Line,
) -> Result<Contents> {
    let manifest = registry.fetch(&repository.digest(digest)).await?.ok_or_else(|| absent(&digest))?;
    let layers = match manifest.content()? {
        Content::Image { layers, .. } => of_platform(layers, Some(&platform)),
        // An index in an index names no layers of this platform.
        Content::Index { .. } | Content::Artifact { .. } => Vec::new(),
    };
    Ok(Contents { platforms: vec![platform], layers })
}

pub(super) fn absent(digest: &Digest) -> Error {
    Error::new(ErrorKind::RegistryAbsent, format!("the registry does not have {digest}"))
}

fn of_platform(layers: Vec<Descriptor>, platform: Option<&Line>) -> Vec<Layer> {
    let layer =
        |Descriptor { media_type, digest, size }| Layer { digest, size, media_type, platform: platform.cloned() };
    layers.into_iter().map(layer).collect()
}

/// The platforms of the images in an index, by digest. They decide nothing, so what cannot be read is left out.
pub(crate) fn platforms(index: &Manifest) -> BTreeMap<Digest, Option<Line>> {
    let index: Index = serde_json::from_slice(index.bytes()).unwrap_or_default();
    let named = |image: &Child| Some((image.digest.parse().ok()?, image.platform.named()));
    index.manifests.iter().filter_map(named).collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Index {
    manifests: Vec<Child>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Child {
    digest: String,
    platform: Platform,
}

/// A platform (OCI image specification, *Image Index*).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Platform {
    os: String,
    #[serde(rename = "os.version")]
    os_version: String,
    architecture: String,
    variant: String,
}

impl Platform {
    /// `linux/arm64/v8`, `windows(10.0.20348.2700)/amd64`; none for an unknown one.
    fn named(&self) -> Option<Line> {
        let Platform { os, os_version, architecture, variant } = self;
        let version = if os_version.is_empty() { String::new() } else { format!("({os_version})") };
        let variant = if variant.is_empty() { String::new() } else { format!("/{variant}") };
        let known = !os.is_empty() && os != "unknown" && !architecture.is_empty();
        known.then(|| Line::lossy(format!("{os}{version}/{architecture}{variant}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_is_named_with_its_version_and_its_variant() {
        let named = |json: &str| serde_json::from_str::<Platform>(json).unwrap().named().map(|name| name.to_string());
        for (json, want) in [
            (r#"{"os":"linux","architecture":"amd64"}"#, Some("linux/amd64")),
            (r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#, Some("linux/arm64/v8")),
            (
                r#"{"os":"windows","architecture":"amd64","os.version":"10.0.20348.2700"}"#,
                Some("windows(10.0.20348.2700)/amd64"),
            ),
            (r#"{"os":"unknown","architecture":"unknown"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(named(json).as_deref(), want, "{json}");
        }
    }
}
