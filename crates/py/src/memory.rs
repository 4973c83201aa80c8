//! `MemoryRegistry`: a registry in memory with scripted faults, for tests of users.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use pyo3::prelude::*;
use tagwarden_bind::testing::{Fault, PortCall, error_answer, memory};
use tagwarden_testing::{Change, RandomFaults};

use crate::args::{Number, Seconds, Text, duration, text};
use crate::error::Raises;
use crate::host::{Json, List, Reduced, from_dict, shown, to_dict};
use crate::registry::{Manifest, NativeRegistry};
use crate::run::at_once;
use crate::value::{Digest, Repository, Tag};

/// Defines the class of a fault, with a function that makes each of its faults.
macro_rules! faults {
    ($(#[$($about:tt)*])* $class:ident {
        $(
            $(#[$($doc:tt)*])*
            $name:ident($($arg:ident: $type:ty $(= $default:expr)?),*) = $word:literal { $($field:ident: $value:expr),* };
        )+
    }) => {
        $(#[$($about)*])*
        #[pyclass(frozen, eq, from_py_object, module = "tagwarden")]
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $class(Fault);

        #[pymethods]
        impl $class {
            $(
                $(#[$($doc)*])*
                #[staticmethod]
                #[allow(clippy::redundant_field_names, reason = "an argument may have the name of its field")]
                #[pyo3(signature = ($($arg $(= $default)?),*))]
                fn $name($($arg: $type),*) -> $class {
                    $class(Fault { fault: $word.to_owned(), $($field: $value,)* ..Fault::default() })
                }
            )+

            #[staticmethod]
            fn _from_dict(py: Python<'_>, fault: Json) -> Raises<$class> {
                from_dict(py, fault).map($class)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                shown(py, stringify!($class), &self.0)
            }

            fn __hash__(&self) -> u64 {
                let mut hasher = DefaultHasher::new();
                format!("{:?}", self.0).hash(&mut hasher);
                hasher.finish()
            }

            fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
                Ok((py.get_type::<$class>().getattr("_from_dict")?, (to_dict(py, &self.0)?,)))
            }
        }
    };
}

faults! {
    /// A fault of one put.
    InjectedFault {
        /// No fault; it takes one place in the order.
        passes() = "pass" {};
        /// It fails before anything is applied, and the caller cannot know.
        before() = "before" {};
        /// It is applied, and the answer is lost.
        after() = "after" {};
        /// The registry refuses in these words, and nothing moves.
        ///
        /// Without ``status`` (400 to 499) it is the one that vendors answer with this code. One of the two must be
        /// given.
        refused(code: Option<Text> = None, status: Option<u16> = None, message: Option<Text> = None) =
            "refused" { code: text(code), status: status, message: text(message) };
        /// The registry does not accept the credentials, and nothing moves.
        denied() = "denied" {};
        /// The answer is lost now, and the put lands after this time.
        late(time: Seconds) = "late" { time: ms(time) };
        /// It is applied, answered, and lands once more after this time.
        twice(time: Seconds) = "twice" { time: ms(time) };
        /// It takes this long. Beyond the caller's timeout the answer is lost, and the put lands nevertheless.
        slow(time: Seconds) = "slow" { time: ms(time) };
        /// It is applied, and this many of the next reads of the tag still answer the value before it.
        stale(reads: u32) = "stale" { reads: Some(reads) };
        /// The answer is lost, and the tag is gone.
        gone() = "gone" {};
        /// It is answered as applied, and nothing was.
        ignored() = "ignored" {};
        /// A foreign writer moves the tag to this manifest just before the put lands.
        foreign_before(manifest: &Bound<'_, Manifest>) = "foreign_before" { manifest: parts(manifest) };
        /// A foreign writer moves the tag to this manifest just after the put landed.
        foreign_after(manifest: &Bound<'_, Manifest>) = "foreign_after" { manifest: parts(manifest) };
    }
}

faults! {
    /// A fault of one read.
    ReadFault {
        /// No fault; it takes one place in the order.
        passes() = "pass" {};
        /// No usable answer: REGISTRY_UNAVAILABLE.
        unavailable() = "unavailable" {};
        /// REGISTRY_BUSY.
        busy() = "busy" {};
        /// REGISTRY_DENIED.
        denied() = "denied" {};
        /// A fetch gets other bytes than it asked for: REGISTRY_DIGEST_MISMATCH.
        digest_mismatch() = "digest_mismatch" {};
        /// It answers the value at the time of the request, after this delay.
        slow(time: Seconds) = "slow" { time: ms(time) };
        /// It answers the tag's value before the last change.
        stale() = "stale" {};
        /// It answers the tag's value of this many changes ago: 0 is the value now, more than there were is *absent*.
        past(changes: u32) = "past" { changes: Some(changes) };
        /// It lags this far behind, as every read does after ``MemoryRegistry.lag``.
        lag(window: Seconds) = "lag" { time: ms(window) };
        /// A foreign writer moves the tag that is read to this manifest just before.
        foreign_before(manifest: &Bound<'_, Manifest>) = "foreign_before" { manifest: parts(manifest) };
        /// A foreign writer moves the tag that is read to this manifest just after.
        foreign_after(manifest: &Bound<'_, Manifest>) = "foreign_after" { manifest: parts(manifest) };
        /// A foreign writer deletes this manifest, and every tag on it, just after.
        deleted_after(digest: &Bound<'_, Digest>) = "deleted_after" { digest: Some(digest.get().0.to_string()) };
    }
}

fn ms(time: Seconds) -> Option<f64> {
    Some(time.0 * 1000.0)
}

fn parts(manifest: &Bound<'_, Manifest>) -> Option<(Vec<u8>, String)> {
    let Manifest { data, media_type } = manifest.get().clone();
    Some((data, media_type))
}

/// A registry in memory, for tests. It is gone with the process.
///
/// Its port is the five methods of ``Registry``. The other methods bypass the port, as a foreign writer does: they are
/// not listed in ``calls``, and no fault applies to them.
///
/// ``vendor`` is ``ghcr``, ``ecr``, ``quay``, ``harbor`` or ``acr``: it then answers as that registry does, and reads of
/// GHCR and ACR lag by 2 s and 1 s. InvalidValueError VALUE_INVALID for another name.
#[pyclass(frozen, subclass, extends = NativeRegistry, module = "tagwarden")]
pub(crate) struct MemoryRegistry(tagwarden_testing::MemoryRegistry);

impl MemoryRegistry {
    pub(crate) fn over(core: tagwarden_testing::MemoryRegistry) -> PyClassInitializer<MemoryRegistry> {
        PyClassInitializer::from(NativeRegistry::over(core.clone())).add_subclass(MemoryRegistry(core))
    }
}

#[pymethods]
impl MemoryRegistry {
    #[new]
    #[pyo3(signature = (vendor = None))]
    fn new(vendor: Option<Text>) -> Raises<PyClassInitializer<MemoryRegistry>> {
        Ok(MemoryRegistry::over(memory(text(vendor).as_deref())?))
    }

    /// Creates an empty repository. The vendor ``ecr`` refuses a push to one that does not exist.
    fn create_repository(&self, repository: Repository) -> Raises<()> {
        self.act(|core| core.create_repository(&repository.0))
    }

    /// From now on a tag that fits a pattern of ``matching`` and none of ``excluding`` is immutable once it exists.
    ///
    /// A ``*`` in a pattern stands for any characters. A put to such a tag is refused in the vendor's words. A second
    /// call replaces the first.
    #[pyo3(signature = (matching, *, excluding = None))]
    fn immutable_tags(&self, matching: List<Text>, excluding: Option<List<Text>>) -> Raises<()> {
        let (matching, excluding) = (matching.texts(), excluding.unwrap_or_default().texts());
        self.act(|core| core.immutable_tags(matching, excluding))
    }

    /// Points a tag at a manifest.
    fn push(&self, repository: Repository, tag: Tag, manifest: &Bound<'_, Manifest>) -> Raises<Digest> {
        let manifest = manifest.get().core()?;
        self.act(|core| Digest(core.push(&repository.0, &tag.0, &manifest)))
    }

    /// Pushes a small valid image with all that it names; the same number gives the same bytes.
    fn push_image(&self, repository: Repository, tag: Tag, number: Number) -> Raises<Manifest> {
        let number = number.get("number")?;
        self.act(|core| Manifest::of(&core.push_image(&repository.0, &tag.0, number)))
    }

    /// Stores a blob.
    fn store_blob(&self, repository: Repository, data: &[u8]) -> Raises<Digest> {
        self.act(|core| Digest(core.store_blob(&repository.0, data.to_vec())))
    }

    /// Moves a tag around the ledger. Returns the digest that it pointed at before, or None.
    fn overwrite(&self, repository: Repository, tag: Tag, manifest: &Bound<'_, Manifest>) -> Raises<Option<Digest>> {
        let manifest = manifest.get().core()?;
        self.act(|core| core.overwrite(&repository.0, &tag.0, &manifest).map(Digest))
    }

    /// Deletes a tag. True if it existed.
    fn delete_tag(&self, repository: Repository, tag: Tag) -> Raises<bool> {
        self.act(|core| core.delete_tag(&repository.0, &tag.0))
    }

    /// Deletes a manifest and every tag on it. True if it existed.
    fn delete_manifest(&self, repository: Repository, digest: Digest) -> Raises<bool> {
        self.act(|core| core.delete_manifest(&repository.0, &digest.0))
    }

    /// Deletes a blob. True if it existed.
    fn delete_blob(&self, repository: Repository, digest: Digest) -> Raises<bool> {
        self.act(|core| core.delete_blob(&repository.0, &digest.0))
    }

    /// The digest that a tag points at, or None.
    fn peek(&self, repository: Repository, tag: Tag) -> Raises<Option<Digest>> {
        self.act(|core| core.peek(&repository.0, &tag.0).map(Digest))
    }

    /// True if the repository has the manifest.
    fn holds(&self, repository: Repository, digest: Digest) -> Raises<bool> {
        self.act(|core| core.holds(&repository.0, &digest.0))
    }

    /// Hides this manifest: a resolve of a tag that points at it, and a fetch of it, fail.
    ///
    /// Other reads and all puts work as before. The arguments are those of ``InjectedFault.refused``. The error is
    /// REGISTRY_DENIED for 401 and 403, REGISTRY_BUSY for 429, else REGISTRY_UNAVAILABLE.
    #[pyo3(signature = (repository, digest, *, code = None, status = None, message = None))]
    fn hide(
        &self,
        repository: Repository,
        digest: Digest,
        code: Option<Text>,
        status: Option<u16>,
        message: Option<Text>,
    ) -> Raises<()> {
        let answer = error_answer(text(code), status, text(message))?;
        self.act(|core| core.hide(&repository.0, &digest.0, answer))
    }

    /// Ends ``hide``. True if the manifest was hidden.
    fn unhide(&self, repository: Repository, digest: Digest) -> Raises<bool> {
        self.act(|core| core.unhide(&repository.0, &digest.0))
    }

    /// The next puts (of this tag, if one is given) meet these faults, in order, one each; pins are puts, too.
    #[pyo3(signature = (faults, *, tag = None))]
    fn script(&self, faults: List<InjectedFault>, tag: Option<Tag>) -> Raises<()> {
        let faults =
            faults.0.into_iter().map(|InjectedFault(fault)| fault.put()).collect::<tagwarden::Result<Vec<_>>>()?;
        match tag {
            Some(Tag(tag)) => self.act(|core| core.script_when(move |call| call.puts(&tag), faults)),
            None => self.act(|core| core.script(faults)),
        }
    }

    /// The next reads (or resolves of this tag) meet these faults, in order, one each.
    #[pyo3(signature = (faults, *, tag = None))]
    fn script_reads(&self, faults: List<ReadFault>, tag: Option<Tag>) -> Raises<()> {
        let faults =
            faults.0.into_iter().map(|ReadFault(fault)| fault.read()).collect::<tagwarden::Result<Vec<_>>>()?;
        match tag {
            Some(Tag(tag)) => self.act(|core| core.script_reads_when(move |call| call.resolves(&tag), faults)),
            None => self.act(|core| core.script_reads(faults)),
        }
    }

    /// From now on a read of a tag answers any value, a digest or *absent*, that the tag had within this time.
    ///
    /// The values come in any order and are equally likely. 0 is the initial value, and ends the lag. The random
    /// numbers have a fixed seed, or that of ``chaos``. Fetches by digest, blobs and lists of tags do not lag.
    fn lag(&self, window: Seconds) -> Raises<()> {
        let window = window.get("window")?;
        self.act(|core| core.lag(window))
    }

    /// Injects random faults from a seed into ``percent`` of the calls that meet no scripted fault.
    ///
    /// ``latency`` is the longest delay of a call; ``lag`` is how long after a change a stale read may answer the value
    /// before. ``MemoryRegistry.lag`` makes every read lag, over more than one value.
    #[pyo3(signature = (seed, percent, *, latency = None, lag = None))]
    fn chaos(&self, seed: Number, percent: Number, latency: Option<Seconds>, lag: Option<Seconds>) -> Raises<()> {
        let mut chaos = RandomFaults::new(seed.get("seed")?, percent.get("percent")?);
        chaos.latency = duration("latency", latency)?.unwrap_or(chaos.latency);
        chaos.lag = duration("lag", lag)?.unwrap_or(chaos.lag);
        self.act(|core| core.chaos(chaos))
    }

    /// Ends chaos, and drops the scripted faults that no call has met. ``lag`` stays; ``lag(0)`` ends it.
    fn calm(&self) -> Raises<()> {
        self.act(tagwarden_testing::MemoryRegistry::calm)
    }

    /// Each call takes this long from now on.
    fn latency(&self, latency: Seconds) -> Raises<()> {
        let latency = latency.get("latency")?;
        self.act(|core| core.latency(latency))
    }

    /// The number of scripted faults that no call has met yet.
    fn faults_left(&self) -> Raises<usize> {
        self.act(tagwarden_testing::MemoryRegistry::faults_left)
    }

    /// Every call of the port so far: ``call`` and its arguments.
    fn calls(&self, py: Python<'_>) -> Raises<Vec<Json>> {
        let calls = self.act(tagwarden_testing::MemoryRegistry::calls)?;
        Ok(calls.into_iter().map(|call| to_dict(py, &PortCall::of(call))).collect::<PyResult<_>>()?)
    }

    /// Forgets the calls so far.
    fn clear_calls(&self) -> Raises<()> {
        self.act(tagwarden_testing::MemoryRegistry::clear_calls)
    }

    /// Every change of a tag so far: ``repository``, ``tag``, and ``digest`` (None: deleted).
    fn changes(&self) -> Raises<Vec<BTreeMap<&'static str, Option<String>>>> {
        let changes = self.act(tagwarden_testing::MemoryRegistry::changes)?;
        let shown = |Change { repository, tag, digest, .. }: Change| {
            let (repository, tag) = (repository.to_string(), tag.to_string());
            let digest = digest.map(|digest| digest.to_string());
            BTreeMap::from([("repository", Some(repository)), ("tag", Some(tag)), ("digest", digest)])
        };
        Ok(changes.into_iter().map(shown).collect())
    }
}

impl MemoryRegistry {
    fn act<T>(&self, act: impl FnOnce(&tagwarden_testing::MemoryRegistry) -> T) -> Raises<T> {
        at_once(|| Ok::<_, tagwarden::Error>(act(&self.0)))
    }
}
