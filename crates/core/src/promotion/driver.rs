//! `Run`: does what a mover says, against the registry and the ledger.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;

use super::Inner;
use super::facts::{Gathered, target_of};
use super::plan::RecoveryMode;
use super::request::{Operation, Terms};
use crate::error::{Error, ErrorKind, Result};
use crate::judge::{ExpectedDigest, Finding, Refusal};
use crate::ledger::{Journal, Written};
use crate::promotion::machine::{
    Action, Appended, Ask, Change, End, Heard, LogRead, Mover, Ms, Pins, PutEnd, Replay, Why, Worker,
};
use crate::record::{
    ActiveHold, Body, ChannelState, Decision, ErrorNote, Expected, Intent, MigratedTo, Observation, ObservationCause,
    OpenMove, Outcome, PolicyEntry, PolicyNote, Source, Status, Takeover, TakeoverOp, UpstreamLog,
};
use crate::registry::{Manifest, Put, pin_tag};
use crate::value::{Channel, Digest, IdempotencyKey, Provenance, ReleaseLabel, Text};

/// One run of a mover, from a question to its end.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) inner: Arc<Inner>,
    pub(super) channel: Channel,
    pub(super) work: Work,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) worker: Worker,
    pub(super) mover: Mover,
    pub(super) action: Action,
    /// What was read before the mover asked for it.
    pub(super) ahead: Option<(LogRead, Result<Option<Digest>>)>,
    pub(super) manifests: HashMap<Digest, Manifest>,
    /// Digests whose pins are confirmed.
    pub(super) pinned: Vec<Digest>,
    pub(super) decision: Option<Decision>,
    /// The logs of earlier environments that the decision stands on.
    pub(super) upstream: Vec<UpstreamLog>,
    /// What is worth saying about how the target was named.
    pub(super) warning: Option<Finding>,
    /// What people call the release.
    pub(super) label: Option<ReleaseLabel>,
    /// The policy's no, if there was one.
    pub(super) refusal: Option<Refusal>,
    /// The last thing that went wrong outside.
    pub(super) error: Option<Error>,
    /// Where the log goes on, if it was closed when it was last read.
    pub(super) migrated: Option<MigratedTo>,
    /// Whether a move may be open because of this run.
    pub(super) began: Began,
    /// Whether the answer to an intent of this run was ever lost.
    pub(super) doubted: bool,
}

/// What a run is for.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// A move of its own.
    Move(Box<Asked>),
    /// To close the open move.
    Recover(Box<Recovery>),
}

impl Work {
    /// Who asks for it.
    fn provenance(&self) -> &Provenance {
        match self {
            Work::Move(asked) => &asked.terms.provenance,
            Work::Recover(recovery) => &recovery.provenance,
        }
    }

    /// What a worker that takes a move over on the way was asked for.
    fn takeover_op(&self) -> TakeoverOp {
        match self {
            Work::Move(asked) => asked.operation.op().into(),
            Work::Recover(recovery) => match recovery.mode {
                RecoveryMode::RollForward => TakeoverOp::Recover,
                RecoveryMode::Abort => TakeoverOp::Abort,
            },
        }
    }
}

/// A recovery that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    pub(super) mode: RecoveryMode,
    pub(super) provenance: Provenance,
    /// RecoveryMode long to wait for the open move.
    pub(super) timeout: Duration,
}

/// A move that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) operation: Operation,
    pub(super) terms: Terms,
    pub(super) key: IdempotencyKey,
    pub(super) request: Digest,
}

/// Whether a move may be open because of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    No,
    /// An append that claims one was not answered, and may land yet.
    Perhaps,
    Yes,
}

