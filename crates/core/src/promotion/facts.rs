//! Gathers the facts of a move and has the policy judge them (step *judge* of the protocol).

use futures_util::future::try_join_all;

use super::block::blocks_in;
use super::driver::{Run, target_of};
use super::machine::{Change, TagRead};
use super::parts::{Depth, Parts, Preflight};
use super::past::back;
use super::request::{LEDGER_COMPLETE, Operation};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::ChannelLog;
use crate::log::{Body, CLOCK_TOLERANCE_MS, Intent, Op, RolledBack, Source, UpstreamLog};
use crate::policy::{BlockedOn, Facts, Finding, LeftBy, LiveHistory, PolicyEvaluation, Tagged, Upstream};
use crate::registry::Manifest;
use crate::value::{Digest, ReleaseLabel, Stage, Timestamp, or_nothing};

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
    pub(super) async fn judge(&mut self, read: TagRead, lagging: bool, change: Change) -> Result<PolicyEvaluation> {
        let origin = self.origin(change.target).await?;
        self.label = self.release_label(origin.as_deref());
        let manifest = self.target(change.target).await?;
        let (facts, upstream) = self.facts(&read, lagging, &change, manifest.as_ref(), origin.as_deref()).await?;
        (self.upstream, self.place) = (upstream, facts.place.clone());
        let mut judgement = self.effects.inner.policy.judge(&facts).overriding(&self.terms.overrides);
        judgement.findings.extend(self.warnings.clone());
        judgement.findings.extend(self.finding_of_a_new_channel(&change).await);
        judgement.findings.extend(self.finding_of_a_put_again(&change).await?);
        judgement.findings.extend(self.finding_of_the_read(&read, lagging));
        judgement.findings.extend(self.finding_of_the_ledger(&change).await?);
        judgement.findings.extend(self.findings_of_the_clock(change.op).await?);
        Ok(judgement)
    }

    /// The facts of a change, and the logs of earlier environments that they are from.
    async fn facts(
        &self,
        read: &TagRead,
        lagging: bool,
        change: &Change,
        manifest: Option<&Manifest>,
        origin: Option<&Intent>,
    ) -> Result<(Facts, Vec<UpstreamLog>)> {
        let Run { effects, operation, terms, .. } = self;
        let (inner, channel, state) = (&effects.inner, &effects.channel, &effects.state);
        let (op, target) = (change.op, &change.target);
        let here = passage(&mut *inner.refreshed(channel).await?, target).await?;
        if matches!(operation, Operation::Rollback(Some(_))) && here == LiveHistory::Never {
            let message = format!("{target} was never live on {channel}: a rollback goes to a digest that was");
            return Err(Error::new(ErrorKind::RollbackNoTarget, message).with_context("channel", channel));
        }
        let parts = self.parts(op, manifest).await;
        if op == Op::Bootstrap && state.committed == 0 && !self.overrides_the_ledger() {
            self.refuse_foreign().await?;
        }
        let mut facts = Facts::new(op, state, terms.provenance.clone(), inner.clock.now());
        facts.observed = if lagging || read.hidden { state.live } else { read.value };
        facts.source = self.source().cloned();
        if let (Some(tag), Some(Source::Reference(_))) = (&terms.tag, &facts.source) {
            let answered = inner.registry.resolve(channel.repository(), tag).await?;
            facts.tagged = Some(Tagged { tag: tag.clone(), answered });
        }
        facts.target = manifest.map(target_of);
        facts.missing = parts.missing;
        facts.unknown = parts.unknown;
        facts.expected = terms.expected;
        facts.here = here;
        let Earlier { before, logs, blocks } = self.earlier(facts.promotes(), target).await?;
        facts.upstream = before;
        facts.first = inner.first_channel().cloned();
        facts.blocks = blocks;
        facts.blocks.extend(blocks_in(state, Some(target)));
        if !facts.blocks.is_empty() {
            // A rollback leaves the live digest.
            facts.instead = inner.unblocked(channel, state.live.filter(|_| op == Op::Rollback)).await?;
        }
        facts.order = inner.policy.order();
        (facts.place, facts.unread) = self.place(change, origin, manifest, facts.tagged.as_ref()).await?;
        facts.live_move = self.live_move().await?;
        facts.left_by = self.left_by(target).await?;
        Ok((facts, logs))
    }

    fn overrides_the_ledger(&self) -> bool {
        self.terms.overrides.iter().any(|name| name.as_str() == LEDGER_COMPLETE)
    }

    /// PUT_AGAIN: the move that an unnamed rollback was to leave was closed without a result, so the live digest is put
    /// again.
    async fn finding_of_a_put_again(&self, change: &Change) -> Result<Option<Finding>> {
        let unnamed = matches!(self.operation, Operation::Rollback(None));
        if !unnamed || change.previous != Some(change.target) {
            return Ok(None);
        }
        let log = self.effects.journal.lock().await.snapshot();
        let closed = back(&log, None, 1).await?.events.pop().filter(|event| event.outcome.is_some());
        let Some(closed) = closed else { return Ok(None) };
        let named = |label: &Option<ReleaseLabel>, digest: Digest| match label {
            Some(label) => label.to_string(),
            None => digest.to_string(),
        };
        let left = named(&closed.intent.provenance.release, closed.intent.target.digest);
        let (seq, live) = (closed.seq, named(&self.label, change.target));
        let why = format!("the move to {left} (seq {seq}) was closed without a result; {live} is live (put again)");
        Ok(Some(Finding::warn(ROLLBACK_TARGET, "PUT_AGAIN", why)))
    }

    /// The warning about the read of the tag: it was hidden, or it may lag.
    fn finding_of_the_read(&self, read: &TagRead, lagging: bool) -> Option<Finding> {
        let (channel, value) = (&self.effects.channel, or_nothing(read.value));
        if read.hidden {
            let words = self.effects.error.as_ref().map(ToString::to_string).unwrap_or_default();
            let why = format!("the registry hides the tag: the log's live digest counts, also as pinned: {words}");
            return Some(Finding::warn(TAG_READ, "TAG_HIDDEN", why));
        }
        let why = format!("{channel} was moved a moment ago and answers {value}: the log's live digest counts");
        lagging.then(|| Finding::warn(TAG_READ, "TAG_LAGGING", why))
    }

    /// *Ledger behind*: a repair is refused, an adoption warns.
    async fn finding_of_the_ledger(&self, change: &Change) -> Result<Option<Finding>> {
        let observed = match change.op {
            Op::Repair => change.replaced,
            Op::Adopt => Some(change.target),
            Op::Promote | Op::Rollback | Op::Bootstrap => None,
        };
        let Some(digest) = observed else { return Ok(None) };
        if !self.effects.inner.has_unexplained_pin(&self.effects.channel, &digest).await? {
            return Ok(None);
        }
        let why = format!("the tag points at {digest}, put by a move that this ledger does not know");
        let refuses = change.op == Op::Repair && !self.overrides_the_ledger();
        let finding = if refuses { Finding::refuse } else { Finding::warn };
        Ok(Some(finding(LEDGER_COMPLETE, "LEDGER_BEHIND", why)))
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
            let refuses = op == Op::Promote && off(time) > REFUSED_SKEW_MS;
            let finding = if refuses { Finding::refuse } else { Finding::warn };
            findings.push(finding(CLOCK, "CLOCK_SKEWED", why));
        }
        Ok(findings)
    }

    /// The error for a target that is absent: the policy's refusal, or REGISTRY_ABSENT if the policy does not refuse.
    pub(super) async fn judge_absent(&self, source: &Source) -> Result<Error> {
        let (inner, Run { operation, terms, .. }) = (&self.effects.inner, self);
        let state = self.effects.read_log_first().await?.state;
        let mut facts = Facts::new(operation.op(), &state, terms.provenance.clone(), inner.clock.now());
        facts.source = Some(source.clone());
        facts.observed = state.live;
        facts.expected = terms.expected;
        Ok(match inner.policy.judge(&facts).decide() {
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
        self.effects.manifests.extend(found.clone().map(|manifest| (digest, manifest)));
        Ok(found)
    }

    /// The missing and unknown parts of the target, as far as this operation looks for them.
    async fn parts(&self, op: Op, manifest: Option<&Manifest>) -> Parts {
        let (Some(manifest), Some(depth)) = (manifest, Depth::of(op)) else { return Parts::default() };
        let (registry, repository) = (&*self.effects.inner.registry, self.effects.channel.repository());
        Preflight { registry, repository, depth }.parts(manifest).await
    }

    /// The entry by which a digest counts as rolled back.
    async fn left_by(&self, digest: &Digest) -> Result<Option<LeftBy>> {
        let Some(RolledBack { seq, cause, .. }) = self.effects.state.rolled_back(digest).copied() else {
            return Ok(None);
        };
        let log = self.effects.journal.lock().await.snapshot();
        let body = log.read(seq, 1).await?.pop().map(|entry| entry.body);
        let reason = match &body {
            Some(Body::Intent(intent)) => intent.reason.clone(),
            _ => None,
        };
        let Some(provenance) = body.as_ref().and_then(Body::provenance).cloned() else {
            let message = format!("seq {seq}: neither a rollback nor a takeover");
            return Err(Error::new(ErrorKind::InternalFault, message).with_context("channel", &self.effects.channel));
        };
        Ok(Some(LeftBy { seq, cause, provenance, reason }))
    }

    /// The logs of every earlier environment in the pipeline. LEDGER_MIGRATED if the move promotes and one of the logs
    /// goes on in another ledger.
    async fn earlier(&self, promotes: bool, target: &Digest) -> Result<Earlier> {
        let (inner, channel) = (&self.effects.inner, &self.effects.channel);
        let stages = inner.pipeline.as_ref().map(|pipeline| pipeline.earlier(channel)).unwrap_or_default();
        let read = async |stage: &Stage| {
            let Stage { environment, channel } = stage.clone();
            let mut journal = inner.refreshed(&channel).await?;
            let passage = passage(&mut journal, target).await?;
            let state = journal.state();
            if let (true, Some(migrated)) = (promotes, &state.migrated) {
                // The upstream log was migrated, so its live digest and its blocks are not known here. A promotion
                // needs them; a rollback does not.
                return Err(migrated.error(&channel));
            }
            let log = UpstreamLog { environment, channel, size: state.size, root: state.root() };
            Ok((Upstream { log, live: state.live, passage }, blocks_in(state, Some(target))))
        };
        let read = try_join_all(stages.iter().map(read)).await?;
        let mut earlier = Earlier { before: None, logs: Vec::new(), blocks: Vec::new() };
        for (upstream, blocks) in read {
            earlier.logs.push(upstream.log.clone());
            earlier.blocks.extend(blocks);
            earlier.before = Some(upstream);
        }
        Ok(earlier)
    }
}

/// The earlier environments, as their logs say.
struct Earlier {
    /// The environment just before this one.
    before: Option<Upstream>,
    /// The logs that were read.
    logs: Vec<UpstreamLog>,
    /// The blocks of the target in them.
    blocks: Vec<BlockedOn>,
}

/// Reads in the log if a digest is live on a channel, was live earlier, or never was.
pub(super) async fn passage(journal: &mut ChannelLog, digest: &Digest) -> Result<LiveHistory> {
    let live = journal.state().live;
    Ok(match live {
        Some(live) if live == *digest => LiveHistory::Live,
        _ if journal.made_live(digest).await?.is_some() => LiveHistory::Earlier,
        _ => LiveHistory::Never,
    })
}
