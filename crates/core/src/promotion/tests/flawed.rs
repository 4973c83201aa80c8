//! The promoter on a ledger whose appends go wrong: lost answers, entries that land late, failed appends.

use std::iter::repeat_with;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;
use crate::testing::{Fault, FaultyLedger, LedgerCall, PausedClock, ReadFault};

/// A ledger over `inner` whose appends meet these faults, one each, in this order.
pub(super) fn flawed(inner: &Arc<MemoryLedger>, faults: impl IntoIterator<Item = Fault>) -> Arc<FaultyLedger> {
    let ledger = FaultyLedger::over(inner.clone());
    ledger.script_when(LedgerCall::appends, faults);
    Arc::new(ledger)
}

/// The append is not answered, and never stored.
pub(super) fn gone() -> Fault {
    Fault::before(lost())
}

/// The append fails, and is not stored.
pub(super) fn down() -> Fault {
    Fault::before(Error::new(ErrorKind::LedgerUnavailable, "the disk is full"))
}

fn lost() -> Error {
    Error::new(ErrorKind::LedgerAmbiguous, "the answer was lost")
}

/// This fault for every append. More appends than that mean a loop without sleep, and are stored.
pub(super) fn always(fault: fn() -> Fault) -> impl Iterator<Item = Fault> {
    repeat_with(fault).take(3_000)
}

/// A ledger over `inner` that stores this many appends, and one more without an answer. After that every read fails,
/// until the faults end.
pub(super) fn dies_after(stored: usize, inner: &Arc<MemoryLedger>) -> Arc<FaultyLedger> {
    let blind = Arc::new(AtomicBool::new(false));
    let blinds = Arc::clone(&blind);
    let dies = Fault::after(lost()).then(async move { blinds.store(true, SeqCst) });
    let ledger = flawed(inner, repeat_with(Fault::pass).take(stored).chain([dies]));
    ledger.rule(move |call| {
        let unreadable = || Fault::before(Error::new(ErrorKind::LedgerUnavailable, "it cannot be read"));
        (blind.load(SeqCst) && !call.appends()).then(unreadable)
    });
    ledger
}

/// A ledger over `inner` that does not answer its first append. The next append makes the entry visible, as in a file
/// ledger.
fn hides_one(inner: &Arc<MemoryLedger>) -> Arc<FaultyLedger> {
    let ledger = FaultyLedger::over(inner.clone());
    let (inner, mut is_first, mut hidden) = (inner.clone(), true, None);
    ledger.rule(move |call| {
        let LedgerCall::Append { channel, seq, bytes } = call.clone() else { return None };
        if std::mem::take(&mut is_first) {
            let inner = inner.clone();
            hidden = Some(async move { drop(inner.append(&channel, seq, bytes).await) });
            return Some(gone());
        }
        hidden.take().map(|lands| Fault::pass().first(lands))
    });
    Arc::new(ledger)
}

/// A bootstrapped world over a ledger that can be shared.
pub(super) async fn shared() -> (World, Arc<MemoryLedger>) {
    let mut w = world();
    let ledger = Arc::new(MemoryLedger::new());
    w.promoter = over(&w, Arc::clone(&ledger) as Arc<dyn Ledger>);
    (w.bootstrapped().await, ledger)
}

pub(super) fn over(w: &World, ledger: Arc<dyn Ledger>) -> Promoter {
    Promoter::builder()
        .registry(Arc::new(w.registry.clone()))
        .ledger(ledger)
        .clock(Arc::new(PausedClock::new()))
        .build()
        .unwrap()
}

#[cfg(feature = "file")]
fn keyed(key: &str) -> MoveOptions {
    MoveOptions { idempotency_key: Some(key.parse().unwrap()), ..terms() }
}

/// Leaves an open intent to 1.1 whose worker is dead.
pub(super) async fn dead(w: &World, ledger: &Arc<MemoryLedger>) {
    dead_with(w, ledger, terms()).await;
}

