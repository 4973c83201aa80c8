//! `Run`: drives one move, from its request to its end.

use std::sync::{Arc, Weak};

use super::effects::Effects;
use super::machine::{AppendEnd, Ask, Change, Effect, Input, Moving, Next};
use super::naming::NamedSource;
use super::request::{MoveOptions, Operation};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{
    ActiveHold, Body, Decision, Hold, HoldScope, Intent, MoveRecord, PolicyEntry, RecordedPolicy, ReleaseOrder, Source,
    TargetManifest, UpstreamLog,
};
use crate::policy::Finding;
use crate::registry::{Description, Manifest};
use crate::value::{Line, Provenance, ReleaseLabel, public};

/// One move, from its request to its end.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) effects: Effects,
    pub(super) operation: Operation,
    /// The source that the request names; none if the operation has none.
    pub(super) named: Option<NamedSource>,
    pub(super) terms: MoveOptions,
    pub(super) ask: Ask,
    pub(super) moving: Moving,
    /// The machine's next effect, or its end.
    pub(super) next: Next,
    /// The policy's permission of the move.
    pub(super) decision: Option<Decision>,
    /// The logs of earlier environments that the policy's judgement is based on.
    pub(super) upstream: Vec<UpstreamLog>,
    /// Findings about the name of the target.
    pub(super) warnings: Vec<Finding>,
    /// The release's label.
    pub(super) label: Option<ReleaseLabel>,
    /// The hold that this rollback appended.
    pub(super) hold: Option<u64>,
    /// The release's place among the others.
    pub(super) place: Option<ReleaseOrder>,
    /// The error of a refusal that the machine knows only as such: by the policy, or because the ledger is behind.
    pub(super) refusal: Option<Error>,
}

impl Run {
    /// Performs the machine's next effect.
    pub(super) async fn step(&mut self, effect: Effect, caller: &Weak<()>) -> Result<()> {
        self.effects.check_caller(&effect, caller)?;
        let performed = self.perform(effect).await;
        self.tell(performed);
        Ok(())
    }

    /// Gives the machine the result of an effect.
    pub(super) fn tell(&mut self, performed: Result<Input>) {
        let (input, now) = self.effects.input(performed);
        self.next = self.moving.next(input, now);
    }

    async fn perform(&mut self, effect: Effect) -> Result<Input> {
        match effect {
            Effect::Judge { read, lagging, change } => match self.judge(read, lagging, change).await?.decide() {
                Ok(decision) => Ok(self.permit(decision)),
                Err(refusal) => {
                    self.refusal = Some(refusal.into());
                    Ok(Input::Refused)
                }
            },
            Effect::Hold => self.stop_promotions().await,
            Effect::Policy { seq } => self.record_policy(seq).await,
            Effect::Begin { seq, change } => self.begin(seq, change).await,
            Effect::Observe { observed, .. } => match self.refuse_behind(observed).await {
                Some(input) => Ok(input),
                None => self.effects.perform(effect).await,
            },
            effect => self.effects.perform(effect).await,
        }
    }

    /// Permits the move. Returns the machine's input.
    pub(super) fn permit(&mut self, decision: Decision) -> Input {
        let policy = decision.policy.digest;
        self.decision = Some(decision);
        Input::Approved(policy)
    }

    /// Appends the hold of a rollback, unless an earlier attempt of the same run appended it.
    async fn stop_promotions(&mut self) -> Result<Input> {
        let (effects, terms) = (&self.effects, &self.terms);
        let reason = match &terms.reason {
            Some(reason) => format!("after-rollback: {reason}"),
            None => "after-rollback: promotions wait until a person ends this hold".to_owned(),
        };
        let (reason, provenance) = (Line::lossy(reason), terms.provenance.clone());
        let hold = Hold { scope: HoldScope::Promotions, reason, provenance, until: None };
        let mut journal = effects.journal.lock().await;
        let state = journal.refresh().await?;
        let same = |held: &&ActiveHold| {
            held.scope == hold.scope && held.reason == hold.reason && held.provenance == hold.provenance
        };
        let seq = match state.holds.iter().find(same) {
            Some(held) => held.seq,
            None => journal.note(Body::Hold(hold), effects.inner.clock.now()).await?,
        };
        let log = effects.log_with(Arc::clone(journal.state()), None);
        drop(journal);
        self.hold = Some(seq);
        Ok(Input::Appended(AppendEnd::Stored(log)))
    }

