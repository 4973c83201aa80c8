//! Gathers the facts of a move and has the policy judge them (step *judge* of the protocol).

use std::sync::Arc;

use super::driver::{Asked, Gathered, Run, target_of};
use super::explain::at;
use super::machine::{Change, TagRead};
use super::parts::{Depth, Parts, Preflight};
use super::past::back;
use super::request::{LEDGER_COMPLETE, Operation};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{CLOCK_TOLERANCE_MS, ChannelState, Op, Source, UpstreamLog};
use crate::policy::{Facts, Finding, LiveHistory, Tagged, Upstream};
use crate::registry::Manifest;
use crate::value::{Channel, Digest, ReleaseLabel, Timestamp};

/// The names under which the log records findings about the tag's read, about clocks and about a rollback's target.
const TAG_READ: &str = "tag-read";
pub(super) const ROLLBACK_TARGET: &str = "rollback-target";
const CLOCK: &str = "clock";

/// A promotion is refused if this machine's clock and the registry's or the ledger's differ by more than this: 1 h, in
/// milliseconds.
const REFUSED_SKEW_MS: u64 = 60 * 60 * 1000;

impl Run {
    /// Gathers the facts of a change and has the policy judge them. `lagging` is true if the tag was read at another
    /// value than the live digest, and lag explains it.
    pub(super) async fn judge(&mut self, read: TagRead, lagging: bool, change: Change) -> Result<Gathered> {
        let asked = self.asked.clone();
        self.label = self.release_label(&asked, change.target).await?;
        let Asked { operation, terms, .. } = asked;
        let state = ChannelState::clone(self.effects.journal.lock().await.state());
        let manifest = self.target(change.target).await?;
        let here = self.passage(&self.effects.channel, &change.target).await?;
        if let Operation::Rollback(Some(_)) = operation
            && here == LiveHistory::Never
        {
            let to = change.target;
            let message = format!("{to} was never live on {}: a rollback goes back to what was", self.effects.channel);
            return Err(Error::new(ErrorKind::RollbackNoTarget, message).with_context("channel", &self.effects.channel));
        }
        let op = change.op;
        let parts = self.parts(op, manifest.as_ref()).await;
        let overridden = terms.overrides(LEDGER_COMPLETE);
        if op == Op::Bootstrap && state.committed == 0 && !overridden {
            self.refuse_foreign().await?;
        }
        let mut facts = Facts::new(op, &state, terms.provenance.clone(), self.effects.inner.clock.now());
        facts.observed = if lagging || read.hidden { state.live } else { read.value };
        facts.source = match &operation {
            Operation::Promote(source) => Some(source.clone()),
            Operation::Bootstrap(first) => first.source.clone(),
            _ => None,
        };
        if let (Some(tag), Some(Source::Reference(_))) = (terms.tag, &facts.source) {
            let answered = self.effects.inner.registry.resolve(self.effects.channel.repository(), &tag).await?;
            facts.tagged = Some(Tagged { tag, answered });
        }
        facts.target = manifest.as_ref().map(target_of);
        facts.missing = parts.missing;
        facts.unknown = parts.unknown;
        facts.expected = terms.expected;
        facts.here = here;
        facts.upstream = self.upstream(op, &change.target).await?;
        let upstream = facts.upstream.iter().map(|upstream| upstream.log.clone()).collect();
        let mut judgement = self.effects.inner.policy.judge(&facts).overriding(&terms.overrides);
        judgement.findings.extend(self.warnings.clone());
        judgement.findings.extend(self.finding_of_a_put_again(&change).await?);
        judgement.findings.extend(self.findings_of_the_read(&read, lagging));
        judgement.findings.extend(self.finding_of_the_ledger(&change, overridden).await?);
        judgement.findings.extend(self.findings_of_the_clock(op).await?);
        Ok(Gathered { judgement, change, upstream })
    }

    /// PUT_AGAIN: the move that an unnamed rollback was to leave was closed without a result, so the live digest is put
    /// again.
    async fn finding_of_a_put_again(&self, change: &Change) -> Result<Option<Finding>> {
        let unnamed = matches!(self.asked.operation, Operation::Rollback(None));
        if !unnamed || change.previous != Some(change.target) {
            return Ok(None);
        }
        let log = self.effects.journal.lock().await.snapshot();
        let Some(closed) = back(&log, None, 1).await?.events.pop() else { return Ok(None) };
        let named = |label: &Option<ReleaseLabel>, digest: Digest| match label {
            Some(label) => label.to_string(),
            None => digest.to_string(),
        };
        let left = named(&closed.intent.provenance.release, closed.intent.target.digest);
        let (seq, live) = (closed.seq, named(&self.label, change.target));
        let why = format!("the move to {left} (seq {seq}) was closed without a result; {live} is live (put again)");
        Ok(Some(Finding::warn(ROLLBACK_TARGET, "PUT_AGAIN", why)))
    }

    /// The warnings about the read of the tag: it was hidden, or it may lag.
    fn findings_of_the_read(&self, read: &TagRead, lagging: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (channel, value) = (&self.effects.channel, at(read.value));
        if read.hidden {
            let words = self.effects.error.as_ref().map(ToString::to_string).unwrap_or_default();
            let why = format!("the registry hides the tag, so it counts as live, and as pinned, by the log: {words}");
            findings.push(Finding::warn(TAG_READ, "TAG_HIDDEN", why));
        }
        if lagging {
            let why = format!("{channel} was moved a moment ago and answers {value}: it counts as live by the log");
            findings.push(Finding::warn(TAG_READ, "TAG_LAGGING", why));
        }
        findings
    }

