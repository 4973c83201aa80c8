use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{Chaos, Fault, MemoryRegistry, ReadFault, Untagged};
use tagwarden::Error;
use tagwarden::{Reference, Target};

/// The defect of a broken adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
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
struct Liar {
    lie: Lie,
    truth: MemoryRegistry,
    resolves: AtomicUsize,
}

impl Liar {
    fn one_repository(&self, repository: &Repository) -> Repository {
        match self.lie {
            Lie::MixesRepositories => format!("{}/all", repository.registry()).parse().unwrap(),
            _ => repository.clone(),
        }
    }
}

#[async_trait]
impl Registry for Liar {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        let repository = self.one_repository(repository);
        if self.lie == Lie::AnswersStale {
            self.truth.script_reads([ReadFault::Stale]);
        }
        match self.truth.resolve(&repository, tag).await {
            Ok(None) if self.lie == Lie::SaysFailureOnAbsent => {
                Err(Error::new(ErrorKind::RegistryUnavailable, "perhaps absent"))
            }
            Err(_) if self.lie == Lie::SaysAbsentOnFailure => Ok(None),
            Ok(_)
                if self.lie == Lie::ForgetsEveryThirdResolve
                    && self.resolves.fetch_add(1, Ordering::Relaxed) % 3 == 2 =>
            {
                Ok(None)
            }
            Ok(_) if self.lie == Lie::AnswersAnotherTag && self.resolves.fetch_add(1, Ordering::Relaxed) % 3 == 2 => {
                let tags = self.truth.tags(&repository).await?;
                let other = tags.iter().find(|other| *other != tag);
                Ok(other.and_then(|other| self.truth.peek(&repository, other)))
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
        let fetched = match self.truth.fetch(&reference).await {
            Err(_) if self.lie == Lie::SaysAbsentOnFailure => Ok(None),
            other => other,
        };
        let Some(manifest) = fetched? else { return Ok(None) };
        match self.lie {
            Lie::ForgetsMediaType => Manifest::new(manifest.bytes().clone(), MANIFEST_TYPES[0]).map(Some),
            Lie::ReserialisesJson => {
                let value: serde_json::Value = serde_json::from_slice(manifest.bytes()).unwrap();
                Manifest::new(value.to_string(), manifest.media_type().as_str()).map(Some)
            }
            Lie::FetchesTheFirst if matches!(reference.target(), Target::Tag(_)) => Ok(Some(Sample::image(1).manifest)),
            Lie::LosesChildren if matches!(reference.target(), Target::Digest(_)) => {
                let tags = self.truth.tags(&repository).await?;
                let tagged = tags.iter().any(|tag| self.truth.peek(&repository, tag) == Some(manifest.digest()));
                Ok(tagged.then_some(manifest))
            }
            _ => Ok(Some(manifest)),
        }
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let repository = &self.one_repository(repository);
        match self.lie {
            Lie::SaysAppliedWithoutPut => self.truth.script([Fault::Ignored]),
            Lie::MovesThoughRefused => {
                self.truth.overwrite(repository, tag, manifest);
            }
            Lie::MovesNeighbours => {
                for other in self.truth.tags(repository).await.unwrap_or_default() {
                    self.truth.overwrite(repository, &other, manifest);
                }
            }
            _ => {}
        }
        let before = self.truth.peek(repository, tag);
        match self.truth.put(repository, tag, manifest, timeout).await {
            Put::Unknown(_) if self.lie == Lie::SaysAppliedOnFailure => Put::Applied,
            Put::Applied if self.lie == Lie::MovesThoughRefused => {
                let is_complete = self.truth.has_blob(repository, &Digest::of(&Sample::image(2).blobs[0])).await;
                match manifest.digest() == Sample::image(2).digest() && !is_complete.unwrap() {
                    true => Put::Refused(Error::new(ErrorKind::RegistryRefused, "MANIFEST_BLOB_UNKNOWN")),
                    false => Put::Applied,
                }
            }
            Put::Applied if self.lie == Lie::DropsWhatItMovedFrom => {
                if let Some(before) = before.filter(|before| *before != manifest.digest()) {
                    self.truth.delete_manifest(repository, &before);
                }
                Put::Applied
            }
            other => other,
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        let repository = self.one_repository(repository);
        let mut tags = match self.truth.tags(&repository).await {
            Err(_) if self.lie == Lie::SaysAbsentOnFailure => Ok(Vec::new()),
            other => other,
        }?;
        match self.lie {
            Lie::HidesPins => tags.retain(|tag| tagwarden::registry::pinned(tag).is_none()),
            Lie::ListsOnePage => tags.truncate(100),
            Lie::ListsTwice => tags.extend(tags.first().cloned()),
            _ => {}
        }
        Ok(tags)
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let repository = self.one_repository(repository);
        match self.truth.has_blob(&repository, digest).await {
            Err(_) if self.lie == Lie::SaysAbsentOnFailure => Ok(false),
            Ok(_) if self.lie == Lie::FindsEveryBlob => Ok(true),
            Ok(_) if self.lie == Lie::FindsNoBlob => Ok(false),
            other => other,
        }
    }
}

struct Court {
    lie: Lie,
    truth: MemoryRegistry,
    repositories: AtomicUsize,
    /// The lag that the adapter declares, true or not.
    lag: Duration,
}

impl Court {
    fn of(lie: Lie) -> Court {
        Court { lie, truth: MemoryRegistry::new(), repositories: AtomicUsize::new(0), lag: Duration::ZERO }
    }

    /// An adapter that declares a lag of `says_ms`, and whose reads lag by `lags_ms`.
    fn lagging(lie: Lie, says_ms: u64, lags_ms: u64) -> Court {
        let court = Court { lag: Duration::from_millis(says_ms), ..Court::of(lie) };
        court.truth.lag(Duration::from_millis(lags_ms));
        court
    }

    fn liar(&self, truth: MemoryRegistry) -> Arc<Liar> {
        Arc::new(Liar { lie: self.lie, truth, resolves: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Fixture for Court {
    fn registry(&self) -> Arc<dyn Registry> {
        self.liar(self.truth.clone())
    }

    async fn repository(&self) -> Repository {
        let number = self.repositories.fetch_add(1, Ordering::Relaxed);
        format!("reg.io/law-{number}").parse().unwrap()
    }

    async fn store_parts(&self, repository: &Repository, sample: &Sample) -> Result<()> {
        let repository = self.liar(self.truth.clone()).one_repository(repository);
        for blob in &sample.blobs {
            self.truth.store_blob(&repository, blob.clone());
        }
        sample.children.iter().for_each(|child| self.truth.store(&repository, child));
        Ok(())
    }

    async fn broken(&self) -> (Arc<dyn Registry>, Repository) {
        let broken = MemoryRegistry::new();
        let mut chaos = Chaos::new(0, 100);
        chaos.reads = vec![ReadFault::Unavailable];
        chaos.puts = vec![Fault::Before];
        broken.chaos(chaos);
        (self.liar(broken), "reg.io/broken".parse().unwrap())
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

#[tokio::test(start_paused = true)]
async fn the_memory_registry_keeps_every_law() {
    assert_eq!(all(&Court::of(Lie::None)).await, []);
    let mut dropping = Court::of(Lie::None);
    dropping.truth = dropping.truth.untagged(Untagged::Dropped);
    assert_eq!(all(&dropping).await, []);
    assert_eq!(LAWS.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn each_lie_is_caught_by_the_law_that_it_breaks() {
    for (lie, law) in [
        (Lie::ForgetsMediaType, "bytes_are_exact"),
        (Lie::ReserialisesJson, "bytes_are_exact"),
        (Lie::AnswersStale, "last_put_wins"),
        (Lie::SaysAbsentOnFailure, "a_failure_is_not_an_absence"),
        (Lie::SaysFailureOnAbsent, "absent_is_proven"),
        (Lie::HidesPins, "tags_are_listed"),
        (Lie::ListsOnePage, "tags_are_listed"),
        (Lie::ListsTwice, "tags_are_listed"),
        (Lie::SaysAppliedWithoutPut, "a_tag_has_one_digest"),
        (Lie::SaysAppliedOnFailure, "a_failure_is_not_an_absence"),
        (Lie::MovesThoughRefused, "a_refused_put_moves_nothing"),
        (Lie::MovesNeighbours, "a_put_keeps_other_tags"),
        (Lie::MixesRepositories, "a_put_keeps_other_tags"),
        (Lie::FetchesTheFirst, "fetches_by_tag_and_digest_agree"),
        (Lie::FindsEveryBlob, "absent_is_proven"),
        (Lie::FindsNoBlob, "what_is_named_is_found"),
        (Lie::DropsWhatItMovedFrom, "a_put_keeps_other_tags"),
        (Lie::LosesChildren, "what_is_named_is_found"),
        (Lie::ForgetsEveryThirdResolve, "a_tag_has_one_digest"),
        (Lie::AnswersAnotherTag, "a_tag_has_one_digest"),
    ] {
        let broken = all(&Court::of(lie)).await;
        assert!(broken.iter().any(|violation| violation.law == law), "{lie:?} is not caught by {law}: {broken:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lagging_registry_keeps_every_law_within_its_lag() {
    assert_eq!(all(&Court::lagging(Lie::None, 1000, 1000)).await, []);
    // The declared lag may be longer than the real one.
    assert_eq!(all(&Court::lagging(Lie::None, 1000, 300)).await, []);
}

#[tokio::test(start_paused = true)]
async fn value_outside_the_lag_is_caught() {
    for (lie, says_ms, lags_ms, seen) in [
        (Lie::None, 0, 1000, "instead of"),
        (Lie::None, 1000, 1500, "which it did not have within 1s"),
        (Lie::None, 1000, 3_600_000, "which it did not have within 1s"),
        (Lie::AnswersStale, 1000, 0, "which it did not have within 1s"),
        (Lie::AnswersAnotherTag, 1000, 1000, "which it did not have within 1s"),
        (Lie::ForgetsEveryThirdResolve, 1000, 1000, "prod resolves to None"),
        (Lie::FetchesTheFirst, 1000, 1000, "prod is fetched as"),
        (Lie::SaysAppliedWithoutPut, 1000, 1000, "prod resolves to None"),
    ] {
        let violation = a_tag_has_one_digest(&Court::lagging(lie, says_ms, lags_ms)).await.unwrap_err();
        assert!(violation.seen.contains(seen), "{lie:?} that says {says_ms} ms and lags {lags_ms} ms: {violation}");
    }
}

#[tokio::test(start_paused = true)]
async fn lies_are_caught_where_reads_lag() {
    for (lie, law) in [
        (Lie::MovesThoughRefused, "a_refused_put_moves_nothing"),
        (Lie::MovesNeighbours, "a_put_keeps_other_tags"),
        (Lie::MixesRepositories, "a_put_keeps_other_tags"),
        (Lie::FetchesTheFirst, "fetches_by_tag_and_digest_agree"),
        (Lie::ForgetsMediaType, "bytes_are_exact"),
        (Lie::FetchesTheFirst, "last_put_wins"),
    ] {
        let broken = all(&Court::lagging(lie, 1000, 1000)).await;
        assert!(broken.iter().any(|violation| violation.law == law), "{lie:?} is not caught by {law}: {broken:?}");
    }
}

#[tokio::test]
async fn registry_that_does_not_lag_answers_the_last_put() {
    let strict = Court::of(Lie::None);
    strict.truth.script([Fault::Stale(3)]);
    let violation = a_tag_has_one_digest(&strict).await.unwrap_err();
    assert!(violation.to_string().starts_with("a_tag_has_one_digest: prod resolves to None instead of"), "{violation}");
}

#[test]
fn the_port_names_every_law() {
    let port = include_str!("../../../../core/src/registry/mod.rs");
    for law in LAWS {
        assert!(port.contains(&format!("`{law}`")), "{law} is not named in the port's documentation");
    }
}
