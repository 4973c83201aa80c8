//! Long reads of a log, and moves at the same time.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::*;
use crate::ledger::Appended;
use crate::retention::RetentionRule;

/// The time that a read of many entries from the log's beginning takes.
const SCAN: Duration = Duration::from_secs(600);

/// A ledger whose scans take long.
#[derive(Debug)]
struct Slow(MemoryLedger);

#[async_trait]
impl Ledger for Slow {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.0.size(channel).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        if from == 0 && limit > 4 && self.size(channel).await? > 4 {
            tokio::time::sleep(SCAN).await;
        }
        self.0.read(channel, from, limit).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        self.0.append(channel, seq, bytes).await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.0.channels().await
    }
}

/// Runs a scan and, a second later, a promotion by the same promoter. Asserts that the promotion ends first.
async fn goes_on_beside<T>(scan: impl AsyncFnOnce(&Promoter, &Channel) -> Result<T>) {
    let w = world();
    let promoter = Promoter::new(Arc::new(w.registry.clone()), Arc::new(Slow(MemoryLedger::new())))
        .with_clock(Arc::new(crate::testing::PausedClock::new()));
    promoter.bootstrap(&w.prod, Some(w.release("1.0")), terms()).await.unwrap();
    promoter.promote(&w.prod, w.release("1.1"), terms()).await.unwrap();
    let began = Instant::now();
    let scanned = async {
        scan(&promoter, &w.prod).await.unwrap();
        began.elapsed()
    };
    let promoted = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        promoter.promote(&w.prod, w.release("1.2"), terms()).await.unwrap();
        began.elapsed()
    };
    let (scanned, promoted) = tokio::join!(scanned, promoted);
    assert!(scanned >= SCAN, "it was no long read: {scanned:?}");
    assert!(promoted < Duration::from_secs(10), "the move waited for it: {promoted:?}");
}

#[tokio::test(start_paused = true)]
async fn move_does_not_wait_for_a_history() {
    goes_on_beside(async |promoter: &Promoter, prod: &Channel| promoter.history(prod, None, 100).await).await;
}

#[tokio::test(start_paused = true)]
async fn move_does_not_wait_for_a_look_into_the_past() {
    let never = "2000-01-01T00:00:00Z".parse().unwrap();
    goes_on_beside(async |promoter: &Promoter, prod: &Channel| promoter.at(prod, never).await).await;
}

#[tokio::test(start_paused = true)]
async fn move_does_not_wait_for_a_retention_plan() {
    goes_on_beside(async |promoter: &Promoter, prod: &Channel| {
        promoter.retention_plan(prod.repository(), &RetentionRule::default()).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn move_does_not_wait_for_a_verification() {
    goes_on_beside(async |promoter: &Promoter, prod: &Channel| promoter.verify(prod).await).await;
}
