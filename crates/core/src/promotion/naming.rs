//! The meaning of a release expression: the channel, the source or the past move that it names.

use super::inner::Inner;
use super::past::{committed, live_at, move_at};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Snapshot;
use crate::log::{MoveRecord, MoveStatus, Source};
use crate::value::{
    Channel, ChannelName, Digest, PastStep, ReleaseExpression, ReleaseLabel, ReleaseName, Repository, Tag,
};

/// The repository and the channel for an expression that names none.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// The repository for a word or a digest.
    pub(super) repository: Repository,
    /// The channel for a step without a name, such as `~1`.
    pub(super) channel: Option<Channel>,
}

impl From<&Channel> for Home {
    fn from(channel: &Channel) -> Home {
        Home { repository: channel.repository().clone(), channel: Some(channel.clone()) }
    }
}

/// The source that a request names.
#[derive(Clone, Debug)]
pub(super) struct NamedSource {
    pub(super) source: Source,
    /// The tag that was written beside the digest.
    pub(super) tag: Option<Tag>,
    /// The channel and the step into its past that name the source, and the move that the step leads to.
    pub(super) past: Option<(Channel, PastStep, Box<MoveRecord>)>,
}

/// The number of moves that one read backwards asks for.
const PAGE: usize = 256;

impl Inner {
    /// The source that an expression names.
    pub(super) async fn source(&self, home: &Home, expression: &ReleaseExpression) -> Result<NamedSource> {
        let (source, tag) = match expression {
            ReleaseExpression::Word(word) => match self.stage(word.as_str()) {
                Some(channel) => (Source::Channel(channel.clone()), None),
                None => (self.governed(&home.repository.tag(tag_of(word)?).into()).await?, None),
            },
            ReleaseExpression::Digest(digest, tag) => (Source::Reference(home.repository.digest(*digest)), tag.clone()),
            ReleaseExpression::Name(name) => (self.governed(name).await?, name.tag.clone()),
            ReleaseExpression::Reference(reference) => (Source::Reference(reference.clone()), None),
            ReleaseExpression::Channel(channel) => (Source::Channel(channel.clone()), None),
            ReleaseExpression::Past(name, step) => {
                let channel = self.channel_of(home, name.as_ref())?;
                let event = self.past(&channel, *step, ErrorKind::ReleaseUnknown).await?;
                let source = Source::Reference(channel.repository().digest(event.intent.target.digest));
                return Ok(NamedSource { source, tag: None, past: Some((channel, *step, Box::new(event))) });
            }
        };
        Ok(NamedSource { source, tag, past: None })
    }

    /// The channel of the environment with this name.
    pub(super) fn stage(&self, word: &str) -> Option<&Channel> {
        let mut stages = self.pipeline.iter().flat_map(|pipeline| pipeline.stages());
        stages.find(|stage| stage.environment.as_str() == word).map(|stage| &stage.channel)
    }

    /// The channel that `name` means before a step into the past: that of the environment of this name, else the tag in
    /// the repository of `home`.
    pub(super) fn channel_of(&self, home: &Home, name: Option<&ChannelName>) -> Result<Channel> {
        match name {
            None => home.channel.clone().ok_or_else(|| {
                let message = "release: a step without a name, such as ~1, needs a channel; name one, such as prod~1";
                Error::new(ErrorKind::ValueInvalid, message)
            }),
            Some(ChannelName::Channel(channel)) => Ok(channel.clone()),
            Some(ChannelName::Word(word)) => match self.stage(word.as_str()) {
                Some(channel) => Ok(channel.clone()),
                None => Channel::new(home.repository.clone(), word.clone()),
            },
        }
    }

    /// The repository and the channel that this expression gives to another one; none if it names neither.
    pub(super) fn home_of(&self, expression: &ReleaseExpression) -> Option<Home> {
        let channel = match expression {
            ReleaseExpression::Word(word) => self.stage(word.as_str())?,
            ReleaseExpression::Past(Some(ChannelName::Word(word)), _) => self.stage(word.as_str())?,
            ReleaseExpression::Past(Some(ChannelName::Channel(channel)), _) => channel,
            ReleaseExpression::Channel(channel) => channel,
            ReleaseExpression::Name(ReleaseName { reference, .. }) | ReleaseExpression::Reference(reference) => {
                return Some(Home { repository: reference.repository().clone(), channel: None });
            }
            ReleaseExpression::Past(None, _) | ReleaseExpression::Digest(..) => return None,
        };
        Some(channel.into())
    }

