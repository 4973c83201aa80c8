//! `MemoryRegistry`: a model of a registry in memory, with scripted faults.

mod answer;
mod call;
mod chaos;
mod fault;
mod immutable;
mod lag;
mod model;
mod port;
mod rules;
mod sample;
mod vendor;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub use answer::ErrorAnswer;
pub use call::{Call, Change, ChangeOrigin};
pub use chaos::RandomFaults;
pub use fault::{InjectedFault, ReadFault};
pub use model::UntaggedPolicy;
pub use sample::TestImage;
pub use vendor::Vendor;

use self::chaos::{Dice, Random};
use self::model::{Landing, Model};
use tagwarden::registry::{Descriptor, Manifest};
use tagwarden::{Digest, Repository, Result, Tag};

/// A registry in memory. Clones share one state. It keeps the requirements of a [`Registry`](tagwarden::registry::Registry) unless a fault is
/// set.
///
/// All waits use tokio's clock, so that tests can run with paused time. A put that was sent is applied even if its
/// caller was dropped.
///
/// ```
/// use std::time::Duration;
/// use tagwarden::registry::{Put, Registry};
/// use tagwarden_testing::{InjectedFault, MemoryRegistry};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let registry = MemoryRegistry::new();
/// let (repository, prod) = ("reg.io/shop".parse().unwrap(), "prod".parse().unwrap());
/// let release = registry.push_image(&repository, &"1.4.2".parse().unwrap(), 1);
///
/// registry.script([InjectedFault::After]); // it moves, but the answer is lost
/// let put = registry.put(&repository, &prod, &release, Duration::from_secs(15)).await;
/// assert!(matches!(put, Put::Unknown(_)));
/// assert_eq!(registry.resolve(&repository, &prod).await.unwrap(), Some(release.digest()));
/// # });
/// ```
#[derive(Clone)]
pub struct MemoryRegistry {
    model: Arc<Mutex<Model>>,
}

/// Setting up, and changes from outside of the port.
impl MemoryRegistry {
    /// An empty registry.
    pub fn new() -> MemoryRegistry {
        MemoryRegistry { model: Arc::new(Mutex::new(Model::new())) }
    }

    /// Sets the treatment of a manifest whose last tag moves away. The default is [`UntaggedPolicy::Kept`].
    #[must_use]
    pub fn untagged(self, untagged: UntaggedPolicy) -> MemoryRegistry {
        self.model().untagged = untagged;
        self
    }

