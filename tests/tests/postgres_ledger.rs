//! `PostgresLedger` on a real PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use tagwarden::Result;
use tagwarden::conformance::ledger;
use tagwarden::ledger::{Access, Ledger, PostgresLedger};
use tagwarden_tests::postgres::Postgres;

/// A ledger in a database.
struct At(String);

#[async_trait]
impl ledger::Store for At {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        Ok(Arc::new(PostgresLedger::open(&self.0, Access::Write).await?))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_laws() {
    let Some(server) = Postgres::start("it_keeps_the_laws", &[]) else { return };
    let url = server.database("laws");
    PostgresLedger::init(&url).await.unwrap();
    ledger::all(&At(url)).await.unwrap();
}
