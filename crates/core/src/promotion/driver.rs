//! `Run`: drives one move, from its request to its end.

use std::sync::Weak;

use super::effects::Effects;
use super::machine::{AppendEnd, Ask, Change, Effect, End, Input, Key, LogRead, Moving, Next, Pins, TagRead};
use super::request::{MoveOptions, Operation};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, Decision, Expected, Intent, PolicyEntry, RecordedPolicy, Source, TargetManifest, UpstreamLog};
use crate::policy::{ExpectedDigest, Finding, PolicyEvaluation, Refusal};
use crate::registry::Manifest;
use crate::value::{Digest, IdempotencyKey, Line, Provenance, ReleaseLabel};

/// One move, from its request to its end.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) effects: Effects,
    pub(super) asked: Asked,
    pub(super) moving: Moving,
    pub(super) doing: Doing,
    /// The log and the tag that were read before the machine asked for them.
    pub(super) ahead: Option<(LogRead, Result<TagRead>)>,
    pub(super) decision: Option<Decision>,
    /// The logs of earlier environments that the decision is based on.
    pub(super) upstream: Vec<UpstreamLog>,
    /// Findings about the name of the target.
    pub(super) warnings: Vec<Finding>,
    /// The release's label.
    pub(super) label: Option<ReleaseLabel>,
    /// The policy's refusal, if it refused.
    pub(super) refusal: Option<Refusal>,
    /// The observed value of the tag, if a move that this ledger does not know set it.
    pub(super) behind: Option<Option<Digest>>,
}

/// The next effect, or the end.
#[derive(Clone, Debug)]
pub(super) enum Doing {
    Effect(Effect),
    End(End),
}

/// The request of a move, with its key and its hash.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) operation: Operation,
    pub(super) terms: MoveOptions,
    pub(super) key: IdempotencyKey,
    pub(super) request: Digest,
}

/// A planned move: the policy's judgement, the change and the logs that it is based on.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) judgement: PolicyEvaluation,
    pub(super) change: Change,
    /// The logs of earlier environments that were read.
    pub(super) upstream: Vec<UpstreamLog>,
}

impl Asked {
    pub(super) fn ask(&self, target: Option<Digest>) -> Ask {
        Ask {
            op: self.operation.op(),
            want: self.operation.want(target),
            key: self.key.clone(),
            key_from: if self.terms.idempotency_key.is_some() { Key::Given } else { Key::Random },
            request: self.request,
            on_conflict: self.terms.on_conflict,
        }
    }
}

impl Run {
    /// Performs the machine's effects until the end. Once an intent may be in the log, it goes on even if the caller is
    /// gone.
    pub(super) async fn drive(&mut self, caller: &Weak<()>) -> Result<End> {
        loop {
            match &self.doing {
                Doing::End(end) => return Ok(end.clone()),
                Doing::Effect(_) => self.step(caller).await?,
            }
        }
    }

    /// Performs the machine's next effect.
    pub(super) async fn step(&mut self, caller: &Weak<()>) -> Result<()> {
        let Doing::Effect(effect) = self.doing.clone() else { return Ok(()) };
        self.effects.check_caller(&effect, caller)?;
        let input = self.perform(effect).await;
        self.tell(input);
        Ok(())
    }

    /// Gives the machine an input.
    pub(super) fn tell(&mut self, input: Input) {
        self.effects.note(&input);
        let now = self.effects.now();
        self.doing = match self.moving.next(input, now) {
            Next::Do(effect) => Doing::Effect(effect),
            Next::End(end) => Doing::End(end),
        };
    }

    async fn perform(&mut self, effect: Effect) -> Input {
        match effect {
            Effect::Look => match self.ahead.take() {
                Some((log, read)) => match self.effects.read_or_hidden(read, &log.state) {
                    Ok(read) => Input::Looked(log, read),
                    Err(error) => self.effects.broken(error),
                },
                None => self.effects.perform(Effect::Look).await,
            },
            Effect::Judge { read, lagging, change } => match self.judge(read, lagging, change).await {
                Ok(gathered) => self.decide(gathered),
                Err(error) => self.effects.broken(error),
            },
            Effect::Policy { seq } => self.record_policy(seq).await,
            Effect::Begin { seq, change } => self.begin(seq, change).await,
            Effect::Observe { observed, .. } if self.is_behind(observed).await => {
                // This ledger does not know the move that set the tag: no observation is appended.
                self.tell_behind(observed)
            }
            effect => self.effects.perform(effect).await,
        }
    }

    pub(super) fn decide(&mut self, gathered: Gathered) -> Input {
        match gathered.judgement.decide() {
            Ok(decision) => {
                self.upstream = gathered.upstream;
                let policy = decision.policy.digest;
                self.decision = Some(decision);
                Input::Approved(policy)
            }
            Err(refusal) => {
                self.refusal = Some(refusal);
                Input::Refused
            }
        }
    }

