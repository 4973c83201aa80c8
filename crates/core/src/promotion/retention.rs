//! `retention_plan`: the digests of a repository that may be deleted, by its logs and its tags. It writes nothing.

use futures_util::stream::{self, StreamExt};

use super::audit::AT_ONCE;
use super::promoter::Promoter;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Content, MANIFEST_TYPES, Manifest, pinned};
use crate::retention::{ChannelUsage, ManifestKind, MayDelete, RetentionInput, RetentionPlan, RetentionRule};
use crate::value::{Channel, Digest, Repository, Tag};

/// The number of entries that one read of a log asks for.
const ENTRIES: usize = 4096;

impl Promoter {
    /// The digests of a repository that may be deleted and those that must stay, each with its reason. It reads the
    /// logs of all channels of the repository and all of its tags. If any of them cannot be read, every digest stays.
    pub async fn retention_plan(&self, repository: &Repository, rule: &RetentionRule) -> Result<RetentionPlan> {
        let mut evidence = RetentionInput::new(repository.clone());
        for channel in self.channels().await?.into_iter().filter(|channel| channel.repository() == repository) {
            match self.chronicle(&channel).await {
                Ok(history) => evidence.history(history),
                Err(error) => evidence.failed(format!("the log of {channel}: {error}")),
            }
        }
        let tags = match self.inner.registry.tags(repository).await {
            Ok(tags) => tags,
            Err(error) => {
                evidence.failed(format!("the tags of {repository}: {error}"));
                Vec::new()
            }
        };
        let resolved = stream::iter(tags).map(|tag| self.resolve_tag(repository, tag)).buffer_unordered(AT_ONCE);
        let mut digests = Vec::new();
        for (tag, digest) in resolved.collect::<Vec<_>>().await {
            match digest {
                Ok(Some(digest)) => {
                    match pinned(&tag) == Some(digest) {
                        true => evidence.pin(&digest),
                        false => evidence.tag(tag, &digest),
                    }
                    digests.push(digest);
                }
                // The tag was deleted after it was listed.
                Ok(None) => {}
                Err(error) => evidence.failed(format!("{repository}:{tag}: {error}")),
            }
        }
        digests.sort_unstable();
        digests.dedup();
        let shapes = stream::iter(digests).map(|digest| self.shape(repository, digest)).buffer_unordered(AT_ONCE);
        for (digest, (shape, children)) in shapes.collect::<Vec<_>>().await {
            evidence.manifest(&digest, shape);
            for (child, shape) in children {
                evidence.manifest(&child, shape);
            }
        }
        Ok(rule.plan(evidence, self.inner.clock.now()))
    }

    /// Says if a digest may be deleted now, with the reason. A caller that deletes must ask twice: a digest that no log
    /// names yet may be the target of a move that is just beginning.
    pub async fn may_delete(
        &self,
        repository: &Repository,
        rule: &RetentionRule,
        digest: &Digest,
    ) -> Result<MayDelete> {
        Ok(self.retention_plan(repository, rule).await?.may_delete(digest))
    }

    async fn chronicle(&self, channel: &Channel) -> Result<ChannelUsage> {
        let log = self.inner.snapshot(channel).await?;
        let size = log.state().size;
        let mut history = ChannelUsage::empty(channel.clone());
        let mut from = 0;
        while from < size {
            let entries = log.read(from, ENTRIES).await?;
            if entries.is_empty() {
                let message = format!("the log has {from} entries, and {size} were seen before");
                return Err(Error::new(ErrorKind::LedgerTruncated, message).with_context("channel", channel));
            }
            from += entries.len() as u64;
            entries.iter().for_each(|entry| history.take(entry));
        }
        Ok(history)
    }

    async fn resolve_tag(&self, repository: &Repository, tag: Tag) -> (Tag, Result<Option<Digest>>) {
        let digest = self.inner.registry.resolve(repository, &tag).await;
        (tag, digest)
    }

    /// The shape of a manifest, and the shapes of an index's children, as the index describes them.
    async fn shape(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> (Digest, (ManifestKind, Vec<(Digest, ManifestKind)>)) {
        let shape = match self.inner.registry.fetch(&repository.digest(digest)).await {
            Ok(Some(manifest)) => shape_of(&manifest),
            Ok(None) => (ManifestKind::Absent, Vec::new()),
            Err(error) => (ManifestKind::Unreadable(error.to_string()), Vec::new()),
        };
        (digest, shape)
    }
}

fn shape_of(manifest: &Manifest) -> (ManifestKind, Vec<(Digest, ManifestKind)>) {
    match manifest.content() {
        Ok(Content::Image { .. } | Content::Artifact { .. }) => (ManifestKind::Single, Vec::new()),
        Ok(Content::Index { manifests }) => {
            let digests = manifests.iter().map(|child| child.digest).collect();
            let children = manifests.iter().map(|child| {
                let [oci_manifest, _, docker_manifest, _] = MANIFEST_TYPES;
                let shape = match child.media_type.as_str() {
                    media_type if media_type == oci_manifest || media_type == docker_manifest => ManifestKind::Single,
                    other => ManifestKind::Unreadable(format!("a child of media type {other}")),
                };
                (child.digest, shape)
            });
            (ManifestKind::Index(digests), children.collect())
        }
        Err(error) => (ManifestKind::Unreadable(error.to_string()), Vec::new()),
    }
}
