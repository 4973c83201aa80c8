//! `audit` and `retention_plan`: what log and registry say together. They write nothing.

use futures_util::stream::{self, StreamExt};

use std::sync::Arc;
use std::time::Duration;

use super::machine::{Comparison, LogRead, Waiting, back_off};
use super::{Promoter, Terms};
use crate::error::{Error, ErrorKind, Result};
use crate::judge::{
    AuditReport, Audited, ChannelHistory, Drift, Evidence, MayDelete, Passage, RetentionPlan, RetentionRule, Shape,
};
use crate::record::ChannelState;
use crate::registry::{Content, MANIFEST_TYPES, Manifest, pinned};
use crate::value::{Channel, Digest, Repository, Tag};

/// How many channels, tags or manifests are looked at at once.
const AT_ONCE: usize = 16;

/// How many entries of a log are read at once.
const ENTRIES: usize = 4096;

impl Promoter {
    /// Compares each channel's live digest with what its tag points at. What could not be looked at is unknown, never in
    /// sync. A channel whose read may be an old answer is looked at again until its reads are settled, side by side with the
    /// others, for three minutes at most; see [`Promoter::audit_within`].
    pub async fn audit(&self, channels: &[Channel]) -> Result<AuditReport> {
        self.audit_within(channels, Some(Terms::TIMEOUT)).await
    }

    /// The same, for `timeout` at most; without a timeout nothing is waited for, and such a channel is *lagging*.
    pub async fn audit_within(&self, channels: &[Channel], timeout: Option<Duration>) -> Result<AuditReport> {
        // Collected first: with the closure inside the stream, the compiler cannot see that the future is Send.
        let looks: Vec<_> = channels.iter().map(|channel| self.audit_one(channel, timeout)).collect();
        let audited: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        Ok(AuditReport::new(self.inner.clock.now(), audited))
    }

    async fn audit_one(&self, channel: &Channel, timeout: Option<Duration>) -> Audited {
        match self.look_at(channel, timeout).await {
            Ok(audited) => audited,
            Err(error) => {
                let empty = ChannelState::empty(channel.clone());
                let drift = Drift::judge(&empty, &Err(error), Passage::Never);
                Audited { channel: channel.clone(), size: 0, drift }
            }
        }
    }

    async fn look_at(&self, channel: &Channel, timeout: Option<Duration>) -> Result<Audited> {
        let begun = self.inner.now();
        let give_up =
            timeout.map(|timeout| begun.saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)));
        let mut looks = 0;
        loop {
            let (log, read) = tokio::join!(self.read_log(channel), self.inner.read_tag(channel));
            let log = log?;
            let state = Arc::clone(&log.state);
            let audited = |drift| Ok(Audited { channel: channel.clone(), size: state.size, drift });
            let read = match read {
                Ok(read) => read,
                Err(error) => return audited(Drift::judge(&state, &Err(error), Passage::Never)),
            };
            let observed = read.value;
            let now = self.inner.now();
            let expected = match log.compare(&read) {
                Comparison::Same => return audited(Drift::judge(&state, &Ok(observed), Passage::Live)),
                Comparison::Differs { live } => live,
                Comparison::Lags { live: expected } => match give_up {
                    None => return audited(Drift::Lagging { expected, observed }),
                    Some(give_up) if now >= give_up => return audited(Drift::Unsettled { expected, observed }),
                    Some(give_up) => {
                        let until = log.settled_at(&read, now).min(give_up);
                        self.inner.watch(channel, Waiting::Settle { until }, None, now);
                        tokio::time::sleep(Duration::from_millis(back_off(looks).min(until - now).max(1))).await;
                        looks += 1;
                        continue;
                    }
                },
            };
            // *foreign*: the log's head, read once more after the tag, has not moved.
            if self.read_log(channel).await?.state.size != state.size {
                continue;
            }
            let here = match observed {
                Some(digest) if self.inner.has_unexplained_pin(channel, &digest).await.unwrap_or(false) => {
                    return audited(Drift::LedgerBehind { expected, observed: digest });
                }
                Some(digest) => match self.inner.journal(channel).lock().await.made_live(&digest).await? {
                    Some(_) => Passage::Earlier,
                    None => Passage::Never,
                },
                None => Passage::Never,
            };
            return audited(Drift::judge(&state, &Ok(observed), here));
        }
    }

    async fn read_log(&self, channel: &Channel) -> Result<LogRead> {
        let state = self.inner.journal(channel).lock().await.refresh().await?;
        let first_read = self.inner.first_read(channel, state.size);
        let settle_ms = self.inner.times.deadlines_for(channel.repository().registry()).settle_ms;
        Ok(LogRead { state, replay: None, held: false, first_read, settle_ms })
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
