//! Pins: a tag for each digest of a move, which keeps the digest in the registry. Looks for pins and writes them.

use std::time::Duration;

use futures_util::future::join_all;

use super::driver::Run;
use super::effects::Effects;
use super::machine::back_off;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Deadlines;
use crate::policy::Finding;
use crate::registry::{Put, pin_tag};
use crate::value::Digest;

impl Effects {
    /// Writes the pin of each digest that is not known to have one yet (*pinned-first*).
    pub(super) async fn pin(&mut self, digests: [Option<Digest>; 2]) -> Result<()> {
        let missing: Vec<_> = digests.into_iter().flatten().filter(|digest| !self.pinned.contains(digest)).collect();
        let pins = join_all(missing.iter().map(|digest| self.pin_one(*digest))).await;
        pins.into_iter().collect::<Result<()>>()?;
        self.pinned.extend(missing);
        Ok(())
    }

    async fn pin_one(&self, digest: Digest) -> Result<()> {
        let (repository, tag) = (self.channel.repository(), pin_tag(&digest));
        // The target was fetched a moment ago: its pin is put without a look before or after. The next move looks for
        // the pin before the tag leaves this digest.
        let target = self.manifests.contains_key(&digest);
        if !target {
            match self.inner.registry.resolve(repository, &tag).await {
                Ok(found) if found == Some(digest) => return Ok(()),
                Ok(_) => {}
                // A policy that hides the live digest hides its pin too. The move that made the digest live put the
                // pin.
                Err(error) if self.is_hidden(&error) && self.state.live == Some(digest) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let manifest = self.manifest(digest).await?;
        // Half of the ttl, so that the put of the tag has time.
        let (until, mut failed) = (self.inner.now().saturating_add(self.worker.deadlines.ttl_ms / 2), 0);
        loop {
            let error = match self.inner.registry.put(repository, &tag, &manifest, self.inner.times.put).await {
                Put::Applied if target => return Ok(()),
                Put::Applied => return self.read_pin_back(digest).await,
                Put::Refused(error) | Put::Unknown(error) => error,
            };
            // A pin that is put twice is the same pin.
            if self.wait_if_busy(&error, until).await {
                continue;
            }
            // Another worker may have put the pin, or the answer to this put was lost.
            match self.inner.registry.resolve(repository, &tag).await {
                Ok(found) if found == Some(digest) => return Ok(()),
                // The registry answers: its fault may be over.
                Ok(_) if error.kind() == ErrorKind::RegistryAmbiguous && self.inner.now() < until => {
                    tokio::time::sleep(Duration::from_millis(back_off(failed))).await;
                    failed += 1;
                }
                _ => return Err(error.with_context("pin", tag)),
            }
        }
    }

    /// Waits until a pin that was put can be read: within the settle time a 404 is lag (*pins-do-not-move*). The wait
    /// ends after half of the ttl, so that the put of the tag has time.
    async fn read_pin_back(&self, digest: Digest) -> Result<()> {
        let (repository, tag) = (self.channel.repository(), pin_tag(&digest));
        let Deadlines { ttl_ms, settle_ms, .. } = self.worker.deadlines;
        let until = self.inner.now().saturating_add(settle_ms.min(ttl_ms / 2));
        let mut looks = 0;
        while self.inner.registry.resolve(repository, &tag).await? != Some(digest) {
            let left = until.saturating_sub(self.inner.now());
            if left == 0 {
                let message = format!("the registry said that it keeps {repository}:{tag}, and does not have it");
                return Err(Error::new(ErrorKind::RegistryDigestMismatch, message).with_context("pin", tag));
            }
            tokio::time::sleep(Duration::from_millis(back_off(looks).min(left))).await;
            looks += 1;
        }
        Ok(())
    }

    /// Adds the warning PIN_MISSING: a landed move is closed even if its pin could not be written.
    pub(super) fn warn_of_pin(&mut self, digest: Digest, error: &Error) {
        let why =
            format!("{digest} is live, and its pin could not be written, so that a cleaner may take it later: {error}");
        // A close whose answer was lost is tried again, and the pin with it: only the newest warning stays.
        self.warnings = vec![Finding::warn("pins", "PIN_MISSING", why)];
    }
}

impl Run {
    /// Guesses the digest that a source tag points at: the live digest of the environment before. Its pin is then read
    /// at the same time as the tag, and need not be put again. A wrong guess costs one request, sent at the same time
    /// as others. If the log cannot be read there is no guess; the facts of the move need the log too, and report the
    /// error.
    pub(super) async fn guess(&self) -> Option<Digest> {
        let channel = &self.effects.channel;
        let before = &self.effects.inner.pipeline.as_ref()?.before(channel)?.channel;
        if before.repository() != channel.repository() {
            return None;
        }
        self.effects.inner.refreshed(before).await.ok()?.state().live
    }

    /// The digest, if its pin points at it. If the read fails, the pin is not confirmed, and is put again.
    pub(super) async fn pin_of(&self, digest: Option<Digest>) -> Option<Digest> {
        let digest = digest?;
        // A fetch is one round trip, even if the pin is absent.
        let reference = self.effects.channel.repository().tag(pin_tag(&digest));
        let pin = self.effects.inner.registry.fetch(&reference).await;
        pin.ok().flatten().map(|found| found.digest()).filter(|found| *found == digest)
    }
}
