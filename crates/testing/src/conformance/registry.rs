//! The requirements of a [`Registry`]. Each requirement is a function that returns a violation if the requirement is broken.
//!
//! A [`RegistryHarness`] gives the adapter under test to the requirements. [`all`] runs every requirement; a test of your adapter is one line.
//!
//! ```
//! # use tagwarden_testing::conformance::registry::{all, RegistryHarness};
//! # async fn test(fixture: impl RegistryHarness) {
//! assert_eq!(all(&fixture).await, []);
//! # }
//! ```

mod one_digest;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use self::one_digest::check_one_digest;
use super::Failure;
use crate::TestImage;
use tagwarden::registry::{MANIFEST_TYPES, Manifest, Put, Registry, pin_tag};
use tagwarden::{Digest, Repository, Tag};
use tagwarden::{ErrorKind, Result};

/// The access that the requirements need to an adapter under test.
#[async_trait]
pub trait RegistryHarness: Send + Sync {
    /// The adapter.
    fn registry(&self) -> Arc<dyn Registry>;

    /// A repository without content, a new one at each call.
    async fn repository(&self) -> Repository;

    /// Stores the parts that the sample's manifest names, in any way (the port has no blob upload): its blobs, and its
    /// child manifests with their parts. The sample's own manifest is not stored.
    async fn store_parts(&self, repository: &Repository, sample: &TestImage) -> Result<()>;

    /// The same adapter, configured so that every request fails, and a repository to ask it for. Examples: a closed
    /// port, a scripted fault.
    async fn broken(&self) -> (Arc<dyn Registry>, Repository);

    /// The time by which reads of a tag may lag behind its puts. Within this window a read may still answer a value
    /// that ended, in any order with other values. Default: zero, a read answers the last put. The requirements wait for this
    /// time six times.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }
}

type Verdict = std::result::Result<(), Failure>;

