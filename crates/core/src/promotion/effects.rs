//! `Effects`: performs the machine's effects against the registry and the ledger. The drivers of moves and of
//! recoveries share it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use uuid::Uuid;

use super::inner::Inner;
use super::machine::{AppendEnd, Closing, Effect, Input, LogRead, Ms, PutEnd, Replay, TagRead, Worker};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{AppendResult, ChannelLog};
use crate::log::{
    ActiveHold, Body, ChannelState, MigratedTo, Observation, ObservationCause, Op, OpenMove, Outcome, RecordedError,
    Status, Takeover, TakeoverOp,
};
use crate::policy::Finding;
use crate::registry::{Manifest, Put};
use crate::value::{Channel, Digest, IdempotencyKey, Line, Provenance, Timestamp};

/// The state of one worker on one channel.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) inner: Arc<Inner>,
    pub(super) channel: Channel,
    pub(super) journal: Arc<Mutex<ChannelLog>>,
    pub(super) worker: Worker,
    pub(super) author: Author,
    pub(super) manifests: HashMap<Digest, Manifest>,
    /// Digests whose pins are confirmed.
    pub(super) pinned: Vec<Digest>,
    /// Problems that did not stop the move from being closed.
    pub(super) warnings: Vec<Finding>,
    /// The last error of the registry or the ledger.
    pub(super) error: Option<Error>,
    /// The ledger where the log goes on, if the log was migrated when it was last read.
    pub(super) migrated: Option<MigratedTo>,
    /// The registry's time in its last answer that had one.
    pub(super) date: Option<Timestamp>,
    began: Began,
    /// True after the answer to an append of an intent was lost.
    doubted: bool,
}

/// The provenance and the operation of a worker.
#[derive(Clone, Debug)]
pub(super) struct Author {
    pub(super) provenance: Provenance,
    /// The operation that a takeover names.
    pub(super) takeover: TakeoverOp,
    /// The operation that a hold is looked up for; none for a recovery, which uses the operation of the open move.
    pub(super) op: Option<Op>,
    /// The key of the move, and true if the caller gave it.
    pub(super) key: Option<(IdempotencyKey, bool)>,
}

/// Tells if a move may be open because of this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Began {
    No,
    /// An append of an intent or a takeover was not answered, and may still land.
    Perhaps,
    Yes,
}

/// The greatest age of the last read of the tag when the put is sent, in milliseconds.
const FRESH_MS: u64 = 1_000;

