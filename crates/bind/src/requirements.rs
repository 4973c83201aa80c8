//! Runs the requirements of both ports on backends of the other language.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tagwarden::registry::Registry;
use tagwarden::{Repository, Result};
use tagwarden_testing::TestImage;
use tagwarden_testing::conformance::{Failure, ledger, registry};
use uuid::Uuid;

use crate::backend::UNREAD;
use crate::fields::Fields;
use crate::host::Port;
use crate::promoter::Given;
use crate::registry::manifest_json;

/// Runs every requirement of a registry, each in its own repository below `{repository, lag?}`. Returns the broken requirements:
/// `[{requirement, seen}]`.
///
/// `broken` is the same adapter, configured so that every request fails. `store` has a method `store` that must store
/// `{repository, blobs, manifests}` by digest, in any way.
pub async fn registry_requirements(
    registry: Arc<dyn Registry>,
    broken: Arc<dyn Registry>,
    store: Port,
    mut asked: Fields,
) -> Result<Given> {
    let (below, lag) = (asked.written("repository")?, asked.ms("lag")?.unwrap_or_default());
    asked.end()?;
    // Reject repository names that are too long before running the requirements.
    new_below(&below)?;
    violations(&registry::all(&Fixture { registry, broken, store, below, lag }).await)
}

/// Runs the requirements of a ledger up to the first violation. Returns the broken requirement: `[{requirement, seen}]`.
pub async fn ledger_requirements(store: &dyn ledger::LedgerHarness) -> Result<Given> {
    violations(ledger::all(store).await.err().as_slice())
}

fn violations(broken: &[Failure]) -> Result<Given> {
    let broken = broken.iter().map(|Failure { requirement, seen }| json!({ "requirement": requirement, "seen": seen }));
    Given::json(&broken.collect::<Value>())
}

struct Fixture {
    registry: Arc<dyn Registry>,
    broken: Arc<dyn Registry>,
    store: Port,
    below: Repository,
    lag: Duration,
}

#[async_trait]
impl registry::RegistryHarness for Fixture {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry)
    }

    #[allow(clippy::expect_used, reason = "names of this length were tried when the requirements began")]
    async fn repository(&self) -> Repository {
        new_below(&self.below).expect("a repository below one that has room")
    }

    async fn store_parts(&self, repository: &Repository, sample: &TestImage) -> Result<()> {
        let manifests = sample.children.iter().map(|child| manifest_json(&child.manifest));
        let manifests: Vec<_> = manifests.collect();
        let request = json!({ "repository": repository, "blobs": blobs(sample), "manifests": manifests });
        self.store.ask("store", request, UNREAD).await
    }

    async fn broken(&self) -> (Arc<dyn Registry>, Repository) {
        (Arc::clone(&self.broken), registry::RegistryHarness::repository(self).await)
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

/// A repository without content.
fn new_below(repository: &Repository) -> Result<Repository> {
    format!("{repository}/{}", Uuid::now_v7()).parse()
}

/// Every blob of a sample and of its children, in base 64.
fn blobs(sample: &TestImage) -> Vec<String> {
    let own = sample.blobs.iter().map(|blob| STANDARD.encode(blob));
    own.chain(sample.children.iter().flat_map(blobs)).collect()
}
