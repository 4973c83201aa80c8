//! Long reads of a log, and moves at the same time.

use tokio::time::{Instant, sleep};

use super::flawed::over;
use super::*;
use crate::retention::RetentionRule;
use crate::testing::{Fault, FaultyLedger, LedgerCall};

/// The time that a read of many entries from the log's beginning takes.
const SCAN: Duration = Duration::from_secs(600);

/// Runs a scan and, a second later, a promotion by the same promoter. Asserts that the promotion ends first.
async fn goes_on_beside<T>(scan: impl AsyncFnOnce(&Promoter, &Channel) -> Result<T>) {
    let w = world();
    let ledger = Arc::new(FaultyLedger::over(Arc::new(MemoryLedger::new())));
    let promoter = over(&w, ledger.clone());
    promoter.bootstrap(&w.prod).source(w.release("1.0")).options(terms()).await.unwrap();
    promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    ledger.rule(|call| {
        matches!(call, LedgerCall::Read { from: 0, limit: 5.., .. }).then(|| Fault::pass().first(sleep(SCAN)))
    });
    let began = Instant::now();
    let scanned = async {
        scan(&promoter, &w.prod).await.unwrap();
        began.elapsed()
    };
    let promoted = async {
        sleep(Duration::from_secs(1)).await;
        promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
        began.elapsed()
    };
    let (scanned, promoted) = tokio::join!(scanned, promoted);
    assert!(scanned >= SCAN, "it was no long read: {scanned:?}");
    assert!(promoted < Duration::from_secs(10), "the move waited for it: {promoted:?}");
}

#[tokio::test(start_paused = true)]
async fn move_does_not_wait_for_a_history() {
    goes_on_beside(async |promoter: &Promoter, prod: &Channel| promoter.history_page(prod, None, 100).await).await;
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
