//! `MemoryRegistry`: a model of a registry in memory, with scripted faults.

mod answer;
mod call;
mod chaos;
mod fault;
mod lag;
mod model;
mod port;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub use answer::ErrorAnswer;
pub use call::{Call, Change, Writer};
pub use chaos::Chaos;
pub use fault::{Fault, ReadFault};
pub use model::Untagged;

use self::chaos::{Dice, Random};
use self::fault::When;
use self::model::{Landing, Model};
use super::{Manifest, Sample};
use crate::value::{Digest, Repository, Tag};

/// A registry in memory. Clones share it. It keeps the laws of a [`Registry`](super::Registry) until it is told not to.
///
/// Everything that takes time takes it on tokio's clock, so that tests can run with it paused. A put that has been sent
/// lands whether or not its caller is still there.
///
/// ```
/// use std::time::Duration;
/// use tagwarden::registry::{Fault, MemoryRegistry, Put, Registry};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let registry = MemoryRegistry::new();
/// let (repository, prod) = ("reg.io/shop".parse().unwrap(), "prod".parse().unwrap());
/// let release = registry.push_image(&repository, &"1.4.2".parse().unwrap(), 1);
///
/// registry.script([Fault::After]); // it moves, but the answer is lost
/// let put = registry.put(&repository, &prod, &release, Duration::from_secs(15)).await;
/// assert!(matches!(put, Put::Unknown(_)));
/// assert_eq!(registry.resolve(&repository, &prod).await.unwrap(), Some(release.digest()));
/// # });
/// ```
#[derive(Clone)]
pub struct MemoryRegistry {
    model: Arc<Mutex<Model>>,
}

/// Setting up, and going around.
impl MemoryRegistry {
    /// A registry that holds nothing.
    pub fn new() -> MemoryRegistry {
        MemoryRegistry { model: Arc::new(Mutex::new(Model::new())) }
    }

    /// Sets what becomes of a manifest when its last tag moves away; it is kept at first.
    #[must_use]
    pub fn untagged(self, untagged: Untagged) -> MemoryRegistry {
        self.model().untagged = untagged;
        self
    }

    /// Points `tag` at `manifest` and stores it, unchecked. The digest is the manifest's.
    pub fn push(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Digest {
        self.overwrite(repository, tag, manifest);
        manifest.digest()
    }

    /// Pushes [`Sample::image`] number `number` with its blobs, and points `tag` at it.
    pub fn push_image(&self, repository: &Repository, tag: &Tag, number: u64) -> Manifest {
        let sample = Sample::image(number);
        self.store(repository, &sample);
        self.overwrite(repository, tag, &sample.manifest);
        sample.manifest
    }

    /// Stores a sample without a tag, with everything that it names.
    pub fn store(&self, repository: &Repository, sample: &Sample) {
        self.model().store_sample(repository, sample);
    }

    /// Stores a blob.
    pub fn store_blob(&self, repository: &Repository, bytes: impl Into<Bytes>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.model().store_blob(repository, digest, bytes);
        digest
    }

    /// A foreign writer: points `tag` at `manifest`, unchecked, and answers what it pointed at before.
    pub fn overwrite(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Option<Digest> {
        let mut model = self.model();
        let before = model.holdings(repository).and_then(|holdings| holdings.tag(tag));
        let now = Instant::now();
        model.send(now, Landing::of(repository, tag, Some(manifest), Writer::Outside));
        model.settle(now);
        before
    }

    /// Takes a tag away. False if it was not there.
    pub fn delete_tag(&self, repository: &Repository, tag: &Tag) -> bool {
        self.model().delete_tag(repository, tag, Instant::now())
    }

    /// Takes a manifest away, and every tag on it. False if it was not there.
    pub fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().delete_manifest(repository, digest, Instant::now())
    }

    /// Takes a blob away. False if it was not there.
    pub fn delete_blob(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().delete_blob(repository, digest)
    }

    /// A policy of the registry hides this manifest, as Harbor does with images that have vulnerabilities: a resolve of a
    /// tag that points at it, and a fetch of it by tag or digest, is answered so. Everything else of the repository can be
    /// read, and puts are not touched. The manifest need not be there yet.
    ///
    /// The error has `status` and `registry_code` in its context, and is REGISTRY_DENIED for 401 and 403,
    /// REGISTRY_BUSY for 429, else REGISTRY_UNAVAILABLE.
    pub fn hide(&self, repository: &Repository, digest: &Digest, answer: ErrorAnswer) {
        self.model().hide(repository, digest, answer);
    }

    /// The policy hides this manifest no longer. False if it did not.
    pub fn unhide(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().unhide(repository, digest)
    }

    /// What a tag points at now; no call, no fault.
    pub fn peek(&self, repository: &Repository, tag: &Tag) -> Option<Digest> {
        self.model().holdings(repository).and_then(|holdings| holdings.tag(tag))
    }

    /// True if the manifest is there now; no call, no fault.
    pub fn holds(&self, repository: &Repository, digest: &Digest) -> bool {
        self.model().holdings(repository).is_some_and(|holdings| holdings.manifest(digest).is_some())
    }
}

/// Faults.
impl MemoryRegistry {
    /// The next puts meet these faults, in order, one each; pins are puts, too.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut model = self.model();
        faults.into_iter().for_each(|fault| model.puts.push(When::Any, fault));
    }

