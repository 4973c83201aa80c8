//! `MemoryRegistry`.

use napi::bindgen_prelude::{Either, Null};
use napi_derive::napi;
use serde::Deserialize;
use tagwarden::registry::Registry as _;
use tagwarden::{Digest, Reference, Repository, Tag, Times};
use tagwarden_bind::args::{applied, wrong};
use tagwarden_bind::convert::to;
use tagwarden_bind::records;
use tagwarden_bind::testing::{PortCall, error_answer, memory};
use tagwarden_testing::RandomFaults;

use crate::args::Options;
use crate::call::{Promise, run, sync};
use crate::faults::{InjectedFault, ReadFault};
use crate::given::{Many, Millis, Text, Uint8Array, Whole};
use crate::host::{Count, List, Nullable};
use crate::registry::{GivenManifest, Manifest, PutOptions, port};

records! {
    /// One call of a registry's port: `resolve`, `fetch`, `put`, `tags` or `has_blob`, and its arguments.
    pub struct Call = PortCall {
        pub call: String,
        pub repository: Option<String>,
        pub tag: Option<String>,
        pub digest: Option<String>,
        pub reference: Option<String>,
    }
}

/// A change of a tag, by any writer.
#[napi(object, object_from_js = false)]
pub struct TagChange {
    pub repository: String,
    pub tag: String,
    /// The digest that it points at since; null if the tag was deleted.
    pub digest: Either<String, Null>,
}

options! {
    /// The tag whose calls meet the faults.
    #[derive(Default)]
    pub struct ScriptOptions {
        /// The tag; any by default.
        pub tag: Option<Text<Tag>>,
    }
}

options! {
    /// The delays of random faults.
    #[derive(Default)]
    pub struct ChaosOptions {
        /// The longest delay of a call, in milliseconds.
        pub latency_ms: Option<Millis>,
        /// How long after a change a stale read may answer the value before, in milliseconds.
        pub lag_ms: Option<Millis>,
    }
}

options! {
    /// The registry that a registry in memory imitates.
    #[derive(Default)]
    pub struct MemoryOptions {
        /// `ghcr`, `ecr`, `quay`, `harbor` or `acr`; none by default.
        pub vendor: Option<String>,
    }
}

options! {
    /// The tags that are mutable all the same.
    #[derive(Default)]
    pub struct ImmutableOptions {
        /// Patterns of tags, in which a `*` stands for any characters.
        pub excluding: Option<Many<String>>,
    }
}

/// An error of a registry. `types.d.ts` describes it.
#[derive(Deserialize)]
pub struct RegistryWords {
    code: Option<String>,
    status: Option<u16>,
    message: Option<String>,
}

argument!(RegistryWords);

/// A registry in memory, for tests. The methods after the first five bypass its port: `calls` does not list them, and no
/// fault applies to them. With a `vendor` it answers as that registry does, and reads of GHCR and ACR lag by 2 s and 1 s.
#[napi]
pub struct MemoryRegistry {
    pub(crate) core: tagwarden_testing::MemoryRegistry,
}

port!(MemoryRegistry);

