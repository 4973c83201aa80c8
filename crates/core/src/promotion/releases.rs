//! Releases by name: the target of a rollback, and the label of the release that a move brings.

use super::driver::Run;
use super::facts::ROLLBACK_TARGET;
use super::past::committed;
use super::rollback::RollbackTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, Entry, MoveRecord, Source};
use crate::policy::Finding;
use crate::value::{Digest, ReleaseLabel, Target};

/// The number of moves that one read backwards asks for.
const PAGE: usize = 256;

impl Run {
    /// The digest that a rollback's target names, by this channel's log. ROLLBACK_NO_TARGET if the log has none.
    pub(super) async fn rollback_digest(&mut self, target: &RollbackTarget) -> Result<Digest> {
        let channel = &self.effects.channel;
        let none = |why: String| Error::new(ErrorKind::RollbackNoTarget, why).with_context("channel", channel);
        let inner = &self.effects.inner;
        match target {
            RollbackTarget::Digest(digest) => Ok(*digest),
            RollbackTarget::Move(seq) => match inner.snapshot(channel).await?.read(*seq, 1).await?.pop() {
                Some(Entry { body: Body::Intent(intent), .. }) => Ok(intent.target.digest),
                _ => Err(none(format!("{channel} has no move at sequence number {seq}"))),
            },
            RollbackTarget::Release(release) => {
                let log = inner.snapshot(channel).await?;
                let brought = |event: &MoveRecord| brought(event, release);
                let Some(newest) = committed(&log, None, PAGE, brought).await? else {
                    return Err(none(format!("no move of {channel} brought the release {release}")));
                };
                let digest = newest.intent.target.digest;
                let differs = |event: &MoveRecord| brought(event) && event.intent.target.digest != digest;
                self.warnings.extend(committed(&log, Some(newest.seq), PAGE, differs).await?.map(|other| {
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
    pub(super) async fn release_label(&self, digest: Digest) -> Result<Option<ReleaseLabel>> {
        if let Some(label) = &self.terms.provenance.release {
            return Ok(Some(label.clone()));
        }
        let channel = match self.operation.source() {
            Some(Source::Channel(channel)) => channel,
            Some(Source::Reference(reference)) => match reference.target() {
                Target::Tag(tag) => return Ok(tag.as_str().parse().ok()),
                Target::Digest(_) => &self.effects.channel,
            },
            None => &self.effects.channel,
        };
        let mut journal = self.effects.inner.journal(channel).lock_owned().await;
        let Some(seq) = journal.made_live(&digest).await? else { return Ok(None) };
        Ok(match journal.read(seq, 1).await?.pop() {
            Some(Entry { body: Body::Intent(intent), .. }) => intent.provenance.release.clone(),
            _ => None,
        })
    }
}

/// True if a move brought the release of this name.
fn brought(event: &MoveRecord, release: &ReleaseLabel) -> bool {
    let intent = &event.intent;
    let by_tag = match &intent.source {
        Source::Reference(reference) => {
            matches!(reference.target(), Target::Tag(tag) if tag.as_str() == release.as_str())
        }
        Source::Channel(_) => false,
    };
    by_tag || intent.provenance.release.as_ref() == Some(release)
}
