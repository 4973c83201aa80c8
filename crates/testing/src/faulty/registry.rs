//! `FaultyRegistry`: a registry whose calls meet faults.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::super::Call;
use super::{Fault, Faults};
use tagwarden::registry::{Manifest, Put, Registry, TagAnswer};
use tagwarden::{Digest, ErrorKind, Reference, Repository, Result, Tag};

/// A registry over another one, whose calls meet [`Fault`]s. Without a fault it answers as the other registry.
///
/// The error of a put's fault is the error of `Put::Unknown` if it is REGISTRY_AMBIGUOUS, else of `Put::Refused`. What
/// a registry itself does wrong, such as late puts and reads that lag, are faults of a
/// [`MemoryRegistry`](crate::MemoryRegistry).
///
/// ```
/// use std::sync::Arc;
/// use tagwarden::registry::Registry;
/// use tagwarden_testing::{Call, Fault, FaultyRegistry, MemoryRegistry};
/// use tokio::sync::Notify;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let registry = Arc::new(FaultyRegistry::over(Arc::new(MemoryRegistry::new())));
/// let gate = Arc::new(Notify::new());
///
/// // The next list of tags waits at a gate.
/// let opened = gate.clone();
/// let waits = Fault::pass().first(async move { opened.notified().await });
/// registry.script_when(|call| matches!(call, Call::Tags { .. }), [waits]);
/// let asked = registry.clone();
/// let tags = tokio::spawn(async move { asked.tags(&"reg.io/shop".parse().unwrap()).await });
/// tokio::task::yield_now().await;
/// assert!(!tags.is_finished());
/// gate.notify_one();
/// assert!(tags.await.unwrap().unwrap().is_empty());
/// # });
/// ```
pub struct FaultyRegistry {
    inner: Arc<dyn Registry>,
    faults: Faults<Call>,
}

impl FaultyRegistry {
    /// A registry over `inner`, without a fault.
    pub fn over(inner: Arc<dyn Registry>) -> FaultyRegistry {
        FaultyRegistry { inner, faults: Faults::new() }
    }

    /// Sets the faults of the next calls for which `when` is true, one each, in this order. `when` must not use the
    /// registry.
    pub fn script_when(&self, when: impl Fn(&Call) -> bool + Send + 'static, faults: impl IntoIterator<Item = Fault>) {
        self.faults.script().push(when, faults);
    }

    /// From now on, each call without a scripted fault meets the fault that `rule` has for it. Of several rules, the
    /// first one that has a fault for a call counts. `rule` must not use the registry.
    pub fn rule(&self, rule: impl FnMut(&Call) -> Option<Fault> + Send + 'static) {
        self.faults.script().rule(rule);
    }

    /// Ends all faults, except for calls that have met theirs.
    pub fn calm(&self) {
        self.faults.script().clear();
    }
}

impl fmt::Debug for FaultyRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyRegistry").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Registry for FaultyRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        Ok(self.read_tag(repository, tag).await?.digest)
    }

    async fn read_tag(&self, repository: &Repository, tag: &Tag) -> Result<TagAnswer> {
        let call = Call::Resolve { repository: repository.clone(), tag: tag.clone() };
        let mut date = None;
        let read = async {
            let answer = self.inner.read_tag(repository, tag).await?;
            date = answer.date;
            Ok(answer.digest)
        };
        let digest = self.faults.meet(call, read).await?;
        Ok(TagAnswer { digest, date })
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let call = Call::Fetch { reference: reference.clone() };
        self.faults.meet(call, self.inner.fetch(reference)).await
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let call = Call::Put { repository: repository.clone(), tag: tag.clone(), digest: manifest.digest() };
        let put = async { Ok(self.inner.put(repository, tag, manifest, timeout).await) };
        self.faults.meet(call, put).await.unwrap_or_else(|error| match error.kind() {
            ErrorKind::RegistryAmbiguous => Put::Unknown(error),
            _ => Put::Refused(error),
        })
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        let call = Call::Tags { repository: repository.clone() };
        self.faults.meet(call, self.inner.tags(repository)).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let call = Call::HasBlob { repository: repository.clone(), digest: *digest };
        self.faults.meet(call, self.inner.has_blob(repository, digest)).await
    }

    async fn fetch_blob(&self, repository: &Repository, digest: &Digest, max_bytes: usize) -> Result<Option<Bytes>> {
        let call = Call::HasBlob { repository: repository.clone(), digest: *digest };
        self.faults.meet(call, self.inner.fetch_blob(repository, digest, max_bytes)).await
    }
}