#[napi]
impl MemoryRegistry {
    /// VALUE_INVALID for an unknown vendor.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: Option<MemoryOptions>) -> napi::Result<MemoryRegistry> {
        let MemoryOptions { vendor } = options.unwrap_or_default();
        Ok(MemoryRegistry { core: sync(memory(vendor.as_deref()))? })
    }

    /// Creates an empty repository. The vendor `ecr` refuses a push to one that does not exist.
    #[napi(catch_unwind)]
    pub fn create_repository(&self, repository: Text<Repository>) {
        self.core.create_repository(&repository);
    }

    /// From now on a tag that fits a pattern of `matching` and none of `excluding` is immutable once it exists. A `*` in a
    /// pattern stands for any characters. A put to such a tag is refused in the vendor's words. A second call replaces the
    /// first.
    #[napi(catch_unwind)]
    pub fn immutable_tags(&self, matching: Many<String>, options: Option<ImmutableOptions>) {
        let excluding = options.and_then(|options| options.excluding);
        self.core.immutable_tags(matching, excluding.into_iter().flatten());
    }

    /// Points `tag` at a manifest and stores it, unchecked. Returns its digest.
    #[napi(catch_unwind)]
    pub fn push(&self, repository: Text<Repository>, tag: Text<Tag>, manifest: Manifest) -> napi::Result<String> {
        Ok(to(self.core.push(&repository, &tag, &sync(manifest.core())?)))
    }

    /// Pushes a small valid image with its config and layers. Equal numbers, from 0, give equal bytes.
    #[napi(catch_unwind)]
    pub fn push_image(&self, repository: Text<Repository>, tag: Text<Tag>, number: Whole) -> GivenManifest {
        to(self.core.push_image(&repository, &tag, number.0))
    }

    /// Stores a blob. Returns its digest.
    #[napi(catch_unwind)]
    pub fn store_blob(&self, repository: Text<Repository>, bytes: Uint8Array) -> String {
        to(self.core.store_blob(&repository, bytes.0))
    }

    /// Moves a tag around the ledger. Returns the digest that it pointed at before, or null.
    #[napi(catch_unwind)]
    pub fn overwrite(
        &self,
        repository: Text<Repository>,
        tag: Text<Tag>,
        manifest: Manifest,
    ) -> napi::Result<Option<String>> {
        Ok(to(self.core.overwrite(&repository, &tag, &sync(manifest.core())?)))
    }

    /// Deletes a tag. False if it did not exist.
    #[napi(catch_unwind)]
    pub fn delete_tag(&self, repository: Text<Repository>, tag: Text<Tag>) -> bool {
        self.core.delete_tag(&repository, &tag)
    }

    /// Deletes a manifest, with every tag on it. False if it did not exist.
    #[napi(catch_unwind)]
    pub fn delete_manifest(&self, repository: Text<Repository>, digest: Text<Digest>) -> bool {
        self.core.delete_manifest(&repository, &digest)
    }

    /// Deletes a blob. False if it did not exist.
    #[napi(catch_unwind)]
    pub fn delete_blob(&self, repository: Text<Repository>, digest: Text<Digest>) -> bool {
        self.core.delete_blob(&repository, &digest)
    }

    /// The digest that a tag points at now, or null.
    #[napi(catch_unwind)]
    pub fn peek(&self, repository: Text<Repository>, tag: Text<Tag>) -> Option<String> {
        to(self.core.peek(&repository, &tag))
    }

    /// True if the repository has the manifest.
    #[napi(catch_unwind)]
    pub fn holds(&self, repository: Text<Repository>, digest: Text<Digest>) -> bool {
        self.core.holds(&repository, &digest)
    }

    /// Hides this manifest: a resolve of a tag that points at it, and a fetch of it, fail with these words. Other reads and
    /// all puts work as before. The error is REGISTRY_DENIED for 401 and 403, REGISTRY_BUSY for 429, else
    /// REGISTRY_UNAVAILABLE.
    #[napi(catch_unwind)]
    pub fn hide(&self, repository: Text<Repository>, digest: Text<Digest>, words: RegistryWords) -> napi::Result<()> {
        let answer = sync(error_answer(words.code, words.status, words.message))?;
        self.core.hide(&repository, &digest, answer);
        Ok(())
    }

    /// Ends `hide`. False if the manifest was not hidden.
    #[napi(catch_unwind)]
    pub fn unhide(&self, repository: Text<Repository>, digest: Text<Digest>) -> bool {
        self.core.unhide(&repository, &digest)
    }

    /// The next puts (of this tag, if one is given) meet these faults, in order, one each; pins are puts, too.
    #[napi(catch_unwind)]
    pub fn script(&self, faults: Many<InjectedFault>, options: Option<ScriptOptions>) {
        let faults = faults.into_iter().map(|InjectedFault(fault)| fault);
        match options.and_then(|options| options.tag) {
            Some(Text(tag)) => self.core.script_when(move |call| call.puts(&tag), faults),
            None => self.core.script(faults),
        }
    }

    /// The next reads (or resolves of this tag) meet these faults, in order, one each.
    #[napi(catch_unwind)]
    pub fn script_reads(&self, faults: Many<ReadFault>, options: Option<ScriptOptions>) {
        let faults = faults.into_iter().map(|ReadFault(fault)| fault);
        match options.and_then(|options| options.tag) {
            Some(Text(tag)) => self.core.script_reads_when(move |call| call.resolves(&tag), faults),
            None => self.core.script_reads(faults),
        }
    }

    /// From now on a read of a tag answers any value, a digest or *absent*, that the tag had within this many milliseconds:
    /// in any order, all equally likely. 0 is the initial value, and ends the lag. The random numbers have a fixed seed, or
    /// that of `chaos`. Fetches by digest, blobs and lists of tags do not lag.
    #[napi(catch_unwind)]
    pub fn lag(&self, window_ms: Millis) {
        self.core.lag(window_ms.0);
    }

    /// Injects random faults from a seed into `percent` of the calls that meet no scripted fault. `lag` makes every read
    /// lag, over more than one value.
    #[napi(catch_unwind)]
    pub fn chaos(&self, seed: Whole, percent: Whole, options: Option<ChaosOptions>) -> napi::Result<()> {
        let of_a_hundred = u8::try_from(percent.0).ok().filter(|percent| *percent <= 100);
        let of_a_hundred = of_a_hundred.ok_or_else(|| wrong("percent", format!("{} is more than 100", percent.0)));
        let mut chaos = RandomFaults::new(seed.0, sync(of_a_hundred)?);
        if let Some(ChaosOptions { latency_ms, lag_ms }) = options {
            chaos.latency = latency_ms.map_or(chaos.latency, |Millis(latency)| latency);
            chaos.lag = lag_ms.map_or(chaos.lag, |Millis(lag)| lag);
        }
        self.core.chaos(chaos);
        Ok(())
    }

    /// Ends chaos, and drops the scripted faults that no call has met. `lag` stays; `lag(0)` ends it.
    #[napi(catch_unwind)]
    pub fn calm(&self) {
        self.core.calm();
    }

    /// Delays each call by this many milliseconds from now on.
    #[napi(catch_unwind)]
    pub fn latency(&self, latency_ms: Millis) {
        self.core.latency(latency_ms.0);
    }

    /// The number of scripted faults that no call has met yet.
    #[napi(catch_unwind)]
    pub fn faults_left(&self) -> Count {
        to(self.core.faults_left() as u64)
    }

    /// Every call of the port so far.
    #[napi(catch_unwind)]
    pub fn calls(&self) -> List<Call> {
        self.core.calls().into_iter().map(|call| to(PortCall::of(call))).collect()
    }

    /// Forgets the calls so far.
    #[napi(catch_unwind)]
    pub fn clear_calls(&self) {
        self.core.clear_calls();
    }

    /// Every change of a tag so far, by any writer.
    #[napi(catch_unwind)]
    pub fn changes(&self) -> List<TagChange> {
        let changes = self.core.changes().into_iter().map(|change| TagChange {
            repository: to(change.repository),
            tag: to(change.tag),
            digest: change.digest.map_or(Either::B(Null), |digest| Either::A(to(digest))),
        });
        changes.collect()
    }
}
