//! The laws of both ports, run on a backend that JavaScript gives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use napi_derive::napi;
use serde_json::{Value, json};
use tagwarden::conformance::{self, Violation};
use tagwarden::registry::Sample;
use tagwarden::{ErrorKind, Repository, Result, ledger, registry};

use crate::call::Call;
use crate::fields::Fields;
use crate::host::{Ask, Host};
use crate::ledger::Ledger;
use crate::registry::{Registry, manifest_json};

/// How long JavaScript may take to set something up, in milliseconds.
const TIME_OUT: f64 = 30_000.0;

/// Runs every law of a registry: `{prefix, brokenRepository, lag?}`; the violations.
#[napi(catch_unwind)]
pub fn registry_laws(registry: &Registry, broken: &Registry, setup: Ask, request: String) -> napi::Result<Call> {
    let (registry, broken) = (registry.port(), broken.port());
    let host = Host::new("fixture", setup, TIME_OUT)?;
    Ok(Call::json(async move {
        let mut asked = Fields::parse("conformance.registry", &request)?;
        let (prefix, broken_repository) = (asked.need("prefix")?, asked.need("brokenRepository")?);
        let lag = asked.ms("lag")?.unwrap_or_default();
        asked.end()?;
        let fixture =
            Fixture { registry, broken, broken_repository, prefix, lag, host, repositories: AtomicU32::new(0) };
        let violations = conformance::registry::all(&fixture).await;
        Ok(violations.iter().map(violation).collect::<Vec<_>>())
    }))
}

struct Fixture {
    registry: Arc<dyn registry::Registry>,
    broken: Arc<dyn registry::Registry>,
    broken_repository: Repository,
    prefix: Repository,
    lag: Duration,
    host: Host,
    repositories: AtomicU32,
}

#[async_trait]
impl conformance::registry::Fixture for Fixture {
    fn registry(&self) -> Arc<dyn registry::Registry> {
        Arc::clone(&self.registry)
    }

    async fn repository(&self) -> Repository {
        let number = self.repositories.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}/law-{number}", self.prefix);
        // A repository's name with this behind it follows the grammar, unless it is at its greatest length.
        name.parse().unwrap_or_else(|_| self.prefix.clone())
    }

    async fn store_parts(&self, repository: &Repository, sample: &Sample) -> Result<()> {
        self.host.ask("storeParts", json!([repository, parts(sample)]), ErrorKind::RegistryUnavailable).await
    }

    async fn broken(&self) -> (Arc<dyn registry::Registry>, Repository) {
        (Arc::clone(&self.broken), self.broken_repository.clone())
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

/// What a sample names: `{blobs, children: [{manifest, blobs, children}]}`, the bytes in base 64.
fn parts(sample: &Sample) -> Value {
    let blobs: Vec<_> = sample.blobs.iter().map(|blob| STANDARD.encode(blob)).collect();
    let children: Vec<_> = sample
        .children
        .iter()
        .map(|child| {
            let mut whole = parts(child);
            if let Some(fields) = whole.as_object_mut() {
                fields.insert("manifest".to_owned(), manifest_json(&child.manifest));
            }
            whole
        })
        .collect();
    json!({ "blobs": blobs, "children": children })
}

/// Runs every law of a ledger until one is broken; the violations.
#[napi(catch_unwind)]
pub fn ledger_laws(open: Ask) -> napi::Result<Call> {
    let store = Store(Host::new("fixture", open, TIME_OUT)?);
    Ok(Call::json(async move {
        let kept = conformance::ledger::all(&store).await;
        Ok(kept.err().iter().map(violation).collect::<Vec<_>>())
    }))
}

struct Store(Host);

#[async_trait]
impl conformance::ledger::Store for Store {
    async fn open(&self) -> Result<Arc<dyn ledger::Ledger>> {
        let number: u32 = self.0.ask("open", json!([]), ErrorKind::LedgerUnavailable).await?;
        let lent = LENT.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        lent.ok_or_else(|| tagwarden::Error::new(ErrorKind::InternalFault, "the ledger was not lent"))
    }
}

/// Ledgers on their way from JavaScript, whose answers are text.
static LENT: LazyLock<Mutex<HashMap<u32, Arc<dyn ledger::Ledger>>>> = LazyLock::new(Mutex::default);
static LAST: AtomicU32 = AtomicU32::new(0);

/// Lends a ledger to the call that waits for it, by a number.
#[napi(catch_unwind)]
pub fn lend(ledger: &Ledger) -> u32 {
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    LENT.lock().unwrap_or_else(PoisonError::into_inner).insert(number, ledger.port());
    number
}

fn violation(violation: &Violation) -> Value {
    let Violation { law, seen } = violation;
    json!({ "law": law, "seen": seen })
}
