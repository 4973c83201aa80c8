//! `audit` and `retention_plan`: what log and registry say together. They write nothing.

use futures_util::stream::{self, StreamExt};

use super::Promoter;
use crate::error::{Class, Error, ErrorKind, Result};
use crate::judge::{
    AuditReport, Audited, ChannelHistory, Drift, Evidence, MayDelete, Passage, RetentionPlan, RetentionRule, Shape,
};
use crate::registry::{Content, MANIFEST_TYPES, Manifest, pinned};
use crate::value::{Channel, Digest, Repository, Tag};

/// How many channels, tags or manifests are looked at at once.
const AT_ONCE: usize = 16;

/// How many entries of a log are read at once.
const ENTRIES: usize = 4096;

impl Promoter {
    /// Compares each channel's live digest with what its tag points at. Drift is said only when a second look, begun
    /// after the first one's, saw it as well. What could not be looked at is unknown, never in sync.
    pub async fn audit(&self, channels: &[Channel]) -> Result<AuditReport> {
        // Collected first: with the closure inside the stream, the compiler cannot see that the future is Send.
        let looks: Vec<_> = channels.iter().map(|channel| self.audit_one(channel)).collect();
        let audited: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        Ok(AuditReport::new(self.inner.clock.now(), audited))
    }

    async fn audit_one(&self, channel: &Channel) -> Audited {
        let first = self.look_at(channel).await;
        match first.drift.class() {
            Some(Class::Drift) => self.look_at(channel).await,
            _ => first,
        }
    }

    async fn look_at(&self, channel: &Channel) -> Audited {
        let journal = self.inner.journal(channel);
        let log = async {
            let mut journal = journal.lock().await;
            journal.refresh().await
        };
        let (state, observed) = tokio::join!(log, self.inner.registry.resolve(channel.repository(), channel.tag()));
        let unknown = |error: Error| {
            let empty = crate::record::ChannelState::empty(channel.clone());
            Audited { channel: channel.clone(), size: 0, drift: Drift::judge(&empty, &Err(error), Passage::Never) }
        };
        let state = match state {
            Ok(state) => state,
            Err(error) => return unknown(error),
        };
        let here = match &observed {
            Ok(Some(digest)) if state.live != Some(*digest) => match journal.lock().await.made_live(digest).await {
                Ok(Some(_)) => Passage::Earlier,
                Ok(None) => Passage::Never,
                Err(error) => return unknown(error),
            },
            _ => Passage::Live,
        };
        Audited { channel: channel.clone(), size: state.size, drift: Drift::judge(&state, &observed, here) }
    }

    /// What may go from a repository and what must stay, each digest with its reason: over the logs of all its channels
    /// and every tag that names it. What could not be read keeps everything.
    pub async fn retention_plan(&self, repository: &Repository, rule: &RetentionRule) -> Result<RetentionPlan> {
        let mut evidence = Evidence::new(repository.clone());
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
                // It went away since it was listed.
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

    /// Whether a digest may be deleted now, and why. A deletion looks twice: a pin is written before its intent, so what
    /// no log names yet may be the target of a move that is just beginning.
    pub async fn may_delete(
        &self,
        repository: &Repository,
        rule: &RetentionRule,
        digest: &Digest,
    ) -> Result<MayDelete> {
        Ok(self.retention_plan(repository, rule).await?.may_delete(digest))
    }

    async fn chronicle(&self, channel: &Channel) -> Result<ChannelHistory> {
        let log = self.inner.snapshot(channel).await?;
        let size = log.state().size;
        let mut history = ChannelHistory::empty(channel.clone());
        let mut from = 0;
        while from < size {
            let entries = log.read(from, ENTRIES).await?;
            if entries.is_empty() {
                let message = format!("the log has {from} entries, and {size} were seen before");
                return Err(Error::new(ErrorKind::LedgerTruncated, message).with("channel", channel));
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

    /// What a manifest is made of, and what the children of an index are, as the index says.
    async fn shape(&self, repository: &Repository, digest: Digest) -> (Digest, (Shape, Vec<(Digest, Shape)>)) {
        let shape = match self.inner.registry.fetch(&repository.digest(digest)).await {
            Ok(Some(manifest)) => shape_of(&manifest),
            Ok(None) => (Shape::Absent, Vec::new()),
            Err(error) => (Shape::Unreadable(error.to_string()), Vec::new()),
        };
        (digest, shape)
    }
}

fn shape_of(manifest: &Manifest) -> (Shape, Vec<(Digest, Shape)>) {
    match manifest.content() {
        Ok(Content::Image { .. } | Content::Artifact { .. }) => (Shape::Single, Vec::new()),
        Ok(Content::Index { manifests }) => {
            let digests = manifests.iter().map(|child| child.digest).collect();
            let children = manifests.iter().map(|child| {
                let [oci_manifest, _, docker_manifest, _] = MANIFEST_TYPES;
                let shape = match child.media_type.as_str() {
                    media_type if media_type == oci_manifest || media_type == docker_manifest => Shape::Single,
                    other => Shape::Unreadable(format!("a child of media type {other}")),
                };
                (child.digest, shape)
            });
            (Shape::Index(digests), children.collect())
        }
        Err(error) => (Shape::Unreadable(error.to_string()), Vec::new()),
    }
}
