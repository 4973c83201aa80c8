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

mod case;
mod one_digest;
mod puts;
mod reads;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::case::{Case, Verdict};
use self::one_digest::check_one_digest;
use self::puts::{check_at_once, check_last_put, check_other_tags, check_refused};
use self::reads::{check_absent, check_agree, check_bytes, check_failure, check_found, check_tags};
use super::Failure;
use crate::TestImage;
use tagwarden::registry::Registry;
use tagwarden::{Repository, Result};

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

#[cfg(test)]
mod tests;
