//! The model behind `MemoryRegistry` and the HTTP server: repositories with tags, manifests and blobs, and the changes
//! that were sent but not applied yet.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::script::Script;
use super::TestImage;
use super::chaos::{Dice, Random};
use super::immutable::ImmutableTags;
use super::{Call, Change, ChangeOrigin, ErrorAnswer, InjectedFault, ReadFault, Vendor};
use tagwarden::registry::{Content, Descriptor, Manifest};
use tagwarden::{Digest, Repository, Tag};
use tagwarden::{ErrorKind, Result};

/// The treatment of a manifest whose last tag moves away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UntaggedPolicy {
    /// The manifest is kept.
    Kept,
    /// The manifest is deleted at once, as in zot up to 2.1.21.
    Dropped,
}

/// The whole state of a registry.
#[derive(Debug)]
pub(super) struct Model {
    repositories: BTreeMap<Repository, Holdings>,
    /// The changes that are not applied yet, by time; the number keeps the order of changes with the same time.
    under_way: BTreeMap<(Instant, u64), Landing>,
    landings: u64,
    born: Instant,
    /// The vendor that is imitated, if any.
    pub(super) vendor: Option<Vendor>,
    pub(super) immutable: ImmutableTags,
    pub(super) untagged: UntaggedPolicy,
    pub(super) latency: Duration,
    pub(super) puts: Script<Call, InjectedFault>,
    pub(super) reads: Script<Call, ReadFault>,
    pub(super) dice: Option<Dice>,
    /// The window of past values that every read of a tag may answer.
    pub(super) lag: Duration,
    /// The source of the values that lagging reads answer.
    pub(super) lagging: Random,
    /// A stale read answers the earlier value for this long after a change; none is for ever.
    pub(super) stale_for: Option<Duration>,
    pub(super) calls: Vec<Call>,
    /// Every change of a tag. A lagging read finds the past values and their ends here.
    pub(super) changes: Vec<Change>,
}

/// The tags, manifests and blobs of a repository.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    tags: BTreeMap<Tag, Pointer>,
    manifests: BTreeMap<Digest, Manifest>,
    blobs: BTreeMap<Digest, Bytes>,
    /// The answers of a policy to reads of hidden manifests.
    hidden: BTreeMap<Digest, ErrorAnswer>,
}

#[derive(Debug, Default)]
struct Pointer {
    now: Option<Digest>,
    /// The number of next reads that are stale.
    stale: u32,
}

/// A change of a tag that is not applied yet.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) repository: Repository,
    pub(super) tag: Tag,
    /// The manifest; none deletes the tag.
    pub(super) manifest: Option<Manifest>,
    pub(super) stale: u32,
    pub(super) by: ChangeOrigin,
}

impl Landing {
    pub(super) fn of(repository: &Repository, tag: &Tag, manifest: Option<&Manifest>, by: ChangeOrigin) -> Landing {
        Landing { repository: repository.clone(), tag: tag.clone(), manifest: manifest.cloned(), stale: 0, by }
    }
}

impl Model {
    pub(super) fn new() -> Model {
        Model {
            repositories: BTreeMap::new(),
            under_way: BTreeMap::new(),
            landings: 0,
            born: Instant::now(),
            vendor: None,
            immutable: ImmutableTags::default(),
            untagged: UntaggedPolicy::Kept,
            latency: Duration::ZERO,
            puts: Script::default(),
            reads: Script::default(),
            dice: None,
            lag: Duration::ZERO,
            lagging: Random::new(0),
            stale_for: None,
            calls: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Sends a change, to be applied at `lands`.
    pub(super) fn send(&mut self, lands: Instant, landing: Landing) {
        self.landings += 1;
        self.under_way.insert((lands, self.landings), landing);
    }

    /// Applies every change that is due.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= now) {
            let at = first.key().0;
            let landing = first.remove();
            self.land(at, landing);
        }
    }

    fn land(&mut self, at: Instant, landing: Landing) {
        let Landing { repository, tag, manifest, stale, by } = landing;
        let holdings = self.repositories.entry(repository.clone()).or_default();
        let digest = manifest.as_ref().map(Manifest::digest);
        if let Some(manifest) = manifest {
            holdings.manifests.insert(manifest.digest(), manifest);
        }
        let pointer = holdings.tags.entry(tag.clone()).or_default();
        let previous = std::mem::replace(&mut pointer.now, digest);
        pointer.stale = stale;
        if let (UntaggedPolicy::Dropped, Some(old)) = (self.untagged, previous)
            && holdings.tags.values().all(|pointer| pointer.now != Some(old))
        {
            holdings.manifests.remove(&old);
        }
        let at = self.age(at);
        self.changes.push(Change { repository, tag, previous, digest, by, at });
    }

    pub(super) fn create_repository(&mut self, repository: &Repository) {
        self.repositories.entry(repository.clone()).or_default();
    }

    pub(super) fn holdings(&self, repository: &Repository) -> Option<&Holdings> {
        self.repositories.get(repository)
    }

