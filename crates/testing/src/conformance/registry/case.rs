//! The requirement under test, and its calls of the adapter.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::RegistryHarness;
use crate::TestImage;
use crate::conformance::Failure;
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Digest, Repository, Result, Tag};

pub(super) type Verdict = std::result::Result<(), Failure>;

/// The timeout of a put: longer than any healthy registry needs.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two reads of a tag that may lag.
pub(super) const AGAIN: Duration = Duration::from_millis(50);

/// The requirement under test and the adapter.
pub(super) struct Case<'a> {
    pub(super) requirement: &'static str,
    pub(super) fixture: &'a dyn RegistryHarness,
    pub(super) registry: Arc<dyn Registry>,
}

impl Case<'_> {
    pub(super) fn broken(&self, seen: impl Into<String>) -> Verdict {
        Err(Failure { requirement: self.requirement, seen: seen.into() })
    }

    pub(super) fn holds(&self, holds: bool, seen: impl FnOnce() -> String) -> Verdict {
        if holds { Ok(()) } else { self.broken(seen()) }
    }

    /// The answer of a call. An error breaks the requirement too: no fault was injected.
    pub(super) fn answered<T>(&self, result: Result<T>, what: &str) -> std::result::Result<T, Failure> {
        result.map_err(|error| Failure { requirement: self.requirement, seen: format!("{what}: {error:?}") })
    }

    pub(super) async fn resolve(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> std::result::Result<Option<Digest>, Failure> {
        self.answered(self.registry.resolve(repository, tag).await, "resolve")
    }

    pub(super) async fn store_parts(&self, repository: &Repository, sample: &TestImage) -> Verdict {
        self.answered(self.fixture.store_parts(repository, sample).await, "the fixture's own store_parts")
    }

    pub(super) async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Put {
        self.registry.put(repository, tag, manifest, TIMEOUT).await
    }

    /// Sends a put that must be applied.
    pub(super) async fn accepted(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Verdict {
        match self.put(repository, tag, manifest).await {
            Put::Applied => Ok(()),
            other => self.broken(format!("a put of a complete manifest: {other:?}")),
        }
    }

    /// Sends a put that must be applied, and must be visible within the lag.
    pub(super) async fn applied(&self, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Verdict {
        self.accepted(repository, tag, manifest).await?;
        self.points_at(repository, tag, Some(manifest.digest())).await
    }

    /// Pushes an image with its parts under `tag`.
    pub(super) async fn pushed(
        &self,
        repository: &Repository,
        tag: &Tag,
        number: u64,
    ) -> std::result::Result<Manifest, Failure> {
        let sample = TestImage::image(number);
        self.store_parts(repository, &sample).await?;
        self.applied(repository, tag, &sample.manifest).await?;
        Ok(sample.manifest)
    }

    /// Waits until reads can only show the current value of a tag.
    pub(super) async fn settled(&self) {
        tokio::time::sleep(self.fixture.lag()).await;
    }

    /// The tag resolves to `want` within the lag. Until then a read may answer the value before.
    pub(super) async fn points_at(&self, repository: &Repository, tag: &Tag, want: Option<Digest>) -> Verdict {
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
    pub(super) async fn fetches(
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

    pub(super) async fn fetched(&self, reference: tagwarden::Reference) -> std::result::Result<Manifest, Failure> {
        let fetched = self.answered(self.registry.fetch(&reference).await, "fetch")?;
        fetched.ok_or_else(|| Failure { requirement: self.requirement, seen: format!("{reference} is absent") })
    }
}

#[allow(clippy::expect_used, reason = "the names below are valid")]
pub(super) fn tag(name: &str) -> Tag {
    name.parse().expect("a valid tag")
}
