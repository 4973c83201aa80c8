//! The current state and the history of a channel, read from its log alone, without the registry.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::past::{HistoryPage, LiveAt, back, last_committed, live_at, move_at};
use super::promoter::Promoter;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{
    ActiveHold, Body, ChannelState, Hold, LogReport, MigratedTo, MoveRecord, OpenMove, PossiblyOpen, Source, Unhold,
};
use crate::policy::BlockedOn;
use crate::value::{Channel, Digest, Line, Provenance, ReleaseExpression, Target, Timestamp, joined};

/// The current state of a channel, as its log says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChannelStatus {
    /// The channel.
    pub channel: Channel,
    /// The live digest; absent before the first move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Digest>,
    /// The live digest before the last move that changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The last committed move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<MoveRecord>,
    /// The move that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenMove>,
    /// The same move as history shows it: who began it, when, in which pipeline run, and who took it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_event: Option<MoveRecord>,
    /// The move that may be open: the append of its intent was not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub possibly_open: Option<PossiblyOpen>,
    /// The holds in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<ActiveHold>,
    /// The blocks in force, of this channel and of every earlier environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockedOn>,
    /// The ledger where the log goes on, if it was migrated: the other fields are the state before the migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated: Option<MigratedTo>,
    /// The number of entries in the log.
    pub size: u64,
}

/// The longest wait for the registry's answer about the tag, when a channel without a log is to be held.
const TAG_WITHIN: Duration = Duration::from_secs(10);

impl Promoter {
    /// The state of a channel, computed from its log up to the head.
    pub async fn state(&self, channel: &Channel) -> Result<ChannelState> {
        Ok(ChannelState::clone(self.inner.refreshed(channel).await?.state()))
    }

    /// The current state of a channel: live and previous digest, the last committed move, the open move, and the holds
    /// and blocks in force.
    pub async fn current(&self, channel: &Channel) -> Result<ChannelStatus> {
        // This reads the log of the channel, too.
        let blocks = self.once().blocks(channel).await?;
        let journal = self.inner.journal(channel).lock_owned().await;
        let (log, possibly_open) = (journal.snapshot(), journal.possibly_open().await?);
        drop(journal);
        let (state, event) = (log.state(), last_committed(&log).await?);
        let open_event = match &state.open {
            Some(open) => move_at(&log, open.seq).await?,
            None => None,
        };
        Ok(ChannelStatus {
            channel: channel.clone(),
            live: state.live,
            previous: state.previous,
            event,
            open: state.open.clone(),
            open_event,
            possibly_open,
            holds: state.holds_at(self.inner.clock.now()).cloned().collect(),
            blocks,
            migrated: state.migrated.clone(),
            size: state.size,
        })
    }

    /// The digest that was live before the last move that changed it.
    pub async fn previous(&self, channel: &Channel) -> Result<Option<Digest>> {
        Ok(self.state(channel).await?.previous)
    }

    /// The digest that an expression names now; `channel` is the one that it is about. A tag is asked of the registry: none
    /// if it does not exist. RELEASE_UNKNOWN if the record has no such release.
    pub async fn digest_of(&self, channel: &Channel, release: &ReleaseExpression) -> Result<Option<Digest>> {
        let inner = &self.inner;
        match inner.source(&channel.into(), release).await?.source {
            Source::Channel(from) => Ok(self.state(&from).await?.live),
            Source::Reference(reference) => match reference.target() {
                Target::Digest(digest) => Ok(Some(*digest)),
                Target::Tag(tag) => inner.registry.resolve(reference.repository(), tag).await,
            },
        }
    }

    /// Some moves of a channel, newest first, at most `limit` (at least 1). With `before`, only the moves whose intent
    /// has a lower position; a move whose intent is before `before` and whose outcome is after it is included, with its
    /// outcome.
    pub async fn history_page(&self, channel: &Channel, before: Option<u64>, limit: usize) -> Result<HistoryPage> {
        back(&self.inner.snapshot(channel).await?, before, limit.max(1)).await
    }

    /// The committed move that was live at `at`: the one with the highest position among those that were closed at or
    /// before `at`, by the clocks of the machines that wrote the log. The result also names a move that was open then,
    /// and drift that was seen. None if the channel was not bootstrapped yet.
    pub async fn at(&self, channel: &Channel, at: Timestamp) -> Result<Option<LiveAt>> {
        live_at(&self.inner.snapshot(channel).await?, at).await
    }

    /// Every channel that the ledger has a log of.
    pub async fn channels(&self) -> Result<Vec<Channel>> {
        self.inner.ledger.channels().await
    }

    /// Verifies a channel's whole log, from its first byte. No index is trusted.
    pub async fn verify(&self, channel: &Channel) -> Result<LogReport> {
        self.inner.ledger.verify(channel).await
    }

    /// Stops moves of the channel until the hold is ended or expires. Returns the hold's id, which is its position in
    /// the log.
    ///
    /// VALUE_INVALID if the hold has expired already. CHANNEL_ABSENT if the ledger has no log of the channel and the
    /// registry has no such tag: a misspelled name must not seem to be held. If the registry does not answer, the hold
    /// is recorded.
    pub async fn hold(&self, channel: &Channel, hold: Hold) -> Result<u64> {
        let now = self.inner.clock.now();
        refuse_ended(&hold, now)?;
        if self.state(channel).await?.size == 0 {
            self.refuse_absent(channel, "held").await?;
        }
        self.inner.journal(channel).lock().await.note(Body::Hold(hold), now).await
    }