/// RecoveryMode long after a difference the second look of step 11 is.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Run {
    /// Does what the mover says until it is done. Once an intent may stand, it goes on even if the caller is gone.
    pub(super) async fn drive(&mut self, caller: &Weak<()>) -> Result<End> {
        loop {
            match &self.action {
                Action::Done(end) => return Ok(end.clone()),
                _ => self.step(caller).await?,
            }
        }
    }

    /// Does the next thing that the mover says.
    pub(super) async fn step(&mut self, caller: &Weak<()>) -> Result<()> {
        let begins = matches!(self.action, Action::Begin { .. } | Action::Takeover { .. } | Action::Sleep(_));
        if begins && self.began == Began::No && caller.strong_count() == 0 {
            return Err(Error::new(ErrorKind::InternalFault, "the caller went away before the move began"));
        }
        let heard = self.perform().await;
        self.hear(heard);
        Ok(())
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        self.doubted |= matches!(heard, Heard::Begun(Appended::Unknown, _));
        match &heard {
            Heard::Appended(Appended::Unknown) | Heard::Begun(Appended::Unknown, _) => self.began = Began::Perhaps,
            Heard::Looked(log, _)
            | Heard::Log(log)
            | Heard::Begun(Appended::Stored(log) | Appended::Lost(log), _)
            | Heard::Appended(Appended::Stored(log) | Appended::Lost(log)) => {
                self.migrated.clone_from(&log.state.migrated);
                let ours = log.state.open.as_ref().is_some_and(|open| open.owner == self.worker.owner);
                let answered = matches!(heard, Heard::Begun(..) | Heard::Appended(_));
                self.began = match (ours, self.began) {
                    (true, _) => Began::Yes,
                    (false, Began::Perhaps) if !answered => Began::Perhaps,
                    (false, _) => Began::No,
                };
            }
            _ => {}
        }
        let now = self.now();
        self.action = self.mover.hear(heard, now);
    }

    pub(super) fn now(&self) -> Ms {
        Ms::try_from(self.inner.clock.monotonic().as_millis()).unwrap_or(Ms::MAX)
    }

    async fn perform(&mut self) -> Heard {
        match self.action.clone() {
            Action::Look => match self.ahead.take() {
                Some((log, Ok(observed))) => Heard::Looked(log, observed),
                Some((_, Err(error))) => self.broken(error),
                None => {
                    let (channel, inner) = (self.channel.clone(), Arc::clone(&self.inner));
                    let resolve = inner.registry.resolve(channel.repository(), channel.tag());
                    let (log, observed) = tokio::join!(self.read_log(), resolve);
                    match (log, observed) {
                        (Ok(log), Ok(observed)) => Heard::Looked(log, observed),
                        (Err(error), _) | (_, Err(error)) => self.broken(error),
                    }
                }
            },
            Action::ReadLog => match self.read_log().await {
                Ok(log) => Heard::Log(log),
                Err(error) => self.broken(error),
            },
            Action::Resolve => match self.inner.registry.resolve(self.channel.repository(), self.channel.tag()).await {
                Ok(observed) => Heard::Tag(observed),
                Err(error) => self.broken(error),
            },
            Action::Judge { observed, change, .. } => match self.judge(observed, change).await {
                Ok(gathered) => self.decide(gathered),
                Err(error) => self.broken(error),
            },
            Action::Policy { seq } => {
                let policy = &self.inner.policy;
                let (PolicyNote { name, digest }, text) = (policy.note(), policy.text());
                let provenance = self.work.provenance().clone();
                let entry = PolicyEntry { name, digest, text, binding: false, provenance };
                let heard = self.append(seq, Body::Policy(entry)).await;
                if matches!(heard, Heard::Appended(Appended::Unknown)) {
                    let message = format!("{}: the append of the policy was not answered", self.channel);
                    self.error = Some(Error::new(ErrorKind::LedgerAmbiguous, message));
                }
                heard
            }
            Action::Begin { seq, change } => self.begin(seq, change).await,
            Action::Takeover { seq, open, deadlines } => {
                let takeover = Takeover {
                    op: self.work.takeover_op(),
                    provenance: self.work.provenance().clone(),
                    move_id: open.move_id.clone(),
                    intent_seq: open.seq,
                    owner: self.worker.owner.clone(),
                    epoch: open.epoch + 1,
                    previous_owner: open.owner.clone(),
                    deadlines,
                };
                self.append(seq, Body::Takeover(takeover)).await
            }
            Action::Observe { seq, expected, observed } => {
                let cause = ObservationCause::Drift;
                self.append(seq, Body::Observation(Observation { expected, observed, cause })).await
            }
            Action::Close { seq, open, status, observed, attempts, put, why } => {
                let outcome = Outcome {
                    move_id: open.move_id.clone(),
                    intent_seq: open.seq,
                    owner: open.owner.clone(),
                    epoch: open.epoch,
                    status,
                    observed,
                    attempts,
                    put,
                    recovered: open.epoch > 0,
                    error: why.map(|why| self.note_of(why)),
                };
                // I7 holds for what another worker began, too, and for what no put is needed for.
                if status == Status::Committed && open.epoch > 0 && !self.pinned.contains(&open.target) {
                    match self.pin(&[open.target]).await {
                        Ok(()) => self.pinned.push(open.target),
                        Err(error) => return self.broken(error),
                    }
                }
                self.append(seq, Body::Outcome(outcome)).await
            }
            Action::Put { target, timeout_ms, not_after } => Heard::Put(self.put(target, timeout_ms, not_after).await),
            Action::Sleep(ms) => {
                self.inner.watch(&self.channel, self.mover.waits_for(), self.now());
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Heard::Woke
            }
            Action::Done(_) => Heard::Woke,
        }
    }

    fn broken(&mut self, error: Error) -> Heard {
        self.error = Some(error);
        Heard::Broken
    }

    pub(super) fn decide(&mut self, gathered: Gathered) -> Heard {
        match gathered.judgement.decide() {
            Ok(decision) => {
                self.upstream = gathered.upstream;
                let policy = decision.policy.digest;
                self.decision = Some(decision);
                Heard::Approved(policy)
            }
            Err(refusal) => {
                self.refusal = Some(refusal);
                Heard::Refused
            }
        }
    }

    /// The log to its head.
    pub(super) async fn read_log(&self) -> Result<LogRead> {
        let mut journal = self.journal.lock().await;
        journal.refresh().await?;
        self.seen(&journal).await
    }

    async fn seen(&self, journal: &Journal) -> Result<LogRead> {
        let state = Arc::clone(journal.state());
        let held = self.held(&state).is_some();
        let replay = match &self.work {
            // A key that nobody gave is random: no move has it, but for one of this run whose answer was lost.
            Work::Move(asked) if asked.terms.idempotency_key.is_some() || self.doubted => {
                journal.committed(&asked.key).await?.map(|(seq, request)| Replay { seq, request })
            }
            _ => None,
        };
        Ok(LogRead { state, replay, held })
    }

    /// The hold in force that stops this move, or the one that is to be completed.
    pub(super) fn held(&self, state: &ChannelState) -> Option<ActiveHold> {
        let op = match &self.work {
            Work::Move(asked) => asked.operation.op(),
            Work::Recover(_) => state.open.as_ref()?.op,
        };
        state.held_at(self.inner.clock.now(), op).cloned()
    }

    async fn append(&mut self, seq: u64, body: Body) -> Heard {
        match self.write(seq, body).await {
            Ok(appended) => Heard::Appended(appended),
            Err(error) => self.broken(error),
        }
    }

    /// An error means that nothing was written. What cannot be read after an append is looked at again.
    async fn write(&self, seq: u64, body: Body) -> Result<Appended> {
        let mut journal = self.journal.lock().await;
        let now = self.inner.clock.now();
        match journal.append(seq, body, now).await {
            Ok(Written::At(_)) => {
                let state = Arc::clone(journal.state());
                let held = self.held(&state).is_some();
                // Whoever has just written asks for no key: a look that does reads the log anew.
                Ok(Appended::Stored(LogRead { state, replay: None, held }))
            }
            Ok(Written::Lost) => {
                let log = match journal.refresh().await {
                    Ok(_) => self.seen(&journal).await,
                    Err(error) => Err(error),
                };
                Ok(log.map_or(Appended::Unknown, Appended::Lost))
            }
            Err(error) if error.kind() == ErrorKind::LedgerAmbiguous => Ok(Appended::Unknown),
            Err(error) => Err(error),
        }
    }

    /// The first intent of a log. If the answer is lost, the log says at once whether it is there.
    async fn write_first(&self, seq: u64, body: Body) -> Result<Appended> {
        match self.write(seq, body).await? {
            Appended::Unknown => Ok(match self.read_log().await {
                Ok(log) if log.state.open.as_ref().is_some_and(|open| open.owner == self.worker.owner) => {
                    Appended::Stored(log)
                }
                _ => Appended::Unknown,
            }),
            appended => Ok(appended),
        }
    }

    /// Steps 5 and 6: the intent, and beside it the pins.
    async fn begin(&mut self, seq: u64, change: Change) -> Heard {
        let Some(intent) = self.intent(change) else {
            let error = Error::new(ErrorKind::InternalFault, "a move began that was not judged");
            return self.broken(error);
        };
        let live = change.previous.filter(|_| !change.as_it_is);
        let missing: Vec<_> =
            [Some(change.target), live].into_iter().flatten().filter(|d| !self.pinned.contains(d)).collect();
        let body = Body::Intent(Box::new(intent));
        let (written, pinned) = match change.previous {
            // Pins without a move are a sign of another ledger: before the first move they come after the intent.
            None => {
                let written = self.write_first(seq, body).await;
                let stands = matches!(written, Ok(Appended::Stored(_)));
                (written, if stands { self.pin(&missing).await } else { Err(not_begun()) })
            }
            Some(_) => tokio::join!(self.write(seq, body), self.pin(&missing)),
        };
        let pins = match pinned {
            Ok(()) => {
                self.pinned.extend(missing);
                Pins::Confirmed
            }
            Err(error) => {
                self.error = Some(error);
                Pins::Unconfirmed
            }
        };
        match written {
            Ok(appended) => Heard::Begun(appended, pins),
            Err(error) => self.broken(error),
        }
    }

    fn intent(&self, change: Change) -> Option<Intent> {
        let (Work::Move(asked), Some(decision)) = (&self.work, &self.decision) else { return None };
        let Asked { operation, terms, key, request } = &**asked;
        let manifest = self.manifests.get(&change.target)?;
        let itself = || Source::Reference(self.channel.reference());
        let by_digest = || Source::Reference(self.channel.repository().digest(change.target));
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
            op: operation.op(),
            move_id: self.worker.move_id.clone(),
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
            owner: self.worker.owner.clone(),
            epoch: 0,
            deadlines: self.worker.deadlines,
        })
    }

    /// Step 8. A move of another is pinned first: its own worker may have died before it could.
    async fn put(&mut self, to: Digest, timeout_ms: u64, not_after: Ms) -> PutEnd {
        let open = self.journal.lock().await.state().open.clone();
        let digests = open.iter().flat_map(|open| [Some(open.target), open.previous]).flatten();
        let missing: Vec<_> = digests.filter(|digest| !self.pinned.contains(digest)).collect();
        let ready = match self.pin(&missing).await {
            Ok(()) => {
                self.pinned.extend(missing);
                self.manifest(to).await
            }
            Err(error) => Err(error),
        };
        let manifest = match ready {
            Ok(manifest) => manifest,
            Err(error) => {
                // What is proven to be gone will not be there the next time either.
                let gone = error.kind() == ErrorKind::RegistryAbsent;
                self.error = Some(error);
                return if gone { PutEnd::Refused } else { PutEnd::NotReady };
            }
        };
        let (now, repository) = (self.now(), self.channel.repository());
        // R1: the last look at the clock before the put is sent.
        if now > not_after {
            return PutEnd::NotSent;
        }
        let timeout = Duration::from_millis(timeout_ms);
        match self.inner.registry.put(repository, self.channel.tag(), &manifest, timeout).await {
            Put::Applied => PutEnd::Applied,
            Put::Refused(error) => {
                self.error = Some(error);
                PutEnd::Refused
            }
            Put::Unknown(error) => {
                self.error = Some(error);
                PutEnd::Unknown
            }
        }
    }

    /// The manifest of a digest. REGISTRY_ABSENT if it is gone.
    async fn manifest(&self, digest: Digest) -> Result<Manifest> {
        if let Some(manifest) = self.manifests.get(&digest) {
            return Ok(manifest.clone());
        }
        let reference = self.channel.repository().digest(digest);
        self.inner.registry.fetch(&reference).await?.ok_or_else(|| {
            Error::new(ErrorKind::RegistryAbsent, format!("{reference} is gone from the registry"))
                .with("reference", &reference)
        })
    }

    /// Gives each digest its pin, where it does not have it yet (I7): what the tag leaves is not lost.
    async fn pin(&self, digests: &[Digest]) -> Result<()> {
        let pins = digests.iter().map(|digest| self.pin_one(*digest));
        let mut all = Ok(());
        for pin in super::together(pins).await {
            all = all.and(pin);
        }
        all
    }

    async fn pin_one(&self, digest: Digest) -> Result<()> {
        let (repository, tag) = (self.channel.repository(), pin_tag(&digest));
        // The target, fetched a moment ago, needs no look before its pin is put, and none after: the next move looks,
        // before the tag leaves it.
        let target = self.manifests.contains_key(&digest);
        if !target && self.inner.registry.resolve(repository, &tag).await? == Some(digest) {
            return Ok(());
        }
        let manifest = self.manifest(digest).await?;
        match self.inner.registry.put(repository, &tag, &manifest, self.inner.times.put).await {
            Put::Applied if target => Ok(()),
            Put::Applied => self.read_back(digest).await,
            Put::Refused(error) | Put::Unknown(error) => {
                // Another worker may have pinned it, or the answer was lost.
                match self.inner.registry.resolve(repository, &tag).await {
                    Ok(Some(found)) if found == digest => Ok(()),
                    _ => Err(error.with("pin", tag)),
                }
            }
        }
    }

    /// Waits until a pin that was put can be read: reads may lag, so the last look is a quarter to half of a put's
    /// timeout later.
    async fn read_back(&self, digest: Digest) -> Result<()> {
        let (repository, tag) = (self.channel.repository(), pin_tag(&digest));
        let mut pause = Duration::from_millis(50);
        while self.inner.registry.resolve(repository, &tag).await? != Some(digest) {
            if pause > self.inner.times.put / 4 {
                let message = format!("the registry said that it keeps {repository}:{tag}, and does not have it");
                return Err(Error::new(ErrorKind::RegistryDigestMismatch, message).with("pin", tag));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }

    /// Step 11: one more look after the move at `seq`, off the caller's path. A difference that a second look sees as
    /// well is recorded, unless the log has moved on.
    pub(super) async fn look_back(&self, seq: u64, to: Digest) -> Result<()> {
        let (repository, tag) = (self.channel.repository(), self.channel.tag());
        if self.inner.registry.resolve(repository, tag).await? == Some(to) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        let observed = self.inner.registry.resolve(repository, tag).await?;
        let state = self.read_log().await?.state;
        if observed == Some(to) || state.last_intent != Some(seq) || state.open.is_some() {
            return Ok(());
        }
        let cause = ObservationCause::Drift;
        let body = Body::Observation(Observation { expected: Some(to), observed, cause });
        // Lost means that somebody moves or looks: the next audit sees what there is to see.
        self.write(state.size, body).await.map(|_| ())
    }

    fn note_of(&self, why: Why) -> ErrorNote {
        let error = super::receipt::error_of(why, self, None);
        ErrorNote { code: Text::lossy(error.code()), text: Text::lossy(error.message()) }
    }
}

impl Asked {
    pub(super) fn ask(&self, target: Option<Digest>) -> Ask {
        Ask {
            op: self.operation.op(),
            want: self.operation.want(target),
            key: self.key.clone(),
            request: self.request,
            on_conflict: self.terms.on_conflict,
        }
    }
}

fn not_begun() -> Error {
    Error::new(ErrorKind::LedgerAmbiguous, "it is not known whether the intent stands, so nothing was pinned")
}

/// A move that another worker opened, as an error shows it.
pub(super) fn describe(open: &OpenMove) -> String {
    format!("{} to {} (seq {}, move {})", open.op.as_str(), open.target, open.seq, open.move_id)
}
