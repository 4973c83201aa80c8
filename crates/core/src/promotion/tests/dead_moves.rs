//! Moves whose worker is dead: plans, moves and recoveries that meet them.

use super::flawed::{always, dead, dies_after, down, flawed, over, shared};
use super::*;
use crate::log::{PutStatus, Status};
use crate::testing::ReadFault;

#[tokio::test(start_paused = true)]
async fn plan_over_a_dead_move_writes_nothing() {
    for key in ["another", "the same"] {
        let (w, ledger) = shared().await;
        let asked = || MoveOptions { idempotency_key: Some(key.parse().unwrap()), ..terms() };
        let dying = over(&w, dies_after(0, &ledger));
        let given = if key == "the same" { asked() } else { terms() };
        dying.promote(&w.prod, w.release("1.1")).options(given).await.unwrap_err();
        let before = (ledger.size(&w.prod).await.unwrap(), w.registry.changes().len());

        let plan = w.promoter.plan(&w.prod, Operation::Promote(w.release("1.1").into()), asked()).await.unwrap();
        let dead = plan.dead_move().unwrap();
        let closing = if key == "the same" { DeadMoveEnd::Complete } else { DeadMoveEnd::CommitOrAbort };
        assert_eq!((dead.target, dead.closing), (w.digests[1], closing));
        assert_eq!((plan.change(), plan.findings(), plan.settled()), (None, &[][..], None));
        assert_eq!((ledger.size(&w.prod).await.unwrap(), w.registry.changes().len()), before);

        let receipt = w.promoter.execute(plan.approve().unwrap()).await.unwrap();
        assert_eq!((receipt.result, receipt.digest), (MoveResult::Committed, w.digests[1]));
        assert_eq!(w.observed(), Some(w.digests[1]));
    }
}

#[tokio::test(start_paused = true)]
async fn rollback_after_a_dead_promotion_puts_the_live_digest_again() {
    let (w, ledger) = shared().await;
    w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    let dying = over(&w, dies_after(0, &ledger));
    dying.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    w.registry.clear_calls();
    let receipt = w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    assert_eq!((receipt.previous_digest, receipt.digest), (Some(w.digests[2]), w.digests[2]));
    let prod = w.prod.tag().clone();
    assert_eq!(w.registry.calls().iter().filter(|call| call.puts(&prod)).count(), 1);
}

/// The value of the tag may come from the put of the first move, so that it does not prove the second one.
#[tokio::test(start_paused = true)]
async fn target_of_two_closed_moves_is_put_right_by_the_command_that_the_log_names() {
    let (w, _) = shared().await;
    let prod = w.prod.tag().clone();
    let faults = [InjectedFault::Ignored, InjectedFault::After, InjectedFault::Before];
    w.registry.script_when(move |call| call.puts(&prod), faults);
    let mut closed = Vec::new();
    for _ in 0..2 {
        let again = w.promoter.promote(&w.prod, w.release("1.1")).options(terms());
        // The abort counts as a rollback, which the second promotion undoes.
        again.overriding("not-rolled-back").reason("try again").await.unwrap_err();
        w.promoter.recover(&w.prod, RecoveryMode::Abort, eve(), Duration::from_secs(300)).await.unwrap();
        let outcome = w.promoter.history(&w.prod).next().await.unwrap().unwrap().outcome.unwrap().outcome;
        assert_eq!((outcome.status, outcome.put), (Status::Aborted, PutStatus::Unknown));
        closed.push((outcome.observed, outcome.error.unwrap().text.to_string()));
    }
    assert_eq!((closed[0].0, closed[1].0), (Some(w.digests[0]), Some(w.digests[1])));
    let advice = format!("its put may have landed. `tagwarden repair {}` puts the live digest again", w.prod);
    assert!(closed[0].1.contains(&advice), "{}", closed[0].1);

    w.promoter.repair(&w.prod).options(terms()).await.unwrap();
    assert_eq!((w.promoter.state(&w.prod).await.unwrap().live, w.observed()), (Some(w.digests[0]), Some(w.digests[0])));
}