    /// Holds every environment of the pipeline, also those that have no log yet. Returns the hold's id on each channel, in
    /// the pipeline's order. VALUE_INVALID if the hold has expired already; CONFIG_INVALID without a pipeline. If a
    /// channel cannot be held, the others are, and the error says which.
    pub async fn hold_pipeline(&self, hold: Hold) -> Result<Vec<(Channel, u64)>> {
        let now = self.inner.clock.now();
        refuse_ended(&hold, now)?;
        let Some(pipeline) = &self.inner.pipeline else {
            return Err(Error::new(ErrorKind::ConfigInvalid, "a promoter without a pipeline cannot hold one"));
        };
        let (mut held, mut failed) = (Vec::new(), Vec::new());
        for channel in pipeline.stages().iter().map(|stage| &stage.channel) {
            match self.inner.journal(channel).lock().await.note(Body::Hold(hold.clone()), now).await {
                Ok(id) => held.push((channel.clone(), id)),
                Err(error) => failed.push((channel, error)),
            }
        }
        match failed.into_iter().next() {
            None => Ok(held),
            Some((channel, error)) => {
                let others = joined(held.iter().map(|(channel, id)| format!("{channel} (hold {id})")), ", ");
                let others = if held.is_empty() { "nothing" } else { &others };
                let message = format!("{channel} could not be held: {error}; held: {others}");
                Err(Error::new(error.kind(), message).with_retry(error.retry()).with_context("channel", channel))
            }
        }
    }

    /// CHANNEL_ABSENT if the registry says that it has no such tag.
    pub(super) async fn refuse_absent(&self, channel: &Channel, verb: &str) -> Result<()> {
        let looked = self.inner.registry.resolve(channel.repository(), channel.tag());
        // In an incident the entry matters more than this check: if the registry does not answer, it is recorded.
        let Ok(Ok(None)) = tokio::time::timeout(TAG_WITHIN, looked).await else { return Ok(()) };
        let message = format!(
            "{channel} cannot be {verb}: the ledger has no log of it, and the registry has no such tag; check its name"
        );
        Err(Error::new(ErrorKind::ChannelAbsent, message).with_context("channel", channel))
    }

    /// The holds in force now, by the clock of this machine. A hold stays in force until 5 min after its end: clocks
    /// differ.
    pub async fn holds(&self, channel: &Channel) -> Result<Vec<ActiveHold>> {
        let state = self.state(channel).await?;
        Ok(state.holds_at(self.inner.clock.now()).cloned().collect())
    }

    /// Ends a hold. Returns the position of the entry. VALUE_INVALID if no such hold is in force: the message names the
    /// holds that are.
    pub async fn unhold(&self, channel: &Channel, unhold: Unhold) -> Result<u64> {
        let now = self.inner.clock.now();
        let mut journal = self.inner.since(Instant::now()).refreshed(channel).await?;
        let ended = |state: &ChannelState| !state.holds.iter().any(|hold| hold.seq == unhold.hold);
        if ended(journal.state()) {
            return Err(not_in_force(journal.state(), unhold.hold, now));
        }
        match journal.note(Body::Unhold(unhold.clone()), now).await {
            // Another process ended it between the look and the append.
            Err(_) if ended(journal.refresh().await?.as_ref()) => Err(not_in_force(journal.state(), unhold.hold, now)),
            noted => noted,
        }
    }

    /// Ends the holds of one person: those with the same provider and actor as `provenance`. Returns the ids of the
    /// ended holds. If one cannot be ended, the error says which were ended before it.
    pub async fn unhold_mine(&self, channel: &Channel, reason: Line, provenance: Provenance) -> Result<Vec<u64>> {
        let mut ended: Vec<u64> = Vec::new();
        for ActiveHold { seq: hold, provenance: by, .. } in self.holds(channel).await? {
            if by.actor.id == provenance.actor.id && by.pipeline.provider == provenance.pipeline.provider {
                let unhold = Unhold { hold, reason: reason.clone(), provenance: provenance.clone() };
                if let Err(error) = self.unhold(channel, unhold).await {
                    let before = if ended.is_empty() { "none".to_owned() } else { joined(&ended, ", ") };
                    let message = format!("hold {hold} of {channel} could not be ended: {error}; ended: {before}");
                    let error = Error::new(error.kind(), message).with_retry(error.retry());
                    return Err(error.with_context("channel", channel));
                }
                ended.push(hold);
            }
        }
        Ok(ended)
    }
}

/// VALUE_INVALID if the hold has ended already.
fn refuse_ended(hold: &Hold, now: Timestamp) -> Result<()> {
    match hold.until.filter(|until| *until <= now) {
        Some(until) => {
            Err(Error::new(ErrorKind::ValueInvalid, format!("a hold until {until} would have ended already")))
        }
        None => Ok(()),
    }
}

fn not_in_force(state: &ChannelState, hold: u64, now: Timestamp) -> Error {
    let ids = joined(state.holds_at(now).map(|hold| hold.seq), ", ");
    let others = if ids.is_empty() { "none is".to_owned() } else { format!("in force: {ids}") };
    let message = format!("hold {hold} of {} is not in force; {others}", state.channel);
    Error::new(ErrorKind::ValueInvalid, message).with_context("channel", &state.channel)
}
