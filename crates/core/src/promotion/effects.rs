//! `Effects`: performs the machine's effects against the registry and the ledger. The drivers of moves and of
//! recoveries share it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::inner::Inner;
use super::machine::{
    AppendEnd, Ask, Effect, Input, Key, LogRead, Ms, PutEnd, Replay, TagRead, WaitReason, Why, Worker,
};
use super::times::ms;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ledger::{Appended, ChannelLog};
use crate::log::{
    ActiveHold, Body, ChannelState, Observation, ObservationCause, Op, OpenMove, Outcome, RecordedError, Status,
    Takeover, TakeoverOp,
};
use crate::policy::Finding;
use crate::registry::{Manifest, Put};
use crate::value::{Channel, Digest, Line, Provenance, Timestamp};

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
    /// Problems that did not stop the move from being closed: at most one, a missing pin.
    pub(super) warnings: Vec<Finding>,
    /// The last error of the registry or the ledger.
    pub(super) error: Option<Error>,
    /// The last error of a put, or of what must be there before it.
    pub(super) put_error: Option<Error>,
    /// True after this worker sent a put.
    pub(super) has_put: bool,
    /// The end that this worker tried to record; inside it the reason, none for a committed move.
    pub(super) closing: Option<Option<Why>>,
    /// The log and the tag that were read before the machine asked for them.
    pub(super) ahead: Option<(LogRead, Result<TagRead>)>,
    /// The state of the log that the machine was told last.
    pub(super) state: Arc<ChannelState>,
    /// The registry's time in its last answer that had one.
    pub(super) date: Option<Timestamp>,
    /// True if a move may be open because of this worker.
    began: bool,
    /// True after the answer to an append of an intent was lost.
    pub(super) doubted: bool,
}

/// The provenance and the operation of a worker.
#[derive(Clone, Debug)]
pub(super) struct Author {
    pub(super) provenance: Provenance,
    /// The operation that a takeover names.
    pub(super) takeover: TakeoverOp,
    /// The request; none for a recovery.
    pub(super) ask: Option<Ask>,
}

/// The greatest age of the last read of the tag when the put is sent, in milliseconds.
const FRESH_MS: u64 = 1_000;