#[tokio::test(start_paused = true)]
async fn move_whose_puts_were_all_lost_names_the_command_that_shows_the_tag() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [(); 9].map(|()| InjectedFault::Before));
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed, "{error}");
    let said = format!("{}: the time to live passed before a put came through", w.prod);
    let advice = format!(". `tagwarden audit {}` shows where the tag points", w.prod);
    assert!(error.message().starts_with(&said) && error.message().ends_with(&advice), "{error}");
    let outcome = w.promoter.history(&w.prod).next().await.unwrap().unwrap().outcome.unwrap().outcome;
    assert_eq!((outcome.status, outcome.put), (Status::Aborted, PutStatus::Unknown));
    assert!(outcome.error.unwrap().text.as_str().ends_with(&advice), "the log has it, too");
}

#[tokio::test(start_paused = true)]
async fn a_takeover_that_cannot_be_written_gives_up_at_the_timeout() {
    let (w, ledger) = shared().await;
    dead(&w, &ledger).await;
    let full = over(&w, flawed(&ledger, always(down)));
    let error = full.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerUnavailable, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_outlasts_a_pin_that_fails_once() {
    let (w, ledger) = shared().await;
    dead(&w, &ledger).await;
    let pin = pin_tag(&w.digests[1]);
    w.registry.delete_tag(w.prod.repository(), &pin);
    w.registry.script_when(move |call| call.puts(&pin), [InjectedFault::Before]);
    w.promoter.recover(&w.prod, RecoveryMode::RollForward, eve(), Duration::from_secs(200)).await.unwrap();
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().live, Some(w.digests[1]));
}

#[tokio::test(start_paused = true)]
async fn recoverable_where_the_target_is_gone() {
    let (w, ledger) = shared().await;
    dead(&w, &ledger).await;
    w.registry.delete_manifest(w.prod.repository(), &w.digests[1]);
    w.promoter.recover(&w.prod, RecoveryMode::RollForward, eve(), Duration::from_secs(300)).await.unwrap();
    let state = w.promoter.state(&w.prod).await.unwrap();
    assert_eq!((state.live, state.open), (Some(w.digests[0]), None));
}

#[tokio::test(start_paused = true)]
async fn a_recovery_under_a_hold_takes_nothing_over() {
    let (w, ledger) = shared().await;
    dead(&w, &ledger).await;
    w.promoter.hold(&w.prod, hold("incident 7")).await.unwrap();
    let error =
        w.promoter.recover(&w.prod, RecoveryMode::RollForward, eve(), Duration::from_secs(200)).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().open.unwrap().epoch, 0);
    w.promoter.recover(&w.prod, RecoveryMode::Abort, eve(), Duration::from_secs(200)).await.unwrap();
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().open, None);
}

/// Pinning takes until after the ttl: the driver looks at the clock once more, when the put would be sent.
#[tokio::test(start_paused = true)]
async fn no_put_is_sent_after_a_pin_that_took_longer_than_the_ttl() {
    let (w, ledger) = shared().await;
    dead(&w, &ledger).await;
    let (pin, prod) = (pin_tag(&w.digests[1]), w.prod.tag().clone());
    w.registry.script_reads_when(move |call| call.resolves(&pin), [ReadFault::Slow(Duration::from_secs(60))]);
    w.registry.clear_calls();
    w.promoter.recover(&w.prod, RecoveryMode::RollForward, eve(), Duration::from_secs(300)).await.unwrap();
    assert!(!w.registry.calls().iter().any(|call| call.puts(&prod)), "{:?}", w.registry.calls());
    let last = w.promoter.history_page(&w.prod, None, 1).await.unwrap().events.remove(0);
    assert_eq!((last.status(), w.observed()), (MoveStatus::Aborted, Some(w.digests[0])));
}