    async fn record_policy(&mut self, seq: u64) -> Input {
        let policy = &self.effects.inner.policy;
        let (RecordedPolicy { name, digest }, text) = (policy.note(), policy.text());
        let provenance = self.asked.terms.provenance.clone();
        let entry = PolicyEntry { name, digest, text, binding: false, provenance };
        let input = self.effects.append(seq, Body::Policy(entry)).await;
        if matches!(input, Input::Appended(AppendEnd::Unknown)) {
            let message = format!("{}: the append of the policy was not answered", self.effects.channel);
            self.effects.error = Some(Error::new(ErrorKind::LedgerAmbiguous, message));
        }
        input
    }

    /// Appends the intent. If the answer is lost, reads the log at once to see if the intent is there.
    async fn write_intent(&self, seq: u64, body: Body) -> Result<AppendEnd> {
        match self.effects.write(seq, body).await? {
            AppendEnd::Unknown => Ok(match self.effects.read_log().await {
                Ok(log) if log.state.open.as_ref().is_some_and(|open| open.owner == self.effects.worker.owner) => {
                    AppendEnd::Stored(log)
                }
                _ => AppendEnd::Unknown,
            }),
            appended => Ok(appended),
        }
    }

    /// Steps *intent* and *pin*, in this order: a pin that no log explains is a sign of another ledger.
    async fn begin(&mut self, seq: u64, change: Change) -> Input {
        let Some(intent) = self.intent(change) else {
            let error = Error::new(ErrorKind::InternalFault, "a move began that was not judged");
            return self.effects.broken(error);
        };
        let live = change.previous.filter(|_| change.puts);
        let missing: Vec<_> = [Some(change.target), live]
            .into_iter()
            .flatten()
            .filter(|digest| !self.effects.pinned.contains(digest))
            .collect();
        let written = self.write_intent(seq, Body::Intent(Box::new(intent))).await;
        let pins = match written {
            Ok(AppendEnd::Stored(_)) => match self.effects.pin(&missing).await {
                Ok(()) => {
                    self.effects.pinned.extend(missing);
                    Pins::Confirmed
                }
                Err(error) => {
                    self.effects.error = Some(error);
                    Pins::Unconfirmed
                }
            },
            // If the intent is in the log after all, its put and its close pin first the digests that are not pinned.
            Ok(_) | Err(_) => Pins::Confirmed,
        };
        match written {
            Ok(appended) => Input::Begun(appended, pins),
            Err(error) => self.effects.broken(error),
        }
    }

    fn intent(&self, change: Change) -> Option<Intent> {
        let decision = self.decision.as_ref()?;
        let Asked { operation, terms, key, request } = &self.asked;
        let (channel, worker) = (&self.effects.channel, &self.effects.worker);
        let manifest = self.effects.manifests.get(&change.target)?;
        let itself = || Source::Reference(channel.reference());
        let by_digest = || Source::Reference(channel.repository().digest(change.target));
        let source = match operation {
            Operation::Promote(source) => source.clone(),
            Operation::Bootstrap(first) => first.source.clone().unwrap_or_else(itself),
            Operation::Adopt => itself(),
            Operation::Rollback(_) | Operation::Repair => by_digest(),
        };
        let predecessor = match operation {
            Operation::Bootstrap(first) => first.predecessor.clone(),
            _ => None,
        };
        Some(Intent {
            op: change.op,
            move_id: worker.move_id.clone(),
            key: key.clone(),
            request: *request,
            previous: change.previous,
            target: target_of(manifest),
            source,
            provenance: Provenance { release: self.label.clone(), ..terms.provenance.clone() },
            reason: terms.reason.clone(),
            expected: match terms.expected {
                ExpectedDigest::Any => None,
                ExpectedDigest::Absent => Some(Expected::Absent),
                ExpectedDigest::At(digest) => Some(Expected::Digest(digest)),
            },
            order: None,
            upstream: self.upstream.clone(),
            decision: Decision { overrides: terms.override_notes(), ..decision.clone() },
            replaced: change.replaced,
            predecessor,
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
    let annotation = |name: &&str| {
        let name = format!("org.opencontainers.image.{name}");
        let value = description.annotations.get(&name)?.parse().ok()?;
        Some((Line::lossy(name), value))
    };
    TargetManifest {
        digest: manifest.digest(),
        media_type: manifest.media_type().clone(),
        size: manifest.bytes().len() as u64,
        artifact_type: description.artifact_type.as_ref().and_then(|artifact_type| artifact_type.parse().ok()),
        annotations: TargetManifest::ANNOTATIONS.iter().filter_map(annotation).collect(),
    }
}
