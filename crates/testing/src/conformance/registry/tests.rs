use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{InjectedFault, MemoryRegistry, RandomFaults, ReadFault, UntaggedPolicy};
use tagwarden::registry::{MANIFEST_TYPES, Manifest, Put};
use tagwarden::{Digest, Error, ErrorKind, Reference, Tag, Target};

/// The defect of a broken adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    ForgetsMediaType,
    ReserialisesJson,
    AnswersStale,
    SaysAbsentOnFailure,
    SaysFailureOnAbsent,
    HidesPins,
    ListsOnePage,
    ListsTwice,
    SaysAppliedWithoutPut,
    SaysAppliedOnFailure,
    MovesThoughRefused,
    MovesNeighbours,
    MixesRepositories,
    FetchesTheFirst,
    FindsEveryBlob,
    FindsNoBlob,
    DropsWhatItMovedFrom,
    LosesChildren,
    ForgetsEveryThirdResolve,
    AnswersAnotherTag,
}

#[derive(Debug)]
struct BrokenRegistry {
    defect: Defect,
    sound: MemoryRegistry,
    resolves: AtomicUsize,
}

impl BrokenRegistry {
    fn one_repository(&self, repository: &Repository) -> Repository {
        match self.defect {
            Defect::MixesRepositories => format!("{}/all", repository.registry()).parse().unwrap(),
            _ => repository.clone(),
        }
    }
}

#[async_trait]
impl Registry for BrokenRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        let repository = self.one_repository(repository);
        if self.defect == Defect::AnswersStale {
            self.sound.script_reads([ReadFault::Stale]);
        }
        match self.sound.resolve(&repository, tag).await {
            Ok(None) if self.defect == Defect::SaysFailureOnAbsent => {
                Err(Error::new(ErrorKind::RegistryUnavailable, "perhaps absent"))
            }
            Err(_) if self.defect == Defect::SaysAbsentOnFailure => Ok(None),
            Ok(_)
                if self.defect == Defect::ForgetsEveryThirdResolve
                    && self.resolves.fetch_add(1, Ordering::Relaxed) % 3 == 2 =>
            {
                Ok(None)
            }
            Ok(_)
                if self.defect == Defect::AnswersAnotherTag
                    && self.resolves.fetch_add(1, Ordering::Relaxed) % 3 == 2 =>
            {
                let tags = self.sound.tags(&repository).await?;
                let other = tags.iter().find(|other| *other != tag);
                Ok(other.and_then(|other| self.sound.peek(&repository, other)))
            }
            other => other,
        }
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let repository = self.one_repository(reference.repository());
        let reference = match reference.target() {
            Target::Tag(tag) => repository.tag(tag.clone()),
            Target::Digest(digest) => repository.digest(*digest),
        };
        let fetched = match self.sound.fetch(&reference).await {
            Err(_) if self.defect == Defect::SaysAbsentOnFailure => Ok(None),
            other => other,
        };
        let Some(manifest) = fetched? else { return Ok(None) };
        match self.defect {
            Defect::ForgetsMediaType => Manifest::new(manifest.bytes().clone(), MANIFEST_TYPES[0]).map(Some),
            Defect::ReserialisesJson => {
                let value: serde_json::Value = serde_json::from_slice(manifest.bytes()).unwrap();
                Manifest::new(value.to_string(), manifest.media_type().as_str()).map(Some)
            }
            Defect::FetchesTheFirst if matches!(reference.target(), Target::Tag(_)) => {
                Ok(Some(TestImage::image(1).manifest))
            }
            Defect::LosesChildren if matches!(reference.target(), Target::Digest(_)) => {
                let tags = self.sound.tags(&repository).await?;
                let tagged = tags.iter().any(|tag| self.sound.peek(&repository, tag) == Some(manifest.digest()));
                Ok(tagged.then_some(manifest))
            }
            _ => Ok(Some(manifest)),
        }
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let repository = &self.one_repository(repository);
        match self.defect {
            Defect::SaysAppliedWithoutPut => self.sound.script([InjectedFault::Ignored]),
            Defect::MovesThoughRefused => {
                self.sound.overwrite(repository, tag, manifest);
            }
            Defect::MovesNeighbours => {
                for other in self.sound.tags(repository).await.unwrap_or_default() {
                    self.sound.overwrite(repository, &other, manifest);
                }
            }
            _ => {}
        }
        let before = self.sound.peek(repository, tag);
        match self.sound.put(repository, tag, manifest, timeout).await {
            Put::Unknown(_) if self.defect == Defect::SaysAppliedOnFailure => Put::Applied,
            Put::Applied if self.defect == Defect::MovesThoughRefused => {
                let is_complete = self.sound.has_blob(repository, &Digest::of(&TestImage::image(2).blobs[0])).await;
                match manifest.digest() == TestImage::image(2).digest() && !is_complete.unwrap() {
                    true => Put::Refused(Error::new(ErrorKind::RegistryRefused, "MANIFEST_BLOB_UNKNOWN")),
                    false => Put::Applied,
                }
            }
            Put::Applied if self.defect == Defect::DropsWhatItMovedFrom => {
                if let Some(before) = before.filter(|before| *before != manifest.digest()) {
                    self.sound.delete_manifest(repository, &before);
                }
                Put::Applied
            }
            other => other,
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        let repository = self.one_repository(repository);
        let mut tags = match self.sound.tags(&repository).await {
            Err(_) if self.defect == Defect::SaysAbsentOnFailure => Ok(Vec::new()),
            other => other,
        }?;
        match self.defect {
            Defect::HidesPins => tags.retain(|tag| tagwarden::registry::pinned(tag).is_none()),
            Defect::ListsOnePage => tags.truncate(100),
            Defect::ListsTwice => tags.extend(tags.first().cloned()),
            _ => {}
        }
        Ok(tags)
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let repository = self.one_repository(repository);
        match self.sound.has_blob(&repository, digest).await {
            Err(_) if self.defect == Defect::SaysAbsentOnFailure => Ok(false),
            Ok(_) if self.defect == Defect::FindsEveryBlob => Ok(true),
            Ok(_) if self.defect == Defect::FindsNoBlob => Ok(false),
            other => other,
        }
    }
}