    /// Stores `manifest` without a check, points `tag` at it, and returns its digest.
    pub fn push(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Digest {
        self.overwrite(repository, tag, manifest);
        manifest.digest()
    }

    /// Pushes [`TestImage::image`] number `number` with its blobs, and points `tag` at it.
    pub fn push_image(&self, repository: &Repository, tag: &Tag, number: u64) -> Manifest {
        let sample = TestImage::image(number);
        self.store(repository, &sample);
        self.overwrite(repository, tag, &sample.manifest);
        sample.manifest
    }

    /// Stores a sample without a tag, with every blob and image that it names.
    pub fn store(&self, repository: &Repository, sample: &TestImage) {
        self.model().store_sample(repository, sample);
    }

    /// Stores a manifest without a tag and without a check.
    pub fn store_manifest(&self, repository: &Repository, manifest: &Manifest) {
        self.model().store(repository, manifest.clone());
    }

    /// Stores a blob, and returns its digest.
    pub fn store_blob(&self, repository: &Repository, bytes: impl Into<Bytes>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.store_blob_as(repository, digest, bytes);
        digest
    }

    /// Stores a blob under a digest of either algorithm, without a check.
    pub fn store_blob_as(&self, repository: &Repository, digest: Digest, bytes: impl Into<Bytes>) {
        self.model().store_blob(repository, digest, bytes.into());
    }

    /// As a foreign writer, points `tag` at `manifest` without a check, and returns the digest that the tag had before.
    pub fn overwrite(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Option<Digest> {
        let mut model = self.model();
        let before = model.holdings(repository).and_then(|holdings| holdings.tag(tag));
        let now = Instant::now();
        model.send(now, Landing::of(repository, tag, Some(manifest), ChangeOrigin::Outside));
        model.settle(now);
        before
    }

    /// Deletes a tag. False if it did not exist.
    pub fn delete_tag(&self, repository: &Repository, tag: &Tag) -> bool {
        self.model().delete_tag(repository, tag, Instant::now())
    }

    /// Deletes a manifest and every tag that points at it. False if it did not exist.
    pub fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().delete_manifest(repository, digest, Instant::now())
    }

    /// Deletes a blob. False if it did not exist.
    pub fn delete_blob(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().delete_blob(repository, digest)
    }

    /// Hides a manifest by a policy of the registry, as Harbor does with images that have vulnerabilities: `answer` is
    /// the answer to a resolve of a tag that points at it, and to a fetch of it by tag or digest. Other reads and all
    /// puts work as before. The manifest need not exist yet.
    ///
    /// The error has `status` and `registry_code` in its context, and is REGISTRY_DENIED for 401 and 403,
    /// REGISTRY_BUSY for 429, else REGISTRY_UNAVAILABLE.
    pub fn hide(&self, repository: &Repository, digest: &Digest, answer: ErrorAnswer) {
        self.model().hide(repository, digest, answer);
    }

    /// Ends the hiding of a manifest. False if it was not hidden.
    pub fn unhide(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().unhide(repository, digest)
    }

    /// The digest that a tag points at now. It is not a call, and meets no fault.
    pub fn peek(&self, repository: &Repository, tag: &Tag) -> Option<Digest> {
        self.model().holdings(repository).and_then(|holdings| holdings.tag(tag))
    }

    /// True if the repository was created, or anything was ever stored in it. It is not a call, and meets no fault.
    pub fn has_repository(&self, repository: &Repository) -> bool {
        self.model().holdings(repository).is_some()
    }

    /// The manifest of a digest, if it exists now. It is not a call, and meets no fault.
    pub fn manifest(&self, repository: &Repository, digest: &Digest) -> Option<Manifest> {
        self.model().holdings(repository)?.manifest(digest).cloned()
    }

    /// Every manifest of a repository, in the order of their digests. It is not a call, and meets no fault.
    pub fn manifests(&self, repository: &Repository) -> Vec<Manifest> {
        let model = self.model();
        model.holdings(repository).map_or_else(Vec::new, |holdings| holdings.manifests().cloned().collect())
    }

    /// The blob of a digest, if it exists now. It is not a call, and meets no fault.
    pub fn blob(&self, repository: &Repository, digest: &Digest) -> Option<Bytes> {
        self.model().holdings(repository)?.blob(digest).cloned()
    }

    /// The parts of a manifest that the repository does not have: blobs, or the manifests of an index. Empty for a
    /// manifest that is stored already, and for an unknown media type. An error if the manifest is invalid.
    pub fn missing_parts(&self, repository: &Repository, manifest: &Manifest) -> Result<Vec<Descriptor>> {
        self.model().check(repository, manifest)
    }

    /// True if the manifest exists now. It is not a call, and meets no fault.
    pub fn holds(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().holdings(repository).is_some_and(|holdings| holdings.manifest(digest).is_some())
    }
}

/// Faults.
impl MemoryRegistry {
    /// Sets the faults of the next puts, one each, in this order. Puts of pins count too.
    pub fn script(&self, faults: impl IntoIterator<Item = InjectedFault>) {
        self.script_when(|_| true, faults);
    }

    /// Sets the faults of the next puts for which `when` is true, one each, in this order. `when` must not use the
    /// registry.
    ///
    /// ```
    /// # use tagwarden_testing::{InjectedFault, MemoryRegistry};
    /// # let (registry, prod) = (MemoryRegistry::new(), "prod".parse().unwrap());
    /// registry.script_when(move |call| call.puts(&prod), [InjectedFault::Before, InjectedFault::After]);
    /// ```
    pub fn script_when(
        &self,
        when: impl Fn(&Call) -> bool + Send + 'static,
        faults: impl IntoIterator<Item = InjectedFault>,
    ) {
        self.model().puts.push(when, faults);
    }