    async fn record_policy(&mut self, seq: u64) -> Result<Input> {
        let policy = &self.effects.inner.policy;
        let (RecordedPolicy { name, digest }, text) = (policy.note(), policy.text());
        let provenance = self.terms.provenance.clone();
        let entry = PolicyEntry { name, digest, text, binding: false, provenance };
        let input = self.effects.append(seq, Body::Policy(entry)).await?;
        if matches!(input, Input::Appended(AppendEnd::Unknown)) {
            let why = self.effects.error.take().map(|error| format!(": {error}")).unwrap_or_default();
            let message = format!("{}: the append of the policy was not answered{why}", self.effects.channel);
            self.effects.error = Some(Error::new(ErrorKind::LedgerAmbiguous, message));
        }
        Ok(input)
    }

    /// Steps *intent* and *pin*, in this order: a pin that no log explains is a sign of another ledger.
    async fn begin(&mut self, seq: u64, change: Change) -> Result<Input> {
        let intent = Box::new(self.intent(change)?);
        let mut appended = self.effects.write(seq, Body::Intent(intent)).await?;
        // If the answer is lost, the log is read at once to see if the intent is there.
        if appended == AppendEnd::Unknown
            && let Ok(log) = self.effects.read_log().await
            && log.state.open.as_ref().is_some_and(|open| open.owner == self.effects.worker.owner)
        {
            appended = AppendEnd::Stored(log);
        }
        self.effects.doubted |= appended == AppendEnd::Unknown;
        // Without an answer nothing is pinned here: if the intent is in the log after all, its put and its close pin
        // the digests first.
        if let AppendEnd::Stored(log) = &appended
            && let Err(error) = self.effects.pin([Some(change.target), change.previous.filter(|_| change.puts)]).await
        {
            self.effects.put_failed(error);
            return Ok(Input::Unpinned(log.clone()));
        }
        Ok(Input::Appended(appended))
    }

    /// The source that the request names; none if the operation has none.
    pub(super) fn source(&self) -> Option<&Source> {
        self.named.as_ref().map(|named| &named.source)
    }

    /// The move that a past release was named by.
    pub(super) fn past(&self) -> Option<&MoveRecord> {
        self.named.as_ref()?.past.as_ref().map(|(_, _, event)| &**event)
    }

    fn intent(&self, change: Change) -> Result<Intent> {
        let Run { effects: Effects { channel, worker, manifests, .. }, operation, terms, ask, .. } = self;
        let (Some(decision), Some(manifest)) = (&self.decision, manifests.get(&change.target)) else {
            return Err(Error::new(ErrorKind::InternalFault, "a move began that was not judged"));
        };
        let own = match operation {
            Operation::Rollback(_) | Operation::Repair => channel.repository().digest(change.target),
            _ => channel.reference(),
        };
        Ok(Intent {
            op: change.op,
            move_id: worker.move_id.clone(),
            key: ask.key.clone(),
            request: ask.request,
            previous: change.previous,
            target: target_of(manifest),
            source: self.source().cloned().unwrap_or(Source::Reference(own)),
            provenance: Provenance { release: self.label.clone(), ..terms.provenance.clone() },
            reason: terms.reason.clone(),
            expected: terms.recorded_expected(),
            order: self.place.clone(),
            upstream: self.upstream.clone(),
            decision: Decision { overrides: terms.override_notes(), ..decision.clone() },
            replaced: change.replaced,
            predecessor: operation.predecessor().cloned(),
            set: None,
            owner: worker.owner.clone(),
            epoch: 0,
            deadlines: worker.deadlines,
        })
    }
}

/// The description of a manifest in an intent.
pub(super) fn target_of(manifest: &Manifest) -> TargetManifest {
    let description = manifest.description();
    let named = |name: &&str| Some((Line::lossy(annotation_key(name)), annotation(&description, name)?));
    TargetManifest {
        digest: manifest.digest(),
        media_type: manifest.media_type().clone(),
        size: manifest.bytes().len() as u64,
        artifact_type: description.artifact_type.as_ref().and_then(|artifact_type| artifact_type.parse().ok()),
        annotations: TargetManifest::ANNOTATIONS.iter().filter_map(named).collect(),
    }
}

/// The annotation of a manifest with this last word, one of [`TargetManifest::ANNOTATIONS`]; none if it is no line of
/// text. An address is without its credentials: it is recorded and shown.
pub(super) fn annotation(description: &Description, name: &str) -> Option<Line> {
    let value = description.annotations.get(&annotation_key(name))?;
    match name {
        "source" | "url" => public(value).parse().ok(),
        _ => value.parse().ok(),
    }
}

/// The whole name of the annotation with this last word.
pub(super) fn annotation_key(name: &str) -> String {
    format!("org.opencontainers.image.{name}")
}