    /// The age of the registry at a moment.
    pub(super) fn age(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.born)
    }

    /// True if the next read of the tag is stale; reduces the number of stale reads by one.
    pub(super) fn use_stale_read(&mut self, repository: &Repository, tag: &Tag) -> bool {
        let pointer = self.repositories.get_mut(repository).and_then(|holdings| holdings.tags.get_mut(tag));
        match pointer.and_then(|pointer| pointer.stale.checked_sub(1).map(|left| (pointer, left))) {
            Some((pointer, left)) => {
                pointer.stale = left;
                true
            }
            None => false,
        }
    }

    pub(super) fn hide(&mut self, repository: &Repository, digest: &Digest, answer: ErrorAnswer) {
        self.repositories.entry(repository.clone()).or_default().hidden.insert(*digest, answer);
    }

    pub(super) fn unhide(&mut self, repository: &Repository, digest: &Digest) -> bool {
        self.repositories.get_mut(repository).is_some_and(|holdings| holdings.hidden.remove(digest).is_some())
    }

    /// Stores a manifest without a tag.
    pub(super) fn store(&mut self, repository: &Repository, manifest: Manifest) {
        self.repositories.entry(repository.clone()).or_default().manifests.insert(manifest.digest(), manifest);
    }

    /// Stores a sample without a tag, with every blob and image that it names.
    pub(super) fn store_sample(&mut self, repository: &Repository, sample: &TestImage) {
        for blob in &sample.blobs {
            self.store_blob(repository, Digest::of(blob), blob.clone());
        }
        for child in &sample.children {
            self.store_sample(repository, child);
        }
        self.store(repository, sample.manifest.clone());
    }

    pub(super) fn store_blob(&mut self, repository: &Repository, digest: Digest, bytes: Bytes) {
        self.repositories.entry(repository.clone()).or_default().blobs.insert(digest, bytes);
    }

    /// Deletes a manifest and every tag that points at it. False if it did not exist.
    pub(super) fn delete_manifest(&mut self, repository: &Repository, digest: &Digest, now: Instant) -> bool {
        let Some(holdings) = self.repositories.get_mut(repository) else { return false };
        let removed = holdings.manifests.remove(digest).is_some();
        let tagged = holdings.tags.iter().filter(|(_, pointer)| pointer.now == Some(*digest));
        for tag in tagged.map(|(tag, _)| tag.clone()).collect::<Vec<_>>() {
            self.delete_tag(repository, &tag, now);
        }
        removed
    }

    /// Deletes a tag. False if it did not exist.
    pub(super) fn delete_tag(&mut self, repository: &Repository, tag: &Tag, now: Instant) -> bool {
        let there = self.holdings(repository).is_some_and(|holdings| holdings.tag(tag).is_some());
        if there {
            self.land(now, Landing::of(repository, tag, None, ChangeOrigin::Outside));
        }
        there
    }

    /// Deletes a blob. False if it did not exist.
    pub(super) fn delete_blob(&mut self, repository: &Repository, digest: &Digest) -> bool {
        self.repositories.get_mut(repository).is_some_and(|holdings| holdings.blobs.remove(digest).is_some())
    }

    /// The check of a registry before it stores a new manifest: the manifest is valid JSON of its kind, and every blob
    /// and manifest that it names exists. A manifest of an unknown media type is not checked.
    pub(super) fn check(&self, repository: &Repository, manifest: &Manifest) -> Result<Vec<Descriptor>> {
        if self.holdings(repository).is_some_and(|holdings| holdings.manifest(&manifest.digest()).is_some()) {
            return Ok(Vec::new());
        }
        let named = match manifest.content() {
            Ok(Content::Image { config, layers }) => {
                [config].into_iter().chain(layers.into_iter().filter(|layer| !layer.is_foreign())).collect()
            }
            Ok(Content::Index { manifests }) => manifests,
            Ok(Content::Artifact { blobs }) => blobs,
            Err(error) if error.kind() == ErrorKind::ManifestUnsupported => Vec::new(),
            Err(error) => return Err(error),
        };
        let is_there = |digest: &Digest| {
            self.holdings(repository)
                .is_some_and(|holdings| holdings.blob(digest).is_some() || holdings.manifest(digest).is_some())
        };
        Ok(named.into_iter().filter(|descriptor| !is_there(&descriptor.digest)).collect())
    }
}

impl Holdings {
    pub(super) fn tag(&self, tag: &Tag) -> Option<Digest> {
        self.tags.get(tag)?.now
    }

    /// True if the tag existed and was deleted.
    pub(super) fn was_deleted(&self, tag: &Tag) -> bool {
        self.tags.get(tag).is_some_and(|pointer| pointer.now.is_none())
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.tags.iter().filter(|(_, pointer)| pointer.now.is_some()).map(|(tag, _)| tag)
    }

    pub(super) fn manifest(&self, digest: &Digest) -> Option<&Manifest> {
        self.manifests.get(digest)
    }

    pub(super) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.values()
    }

    pub(super) fn hidden(&self, digest: &Digest) -> Option<&ErrorAnswer> {
        self.hidden.get(digest)
    }

    pub(super) fn blob(&self, digest: &Digest) -> Option<&Bytes> {
        self.blobs.get(digest)
    }
}
