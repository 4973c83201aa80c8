//! `Effects`: performs the machine's effects against the registry and the ledger. The drivers of moves and of
//! recoveries share it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::inner::Inner;
use super::machine::{AppendEnd, Ask, Effect, Input, Key, LogRead, Ms, Replay, TagRead, Why, Worker};
use super::times::ms;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Appended, ChannelLog};
use crate::log::{
    ActiveHold, Body, ChannelState, Observation, ObservationCause, Op, Outcome, RecordedError, Status, Takeover,
    TakeoverOp,
};
use crate::policy::Finding;
use crate::registry::Manifest;
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
pub(super) const FRESH_MS: u64 = 1_000;

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

    /// Performs the effects that moves and recoveries share. The others (judge, hold, policy, begin) are INTERNAL_FAULT here:
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
}

/// The name of a worker: sixteen random bytes, in hex.
fn owner() -> Result<Line> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(ErrorKind::InternalFault, "the system gave no random bytes").with_source(e))?;
    random.iter().map(|byte| format!("{byte:02x}")).collect::<String>().parse()
}
