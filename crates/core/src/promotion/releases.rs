//! Releases by name: the target of a rollback, and the label of the release that a move brings.

use super::driver::Run;
use super::facts::ROLLBACK_TARGET;
use super::inner::Inner;
use super::past::committed;
use super::request::stays_in;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, Entry, Intent, MoveRecord, Source};
use crate::policy::Finding;
use crate::value::{Channel, Digest, ReleaseExpression, ReleaseLabel, ReleaseName, Tag, Target};

/// The number of moves that one read backwards asks for.
const PAGE: usize = 256;

impl Run {
    /// The digest that a rollback's target names. ROLLBACK_NO_TARGET if the log has none.
    ///
    /// A word names first a release that was promoted here, then a channel: in an incident, this channel's log is
    /// enough.
    pub(super) async fn rollback_digest(&mut self, target: &ReleaseExpression) -> Result<Digest> {
        let (inner, channel) = (self.effects.inner.clone(), self.effects.channel.clone());
        let (release, elsewhere) = match target {
            ReleaseExpression::Digest(digest, _) => return Ok(*digest),
            ReleaseExpression::Past(name, step) => {
                let channel = inner.channel_of(&(&channel).into(), name.as_ref())?;
                let event = inner.past(&channel, *step, ErrorKind::RollbackNoTarget).await?;
                return Ok(event.intent.target.digest);
            }
            ReleaseExpression::Channel(other) => return inner.live(other).await,
            ReleaseExpression::Word(word) => match inner.stage(word.as_str()) {
                Some(stage) => (word.clone(), Some(Source::Channel(stage.clone()))),
                None => (word.clone(), None),
            },
            ReleaseExpression::Name(ReleaseName { reference, .. }) | ReleaseExpression::Reference(reference) => {
                stays_in(&channel, reference.repository())?;
                match reference.target() {
                    Target::Digest(digest) => return Ok(*digest),
                    Target::Tag(tag) => (tag.as_str().parse()?, None),
                }
            }
        };
        if let Some(digest) = self.brought_here(&release).await? {
            return Ok(digest);
        }
        let elsewhere = match (elsewhere, release.as_str().parse::<Tag>()) {
            (None, Ok(tag)) => Some(inner.governed(&channel.repository().tag(tag).into()).await?),
            (elsewhere, _) => elsewhere,
        };
        match elsewhere {
            Some(Source::Channel(other)) if other != channel => inner.live(&other).await,
            _ => {
                let why = format!("no move of {channel} brought the release {release}");
                Err(Error::new(ErrorKind::RollbackNoTarget, why).with_context("channel", &channel))
            }
        }
    }

    /// The digest of the newest committed move that brought the release of this name, with a warning if an earlier one
    /// brought another digest.
    async fn brought_here(&mut self, release: &ReleaseLabel) -> Result<Option<Digest>> {
        let log = self.effects.inner.snapshot(&self.effects.channel).await?;
        let brought = |event: &MoveRecord| brought(event, release);
        let Some(newest) = committed(&log, None, PAGE, brought).await? else { return Ok(None) };
        let digest = newest.intent.target.digest;
        let differs = |event: &MoveRecord| brought(event) && event.intent.target.digest != digest;
        self.warnings.extend(committed(&log, Some(newest.seq), PAGE, differs).await?.map(|other| {
            let why = format!(
                "{release} was promoted here as {digest} (seq {}) and as {} (seq {}): the newest is taken",
                newest.seq, other.intent.target.digest, other.seq
            );
            Finding::warn(ROLLBACK_TARGET, "RELEASE_AMBIGUOUS", why)
        }));
        Ok(Some(digest))
    }

    /// The intent that made a digest live: that of the past release, if the request names one; else the newest on the
    /// source channel; without a source channel, the newest on this channel. None if no move made the digest live.
    pub(super) async fn origin(&self, digest: Digest) -> Result<Option<Box<Intent>>> {
        if let Some(past) = self.past() {
            return Ok(Some(past.intent.clone()));
        }
        let channel = if let Some(Source::Channel(channel)) = self.source() { channel } else { &self.effects.channel };
        let mut journal = self.effects.inner.journal(channel).lock_owned().await;
        let Some(seq) = journal.made_live(&digest).await? else { return Ok(None) };
        Ok(match journal.read(seq, 1).await?.pop() {
            Some(Entry { body: Body::Intent(intent), .. }) => Some(intent),
            _ => None,
        })
    }

    /// The label of the release that this move brings: the label that was given; else the source's tag; else the label
    /// of the move that made the digest live, on the source channel or here.
    pub(super) fn release_label(&self, origin: Option<&Intent>) -> Option<ReleaseLabel> {
        let given = self.terms.provenance.release.clone();
        let tag = || self.source()?.tag()?.as_str().parse().ok();
        given.or_else(tag).or_else(|| origin?.provenance.release.clone())
    }
}

impl Inner {
    /// The newest committed move of a channel that brought the release of this name.
    pub(super) async fn brought(&self, channel: &Channel, release: &ReleaseLabel) -> Result<Option<MoveRecord>> {
        committed(&self.snapshot(channel).await?, None, PAGE, |event| brought(event, release)).await
    }
}

/// True if a move brought the release of this name.
fn brought(event: &MoveRecord, release: &ReleaseLabel) -> bool {
    let intent = &event.intent;
    let by_tag = intent.source.tag().is_some_and(|tag| tag.as_str() == release.as_str());
    by_tag || intent.provenance.release.as_ref() == Some(release)
}