    /// The next puts for which `when` is true meet these faults, in order, one each. `when` must not ask the
    /// registry.
    ///
    /// ```
    /// # use tagwarden::registry::{Fault, MemoryRegistry};
    /// # let (registry, prod) = (MemoryRegistry::new(), "prod".parse().unwrap());
    /// registry.script_when(move |call| call.puts(&prod), [Fault::Before, Fault::After]);
    /// ```
    pub fn script_when<W>(&self, when: W, faults: impl IntoIterator<Item = Fault>)
    where
        W: Fn(&Call) -> bool + Clone + Send + 'static,
    {
        let mut model = self.model();
        faults.into_iter().for_each(|fault| model.puts.push(When::Matches(Box::new(when.clone())), fault));
    }

    /// The next reads meet these faults, in order, one each.
    pub fn script_reads(&self, faults: impl IntoIterator<Item = ReadFault>) {
        let mut model = self.model();
        faults.into_iter().for_each(|fault| model.reads.push(When::Any, fault));
    }

    /// The next reads for which `when` is true meet these faults, in order, one each.
    pub fn script_reads_when<W>(&self, when: W, faults: impl IntoIterator<Item = ReadFault>)
    where
        W: Fn(&Call) -> bool + Clone + Send + 'static,
    {
        let mut model = self.model();
        faults.into_iter().for_each(|fault| model.reads.push(When::Matches(Box::new(when.clone())), fault));
    }

    /// From now on a read of a tag (a resolve, a fetch by tag, of pins as well) answers any value, a digest or *absent*,
    /// that the tag had within the last `window`: the current one or one that ended less than `window` ago, each as
    /// likely as the others, in any order. 0 at first, and ends it.
    ///
    /// The draws come from a fixed seed, or from that of [`chaos`](Self::chaos). Reads that meet [`ReadFault::Past`],
    /// `Stale` or `Lag` answer what those say. A past value whose manifest is gone is not answered. Fetches by digest,
    /// blobs and lists of tags do not lag. [`peek`](Self::peek) says what is there.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use std::time::Duration;
    /// use tagwarden::registry::{MemoryRegistry, Registry};
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

    /// Every call that no scripted fault waits for meets chances from a seed.
    pub fn chaos(&self, chaos: Chaos) {
        let mut model = self.model();
        model.stale_for = Some(chaos.lag);
        model.lagging = Random::new(chaos.seed);
        model.dice = Some(Dice::new(chaos));
    }

    /// Ends chaos, and forgets the faults that no call has met. What has been sent still lands, and reads lag as long as
    /// before: [`lag`](Self::lag) with 0 ends that.
    pub fn calm(&self) {
        let mut model = self.model();
        model.dice = None;
        model.puts.clear();
        model.reads.clear();
    }

    /// Each call takes this long, half of it on the way; 0 at first. Chaos draws its own.
    pub fn latency(&self, latency: Duration) {
        self.model().latency = latency;
    }

    /// How many scripted faults no call has met yet.
    pub fn faults_left(&self) -> usize {
        let model = self.model();
        model.puts.len() + model.reads.len()
    }
}

/// What happened.
impl MemoryRegistry {
    /// Every call of the port so far, in the order they arrived.
    pub fn calls(&self) -> Vec<Call> {
        self.model().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.model().calls.clear();
    }

    /// Every change of a tag so far, in the order they landed.
    pub fn changes(&self) -> Vec<Change> {
        self.model().changes.clone()
    }

    /// The model with everything landed that is due.
    fn model(&self) -> MutexGuard<'_, Model> {
        // A panic elsewhere (a test's own predicate) leaves the model whole: no change of it takes two steps.
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.settle(Instant::now());
        model
    }

    /// The model, for the HTTP server: blobs, uploads and deletes are not in the port.
    #[cfg(feature = "testing")]
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Model) -> T) -> T {
        act(&mut self.model())
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

#[cfg(test)]
mod tests;