impl Effects {
    pub(super) fn new(inner: &Arc<Inner>, channel: &Channel, timeout: Duration, author: Author) -> Result<Effects> {
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
            put_error: None,
            has_put: false,
            closing: None,
            ahead: None,
            state: Arc::new(ChannelState::empty(channel.clone())),
            date: None,
            began: false,
            doubted: false,
        })
    }

    /// *caller-may-leave*: stops the run if its caller is gone and no move can be open because of this worker.
    pub(super) fn check_caller(&self, effect: &Effect, caller: &Weak<()>) -> Result<()> {
        let begins =
            matches!(effect, Effect::Hold | Effect::Begin { .. } | Effect::Takeover { .. } | Effect::Sleep { .. });
        match begins && !self.began && caller.strong_count() == 0 {
            true => Err(Error::new(ErrorKind::InternalFault, "the caller went away before the move began")),
            false => Ok(()),
        }
    }

    /// The machine's input for the result of an effect, and the time now. Keeps the parts that later errors and decisions
    /// need.
    pub(super) fn input(&mut self, performed: Result<Input>) -> (Input, Ms) {
        let input = performed.unwrap_or_else(|error| {
            let retry = error.retry();
            self.error = Some(error);
            Input::Broken(retry)
        });
        match &input {
            Input::Appended(AppendEnd::Unknown) => self.began = true,
            Input::Looked(log, _)
            | Input::Log(log)
            | Input::Unpinned(log)
            | Input::Appended(AppendEnd::Stored(log) | AppendEnd::Lost(log)) => {
                self.state = Arc::clone(&log.state);
                let ours = log.state.open.as_ref().is_some_and(|open| open.owner == self.worker.owner);
                // An append that was not answered may still land.
                self.began = ours || (self.began && !matches!(input, Input::Appended(_)));
            }
            _ => {}
        }
        if let Input::Looked(_, read) | Input::Tag(read) = &input {
            self.date = read.date.or(self.date);
        }
        (input, self.inner.now())
    }

    /// Performs the effects that moves and recoveries share. The others (judge, hold, policy, begin) are InternalFault here:
    /// the driver of a move performs them.
    pub(super) async fn perform(&mut self, effect: Effect) -> Result<Input> {
        match effect {
            Effect::Look => self.look().await,
            Effect::ReadLog => self.read_log().await.map(Input::Log),
            Effect::Resolve => self.inner.read_tag(&self.channel).await.map(Input::Tag),
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
            Effect::Close { seq, outcome, why } => self.close(seq, *outcome, why).await,
            Effect::Put { open, timeout_ms, not_after } => Ok(Input::Put(self.put(&open, timeout_ms, not_after).await)),
            Effect::Sleep { ms, until, waiting } => {
                self.inner.watch(&self.channel, waiting, until, self.error.as_ref());
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(Input::Woke)
            }
            Effect::Judge { .. } | Effect::Hold | Effect::Policy { .. } | Effect::Begin { .. } => {
                Err(Error::new(ErrorKind::InternalFault, "only a move is judged and begun"))
            }
        }
    }

    /// Reads log and tag at the same time. If a policy of the registry hides the tag, a promote and a rollback go on
    /// with the log's live digest instead; the others fail.
    async fn look(&mut self) -> Result<Input> {
        let (log, read) = match self.ahead.take() {
            Some((log, read)) => (Ok(log), read),
            None => {
                self.inner = self.inner.since(Instant::now());
                tokio::join!(self.read_log(), self.inner.read_tag(&self.channel))
            }
        };
        let log = log?;
        let (live, goes_on) =
            (log.state.live, matches!(self.author.ask, Some(Ask { op: Op::Promote | Op::Rollback, .. })));
        let read = match read {
            Err(error) if goes_on && live.is_some() && self.is_hidden(&error) => {
                self.error = Some(error);
                TagRead { value: live, sent: self.inner.now(), date: None, hidden: true }
            }
            read => read?,
        };
        Ok(Input::Looked(log, read))
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
        self.read_on(&mut *self.journal.lock().await, Instant::now()).await
    }

    /// Reads the log to a head that is new enough for the first look.
    pub(super) async fn read_log_first(&self) -> Result<LogRead> {
        self.read_on(&mut *self.journal.lock().await, self.inner.new_enough()).await
    }

    async fn read_on(&self, journal: &mut ChannelLog, since: Instant) -> Result<LogRead> {
        let state = journal.refresh_since(since).await?;
        let replay = match &self.author.ask {
            // No other move has a random key, except a move of this run whose answer was lost.
            Some(ask) if ask.key_from == Key::Given || self.doubted => {
                journal.committed(&ask.key).await?.map(|(seq, request, target)| Replay { seq, request, target })
            }
            _ => None,
        };
        Ok(self.log_with(state, replay))
    }

    pub(super) fn log_with(&self, state: Arc<ChannelState>, replay: Option<Replay>) -> LogRead {
        let held = self.held(&state).is_some();
        LogRead { replay, held, ..self.inner.log_read(&self.channel, state) }
    }

    /// The hold in force that stops this move; in a recovery, the one that stops the open move.
    pub(super) fn held(&self, state: &ChannelState) -> Option<ActiveHold> {
        let op = match &self.author.ask {
            Some(ask) => ask.op,
            None => state.open.as_ref()?.op,
        };
        state.held_at(self.inner.clock.now(), op).cloned()
    }

    pub(super) async fn append(&mut self, seq: u64, body: Body) -> Result<Input> {
        self.write(seq, body).await.map(Input::Appended)
    }

    /// Appends an entry. An error means that nothing was written. If the log cannot be read after another entry came
    /// first, the result is `Unknown`: the machine reads the log again.
    pub(super) async fn write(&mut self, seq: u64, body: Body) -> Result<AppendEnd> {
        let journal = Arc::clone(&self.journal);
        let mut journal = journal.lock().await;
        let now = self.inner.clock.now();
        match journal.append(seq, body, now).await {
            // The next look reads the log again, and looks the key up.
            Ok(Appended::Stored) => Ok(AppendEnd::Stored(self.log_with(Arc::clone(journal.state()), None))),
            Ok(Appended::Conflict) => Ok(match self.read_on(&mut journal, Instant::now()).await {
                Ok(log) => AppendEnd::Lost(log),
                Err(error) => self.unknown(error),
            }),
            Err(error) if error.kind() == ErrorKind::LedgerAmbiguous => Ok(self.unknown(error)),
            Err(error) => Err(error),
        }
    }

    /// `Unknown`, with the ledger's words for later errors.
    fn unknown(&mut self, error: Error) -> AppendEnd {
        self.error = Some(error);
        AppendEnd::Unknown
    }

    async fn close(&mut self, seq: u64, mut outcome: Outcome, why: Option<Why>) -> Result<Input> {
        self.closing = Some(why);
        outcome.error = why.map(|why| {
            let error = self.error_of(why);
            RecordedError { code: Line::lossy(error.code()), text: Line::lossy(error.message()) }
        });
        // A landed move, whose target was observed, is closed even if its pin cannot be written; then the result has a
        // warning.
        if let (Status::Committed, Some(target)) = (outcome.status, outcome.observed)
            && let Err(error) = self.pin([Some(target), None]).await
        {
            self.warn_of_pin(target, &error);
        }
        self.append(seq, Body::Outcome(outcome)).await
    }

    /// Step *put*. The move of another worker is pinned first: that worker may have died before it pinned.
    async fn put(&mut self, open: &OpenMove, timeout_ms: u64, not_after: Ms) -> PutEnd {
        let ready = async {
            self.pin([Some(open.target), open.previous]).await?;
            self.manifest(open.target).await
        };
        let manifest = match ready.await {
            Ok(manifest) => manifest,
            Err(error) => {
                // A manifest that is proven absent will be absent in the next try too.
                let gone = error.kind() == ErrorKind::RegistryAbsent;
                let retry = error.retry();
                self.put_failed(error);
                return if gone { PutEnd::Refused } else { PutEnd::NotReady(retry) };
            }
        };
        let (now, repository) = (self.inner.now(), self.channel.repository());
        // *no-late-put*: the clock is read for the last time before the put is sent.
        if now > not_after {
            return PutEnd::NotSent;
        }
        let timeout = Duration::from_millis(timeout_ms);
        self.has_put = true;
        let (end, error) = match self.inner.registry.put(repository, self.channel.tag(), &manifest, timeout).await {
            Put::Applied => return PutEnd::Applied,
            // The registry carried nothing out and says when to come back. If that is in time, the guard comes first.
            Put::Refused(error) if self.wait_if_busy(&error, not_after).await => {
                self.error = Some(error);
                return PutEnd::NotReady(Retry::Later);
            }
            // A proxy may have sent the put twice: then the second copy is refused because the first one made the tag.
            Put::Refused(error) if open.before().is_some() || !says_there(&error) => (PutEnd::Refused, error),
            Put::Refused(error) | Put::Unknown(error) => (PutEnd::Unknown, error),
        };
        self.put_failed(error);
        end
    }

    /// Keeps the error of a put for the reason of the move's end: the ledger may fail after it.
    pub(super) fn put_failed(&mut self, error: Error) {
        self.error = Some(error.clone());
        self.put_error = Some(error);
    }

    /// Waits as long as a registry asks that is busy. False, without a wait, if it asks for none, or for so long that
    /// `until` would be over.
    pub(super) async fn wait_if_busy(&self, error: &Error, until: Ms) -> bool {
        let asked = error.context().find(|(name, _)| *name == "retry_after_ms").and_then(|(_, ms)| ms.parse().ok());
        let Some(asked) = asked.filter(|_| error.kind() == ErrorKind::RegistryBusy) else { return false };
        let now = self.inner.now();
        let end = now.saturating_add(asked);
        // The guard after the wait takes time.
        if end.saturating_add(FRESH_MS) > until {
            return false;
        }
        self.inner.watch(&self.channel, WaitReason::Answer { why: error.to_string() }, end, Some(error));
        tokio::time::sleep(Duration::from_millis(end.saturating_sub(now))).await;
        true
    }

    /// The manifest of a digest. REGISTRY_ABSENT if it is gone.
    pub(super) async fn manifest(&self, digest: Digest) -> Result<Manifest> {
        if let Some(manifest) = self.manifests.get(&digest) {
            return Ok(manifest.clone());
        }
        let reference = self.channel.repository().digest(digest);
        self.inner.registry.fetch(&reference).await?.ok_or_else(|| {
            Error::new(ErrorKind::RegistryAbsent, format!("{reference} is gone from the registry: push it again"))
                .with_context("reference", &reference)
        })
    }
}

/// True if a refusal says that the tag exists, or cannot be changed.
fn says_there(refusal: &Error) -> bool {
    let words = refusal.message().to_lowercase();
    words.contains("exist") || words.contains("immutable")
}

/// The name of a worker: sixteen random bytes, in hex.
fn owner() -> Result<Line> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(ErrorKind::InternalFault, "the system gave no random bytes").with_source(e))?;
    random.iter().map(|byte| format!("{byte:02x}")).collect::<String>().parse()
}
