//! The three releases of the demonstration.

use std::path::{Path, PathBuf};

use tagwarden::flux::{ArtifactMeta, PackOptions, Packed, Revision};
use tagwarden::{Commit, Digest, Error, ErrorKind, Result, Tag, Timestamp};

use crate::commands::pack;

/// A version of the application, and the image of that version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Release {
    pub(super) version: &'static str,
    image: &'static str,
}

pub(super) const RELEASES: [Release; 3] = [
    Release { version: "1.4.0", image: "6.13.0" },
    Release { version: "1.4.1", image: "6.14.0" },
    Release { version: "1.4.2", image: "6.14.1" },
];

/// stefanprodan/podinfo, Apache-2.0; see `demo/README.md`.
const PODINFO: [(&str, &str); 4] = [
    ("deployment.yaml", include_str!("../../demo/podinfo/deployment.yaml")),
    ("hpa.yaml", include_str!("../../demo/podinfo/hpa.yaml")),
    ("kustomization.yaml", include_str!("../../demo/podinfo/kustomization.yaml")),
    ("service.yaml", include_str!("../../demo/podinfo/service.yaml")),
];

/// The image in the files.
const IMAGE: &str = "ghcr.io/stefanprodan/podinfo:6.14.1";

impl Release {
    pub(super) fn tag(self) -> Result<Tag> {
        self.version.parse()
    }

    /// A generated commit, in place of the commit that a real release is built from.
    pub(super) fn commit(self) -> Result<Commit> {
        let hex = Digest::of(self.version.as_bytes()).to_string();
        let hex: String = hex.trim_start_matches("sha256:").chars().take(40).collect();
        hex.parse()
    }

    /// Packs the release. The built-in files get a different image in each release. A directory of the user is packed
    /// unchanged, and the releases differ in their revision annotation.
    pub(super) async fn pack(self, source: Option<&Path>, scratch: &Path) -> Result<Packed> {
        let dir = match source {
            Some(dir) => dir.to_owned(),
            None => self.write(scratch)?,
        };
        let meta = ArtifactMeta {
            source: "https://github.com/stefanprodan/podinfo".parse()?,
            revision: Revision::new(self.version.parse()?, self.commit()?)?,
            created: Timestamp::from_unix_ms(0),
        };
        pack(dir, meta, PackOptions::default()).await
    }

    fn write(self, scratch: &Path) -> Result<PathBuf> {
        let dir = scratch.join("releases").join(self.version);
        let bad = |e: std::io::Error| Error::new(ErrorKind::SourceInvalid, format!("{}: {e}", dir.display()));
        std::fs::create_dir_all(&dir).map_err(bad)?;
        let image = IMAGE.replace("6.14.1", self.image);
        for (name, text) in PODINFO {
            std::fs::write(dir.join(name), text.replace(IMAGE, &image)).map_err(bad)?;
        }
        Ok(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_releases_are_three_digests_and_always_the_same() {
        let scratch = tempfile::tempdir().unwrap();
        let mut digests = Vec::new();
        for release in RELEASES {
            let packed = release.pack(None, scratch.path()).await.unwrap().artifact.manifest().digest();
            assert_eq!(release.pack(None, scratch.path()).await.unwrap().artifact.manifest().digest(), packed);
            assert!(!digests.contains(&packed), "{}", release.version);
            digests.push(packed);
        }
    }
}