macro_rules! requirements {
    ($($(#[doc = $doc:literal])+ $requirement:ident => $check:ident;)+) => {
        /// The name of every requirement, in the order in which the requirements run.
        pub const TESTS: &[&str] = &[$(stringify!($requirement)),+];

        /// Runs every requirement and returns the violations.
        pub async fn all(fixture: &dyn RegistryHarness) -> Vec<Failure> {
            let mut broken = Vec::new();
            $(broken.extend($requirement(fixture).await.err());)+
            broken
        }

        $(
            $(#[doc = $doc])+
            pub async fn $requirement(fixture: &dyn RegistryHarness) -> Verdict {
                $check(&Case { requirement: stringify!($requirement), fixture, registry: fixture.registry() }).await
            }
        )+
    };
}

requirements! {
    /// Content that was never stored is absent: a tag and a digest are `None`, a blob is `false`, an unknown repository
    /// has no tags. This is also true beside content that exists.
    absent_is_proven => check_absent;
    /// A registry that cannot answer is an error, never an absence. A put to such a registry is never applied.
    a_failure_is_not_an_absence => check_failure;
    /// A put manifest is read with its bytes, its media type and its digest unchanged, also when its JSON is not
    /// canonical, has no `mediaType`, or is not of a known kind. A registry may refuse all kinds but an OCI image.
    bytes_are_exact => check_bytes;
    /// After an applied put, each read of the tag resolves to that digest and fetches that manifest. Where reads lag, a
    /// read may answer any value, a digest or absent, that the tag had within the lag, and no other value.
    a_tag_has_one_digest => check_one_digest;
    /// After several puts of one tag, the tag points at the last manifest, also when an earlier put had the same one.
    last_put_wins => check_last_put;
    /// After concurrent puts of one tag, the tag points at one of the manifests, and all the manifests are stored.
    puts_at_once_leave_one => check_at_once;
    /// A put changes its own tag in its own repository. It changes no other tag and no other repository.
    a_put_keeps_other_tags => check_other_tags;
    /// A refused put leaves the tag unchanged.
    a_refused_put_moves_nothing => check_refused;
    /// Every tag is listed once, also pins, and also when the list has many pages.
    tags_are_listed => check_tags;
    /// A fetch by tag and a fetch by the digest that the tag resolves to return the same manifest.
    fetches_by_tag_and_digest_agree => check_agree;
    /// A stored blob is found, and the children of an index can be fetched.
    what_is_named_is_found => check_found;
}

/// The timeout of a put: longer than any healthy registry needs.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two reads of a tag that may lag.
const AGAIN: Duration = Duration::from_millis(50);

/// The requirement under test and the adapter.
struct Case<'a> {
    requirement: &'static str,
    fixture: &'a dyn RegistryHarness,
    registry: Arc<dyn Registry>,
}

impl Case<'_> {
    fn broken(&self, seen: impl Into<String>) -> Verdict {
        Err(Failure { requirement: self.requirement, seen: seen.into() })
    }

    fn holds(&self, holds: bool, seen: impl FnOnce() -> String) -> Verdict {
        if holds { Ok(()) } else { self.broken(seen()) }
    }

    /// The answer of a call. An error breaks the requirement too: no fault was injected.
    fn answered<T>(&self, result: Result<T>, what: &str) -> std::result::Result<T, Failure> {
        result.map_err(|error| Failure { requirement: self.requirement, seen: format!("{what}: {error:?}") })
    }

    async fn resolve(&self, repository: &Repository, tag: &Tag) -> std::result::Result<Option<Digest>, Failure> {
        self.answered(self.registry.resolve(repository, tag).await, "resolve")
    }

    async fn store_parts(&self, repository: &Repository, sample: &TestImage) -> Verdict {
        self.answered(self.fixture.store_parts(repository, sample).await, "the fixture's own store_parts")
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Put {
        self.registry.put(repository, tag, manifest, TIMEOUT).await
    }

    /// Sends a put that must be applied.
    async fn accepted(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Verdict {
        match self.put(repository, tag, manifest).await {
            Put::Applied => Ok(()),
            other => self.broken(format!("a put of a complete manifest: {other:?}")),
        }
    }

    /// Sends a put that must be applied, and must be visible within the lag.
    async fn applied(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Verdict {
        self.accepted(repository, tag, manifest).await?;
        self.points_at(repository, tag, Some(manifest.digest())).await
    }

    /// Pushes an image with its parts under `tag`.
    async fn pushed(&self, repository: &Repository, tag: &Tag, number: u64) -> std::result::Result<Manifest, Failure> {
        let sample = TestImage::image(number);
        self.store_parts(repository, &sample).await?;
        self.applied(repository, tag, &sample.manifest).await?;
        Ok(sample.manifest)
    }

    /// Waits until reads can only show the current value of a tag.
    async fn settled(&self) {
        tokio::time::sleep(self.fixture.lag()).await;
    }

    /// The tag resolves to `want` within the lag. Until then a read may answer the value before.
    async fn points_at(&self, repository: &Repository, tag: &Tag, want: Option<Digest>) -> Verdict {
        let begun = Instant::now();
        loop {
            // Take the time when the read was sent: a slow read may answer the value of that time.
            let waited = begun.elapsed();
            let seen = self.resolve(repository, tag).await?;
            if seen == want {
                return Ok(());
            }
            if waited >= self.fixture.lag() {
                return self.broken(format!("{tag} resolves to {seen:?} instead of {want:?}"));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The tag is fetched as this manifest within the lag.
    async fn fetches(
        &self,
        repository: &Repository,
        tag: &Tag,
        want: Digest,
    ) -> std::result::Result<Manifest, Failure> {
        let (begun, reference) = (Instant::now(), repository.tag(tag.clone()));
        loop {
            let waited = begun.elapsed();
            let fetched = self.answered(self.registry.fetch(&reference).await, "fetch")?;
            let seen = fetched.as_ref().map(Manifest::digest);
            match fetched {
                Some(manifest) if seen == Some(want) => return Ok(manifest),
                _ if waited >= self.fixture.lag() => {
                    let seen = format!("{tag} is fetched as {seen:?} instead of {want}");
                    return Err(Failure { requirement: self.requirement, seen });
                }
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn fetched(&self, reference: tagwarden::Reference) -> std::result::Result<Manifest, Failure> {
        let fetched = self.answered(self.registry.fetch(&reference).await, "fetch")?;
        fetched.ok_or_else(|| Failure { requirement: self.requirement, seen: format!("{reference} is absent") })
    }
}

#[allow(clippy::expect_used, reason = "the names below are valid")]
fn tag(name: &str) -> Tag {
    name.parse().expect("a valid tag")
}

async fn check_absent(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let nothing = Digest::of(b"this was never pushed");
    let listed = case.answered(case.registry.tags(&repository).await, "tags of an unknown repository")?;
    case.holds(listed.is_empty(), || format!("an unknown repository has the tags {listed:?}"))?;
    for round in ["in an unknown repository", "beside what is there"] {
        case.points_at(&repository, &tag("absent"), None).await?;
        for reference in [repository.tag(tag("absent")), repository.digest(nothing)] {
            let fetched = case.answered(case.registry.fetch(&reference).await, round)?;
            case.holds(fetched.is_none(), || format!("{reference} was fetched {round}"))?;
        }
        let blob = case.answered(case.registry.has_blob(&repository, &nothing).await, round)?;
        case.holds(!blob, || format!("a blob that was never pushed is there {round}"))?;
        case.pushed(&repository, &tag("there"), 1).await?;
    }
    Ok(())
}

async fn check_failure(case: &Case<'_>) -> Verdict {
    let (registry, repository) = case.fixture.broken().await;
    let reference = repository.tag(tag("prod"));
    let by_digest = repository.digest(Digest::of(b""));
    let answers = [
        ("resolve", registry.resolve(&repository, &tag("prod")).await.err()),
        ("fetch by tag", registry.fetch(&reference).await.err()),
        ("fetch by digest", registry.fetch(&by_digest).await.err()),
        ("tags", registry.tags(&repository).await.err()),
        ("has_blob", registry.has_blob(&repository, &Digest::of(b"")).await.err()),
    ];
    for (call, error) in answers {
        match error.map(|error| error.kind()) {
            None => return case.broken(format!("{call} answered, though nothing could")),
            Some(ErrorKind::RegistryAbsent) => return case.broken(format!("{call} said REGISTRY_ABSENT")),
            Some(_) => {}
        }
    }
    match registry.put(&repository, &tag("prod"), &TestImage::image(1).manifest, TIMEOUT).await {
        Put::Applied => case.broken("a put was applied, though nothing could"),
        Put::Refused(_) | Put::Unknown(_) => Ok(()),
    }
}

async fn check_bytes(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    for (number, (what, sample)) in variants().into_iter().enumerate() {
        case.store_parts(&repository, &sample).await?;
        let (tag, want) = (tag(&format!("variant-{number}")), &sample.manifest);
        match case.put(&repository, &tag, want).await {
            Put::Refused(_) if number > 0 => continue,
            Put::Applied => case.points_at(&repository, &tag, Some(want.digest())).await?,
            other => return case.broken(format!("a put of {what}: {other:?}")),
        }
        let by_tag = case.fetches(&repository, &tag, want.digest()).await?;
        let by_digest = case.fetched(repository.digest(want.digest())).await?;
        for got in [by_tag, by_digest] {
            case.holds(got.bytes() == want.bytes(), || format!("{what}: other bytes: {:?}", got.bytes()))?;
            case.holds(got.digest() == want.digest(), || format!("{what}: the digest {}", got.digest()))?;
            let media_type = got.media_type();
            case.holds(media_type == want.media_type(), || format!("{what}: the media type {media_type}"))?;
        }
    }
    Ok(())
}

/// Manifests with an unusual property that an adapter may handle wrongly; the first one is plain.
fn variants() -> Vec<(&'static str, TestImage)> {
    let [image, index, docker_image, docker_list] = MANIFEST_TYPES;
    let plain = TestImage::image(1);
    let list = TestImage::index([TestImage::image(2), TestImage::image(3)]);
    let rewritten = |of: &TestImage, media_type: &str, rewrite: &dyn Fn(&str) -> String| {
        let text = rewrite(&String::from_utf8_lossy(of.manifest.bytes()));
        Manifest::new(text, media_type).map(|manifest| TestImage { manifest, ..of.clone() })
    };
    let spaced =
        |json: &str| format!("{}\n", json.replace(',', " ,\n\t").replace("application/", "application\\u002F"));
    let untyped = |of: &str| of.replacen(&format!("\"mediaType\":\"{image}\","), "", 1);
    let untyped_index = |of: &str| of.replace(&format!(",\"mediaType\":\"{index}\""), "");
    let docker = |of: &str| {
        of.replace(image, docker_image)
            .replace("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
            .replace("vnd.oci.image.layer.v1.tar+gzip", "vnd.docker.image.rootfs.diff.tar.gzip")
    };
    let docker_index = |of: &str| of.replace(index, docker_list);
    let odd = |_: &str| "{\"anything\": [1.50, \"\\u00e9\"]}".to_owned();
    let made = [
        ("JSON that is not canonical", rewritten(&plain, image, &spaced)),
        ("an image without mediaType", rewritten(&plain, image, &untyped)),
        ("an OCI index", Ok(list.clone())),
        ("an index without mediaType", rewritten(&list, index, &untyped_index)),
        ("a Docker image", rewritten(&plain, docker_image, &docker)),
        ("a Docker list", rewritten(&list, docker_list, &docker_index)),
        ("a media type of its own", rewritten(&plain, "application/vnd.example.thing.v1+json", &odd)),
    ];
    let made = made.into_iter().filter_map(|(what, sample)| Some((what, sample.ok()?)));
    [("an OCI image", plain.clone())].into_iter().chain(made).collect()
}

async fn check_last_put(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let first = case.pushed(&repository, &tag("prod"), 1).await?;
    let second = case.pushed(&repository, &tag("prod"), 2).await?;
    for manifest in [&first, &second, &second, &first] {
        case.applied(&repository, &tag("prod"), manifest).await?;
        case.fetches(&repository, &tag("prod"), manifest.digest()).await?;
    }
    Ok(())
}

async fn check_at_once(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let samples: Vec<TestImage> = (1..=8).map(TestImage::image).collect();
    for sample in &samples {
        case.store_parts(&repository, sample).await?;
    }
    let puts: Vec<_> = samples
        .iter()
        .map(|sample| {
            let (registry, repository, manifest) = (case.registry.clone(), repository.clone(), sample.manifest.clone());
            tokio::spawn(async move { registry.put(&repository, &tag("prod"), &manifest, TIMEOUT).await })
        })
        .collect();
    for put in puts {
        match put.await {
            Ok(Put::Applied) => {}
            other => return case.broken(format!("one of eight puts at once: {other:?}")),
        }
    }
    case.settled().await;
    let stands = case.resolve(&repository, &tag("prod")).await?;
    case.holds(samples.iter().any(|sample| Some(sample.digest()) == stands), || format!("{stands:?} stands"))?;
    case.points_at(&repository, &tag("prod"), stands).await
}

async fn check_other_tags(case: &Case<'_>) -> Verdict {
    let (repository, elsewhere) = (case.fixture.repository().await, case.fixture.repository().await);
    let first = case.pushed(&repository, &tag("prod"), 1).await?;
    case.applied(&repository, &tag("preprod"), &first).await?;
    case.pushed(&elsewhere, &tag("prod"), 1).await?;
    case.pushed(&repository, &tag("prod"), 2).await?;
    case.settled().await;
    case.points_at(&repository, &tag("preprod"), Some(first.digest())).await?;
    case.points_at(&elsewhere, &tag("prod"), Some(first.digest())).await?;
    case.points_at(&elsewhere, &tag("preprod"), None).await?;
    case.fetched(repository.digest(first.digest())).await.map(|_| ())
}

async fn check_refused(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let there = case.pushed(&repository, &tag("prod"), 1).await?;
    let incomplete = TestImage::image(2).manifest;
    let want = match case.put(&repository, &tag("prod"), &incomplete).await {
        Put::Refused(_) => there.digest(),
        Put::Applied => incomplete.digest(),
        Put::Unknown(error) => {
            return case.broken(format!("a put without its blobs is not known to be refused: {error:?}"));
        }
    };
    // Do not stop at the first read that agrees: within the lag, a read may answer the digest of before the put.
    case.settled().await;
    let seen = case.resolve(&repository, &tag("prod")).await?;
    case.holds(seen == Some(want), || format!("prod resolves to {seen:?} instead of {want}"))
}

async fn check_tags(case: &Case<'_>) -> Verdict {
    /// More than the 100 that registries put on a page.
    const MANY: usize = 120;
    let repository = case.fixture.repository().await;
    let sample = TestImage::image(1);
    case.store_parts(&repository, &sample).await?;
    let mut put: BTreeSet<Tag> = (0..MANY).map(|number| tag(&format!("v{number}"))).collect();
    put.extend([pin_tag(&sample.digest()), tag("_x"), tag("X.y-Z")]);
    // Do not wait for each tag in turn: where reads lag, that would take more than a hundred times the lag.
    for tag in &put {
        case.accepted(&repository, tag, &sample.manifest).await?;
    }
    case.settled().await;
    let listed = case.answered(case.registry.tags(&repository).await, "tags")?;
    let as_set: BTreeSet<Tag> = listed.iter().cloned().collect();
    case.holds(as_set.len() == listed.len(), || "a tag is listed twice".to_owned())?;
    case.holds(as_set == put, || {
        let missing: Vec<_> = put.difference(&as_set).collect();
        let more: Vec<_> = as_set.difference(&put).collect();
        format!("of {} tags these are missing: {missing:?}, these are too many: {more:?}", put.len())
    })
}

async fn check_agree(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    for number in 1..=3 {
        let resolved = case.pushed(&repository, &tag("prod"), number).await?.digest();
        let by_tag = case.fetches(&repository, &tag("prod"), resolved).await?;
        let by_digest = case.fetched(repository.digest(resolved)).await?;
        case.holds(by_tag == by_digest, || format!("by tag {by_tag:?}, by digest {by_digest:?}"))?;
    }
    Ok(())
}

async fn check_found(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let index = TestImage::index([TestImage::image(1), TestImage::image(2)]);
    case.store_parts(&repository, &index).await?;
    case.applied(&repository, &tag("1.0"), &index.manifest).await?;
    for child in &index.children {
        let fetched = case.fetched(repository.digest(child.digest())).await?;
        case.holds(fetched == child.manifest, || format!("the child {} came as {fetched:?}", child.digest()))?;
        for blob in &child.blobs {
            let digest = Digest::of(blob);
            let found = case.answered(case.registry.has_blob(&repository, &digest).await, "has_blob")?;
            case.holds(found, || format!("the blob {digest} is not found"))?;
        }
    }
    let missing = Digest::of(b"no blob");
    let found = case.answered(case.registry.has_blob(&repository, &missing).await, "has_blob")?;
    case.holds(!found, || "a blob that was never pushed is found".to_owned())
}

#[cfg(test)]
mod tests;
