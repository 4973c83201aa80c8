//! `Elsewhere`: a ledger that runs in real time while the time of the test is paused.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tagwarden::ledger::{Appended, Ledger};
use tagwarden::{Channel, Result};

/// Paused time advances when the runtime is idle, for example during a request to an engine. It does not advance while
/// a blocking thread works, so the requests run there. Short logs are read without the backend's index.
#[derive(Debug)]
pub(super) struct Elsewhere(pub(super) Arc<dyn Ledger>);

impl Elsewhere {
    async fn there<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<dyn Ledger>) -> BoxFuture<'static, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let ledger = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || super::runtime().block_on(work(ledger))).await.unwrap()
    }
}

#[async_trait]
impl Ledger for Elsewhere {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        let channel = channel.clone();
        self.there(move |ledger| Box::pin(async move { ledger.size(&channel).await })).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let channel = channel.clone();
        self.there(move |ledger| Box::pin(async move { ledger.read(&channel, from, limit).await })).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let channel = channel.clone();
        self.there(move |ledger| Box::pin(async move { ledger.append(&channel, seq, bytes).await })).await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.there(move |ledger| Box::pin(async move { ledger.channels().await })).await
    }
}