struct Harness {
    defect: Defect,
    sound: MemoryRegistry,
    repositories: AtomicUsize,
    /// The lag that the adapter declares, true or not.
    lag: Duration,
}

impl Harness {
    fn of(defect: Defect) -> Harness {
        Harness { defect, sound: MemoryRegistry::new(), repositories: AtomicUsize::new(0), lag: Duration::ZERO }
    }

    /// An adapter that declares a lag of `says_ms`, and whose reads lag by `lags_ms`.
    fn lagging(defect: Defect, says_ms: u64, lags_ms: u64) -> Harness {
        let harness = Harness { lag: Duration::from_millis(says_ms), ..Harness::of(defect) };
        harness.sound.lag(Duration::from_millis(lags_ms));
        harness
    }

    fn broken_registry(&self, sound: MemoryRegistry) -> Arc<BrokenRegistry> {
        Arc::new(BrokenRegistry { defect: self.defect, sound, resolves: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl RegistryHarness for Harness {
    fn registry(&self) -> Arc<dyn Registry> {
        self.broken_registry(self.sound.clone())
    }

    async fn repository(&self) -> Repository {
        let number = self.repositories.fetch_add(1, Ordering::Relaxed);
        format!("reg.io/requirement-{number}").parse().unwrap()
    }

    async fn store_parts(&self, repository: &Repository, sample: &TestImage) -> Result<()> {
        let repository = self.broken_registry(self.sound.clone()).one_repository(repository);
        for blob in &sample.blobs {
            self.sound.store_blob(&repository, blob.clone());
        }
        sample.children.iter().for_each(|child| self.sound.store(&repository, child));
        Ok(())
    }

    async fn broken(&self) -> (Arc<dyn Registry>, Repository) {
        let broken = MemoryRegistry::new();
        let mut chaos = RandomFaults::new(0, 100);
        chaos.reads = vec![ReadFault::Unavailable];
        chaos.puts = vec![InjectedFault::Before];
        broken.chaos(chaos);
        (self.broken_registry(broken), "reg.io/broken".parse().unwrap())
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

#[tokio::test(start_paused = true)]
async fn the_memory_registry_keeps_every_requirement() {
    assert_eq!(all(&Harness::of(Defect::None)).await, []);
    let mut dropping = Harness::of(Defect::None);
    dropping.sound = dropping.sound.untagged(UntaggedPolicy::Dropped);
    assert_eq!(all(&dropping).await, []);
    assert_eq!(TESTS.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn each_lie_is_caught_by_the_requirement_that_it_breaks() {
    for (defect, requirement) in [
        (Defect::ForgetsMediaType, "bytes_are_exact"),
        (Defect::ReserialisesJson, "bytes_are_exact"),
        (Defect::AnswersStale, "last_put_wins"),
        (Defect::SaysAbsentOnFailure, "a_failure_is_not_an_absence"),
        (Defect::SaysFailureOnAbsent, "absent_is_proven"),
        (Defect::HidesPins, "tags_are_listed"),
        (Defect::ListsOnePage, "tags_are_listed"),
        (Defect::ListsTwice, "tags_are_listed"),
        (Defect::SaysAppliedWithoutPut, "a_tag_has_one_digest"),
        (Defect::SaysAppliedOnFailure, "a_failure_is_not_an_absence"),
        (Defect::MovesThoughRefused, "a_refused_put_moves_nothing"),
        (Defect::MovesNeighbours, "a_put_keeps_other_tags"),
        (Defect::MixesRepositories, "a_put_keeps_other_tags"),
        (Defect::FetchesTheFirst, "fetches_by_tag_and_digest_agree"),
        (Defect::FindsEveryBlob, "absent_is_proven"),
        (Defect::FindsNoBlob, "what_is_named_is_found"),
        (Defect::DropsWhatItMovedFrom, "a_put_keeps_other_tags"),
        (Defect::LosesChildren, "what_is_named_is_found"),
        (Defect::ForgetsEveryThirdResolve, "a_tag_has_one_digest"),
        (Defect::AnswersAnotherTag, "a_tag_has_one_digest"),
    ] {
        let broken = all(&Harness::of(defect)).await;
        assert!(
            broken.iter().any(|violation| violation.requirement == requirement),
            "{defect:?} is not caught by {requirement}: {broken:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn lagging_registry_keeps_every_requirement_within_its_lag() {
    assert_eq!(all(&Harness::lagging(Defect::None, 1000, 1000)).await, []);
    // The declared lag may be longer than the real one.
    assert_eq!(all(&Harness::lagging(Defect::None, 1000, 300)).await, []);
}

#[tokio::test(start_paused = true)]
async fn value_outside_the_lag_is_caught() {
    for (defect, says_ms, lags_ms, seen) in [
        (Defect::None, 0, 1000, "instead of"),
        (Defect::None, 1000, 1500, "which it did not have within 1s"),
        (Defect::None, 1000, 3_600_000, "which it did not have within 1s"),
        (Defect::AnswersStale, 1000, 0, "which it did not have within 1s"),
        (Defect::AnswersAnotherTag, 1000, 1000, "which it did not have within 1s"),
        (Defect::ForgetsEveryThirdResolve, 1000, 1000, "prod resolves to None"),
        (Defect::FetchesTheFirst, 1000, 1000, "prod is fetched as"),
        (Defect::SaysAppliedWithoutPut, 1000, 1000, "prod resolves to None"),
    ] {
        let violation = a_tag_has_one_digest(&Harness::lagging(defect, says_ms, lags_ms)).await.unwrap_err();
        assert!(violation.seen.contains(seen), "{defect:?} that says {says_ms} ms and lags {lags_ms} ms: {violation}");
    }
}

#[tokio::test(start_paused = true)]
async fn lies_are_caught_where_reads_lag() {
    for (defect, requirement) in [
        (Defect::MovesThoughRefused, "a_refused_put_moves_nothing"),
        (Defect::MovesNeighbours, "a_put_keeps_other_tags"),
        (Defect::MixesRepositories, "a_put_keeps_other_tags"),
        (Defect::FetchesTheFirst, "fetches_by_tag_and_digest_agree"),
        (Defect::ForgetsMediaType, "bytes_are_exact"),
        (Defect::FetchesTheFirst, "last_put_wins"),
    ] {
        let broken = all(&Harness::lagging(defect, 1000, 1000)).await;
        assert!(
            broken.iter().any(|violation| violation.requirement == requirement),
            "{defect:?} is not caught by {requirement}: {broken:?}"
        );
    }
}

#[tokio::test]
async fn registry_that_does_not_lag_answers_the_last_put() {
    let strict = Harness::of(Defect::None);
    strict.sound.script([InjectedFault::Stale(3)]);
    let violation = a_tag_has_one_digest(&strict).await.unwrap_err();
    assert!(violation.to_string().starts_with("a_tag_has_one_digest: prod resolves to None instead of"), "{violation}");
}

#[test]
fn the_port_names_every_requirement() {
    let port = include_str!("../../../../core/src/registry/mod.rs");
    for requirement in TESTS {
        assert!(port.contains(&format!("`{requirement}`")), "{requirement} is not named in the port's documentation");
    }
}
