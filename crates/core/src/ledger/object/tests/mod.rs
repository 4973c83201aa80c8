//! The ledger over a store in memory, with faults.

use std::sync::Arc;

use super::script::Scripted;
use super::*;
use crate::conformance;

mod laws {
    use super::*;

    #[tokio::test]
    async fn the_laws_hold_in_memory() {
        let store = Scripted::default();
        let open = Opened(Arc::new(store));
        conformance::ledger::all(&open).await.unwrap();
    }

    #[tokio::test]
    async fn the_laws_hold_in_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        conformance::ledger::all(&Directory(format!("file://{}/ledger", dir.path().display()))).await.unwrap();
    }
}

struct Opened(Arc<Scripted>);

#[async_trait]
impl conformance::ledger::Store for Opened {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        Ok(Arc::new(ObjectLedger::over(self.0.clone(), "team/ledger", Access::Write).await?))
    }
}

struct Directory(String);

#[async_trait]
impl conformance::ledger::Store for Directory {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        Ok(Arc::new(ObjectLedger::open(&self.0, Access::Write).await?))
    }
}