    /// *Ledger behind*: a repair is refused, an adoption warns.
    async fn finding_of_the_ledger(&self, change: &Change, overridden: bool) -> Result<Option<Finding>> {
        let observed = match change.op {
            Op::Repair => change.replaced,
            Op::Adopt => Some(change.target),
            Op::Promote | Op::Rollback | Op::Bootstrap => None,
        };
        let Some(digest) = observed else { return Ok(None) };
        if !self.effects.inner.has_unexplained_pin(&self.effects.channel, &digest).await? {
            return Ok(None);
        }
        let why = format!("the tag points at {digest}, which a move put there that this ledger does not know");
        Ok(Some(match change.op {
            Op::Repair if !overridden => Finding::refuse(LEDGER_COMPLETE, "LEDGER_BEHIND", why),
            _ => Finding::warn(LEDGER_COMPLETE, "LEDGER_BEHIND", why),
        }))
    }

    /// *Clocks*: this machine's clock against the last entry, the registry and the ledger.
    async fn findings_of_the_clock(&self, op: Op) -> Result<Vec<Finding>> {
        let now = self.effects.inner.clock.now();
        let off = |other: Timestamp| other.unix_ms().abs_diff(now.unix_ms());
        let mut findings = Vec::new();
        // The last entry is expected to be older than now. Only an entry from the future shows that a clock is wrong.
        let log = self.effects.journal.lock().await.snapshot();
        let last = log.read(log.state().size.saturating_sub(1), 1).await?.pop();
        if let Some(last) = last.map(|entry| entry.at).filter(|last| *last > now && off(*last) > CLOCK_TOLERANCE_MS) {
            let why = format!("this machine's clock says {now}, and the last entry was written at {last}");
            findings.push(Finding::warn(CLOCK, "CLOCK_SKEWED", why));
        }
        let others = [("registry", self.effects.date), ("ledger", self.effects.inner.ledger.time())];
        for (whose, time) in others {
            let Some(time) = time.filter(|time| off(*time) > CLOCK_TOLERANCE_MS) else { continue };
            let why = format!("this machine's clock says {now}, and the {whose}'s {time}");
            findings.push(match op == Op::Promote && off(time) > REFUSED_SKEW_MS {
                true => Finding::refuse(CLOCK, "CLOCK_SKEWED", why),
                false => Finding::warn(CLOCK, "CLOCK_SKEWED", why),
            });
        }
        Ok(findings)
    }

    /// The error for a target that is absent: the policy's refusal, or REGISTRY_ABSENT if the policy does not refuse.
    pub(super) async fn judge_absent(&self, source: &Source) -> Result<Error> {
        let asked = &self.asked;
        let state = self.effects.read_log().await?.state;
        let mut facts =
            Facts::new(asked.operation.op(), &state, asked.terms.provenance.clone(), self.effects.inner.clock.now());
        facts.source = Some(source.clone());
        facts.observed = state.live;
        facts.expected = asked.terms.expected;
        Ok(match self.effects.inner.policy.judge(&facts).decide() {
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
        if let Some(manifest) = self.effects.manifests.get(&digest) {
            return Ok(Some(manifest.clone()));
        }
        let found = self.effects.inner.registry.fetch(&self.effects.channel.repository().digest(digest)).await?;
        if let Some(manifest) = &found {
            self.effects.manifests.insert(digest, manifest.clone());
        }
        Ok(found)
    }

    /// The missing and unknown parts of the target, as deep as this operation looks.
    async fn parts(&self, op: Op, manifest: Option<&Manifest>) -> Parts {
        let (Some(manifest), Some(depth)) = (manifest, Depth::of(op)) else { return Parts::default() };
        let (registry, repository) = (&*self.effects.inner.registry, self.effects.channel.repository());
        Preflight { registry, repository, depth }.parts(manifest).await
    }

    /// Reads in the log if a digest is live on a channel, was live earlier, or never was.
    async fn passage(&self, channel: &Channel, digest: &Digest) -> Result<LiveHistory> {
        let journal = self.effects.inner.journal(channel);
        let mut journal = journal.lock().await;
        let state = journal.refresh().await?;
        Ok(match state.live {
            Some(live) if live == *digest => LiveHistory::Live,
            _ if journal.made_live(digest).await?.is_some() => LiveHistory::Earlier,
            _ => LiveHistory::Never,
        })
    }

    /// The environment before this one in the pipeline, with its live digest and the target's passage there.
    async fn upstream(&self, op: Op, target: &Digest) -> Result<Option<Upstream>> {
        let Some(before) =
            self.effects.inner.pipeline.as_ref().and_then(|pipeline| pipeline.before(&self.effects.channel))
        else {
            return Ok(None);
        };
        let passage = self.passage(&before.channel, target).await?;
        let state = Arc::clone(self.effects.inner.journal(&before.channel).lock().await.state());
        if let (Op::Promote, Some(migrated)) = (op, &state.migrated) {
            // The upstream log was migrated, so its live digest is not known here. A promotion needs it; a rollback
            // does not.
            return Err(migrated.error(&before.channel));
        }
        let (environment, channel) = (before.environment.clone(), before.channel.clone());
        let log = UpstreamLog { environment, channel, size: state.size, root: state.root() };
        Ok(Some(Upstream { log, live: state.live, passage }))
    }
}
