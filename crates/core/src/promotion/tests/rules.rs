//! Rules of `docs/internals/protocol.md` that the whole promoter keeps, by their names.

use super::flawed::{dead, over, shared};
use super::*;
use crate::log::Body;
use crate::promotion::{RecoveryMode, RecoveryResult};

const SETTLE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn confirm_within_leaves_a_move_open_whose_accepted_put_does_not_show() {
    let (w, ledger) = shared().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Ignored]);
    let began = tokio::time::Instant::now();
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveIndeterminate, "{error:?}");
    assert!(error.to_string().contains("and still answers"), "{error}");
    let ttl_and_grace = Duration::from_secs(60 + 30);
    assert!(began.elapsed() >= SETTLE && began.elapsed() <= ttl_and_grace, "{:?}", began.elapsed());
    assert!(over(&w, ledger).state(&w.prod).await.unwrap().open.is_some());
}

#[tokio::test(start_paused = true)]
async fn unchanged_is_true_and_is_put_while_older_values_may_be_read() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let again = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!((again.result, again.previous_digest), (MoveResult::Committed, Some(w.digests[1])));
    tokio::time::sleep(SETTLE).await;
    let settled = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!((settled.result, w.observed()), (MoveResult::Unchanged, Some(w.digests[1])));
}

#[tokio::test(start_paused = true)]
async fn foreign_found_by_an_audit_later_than_settle_also_where_reads_lag() {
    let (w, ledger) = shared().await;
    tokio::time::sleep(SETTLE).await;
    w.registry.lag(SETTLE);
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let stranger = w.registry.push_image(w.prod.repository(), &tag("stranger"), 666);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &stranger);
    tokio::time::sleep(SETTLE).await;
    // One that saw the move, and one on another machine.
    for promoter in [&w.promoter, &over(&w, ledger)] {
        let report = promoter.audit(std::slice::from_ref(&w.prod)).await.unwrap();
        assert!(report.to_string().contains("  moved outside: "), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn takeovers_end_where_many_machines_recover_one_move() {
    let (w, ledger) = shared().await;
    dead(&w, &ledger).await;
    let recoveries = (0..8).map(|_| {
        let (machine, prod) = (over(&w, Arc::clone(&ledger) as Arc<dyn Ledger>), w.prod.clone());
        async move { machine.recover(&prod, RecoveryMode::RollForward, eve(), Duration::from_secs(3_600)).await }
    });
    for recovered in join_all(recoveries).await {
        let Ok(RecoveryResult::Closed { event, .. }) = recovered else { panic!("{recovered:?}") };
        assert_eq!(event.status(), MoveStatus::Committed);
    }
    assert!(w.promoter.state(&w.prod).await.unwrap().open.is_none());
    let entries = ledger.read(&w.prod, 0, 1_000).await.unwrap();
    let takeovers = entries.iter().filter(|bytes| matches!(Entry::open(bytes).unwrap().body, Body::Takeover(_)));
    assert_eq!((takeovers.count(), w.observed()), (1, Some(w.digests[1])));
}