/// The same, on these terms.
pub(super) async fn dead_with(w: &World, ledger: &Arc<MemoryLedger>, terms: MoveOptions) {
    let dying = over(w, dies_after(0, ledger));
    let error = dying.promote(&w.prod, w.release("1.1")).options(terms).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveIndeterminate, "{error:?}");
    assert!(w.promoter.state(&w.prod).await.unwrap().open.is_some(), "an intent stands");
}

#[tokio::test(start_paused = true)]
async fn plan_under_drift_says_so_and_observes_nothing() {
    let (w, ledger) = shared().await;
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(4).await);
    let before = ledger.size(&w.prod).await.unwrap();
    let error = w.promoter.plan(&w.prod, Operation::Promote(w.release("1.1").into()), terms()).await.unwrap_err();
    assert_eq!((error.kind(), ledger.size(&w.prod).await.unwrap()), (ErrorKind::ChannelDrifted, before));
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(ledger.size(&w.prod).await.unwrap(), before + 1, "a refused promote observes the drift");
}

#[tokio::test(start_paused = true)]
async fn rollback_while_the_registry_answers_the_old_digest_succeeds_at_once() {
    let (w, _) = shared().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let prod = w.prod.tag().clone();
    w.registry.script_reads_when(move |call| call.resolves(&prod), [ReadFault::Stale]);
    let before = tokio::time::Instant::now();
    let receipt = w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    assert_eq!((receipt.digest, w.observed()), (w.digests[0], Some(w.digests[0])));
    assert!(
        receipt
            .findings()
            .iter()
            .any(|finding| finding.code.as_ref().is_some_and(|code| code.as_str() == "TAG_LAGGING"))
    );
    assert!(before.elapsed() < Duration::from_secs(1), "paused time: nothing was waited for");
}

