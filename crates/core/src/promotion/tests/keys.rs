//! Idempotency keys: what is the same request, and what its retry may answer while reads are not settled.

use super::flawed::{dead_with, shared};
use super::*;

fn keyed() -> MoveOptions {
    MoveOptions { idempotency_key: Some("ci-7".parse().unwrap()), ..terms() }
}

fn seconds(began: tokio::time::Instant) -> u64 {
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn same_key_with_another_expected_digest_is_another_request() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap();
    for expected in [ExpectedDigest::At(w.digests[0]), ExpectedDigest::Absent] {
        let retry = w.promoter.promote(&w.prod, w.release("1.1")).options(MoveOptions { expected, ..keyed() });
        assert_eq!(w.kind(retry).await, ErrorKind::IdempotencyMismatch, "{expected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn same_key_with_another_request_does_not_complete_a_dead_move() {
    let (w, ledger) = shared().await;
    dead_with(&w, &ledger, keyed()).await;
    let operation = Operation::Promote(w.release("1.2").into());
    let plan = w.promoter.plan(&w.prod, operation, keyed()).await.unwrap();
    assert_eq!(plan.dead_move().unwrap().closing, DeadMoveEnd::CommitOrAbort);
    let receipt = w.promoter.execute(plan.approve().unwrap()).await.unwrap();
    assert_eq!((receipt.digest, w.observed()), (w.digests[2], Some(w.digests[2])));
    let events = w.promoter.history_page(&w.prod, None, 2).await.unwrap().events;
    assert_eq!([events[0].status(), events[1].status()], [MoveStatus::Committed, MoveStatus::Aborted]);
}

#[tokio::test(start_paused = true)]
async fn same_key_with_another_request_is_a_mismatch_after_a_dead_move_that_landed() {
    let (w, ledger) = shared().await;
    dead_with(&w, &ledger, keyed()).await;
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(1).await);
    let error = w.promoter.promote(&w.prod, w.release("1.2")).options(keyed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IdempotencyMismatch, "{error}");
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().live, Some(w.digests[1]));
}

#[tokio::test(start_paused = true)]
async fn unchanged_is_put_again_while_there_are_past_values() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let again = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!((again.result, again.previous_digest), (MoveResult::Committed, Some(w.digests[1])));
    tokio::time::sleep(Duration::from_secs(31)).await;
    let settled = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!(settled.result, MoveResult::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn replayed_waits_while_there_are_past_values() {
    let w = world().bootstrapped().await;
    let began = tokio::time::Instant::now();
    w.promoter.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap();
    assert_eq!(seconds(began), 0);
    let retry = w.promoter.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap();
    assert_eq!((retry.result, seconds(began)), (MoveResult::Replayed, 30));
}