impl Effects {
    pub(super) fn new(inner: &Arc<Inner>, channel: &Channel, timeout: Duration, author: Author) -> Result<Effects> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let worker = Worker {
            owner: owner()?,
            move_id: Uuid::now_v7().to_string().parse()?,
            deadlines: inner.times.deadlines_for(channel.repository().registry()),
            put_ms: ms(inner.times.put),
            fresh_ms: FRESH_MS,
            timeout_ms: ms(timeout),
            #[cfg(test)]
            left_out: None,
        };
        Ok(Effects {
            inner: Arc::clone(inner),
            channel: channel.clone(),
            journal: inner.journal(channel),
            worker,
            author,
            manifests: HashMap::new(),
            pinned: Vec::new(),
            warnings: Vec::new(),
            error: None,
            migrated: None,
            date: None,
            began: Began::No,
            doubted: false,
        })
    }

    pub(super) fn now(&self) -> Ms {
        self.inner.now()
    }

    /// *caller-may-leave*: stops the run if its caller is gone and no move can be open because of this worker.
    pub(super) fn check_caller(&self, effect: &Effect, caller: &Weak<()>) -> Result<()> {
        let begins = matches!(effect, Effect::Begin { .. } | Effect::Takeover { .. } | Effect::Sleep(..));
        match begins && self.began == Began::No && caller.strong_count() == 0 {
            true => Err(Error::new(ErrorKind::InternalFault, "the caller went away before the move began")),
            false => Ok(()),
        }
    }

    /// Keeps the parts of an input that later errors and decisions need.
    pub(super) fn note(&mut self, input: &Input) {
        self.doubted |= matches!(input, Input::Begun(AppendEnd::Unknown, _));
        match input {
            Input::Appended(AppendEnd::Unknown) | Input::Begun(AppendEnd::Unknown, _) => self.began = Began::Perhaps,
            Input::Looked(log, _)
            | Input::Log(log)
            | Input::Begun(AppendEnd::Stored(log) | AppendEnd::Lost(log), _)
            | Input::Appended(AppendEnd::Stored(log) | AppendEnd::Lost(log)) => {
                self.migrated.clone_from(&log.state.migrated);
                let ours = log.state.open.as_ref().is_some_and(|open| open.owner == self.worker.owner);
                let answered = matches!(input, Input::Begun(..) | Input::Appended(_));
                self.began = match (ours, self.began) {
                    (true, _) => Began::Yes,
                    (false, Began::Perhaps) if !answered => Began::Perhaps,
                    (false, _) => Began::No,
                };
            }
            _ => {}
        }
    }

    /// Performs the effects that moves and recoveries share. The others (judge, policy, begin) are InternalFault here:
    /// the driver of a move performs them.
    pub(super) async fn perform(&mut self, effect: Effect) -> Input {
        match effect {
            Effect::Look => self.look().await,
            Effect::ReadLog => match self.read_log().await {
                Ok(log) => Input::Log(log),
                Err(error) => self.broken(error),
            },
            Effect::Resolve => match self.read_tag().await {
                Ok(read) => Input::Tag(read),
                Err(error) => self.broken(error),
            },
            Effect::Takeover { seq, open, deadlines } => {
                let takeover = Takeover {
                    op: self.author.takeover,
                    provenance: self.author.provenance.clone(),
                    move_id: open.move_id.clone(),
                    intent_seq: open.seq,
                    owner: self.worker.owner.clone(),
                    epoch: open.epoch + 1,
                    previous_owner: open.owner.clone(),
                    deadlines,
                };
                self.append(seq, Body::Takeover(takeover)).await
            }
            Effect::Observe { seq, expected, observed } => {
                let cause = ObservationCause::Drift;
                self.append(seq, Body::Observation(Observation { expected, observed, cause })).await
            }
            Effect::Close(closing) => self.close(*closing).await,
            Effect::Put { open, timeout_ms, not_after } => Input::Put(self.put(&open, timeout_ms, not_after).await),
            Effect::Sleep(ms, waiting) => {
                self.inner.watch(&self.channel, waiting, self.error.as_ref(), self.now());
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Input::Woke
            }
            Effect::Judge { .. } | Effect::Policy { .. } | Effect::Begin { .. } => {
                self.broken(Error::new(ErrorKind::InternalFault, "only a move is judged and begun"))
            }
        }
    }

    pub(super) fn broken(&mut self, error: Error) -> Input {
        let retry = error.retry();
        self.error = Some(error);
        Input::Broken(retry)
    }

    /// Reads log and tag at the same time.
    async fn look(&mut self) -> Input {
        let (log, read) = tokio::join!(self.read_log(), self.read_tag_now());
        match log.and_then(|log| {
            let read = self.read_or_hidden(read, &log.state)?;
            Ok((log, read))
        }) {
            Ok((log, read)) => Input::Looked(log, read),
            Err(error) => self.broken(error),
        }
    }

    async fn read_tag(&mut self) -> Result<TagRead> {
        let read = self.read_tag_now().await?;
        self.date = read.date.or(self.date);
        Ok(read)
    }

    pub(super) async fn read_tag_now(&self) -> Result<TagRead> {
        self.inner.read_tag(&self.channel).await
    }

    /// The read of the tag. If a policy of the registry hides the tag, a promote and a rollback go on with the log's
    /// live digest instead; the others fail.
    pub(super) fn read_or_hidden(&mut self, read: Result<TagRead>, state: &ChannelState) -> Result<TagRead> {
        let error = match read {
            Ok(read) => {
                self.date = read.date.or(self.date);
                return Ok(read);
            }
            Err(error) => error,
        };
        let goes_on = matches!(self.author.op, Some(Op::Promote | Op::Rollback)) && state.live.is_some();
        match goes_on && self.is_hidden(&error) {
            true => {
                self.error = Some(error);
                Ok(TagRead { value: state.live, sent: self.now(), date: None, hidden: true })
            }
            false => Err(error),
        }
    }

    /// True if a read failed because a policy of the registry hides the content.
    pub(super) fn is_hidden(&self, error: &Error) -> bool {
        match error.context().find(|(name, _)| *name == "status") {
            Some((_, "412" | "451")) => true,
            // The token is valid: it has read another manifest of the repository.
            Some((_, "403")) => !self.manifests.is_empty(),
            _ => false,
        }
    }

    /// Reads the log to its head.
    pub(super) async fn read_log(&self) -> Result<LogRead> {
        let mut journal = self.journal.lock().await;
        journal.refresh().await?;
        self.log_read(&mut journal).await
    }

    async fn log_read(&self, journal: &mut ChannelLog) -> Result<LogRead> {
        let state = Arc::clone(journal.state());
        let replay = match &self.author.key {
            // No other move has a random key, except a move of this run whose answer was lost.
            Some((key, given)) if *given || self.doubted => {
                journal.committed(key).await?.map(|(seq, request, target)| Replay { seq, request, target })
            }
            _ => None,
        };
        Ok(self.log_with(state, replay))
    }

    fn log_with(&self, state: Arc<ChannelState>, replay: Option<Replay>) -> LogRead {
        let held = self.held(&state).is_some();
        let first_read = self.inner.first_read(&self.channel, state.size);
        LogRead { state, replay, held, first_read, settle_ms: self.worker.deadlines.settle_ms }
    }

    /// The hold in force that stops this move; in a recovery, the one that stops the open move.
    pub(super) fn held(&self, state: &ChannelState) -> Option<ActiveHold> {
        let op = match self.author.op {
            Some(op) => op,
            None => state.open.as_ref()?.op,
        };
        state.held_at(self.inner.clock.now(), op).cloned()
    }

    pub(super) async fn append(&mut self, seq: u64, body: Body) -> Input {
        match self.write(seq, body).await {
            Ok(appended) => Input::Appended(appended),
            Err(error) => self.broken(error),
        }
    }

    /// Appends an entry. An error means that nothing was written. If the log cannot be read after another entry came
    /// first, the result is `Unknown`: the machine reads the log again.
    pub(super) async fn write(&self, seq: u64, body: Body) -> Result<AppendEnd> {
        let mut journal = self.journal.lock().await;
        let now = self.inner.clock.now();
        match journal.append(seq, body, now).await {
            // The next look reads the log again, and looks the key up.
            Ok(AppendResult::At(_)) => Ok(AppendEnd::Stored(self.log_with(Arc::clone(journal.state()), None))),
            Ok(AppendResult::Lost) => {
                let log = match journal.refresh().await {
                    Ok(_) => self.log_read(&mut journal).await,
                    Err(error) => Err(error),
                };
                Ok(log.map_or(AppendEnd::Unknown, AppendEnd::Lost))
            }
            Err(error) if error.kind() == ErrorKind::LedgerAmbiguous => Ok(AppendEnd::Unknown),
            Err(error) => Err(error),
        }
    }

    async fn close(&mut self, closing: Closing) -> Input {
        let Closing { seq, open, status, observed, attempts, put, why } = closing;
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
            error: why.map(|why| {
                let error = self.error_of(why);
                RecordedError { code: Line::lossy(error.code()), text: Line::lossy(error.message()) }
            }),
        };
        // A landed move is closed even if its pin cannot be written; then the result has a warning.
        if status == Status::Committed && !self.pinned.contains(&open.target) {
            match self.pin(&[open.target]).await {
                Ok(()) => self.pinned.push(open.target),
                Err(error) => self.warn_of_pin(open.target, &error),
            }
        }
        self.append(seq, Body::Outcome(outcome)).await
    }

    /// Step *put*. The move of another worker is pinned first: that worker may have died before it pinned.
    async fn put(&mut self, open: &OpenMove, timeout_ms: u64, not_after: Ms) -> PutEnd {
        let digests = [Some(open.target), open.previous].into_iter().flatten();
        let missing: Vec<_> = digests.filter(|digest| !self.pinned.contains(digest)).collect();
        let ready = match self.pin(&missing).await {
            Ok(()) => {
                self.pinned.extend(missing);
                self.manifest(open.target).await
            }
            Err(error) => Err(error),
        };
        let manifest = match ready {
            Ok(manifest) => manifest,
            Err(error) => {
                // A manifest that is proven absent will be absent in the next try too.
                let gone = error.kind() == ErrorKind::RegistryAbsent;
                let retry = error.retry();
                self.error = Some(error);
                return if gone { PutEnd::Refused } else { PutEnd::NotReady(retry) };
            }
        };
        let (now, repository) = (self.now(), self.channel.repository());
        // *no-late-put*: the clock is read for the last time before the put is sent.
        if now > not_after {
            return PutEnd::NotSent;
        }
        let timeout = Duration::from_millis(timeout_ms);
        match self.inner.registry.put(repository, self.channel.tag(), &manifest, timeout).await {
            Put::Applied => PutEnd::Applied,
            Put::Refused(error) => {
                // A proxy may have sent the put twice: then the second copy is refused because the first one made the
                // tag.
                let words = error.message().to_lowercase();
                let first = open.before().is_none() && (words.contains("exist") || words.contains("immutable"));
                self.error = Some(error);
                if first { PutEnd::Unknown } else { PutEnd::Refused }
            }
            Put::Unknown(error) => {
                self.error = Some(error);
                PutEnd::Unknown
            }
        }
    }

    /// The manifest of a digest. REGISTRY_ABSENT if it is gone.
    pub(super) async fn manifest(&self, digest: Digest) -> Result<Manifest> {
        if let Some(manifest) = self.manifests.get(&digest) {
            return Ok(manifest.clone());
        }
        let reference = self.channel.repository().digest(digest);
        self.inner.registry.fetch(&reference).await?.ok_or_else(|| {
            Error::new(ErrorKind::RegistryAbsent, format!("{reference} is gone from the registry"))
                .with_context("reference", &reference)
        })
    }
}

/// The name of a worker: sixteen random bytes, in hex.
fn owner() -> Result<Line> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(ErrorKind::InternalFault, "the system gave no random bytes").with_source(e))?;
    random.iter().map(|byte| format!("{byte:02x}")).collect::<String>().parse()
}