#[tokio::test(start_paused = true)]
async fn promotions_and_rollbacks_on_a_registry_that_flaps_commit() {
    let (w, _) = shared().await;
    // Longer than the lag: reads of the release tags are settled.
    tokio::time::sleep(Duration::from_secs(31)).await;
    w.registry.lag(Duration::from_secs(30));
    let again = || MoveOptions { overrides: [text("not-rolled-back")].into(), reason: Some(text("again")), ..terms() };
    for _ in 0..5 {
        w.promoter.promote(&w.prod, w.release("1.1")).options(again()).await.unwrap();
        assert_eq!(w.observed(), Some(w.digests[1]));
        w.promoter.rollback(&w.prod).options(terms()).to(w.digests[0]).await.unwrap();
        assert_eq!(w.observed(), Some(w.digests[0]));
        let report = w.promoter.audit(std::slice::from_ref(&w.prod)).await.unwrap();
        assert_eq!(report.class(), None, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn appends_that_are_never_answered_end_in_doubt() {
    for stored in [0, 1] {
        let (w, ledger) = shared().await;
        let never = over(&w, flawed(&ledger, repeat_with(Fault::pass).take(stored).chain(always(gone))));
        let error = never.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MoveIndeterminate, "{error:?}");
    }
}

/// The first move in a ledger that is empty, so that the first append is the policy.
async fn first_move(ledger: Arc<FaultyLedger>) -> (World, Result<Receipt>) {
    let w = world();
    let promoter = over(&w, ledger);
    let receipt = promoter.bootstrap(&w.prod).source(w.release("1.0")).options(terms()).await;
    (w, receipt)
}

#[tokio::test(start_paused = true)]
async fn policy_whose_append_is_never_answered_is_ledger_ambiguous() {
    let (w, receipt) = first_move(flawed(&Arc::default(), always(gone))).await;
    let error = receipt.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerAmbiguous, "{error:?}");
    assert_eq!(w.registry.peek(w.prod.repository(), w.prod.tag()), None, "no intent stands, so nothing was put");
}

#[tokio::test(start_paused = true)]
async fn policy_whose_append_is_answered_late_is_recorded_once() {
    for ledger in [flawed(&Arc::default(), [gone()]), hides_one(&Arc::default())] {
        let (w, receipt) = first_move(ledger).await;
        let receipt = receipt.unwrap();
        assert_eq!((receipt.digest, receipt.live.seq), (w.digests[0], 1), "the policy, then the intent");
    }
}

#[tokio::test(start_paused = true)]
async fn caller_may_leave_an_intent_that_lands_late() {
    let (w, ledger) = shared().await;
    let promoter = over(&w, hides_one(&ledger));
    let (puts, resolves) = (w.prod.tag().clone(), w.prod.tag().clone());
    w.registry.script_when(move |call| call.puts(&puts), [InjectedFault::Slow(Duration::from_secs(5))]);
    w.registry.script_reads_when(
        move |call| call.resolves(&resolves),
        [ReadFault::Pass, ReadFault::Pass, ReadFault::Unavailable],
    );
    let cut =
        tokio::time::timeout(Duration::from_secs(1), promoter.promote(&w.prod, w.release("1.1")).options(terms()))
            .await;
    assert!(cut.is_err(), "the caller went away in the middle of the put");
    tokio::time::sleep(Duration::from_secs(300)).await;
    let state = w.promoter.state(&w.prod).await.unwrap();
    assert_eq!((state.live, state.open), (Some(w.digests[1]), None));
}

#[tokio::test(start_paused = true)]
async fn refused_is_not_said_while_an_intent_may_land() {
    let (w, ledger) = shared().await;
    let promoter = over(&w, hides_one(&ledger));
    let resolves = w.prod.tag().clone();
    w.registry.script_reads_when(move |call| call.resolves(&resolves), [ReadFault::Pass, ReadFault::Unavailable]);
    let error = promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveIndeterminate, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_committed_move_is_not_called_taken_over() {
    let (w, ledger) = shared().await;
    let dying = dies_after(1, &ledger);
    let promoter = over(&w, dying.clone());
    let (prod, source) = (w.prod.clone(), w.release("1.1"));
    let first = tokio::spawn(async move { promoter.promote(&prod, source).options(terms()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    dying.calm();
    let receipt = first.await.unwrap().unwrap();
    assert_eq!((receipt.result, receipt.digest), (MoveResult::Committed, w.digests[1]));
}

#[tokio::test(start_paused = true)]
async fn key_once_after_an_unanswered_intent() {
    let (w, ledger) = shared().await;
    let dying = dies_after(0, &ledger);
    let promoter = over(&w, dying.clone());
    let (prod, source) = (w.prod.clone(), w.release("1.1"));
    let first = tokio::spawn(async move {
        promoter.promote(&prod, source).options(MoveOptions { on_conflict: OnConflict::Requeue, ..terms() }).await
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    dying.calm();
    let stalls = Fault::pass().first(async { tokio::time::sleep(Duration::from_secs(150)).await });
    dying.script_when(|call| matches!(call, LedgerCall::Size { .. }), [stalls]);
    w.promoter.recover(&w.prod, RecoveryMode::RollForward, eve(), Duration::from_secs(200)).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::IdempotencySuperseded);
    assert_eq!(w.promoter.verify(&w.prod).await.unwrap().defect, None);
}

#[tokio::test(start_paused = true)]
async fn drift_is_said_on_a_ledger_that_cannot_be_written() {
    let (w, ledger) = shared().await;
    let hotfix = w.registry.push_image(w.prod.repository(), &tag("hotfix"), 99);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &hotfix);
    let full = over(&w, flawed(&ledger, always(down)));
    let error = full.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelDrifted);
}

#[tokio::test(start_paused = true)]
async fn a_put_that_times_out_and_never_lands_leaves_nothing_open() {
    let (w, _) = shared().await;
    let prod = w.prod.tag().clone();
    w.registry.latency(Duration::from_millis(20));
    w.registry.script_when(
        move |call| call.puts(&prod),
        [InjectedFault::Slow(Duration::from_secs(14)), InjectedFault::Before, InjectedFault::Before],
    );
    let _ = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await;
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().open, None);
}

#[tokio::test(start_paused = true)]
async fn a_hold_makes_no_ledger_the_one_that_governs() {
    let (w, _) = shared().await;
    let stranger = over(&w, Arc::new(MemoryLedger::new()));
    let hold = stranger.hold(&w.prod, hold("x")).await.unwrap();
    stranger.unhold(&w.prod, unhold(hold)).await.unwrap();
    assert_eq!(w.kind(stranger.bootstrap(&w.prod).options(terms())).await, ErrorKind::LedgerForeign);
}

#[tokio::test(start_paused = true)]
async fn an_old_plan_that_queues_is_made_again() {
    let (w, _) = shared().await;
    let operation = Operation::Promote(w.release("1.2").into());
    let plan =
        w.promoter.plan(&w.prod, operation, MoveOptions { on_conflict: OnConflict::Requeue, ..terms() }).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let receipt = w.promoter.execute(plan.approve().unwrap()).await.unwrap();
    assert_eq!((receipt.previous_digest, receipt.digest), (Some(w.digests[1]), w.digests[2]));
    assert_eq!(w.promoter.history_page(&w.prod, None, usize::MAX).await.unwrap().events.len(), 3);
}

#[cfg(feature = "file")]
#[tokio::test]
async fn an_index_that_is_gone_costs_time_and_nothing_else() {
    use crate::ledger::FileLedger;
    let w = world();
    let dir = tempfile::tempdir().unwrap();
    // A replay waits until reads are settled, in real time: the ledger is on a disk.
    let ms = Duration::from_millis;
    let times = Times::new(ms(10_000), ms(200), ms(200), ms(200)).unwrap().with_settle(ms(200)).unwrap();
    let open = |ledger| {
        Promoter::builder()
            .registry(Arc::new(w.registry.clone()))
            .ledger(Arc::new(ledger))
            .times(times.clone())
            .build()
            .unwrap()
    };
    let promoter = open(FileLedger::open(dir.path()).unwrap());
    promoter.bootstrap(&w.prod).source(w.release("1.0")).options(keyed("first")).await.unwrap();
    for _ in 0..140 {
        let hold = promoter.hold(&w.prod, hold("x")).await.unwrap();
        promoter.unhold(&w.prod, unhold(hold)).await.unwrap();
    }
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    promoter.promote(&w.prod, w.release("1.1")).options(keyed("second")).await.unwrap();
    let replayed = promoter.promote(&w.prod, w.release("1.1")).options(keyed("second")).await.unwrap();
    assert_eq!(replayed.result, MoveResult::Replayed);
    let reader = open(FileLedger::open_read_only(dir.path()).unwrap());
    let plan = reader.plan(&w.prod, Operation::Promote(w.release("1.2").into()), keyed("third")).await.unwrap();
    assert_eq!(plan.change(), Some((Some(w.digests[1]), w.digests[2])));
}

#[tokio::test(start_paused = true)]
async fn pinned_first_so_that_a_tag_does_not_leave_a_digest_whose_pin_is_acknowledged_and_not_kept() {
    let (w, _) = shared().await;
    let pin = pin_tag(&w.digests[0]);
    w.registry.delete_tag(w.prod.repository(), &pin);
    let put = pin.clone();
    w.registry.script_when(move |call| call.puts(&put), [InjectedFault::Ignored]);
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed);
    let said = format!("the registry said that it keeps {}:{pin}, and does not have it", w.prod.repository());
    assert!(error.message().ends_with(&said), "{error}");
    assert_eq!(w.observed(), Some(w.digests[0]));
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!(w.registry.peek(w.prod.repository(), &pin), Some(w.digests[0]));
}
