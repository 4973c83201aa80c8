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

#[tokio::test(start_paused = true)]
async fn forward_only_no_promotion_goes_to_an_older_release_unless_overridden() {
    use crate::policy::{GuardrailUse, Mode, Order, OrderBy};
    let w = world();
    let used = GuardrailUse { mode: Some(Mode::Refuse), ..GuardrailUse::default() };
    let policy = Policy::standard().with_use("forward-only", used).unwrap();
    let policy = policy.with_order(Some(Order::new(OrderBy::Semver, false).unwrap()));
    let promoter = w.promoter.to_builder().policy(policy).build().unwrap();
    promoter.bootstrap(&w.prod).source(w.release("1.0")).options(terms()).await.unwrap();
    promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    let error = promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["ORDER_OUTDATED"]);
    // By its digest a release without an annotation has no value: that is unknown, never older.
    let receipt = promoter.promote(&w.prod, w.prod.repository().digest(w.digests[1])).options(terms()).await.unwrap();
    let codes: Vec<_> = receipt.findings().iter().filter_map(|finding| finding.code.as_ref()).collect();
    assert_eq!(codes, [&text("ORDER_UNKNOWN")]);
    promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    let known = MoveOptions { overrides: [text("forward-only")].into(), reason: Some(text("I know")), ..terms() };
    promoter.promote(&w.prod, w.release("1.1")).options(known).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_return_a_release_that_a_rollback_left_is_not_promoted_unless_overridden() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["ROLLED_BACK"]);
    let known = MoveOptions { overrides: [text("not-rolled-back")].into(), reason: Some(text("I know")), ..terms() };
    w.promoter.promote(&w.prod, w.release("1.1")).options(known).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_return_a_blocked_release_is_not_moved_to_before_it_is_unblocked() {
    use crate::log::{Block, Unblock};
    use crate::promotion::BlockResult;
    let w = world().bootstrapped().await;
    let (digest, reason) = (w.digests[1], text("it loses orders"));
    let block = Block { digest, reason: reason.clone(), provenance: eve(), url: None };
    let seq = w.promoter.block(&w.prod, block.clone()).await.unwrap().seq();
    let again = w.promoter.block(&w.prod, block).await.unwrap();
    assert!(matches!(&again, BlockResult::Already(known) if known.seq == seq), "a digest is blocked once");
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["TARGET_BLOCKED"]);
    assert_eq!(w.promoter.blocks(&w.prod).await.unwrap()[0].block.seq, seq);
    w.promoter.unblock(&w.prod, Unblock { digest, reason, provenance: eve() }).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn block_after_the_intent_stops_the_move_at_the_guard() {
    use crate::log::Block;
    let w = world().bootstrapped().await;
    let pin = pin_tag(&w.digests[1]);
    w.registry.script_when(move |call| call.puts(&pin), [InjectedFault::Slow(Duration::from_secs(5))]);
    let promoted = w.promoter.promote(&w.prod, w.release("1.1")).options(terms());
    let blocked = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let block = Block { digest: w.digests[1], reason: text("it loses orders"), provenance: eve(), url: None };
        w.promoter.block(&w.prod, block).await.unwrap();
    };
    let (promoted, ()) = tokio::join!(promoted, blocked);
    assert_eq!(refused_by(&promoted.unwrap_err()), ["TARGET_BLOCKED"]);
    assert_eq!(w.observed(), Some(w.digests[0]));
}