    /// The channel of this name, if the pipeline has it or the ledger has its log; else the release of this name.
    pub(super) async fn governed(&self, name: &ReleaseName) -> Result<Source> {
        let source = Source::Reference(name.reference.clone());
        // A pin is a tag, but it cannot be a channel.
        let Ok(channel) = name.reference.to_string().parse::<Channel>() else { return Ok(source) };
        let mut stages = self.pipeline.iter().flat_map(|pipeline| pipeline.stages());
        let governed = stages.any(|stage| stage.channel == channel)
            || self.ledger.size_since(&channel, self.new_enough()).await? > 0;
        Ok(if governed { Source::Channel(channel) } else { source })
    }

    /// The committed move that a step into the past of a channel names. An error of the kind `missing` if the log has
    /// no such move.
    pub(super) async fn past(&self, channel: &Channel, step: PastStep, missing: ErrorKind) -> Result<MoveRecord> {
        let none = |why: String| Error::new(missing, why).with_context("channel", channel);
        let log = self.snapshot(channel).await?;
        match step {
            PastStep::Back(changes) => {
                if let Some(migrated) = &log.state().migrated {
                    // Changes are counted back from the live digest, which is in the other ledger.
                    return Err(migrated.error(channel));
                }
                let found = changes_ago(&log, changes).await?;
                found.ok_or_else(|| none(format!("{channel} had no other live digest {changes} changes ago")))
            }
            PastStep::Move(seq) => match move_at(&log, seq).await?.filter(|event| event.seq == seq) {
                Some(event) if event.status() == MoveStatus::Committed => Ok(event),
                Some(event) => {
                    let status = event.status().as_str();
                    Err(none(format!("the move of {channel} at sequence number {seq} is {status}, not committed")))
                }
                None => Err(none(format!("{channel} has no move at sequence number {seq}"))),
            },
            PastStep::At(time) => {
                let at = time.moment(self.clock.now());
                let found = live_at(&log, at).await?.map(|was| was.event);
                found.ok_or_else(|| none(format!("{channel} had no recorded live digest at {at}")))
            }
        }
    }

    /// The live digest of a channel that a release is taken from. LEDGER_MIGRATED if it is in another ledger.
    pub(super) async fn live(&self, channel: &Channel) -> Result<Digest> {
        let journal = self.refreshed(channel).await?;
        let state = journal.state();
        if let Some(migrated) = &state.migrated {
            return Err(migrated.error(channel));
        }
        state.live.ok_or_else(|| {
            let message = format!("{channel} has no live digest yet: bootstrap it first");
            Error::new(ErrorKind::ChannelNotBootstrapped, message).with_context("channel", channel)
        })
    }

    /// The last committed move that made `digest` live on a channel.
    pub(super) async fn last_made_live(&self, channel: &Channel, digest: &Digest) -> Result<Option<MoveRecord>> {
        let mut journal = self.refreshed(channel).await?;
        let Some(seq) = journal.made_live(digest).await? else { return Ok(None) };
        move_at(&journal.snapshot(), seq).await
    }
}

/// The word as a tag. If the word has a slash, the error is that of a reference.
fn tag_of(word: &ReleaseLabel) -> Result<Tag> {
    if word.as_str().contains('/') {
        word.as_str().parse::<ReleaseName>()?;
    }
    word.as_str().parse()
}

/// The committed move of the digest that was live this number of changes ago.
async fn changes_ago(log: &Snapshot, changes: u64) -> Result<Option<MoveRecord>> {
    let mut left = changes;
    committed(log, None, PAGE, |event| {
        let found = left == 0;
        let changed = event.intent.previous != Some(event.intent.target.digest);
        left = left.saturating_sub(u64::from(changed));
        found
    })
    .await
}
