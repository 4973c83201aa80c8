//! The requirements of a [`Ledger`], one function each; [`all`] runs every requirement, in order.
//!
//! ```
//! # tokio_test(async {
//! use std::sync::Arc;
//! use tagwarden_testing::conformance::ledger;
//! use tagwarden::ledger::{Ledger, MemoryLedger};
//!
//! let one = Arc::new(MemoryLedger::new());
//! ledger::all(&move || Ok(one.clone() as Arc<dyn Ledger>)).await.unwrap();
//! # });
//! # fn tokio_test(f: impl Future<Output = ()>) {
//! #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f)
//! # }
//! ```

mod appends;
mod case;
mod reads;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::appends::{append_if_next, gaps_are_refused, lost_is_not_stored, one_order};
use self::case::{Log, Requirement};
pub use self::reads::{bytes_are_exact, channels_are_listed, durable, logs_are_apart, read_limits, read_your_writes};
use super::TestResult;
use tagwarden::Result;
use tagwarden::ledger::Ledger;

/// The store under test. It can be opened several times.
#[async_trait]
pub trait LedgerHarness: Send + Sync {
    /// Opens the store as a newly started process would. Ledgers that were opened before stay open. A ledger that does
    /// not outlive its process returns the same ledger again.
    async fn open(&self) -> Result<Arc<dyn Ledger>>;
}

#[async_trait]
impl<F: Fn() -> Result<Arc<dyn Ledger>> + Send + Sync> LedgerHarness for F {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        self()
    }
}

/// Runs every requirement, in order, up to the first violation.
pub async fn all(store: &dyn LedgerHarness) -> TestResult {
    append_if_next(store).await?;
    gaps_are_refused(store).await?;
    lost_is_not_stored(store).await?;
    one_order(store).await?;
    read_your_writes(store).await?;
    durable(store).await?;
    bytes_are_exact(store).await?;
    logs_are_apart(store).await?;
    channels_are_listed(store).await?;
    read_limits(store).await
}

#[cfg(test)]
mod tests;
