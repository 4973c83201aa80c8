//! Releases by name: the target of a rollback, and the label of the release that a move brings.

use super::driver::{Asked, Run};
use super::facts::ROLLBACK_TARGET;
use super::past::back;
use super::request::Operation;
use super::rollback::RollbackTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, Entry, MoveRecord, MoveStatus, Source};
use crate::policy::Finding;
use crate::value::{Channel, Digest, ReleaseLabel, Target};

/// The number of moves that one read backwards asks for.
const PAGE: usize = 256;

impl Run {
    /// The digest that a rollback's target names, by this channel's log. ROLLBACK_NO_TARGET if the log has none.
    pub(super) async fn rollback_digest(&mut self, target: &RollbackTarget) -> Result<Digest> {
        let channel = self.effects.channel.clone();
        let none = |why: String| Error::new(ErrorKind::RollbackNoTarget, why).with_context("channel", &channel);
        match target {
            RollbackTarget::Digest(digest) => Ok(*digest),
            RollbackTarget::Move(seq) => {
                self.effects.read_log().await?;
                let found = self.effects.journal.lock().await.read(*seq, 1).await?.pop();
                match found.map(|entry| entry.body) {
                    Some(Body::Intent(intent)) => Ok(intent.target.digest),
                    _ => Err(none(format!("{channel} has no move at sequence number {seq}"))),
                }
            }
            RollbackTarget::Release(release) => {
                let mut found: Vec<MoveRecord> = Vec::new();
                self.effects.read_log().await?;
                let log = self.effects.journal.lock().await.snapshot();
                let mut before = None;
                loop {
                    let page = back(&log, before, PAGE).await?;
                    found.extend(page.events.into_iter().filter(|event| brought(event, release)));
                    before = page.next;
                    if before.is_none() {
                        break;
                    }
                }
                let Some(newest) = found.first() else {
                    return Err(none(format!("no move of {channel} brought the release {release}")));
                };
                let digest = newest.intent.target.digest;
                self.warnings.extend(found.iter().find(|event| event.intent.target.digest != digest).map(|other| {
                    let why = format!(
                        "{release} was promoted here as {digest} (seq {}) and as {} (seq {}): the newest is taken",
                        newest.seq, other.intent.target.digest, other.seq
                    );
                    Finding::warn(ROLLBACK_TARGET, "RELEASE_AMBIGUOUS", why)
                }));
                Ok(digest)
            }
        }
    }

    /// The label of the release that this move brings: the label that was given; else the source's tag; else the label
    /// of the move that made the digest live, on the source channel or here.
    pub(super) async fn release_label(&self, asked: &Asked, digest: Digest) -> Result<Option<ReleaseLabel>> {
        if let Some(label) = &asked.terms.provenance.release {
            return Ok(Some(label.clone()));
        }
        let source = match &asked.operation {
            Operation::Promote(source) => Some(source),
            Operation::Bootstrap(first) => first.source.as_ref(),
            Operation::Rollback(_) | Operation::Repair | Operation::Adopt => None,
        };
        match source {
            Some(Source::Channel(channel)) => self.label_on(channel, digest).await,
            Some(Source::Reference(reference)) => match reference.target() {
                Target::Tag(tag) => Ok(tag.as_str().parse().ok()),
                Target::Digest(_) => self.label_on(&self.effects.channel, digest).await,
            },
            None => self.label_on(&self.effects.channel, digest).await,
        }
    }

    async fn label_on(&self, channel: &Channel, digest: Digest) -> Result<Option<ReleaseLabel>> {
        let journal = self.effects.inner.journal(channel);
        let mut journal = journal.lock().await;
        let Some(seq) = journal.made_live(&digest).await? else { return Ok(None) };
        Ok(match journal.read(seq, 1).await?.pop() {
            Some(Entry { body: Body::Intent(intent), .. }) => intent.provenance.release.clone(),
            _ => None,
        })
    }
}

/// True if a committed move brought the release of this name.
fn brought(event: &MoveRecord, release: &ReleaseLabel) -> bool {
    let intent = &event.intent;
    let by_tag = match &intent.source {
        Source::Reference(reference) => {
            matches!(reference.target(), Target::Tag(tag) if tag.as_str() == release.as_str())
        }
        Source::Channel(_) => false,
    };
    event.status() == MoveStatus::Committed && (by_tag || intent.provenance.release.as_ref() == Some(release))
}
