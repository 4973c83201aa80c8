//! The rules of a registry: what its vendor and the immutable tags refuse.

use super::immutable::ImmutableTags;
use super::model::Model;
use super::{ErrorAnswer, MemoryRegistry, Vendor};
use tagwarden::{Digest, Repository, Tag, Target};

/// Rules.
impl MemoryRegistry {
    /// An empty registry that imitates this vendor's, as far as [`Vendor`] says. Its reads lag by [`Vendor::lag`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tagwarden::registry::{Put, Registry};
    /// use tagwarden_testing::{MemoryRegistry, Vendor};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let registry = MemoryRegistry::of_vendor(Vendor::Harbor);
    /// let (repository, release) = ("reg.io/shop".parse().unwrap(), "1.4.2".parse().unwrap());
    /// let first = registry.push_image(&repository, &release, 1);
    /// registry.immutable_tags(["*"], ["dev", "preprod", "prod"]);
    /// let put = registry.put(&repository, &release, &first, Duration::from_secs(15)).await;
    /// let Put::Refused(error) = put else { panic!("{put:?}") };
    /// assert!(error.message().contains("412 PRECONDITION"), "{error}");
    /// # });
    /// ```
    pub fn of_vendor(vendor: Vendor) -> MemoryRegistry {
        let registry = MemoryRegistry::new();
        registry.model().vendor = Some(vendor);
        registry.lag(vendor.lag());
        registry
    }

    /// The vendor that it imitates, if any.
    pub fn vendor(&self) -> Option<Vendor> {
        self.model().vendor
    }

    /// Creates an empty repository. ECR refuses a push to one that does not exist; a push creates it elsewhere.
    pub fn create_repository(&self, repository: &Repository) {
        self.model().create_repository(repository);
    }

    /// Sets which tags are immutable, in every repository: those that fit a pattern of `matching` and none of
    /// `excluding`. A `*` in a pattern stands for any characters. The default is none; a second call replaces the
    /// first.
    ///
    /// Once such a tag exists, every put to it is refused, even of the same digest, and so is every DELETE, except by
    /// ECR. The answer is the vendor's, else 409 TAG_IMMUTABLE. [`overwrite`](Self::overwrite) and the other changes
    /// from outside of the port are not refused.
    pub fn immutable_tags<P: Into<String>>(
        &self,
        matching: impl IntoIterator<Item = P>,
        excluding: impl IntoIterator<Item = P>,
    ) {
        let matching = matching.into_iter().map(Into::into).collect();
        let excluding = excluding.into_iter().map(Into::into).collect();
        self.model().immutable = ImmutableTags { matching, excluding };
    }

    /// The refusal of a DELETE; none if it is allowed.
    pub(crate) fn refused_delete(&self, repository: &Repository, target: &Target) -> Option<ErrorAnswer> {
        self.model().refused_delete(repository, target)
    }

    /// The refusal of a push to a repository that does not exist; none if it exists, or if the push creates it.
    pub(crate) fn unknown_repository(&self, repository: &Repository) -> Option<ErrorAnswer> {
        self.model().unknown_repository(repository)
    }

    /// True if the tag existed and was deleted.
    pub(crate) fn was_deleted(&self, repository: &Repository, tag: &Tag) -> bool {
        self.model().holdings(repository).is_some_and(|holdings| holdings.was_deleted(tag))
    }
}

impl Model {
    /// The refusal of a put to this tag by the rules of the repository; none if they allow it.
    pub(super) fn refused_put(&self, repository: &Repository, tag: &Tag) -> Option<ErrorAnswer> {
        self.unknown_repository(repository).or_else(|| self.immutable_tag(repository, tag))
    }

    /// The refusal of a push to a repository that does not exist; none if it exists, or if the push creates it.
    pub(super) fn unknown_repository(&self, repository: &Repository) -> Option<ErrorAnswer> {
        match self.holdings(repository) {
            Some(_) => None,
            None => self.vendor?.unknown_repository(repository),
        }
    }

    /// The refusal of a DELETE; none if it is allowed.
    pub(super) fn refused_delete(&self, repository: &Repository, target: &Target) -> Option<ErrorAnswer> {
        if let Some(refusal) = self.vendor.and_then(|vendor| vendor.refused_delete(target)) {
            return Some(refusal);
        }
        if self.vendor.is_some_and(Vendor::deletes_immutable) {
            return None;
        }
        match target {
            Target::Tag(tag) => self.immutable_tag(repository, tag),
            Target::Digest(digest) => {
                self.tags_on(repository, digest).find_map(|tag| self.immutable_tag(repository, tag))
            }
        }
    }

    fn tags_on<'a>(&'a self, repository: &Repository, digest: &'a Digest) -> impl Iterator<Item = &'a Tag> {
        let holdings = self.holdings(repository);
        holdings
            .into_iter()
            .flat_map(move |holdings| holdings.tags().filter(move |tag| holdings.tag(tag) == Some(*digest)))
    }

    /// The refusal of a put to this tag, if it exists and is immutable.
    fn immutable_tag(&self, repository: &Repository, tag: &Tag) -> Option<ErrorAnswer> {
        let exists = self.holdings(repository).is_some_and(|holdings| holdings.tag(tag).is_some());
        if !exists || !self.immutable.include(tag) {
            return None;
        }
        let of_vendor = self.vendor.and_then(|vendor| vendor.immutable_tag(repository, tag));
        Some(of_vendor.unwrap_or_else(|| ErrorAnswer::new(409, "TAG_IMMUTABLE", "the tag is immutable")))
    }
}
