//! Runs the requirements of the ports on backends written in JavaScript.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use napi_derive::napi;
use serde_json::Value;
use tagwarden::{Error, ErrorKind, Result, ledger};
use tagwarden_bind::Host as _;
use tagwarden_testing::conformance::ledger::LedgerHarness;

use crate::call::Call;
use crate::host::{Ask, Script, port};
use crate::object::{Ledger, Registry, fields};

/// Runs every requirement of a registry: `{repository, lag?}`. The method `store` of `fixture` stores the parts that manifests
/// name.
#[napi(catch_unwind)]
pub fn registry_requirements(
    registry: &Registry,
    broken: &Registry,
    fixture: Ask,
    request: String,
) -> napi::Result<Call> {
    let (registry, broken) = (Arc::clone(&registry.port), Arc::clone(&broken.port));
    let fixture = port("the fixture".to_owned(), fixture, None)?;
    Ok(Call::of(async move {
        let asked = fields("conformance.registry", &request)?;
        tagwarden_bind::registry_requirements(registry, broken, fixture, asked).await
    }))
}

/// Runs the requirements of a ledger up to the first violation. The method `open` of `fixture` opens the ledger again and
/// returns the number from [`lend`].
#[napi(catch_unwind)]
pub fn ledger_requirements(fixture: Ask) -> napi::Result<Call> {
    let opened = Opened(Script::of("the fixture".to_owned(), fixture)?);
    Ok(Call::of(async move { tagwarden_bind::ledger_requirements(&opened).await }))
}

struct Opened(Script);

#[async_trait]
impl LedgerHarness for Opened {
    async fn open(&self) -> Result<Arc<dyn ledger::Ledger>> {
        let failed = |why: &str| Error::new(ErrorKind::LedgerUnavailable, format!("open failed: {why}"));
        let number = match self.0.ask("open", Value::Null).await {
            Ok(number) => number.as_u64().ok_or_else(|| failed("no ledger was given"))?,
            Err(raised) => return Err(failed(&raised.to_string()).with_source(raised)),
        };
        let lent = LENT.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        lent.ok_or_else(|| failed("the ledger was not lent"))
    }
}

/// Ledgers passed from JavaScript by number, because its answers are text.
static LENT: LazyLock<Mutex<HashMap<u64, Arc<dyn ledger::Ledger>>>> = LazyLock::new(Mutex::default);
static LAST: AtomicU32 = AtomicU32::new(0);

/// Lends a ledger to the waiting call. Returns its number.
#[napi(catch_unwind)]
pub fn lend(ledger: &Ledger) -> u32 {
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    LENT.lock().unwrap_or_else(PoisonError::into_inner).insert(u64::from(number), Arc::clone(&ledger.port));
    number
}
