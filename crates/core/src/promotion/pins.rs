//! Pins: a tag for each digest of a move, which keeps it in the registry. When one is looked for, and when it is written.

use std::time::Duration;

use super::driver::Run;
use super::effects::Effects;
use super::machine::back_off;
use crate::error::{Error, ErrorKind, Result};
use crate::judge::Finding;
use crate::record::Deadlines;
use crate::registry::{Put, pin_tag};
use crate::value::Digest;

/// Under which name it is said that a pin is missing.
const PINS: &str = "pins";

impl Effects {
    /// Gives each digest its pin, where it does not have it yet (*pinned-first*).
    pub(super) async fn pin(&self, digests: &[Digest]) -> Result<()> {
        let pins = digests.iter().map(|digest| self.pin_one(*digest));
        let mut all = Ok(());
        for pin in super::inner::together(pins).await {
            all = all.and(pin);
        }
        all
    }

    async fn pin_one(&self, digest: Digest) -> Result<()> {
        let (repository, tag) = (self.channel.repository(), pin_tag(&digest));
        // The target, fetched a moment ago, needs no look before its pin is put, and none after: the next move looks,
        // before the tag leaves it.
        let target = self.manifests.contains_key(&digest);
        if !target {
            match self.inner.registry.resolve(repository, &tag).await {
                Ok(Some(found)) if found == digest => return Ok(()),
                Ok(_) => {}
                // A policy that hides the live digest hides its pin as well. The move that made it live put the pin.
                Err(error) if self.is_hidden(&error) && self.is_live(digest).await => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let manifest = self.manifest(digest).await?;
        match self.inner.registry.put(repository, &tag, &manifest, self.inner.times.put).await {
            Put::Applied if target => Ok(()),
            Put::Applied => self.read_pin_back(digest).await,
            Put::Refused(error) | Put::Unknown(error) => {
                // Another worker may have pinned it, or the answer was lost.
                match self.inner.registry.resolve(repository, &tag).await {
                    Ok(Some(found)) if found == digest => Ok(()),
                    _ => Err(error.with("pin", tag)),
                }
            }
        }
    }

    async fn is_live(&self, digest: Digest) -> bool {
        self.journal.lock().await.state().live == Some(digest)
    }

    /// Waits until a pin that was put can be read: within the settle time a 404 is lag (*pins-do-not-move*). Half of the ttl
    /// stays for the put.
    async fn read_pin_back(&self, digest: Digest) -> Result<()> {
        let (repository, tag) = (self.channel.repository(), pin_tag(&digest));
        let Deadlines { ttl_ms, settle_ms, .. } = self.worker.deadlines;
        let until = self.now().saturating_add(settle_ms.min(ttl_ms / 2));
        let mut looks = 0;
        while self.inner.registry.resolve(repository, &tag).await? != Some(digest) {
            let left = until.saturating_sub(self.now());
            if left == 0 {
                let message = format!("the registry said that it keeps {repository}:{tag}, and does not have it");
                return Err(Error::new(ErrorKind::RegistryDigestMismatch, message).with("pin", tag));
            }
            tokio::time::sleep(Duration::from_millis(back_off(looks).min(left))).await;
            looks += 1;
        }
        Ok(())
    }

    /// A landed move is closed although its pin could not be written.
    pub(super) fn warn_of_pin(&mut self, digest: Digest, error: &Error) {
        let why =
            format!("{digest} is live, and its pin could not be written, so that a cleaner may take it later: {error}");
        // A close whose answer was lost is tried again, and so is the pin.
        self.warnings.retain(|warning| warning.guardrail.as_str() != PINS);
        self.warnings.push(Finding::warn(PINS, "PIN_MISSING", why));
    }
}

impl Run {
    /// What a tag is likely to be at: what is live in the environment before. Then its pin is looked at beside the tag, and is
    /// not put again. A guess that is wrong costs a request beside others, and a log that cannot be read is no guess: the
    /// facts of the move need it as well, and say so.
    pub(super) async fn guess(&self) -> Option<Digest> {
        let channel = &self.effects.channel;
        let before = &self.effects.inner.pipeline.as_ref()?.before(channel)?.channel;
        if before.repository() != channel.repository() {
            return None;
        }
        self.effects.inner.journal(before).lock().await.refresh().await.ok()?.live
    }

    /// The digest, if its pin points at it. A look that fails confirms nothing: the pin is put again.
    pub(super) async fn pin_of(&self, digest: Option<Digest>) -> Option<Digest> {
        let digest = digest?;
        // A fetch is one round trip, whether the pin is there or not.
        let reference = self.effects.channel.repository().tag(pin_tag(&digest));
        let pin = self.effects.inner.registry.fetch(&reference).await;
        pin.ok().flatten().map(|found| found.digest()).filter(|found| *found == digest)
    }
}
