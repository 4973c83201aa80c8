//! Gathers the facts of a move and has the policy judge them (step 4 of the protocol).

use std::sync::Arc;

use super::driver::{Asked, Run, Work};
use super::parts::{Depth, Parts, Preflight};
use super::request::{LEDGER_COMPLETE, Operation};
use crate::error::{Error, ErrorKind, Result};
use crate::judge::{Facts, Judgement, Passage, Tagged, Upstream};
use crate::promotion::machine::Change;
use crate::record::{ChannelState, Op, Source, TargetManifest, UpstreamLog};
use crate::registry::Manifest;
use crate::value::{Channel, Digest, Text};

/// What was found out about a move, and what the policy says.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) judgement: Judgement,
    pub(super) change: Change,
    /// The logs of earlier environments that were read.
    pub(super) upstream: Vec<UpstreamLog>,
}

/// A manifest, as an intent describes it.
pub(super) fn target_of(manifest: &Manifest) -> TargetManifest {
    let description = manifest.description();
    let annotation = |name: &&str| {
        let name = format!("org.opencontainers.image.{name}");
        let value = description.annotations.get(&name)?.parse().ok()?;
        Some((Text::lossy(name), value))
    };
    TargetManifest {
        digest: manifest.digest(),
        media_type: manifest.media_type().clone(),
        size: manifest.bytes().len() as u64,
        artifact_type: description.artifact_type.as_ref().and_then(|artifact_type| artifact_type.parse().ok()),
        annotations: TargetManifest::ANNOTATIONS.iter().filter_map(annotation).collect(),
    }
}

impl Run {
    pub(super) async fn judge(&mut self, observed: Option<Digest>, change: Change) -> Result<Gathered> {
        let Work::Move(asked) = self.work.clone() else {
            return Err(Error::new(ErrorKind::InternalFault, "a recovery judges nothing"));
        };
        self.label = self.release_label(&asked, change.target).await?;
        let Asked { operation, terms, .. } = *asked;
        let state = ChannelState::clone(self.journal.lock().await.state());
        let manifest = self.target(change.target).await?;
        let here = self.passage(&self.channel, &change.target).await?;
        if let Operation::Rollback(Some(_)) = operation
            && here == Passage::Never
        {
            let to = change.target;
            let message = format!("{to} was never live on {}: a rollback goes back to what was", self.channel);
            return Err(Error::new(ErrorKind::RollbackNoTarget, message).with("channel", &self.channel));
        }
        let parts = self.parts(operation.op(), manifest.as_ref()).await;
        let overridden = terms.overrides(LEDGER_COMPLETE);
        if operation.op() == Op::Bootstrap && state.committed == 0 && !overridden {
            self.refuse_foreign().await?;
        }
        let mut facts = Facts::new(operation.op(), &state, terms.provenance.clone(), self.inner.clock.now());
        facts.observed = observed;
        facts.source = match &operation {
            Operation::Promote(source) => Some(source.clone()),
            Operation::Bootstrap(first) => first.source.clone(),
            _ => None,
        };
        if let (Some(tag), Some(Source::Reference(_))) = (terms.tag, &facts.source) {
            let answered = self.inner.registry.resolve(self.channel.repository(), &tag).await?;
            facts.tagged = Some(Tagged { tag, answered });
        }
        facts.target = manifest.as_ref().map(target_of);
        facts.missing = parts.missing;
        facts.unknown = parts.unknown;
        facts.expected = terms.expected;
        facts.here = here;
        facts.upstream = self.upstream(operation.op(), &change.target).await?;
        let upstream = facts.upstream.iter().map(Upstream::log).collect();
        let mut judgement = self.inner.policy.judge(&facts);
        judgement.findings.extend(self.warning.clone());
        Ok(Gathered { judgement, change, upstream })
    }

    /// What the policy says of a target that is not there.
    pub(super) async fn judge_absent(&self, asked: &Asked, source: &Source) -> Result<Error> {
        let state = self.read_log().await?.state;
        let mut facts =
            Facts::new(asked.operation.op(), &state, asked.terms.provenance.clone(), self.inner.clock.now());
        facts.source = Some(source.clone());
        facts.observed = state.live;
        facts.expected = asked.terms.expected;
        Ok(match self.inner.policy.judge(&facts).decide() {
            Err(refusal) => refusal.into(),
            Ok(_) => {
                let named = match source {
                    Source::Reference(reference) => reference.to_string(),
                    Source::Channel(channel) => channel.to_string(),
                };
                Error::new(ErrorKind::RegistryAbsent, format!("{named} does not exist in the registry"))
            }
        })
    }

    /// The target's manifest, kept for the put.
    async fn target(&mut self, digest: Digest) -> Result<Option<Manifest>> {
        if let Some(manifest) = self.manifests.get(&digest) {
            return Ok(Some(manifest.clone()));
        }
        let found = self.inner.registry.fetch(&self.channel.repository().digest(digest)).await?;
        if let Some(manifest) = &found {
            self.manifests.insert(digest, manifest.clone());
        }
        Ok(found)
    }

    /// What the registry has of the target's parts, as far as such a move looks at them.
    async fn parts(&self, op: Op, manifest: Option<&Manifest>) -> Parts {
        let (Some(manifest), Some(depth)) = (manifest, Depth::of(op)) else { return Parts::default() };
        let (registry, repository) = (&*self.inner.registry, self.channel.repository());
        Preflight { registry, repository, depth }.parts(manifest).await
    }

    /// Whether a digest is, was or never was live on a channel.
    async fn passage(&self, channel: &Channel, digest: &Digest) -> Result<Passage> {
        let journal = self.inner.journal(channel);
        let mut journal = journal.lock().await;
        let state = journal.refresh().await?;
        Ok(match state.live {
            Some(live) if live == *digest => Passage::Live,
            _ if journal.made_live(digest).await?.is_some() => Passage::Earlier,
            _ => Passage::Never,
        })
    }

    /// The environment before this one in the pipeline, and what it has to do with the target.
    async fn upstream(&self, op: Op, target: &Digest) -> Result<Option<Upstream>> {
        let Some(before) = self.inner.pipeline.as_ref().and_then(|pipeline| pipeline.before(&self.channel)) else {
            return Ok(None);
        };
        let passage = self.passage(&before.channel, target).await?;
        let state = Arc::clone(self.inner.journal(&before.channel).lock().await.state());
        if let (Op::Promote, Some(migrated)) = (op, &state.migrated) {
            // Its log was migrated, so its live digest is not known here. A rollback does not need it.
            return Err(migrated.error(&before.channel));
        }
        let (environment, channel) = (before.environment.clone(), before.channel.clone());
        let (live, size, root) = (state.live, state.size, state.root());
        Ok(Some(Upstream { environment, channel, live, passage, size, root }))
    }
}