    /// Sets the faults of the next reads, one each, in this order.
    pub fn script_reads(&self, faults: impl IntoIterator<Item = ReadFault>) {
        self.script_reads_when(|_| true, faults);
    }

    /// Sets the faults of the next reads for which `when` is true, one each, in this order.
    pub fn script_reads_when(
        &self,
        when: impl Fn(&Call) -> bool + Send + 'static,
        faults: impl IntoIterator<Item = ReadFault>,
    ) {
        self.model().reads.push(when, faults);
    }

    /// From now on a read of a tag (a resolve or a fetch by tag, of pins too) answers any value, a digest or *absent*,
    /// that the tag had within the last `window`: the current value, or one that ended less than `window` ago. Each is
    /// equally likely, in any order. The default is 0, which means no lag.
    ///
    /// The values are drawn from a fixed seed, or from the seed of [`chaos`](Self::chaos). A read that meets
    /// [`ReadFault::Past`], `Stale` or `Lag` answers as that fault says. A past value whose manifest was deleted is
    /// never answered. Fetches by digest, blobs and lists of tags do not lag. [`peek`](Self::peek) reads the current
    /// value.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use std::time::Duration;
    /// use tagwarden::registry::Registry;
    /// use tagwarden_testing::MemoryRegistry;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let registry = MemoryRegistry::new();
    /// let (repository, prod) = ("reg.io/shop".parse().unwrap(), "prod".parse().unwrap());
    /// for number in [1, 2] {
    ///     registry.push_image(&repository, &prod, number);
    /// }
    /// registry.lag(Duration::from_secs(30));
    /// let mut seen = BTreeSet::new();
    /// for _ in 0..100 {
    ///     seen.insert(registry.resolve(&repository, &prod).await.unwrap());
    /// }
    /// assert_eq!(seen.len(), 3, "absent, the first and the second");
    /// # });
    /// ```
    pub fn lag(&self, window: Duration) {
        self.model().lag = window;
    }

    /// From now on every call without a scripted fault meets random faults from a seed.
    pub fn chaos(&self, chaos: RandomFaults) {
        let mut model = self.model();
        model.stale_for = Some(chaos.lag);
        model.lagging = Random::new(chaos.seed);
        model.dice = Some(Dice::new(chaos));
    }

    /// Ends chaos, and removes the scripted faults that no call has met. Puts that were sent are still applied, and
    /// reads still lag: [`lag`](Self::lag) with 0 ends that.
    pub fn calm(&self) {
        let mut model = self.model();
        model.dice = None;
        model.puts.clear();
        model.reads.clear();
    }

    /// Sets the duration of each call, half of it for the request and half for the answer. The default is 0. Chaos
    /// draws its own.
    pub fn latency(&self, latency: Duration) {
        self.model().latency = latency;
    }

    /// The number of scripted faults that no call has met yet.
    pub fn faults_left(&self) -> usize {
        let model = self.model();
        model.puts.left() + model.reads.left()
    }
}

/// Records of calls and changes.
impl MemoryRegistry {
    /// Every call of the port so far, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.model().calls.clone()
    }

    /// Deletes the records of calls.
    pub fn clear_calls(&self) {
        self.model().calls.clear();
    }

    /// Every change of a tag so far, in the order in which they were applied.
    pub fn changes(&self) -> Vec<Change> {
        self.model().changes.clone()
    }

    /// The model, after every change that is due was applied.
    fn model(&self) -> MutexGuard<'_, Model> {
        // A panic elsewhere (in a test's own predicate) leaves the model consistent, because each change is one step.
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.settle(Instant::now());
        model
    }
}

impl Default for MemoryRegistry {
    fn default() -> MemoryRegistry {
        MemoryRegistry::new()
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryRegistry")
    }
}
