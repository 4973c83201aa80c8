//! `retention_plan`: the digests of a repository that may be deleted, by its logs and its tags. It writes nothing.

use futures_util::stream::{self, StreamExt};

use super::parts::AT_ONCE;
use super::past::each_entry;
use super::promoter::Promoter;
use crate::error::Result;
use crate::log::Entry;
use crate::registry::{Content, MANIFEST_TYPES, pinned};
use crate::retention::{ChannelUsage, ManifestKind, MayDelete, RetentionInput, RetentionPlan, RetentionRule};
use crate::value::{Channel, Digest, Repository};

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
        let tags = self.inner.registry.tags(repository).await.unwrap_or_else(|error| {
            evidence.failed(format!("the tags of {repository}: {error}"));
            Vec::new()
        });
        let resolve = |tag| async move { (self.inner.registry.resolve(repository, &tag).await, tag) };
        let resolved = stream::iter(tags).map(resolve).buffer_unordered(AT_ONCE);
        let mut digests = Vec::new();
        for (digest, tag) in resolved.collect::<Vec<_>>().await {
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
        let kinds = stream::iter(digests).map(|digest| self.kinds(repository, digest)).buffer_unordered(AT_ONCE);
        for (digest, kind) in kinds.collect::<Vec<_>>().await.into_iter().flatten() {
            evidence.manifest(&digest, kind);
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
        let mut history = ChannelUsage::empty(channel.clone());
        let take = |entry: &Entry| {
            history.take(entry);
            true
        };
        each_entry(&self.inner.snapshot(channel).await?, take).await?;
        history.blocked.extend(self.blocks(channel).await?.iter().map(|blocked| blocked.block.digest));
        Ok(history)
    }

    /// The kind of a manifest, and the kinds of an index's children, as the index describes them.
    async fn kinds(&self, repository: &Repository, digest: Digest) -> Vec<(Digest, ManifestKind)> {
        let fetched = self.inner.registry.fetch(&repository.digest(digest)).await;
        let children = match fetched.and_then(|found| found.map(|manifest| manifest.content()).transpose()) {
            Ok(Some(Content::Index { manifests })) => manifests,
            Ok(Some(Content::Image { .. } | Content::Artifact { .. })) => return vec![(digest, ManifestKind::Single)],
            Ok(None) => return vec![(digest, ManifestKind::Absent)],
            Err(error) => return vec![(digest, ManifestKind::Unreadable(error.to_string()))],
        };
        let [oci_manifest, _, docker_manifest, _] = MANIFEST_TYPES;
        let index = ManifestKind::Index(children.iter().map(|child| child.digest).collect());
        let kinds = children.iter().map(|child| match child.media_type.as_str() {
            single if single == oci_manifest || single == docker_manifest => (child.digest, ManifestKind::Single),
            other => (child.digest, ManifestKind::Unreadable(format!("a child of media type {other}"))),
        });
        std::iter::once((digest, index)).chain(kinds).collect()
    }
}
