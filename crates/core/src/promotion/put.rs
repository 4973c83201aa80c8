//! Step *put*: the manifest of the target, and the put of the tag.

use std::time::Duration;

use super::effects::{Effects, FRESH_MS};
use super::machine::{Ms, PutEnd, WaitReason};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::log::OpenMove;
use crate::registry::{Manifest, Put};
use crate::value::Digest;

impl Effects {
    /// Step *put*. The move of another worker is pinned first: that worker may have died before it pinned.
    pub(super) async fn put(&mut self, open: &OpenMove, timeout_ms: u64, not_after: Ms) -> PutEnd {
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
