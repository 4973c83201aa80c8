//! The promoter on the in-memory registry and ledger: each operation, each refusal.

mod audit;
mod clocks;
mod dead_moves;
#[cfg(all(feature = "file", unix))]
mod doubt;
mod flawed;
mod foreign;
mod holds;
mod keys;
mod last_change;
mod long_reads;
mod naming;
mod past;
mod pin_reads;
mod pins;
mod plans;
mod policies;
mod preflight;
mod releases;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Ledger, MemoryLedger};
use crate::log::{
    Entry, Expected, Hold, HoldScope, Kind, MoveStatus, PutStatus, RecordedOverride, Source, Unhold, UpstreamLog,
    Verdict,
};
use crate::policy::{ExpectedDigest, Policy, Refusal};
use crate::promotion::machine::OnConflict;
use crate::registry::{Registry, pin_tag};
use crate::testing::{InjectedFault, MemoryRegistry};
use crate::value::{Channel, Clock, Digest, Line, Pipeline, Provenance, Stage, Tag};

struct World {
    registry: MemoryRegistry,
    promoter: Promoter,
    prod: Channel,
    digests: Vec<Digest>,
}

/// A repository with the releases 1.0 to 1.4. No channel is bootstrapped.
fn world() -> World {
    let registry = MemoryRegistry::new();
    let prod: Channel = "reg.io/acme/shop:prod".parse().unwrap();
    let digests = (0..5).map(|n| registry.push_image(prod.repository(), &tag(&format!("1.{n}")), n).digest()).collect();
    let promoter = Promoter::builder()
        .registry(Arc::new(registry.clone()))
        .ledger(Arc::new(MemoryLedger::new()))
        .clock(Arc::new(crate::testing::PausedClock::new()))
        .build()
        .unwrap();
    World { registry, promoter, prod, digests }
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn text(text: &str) -> Line {
    text.parse().unwrap()
}

fn terms() -> MoveOptions {
    MoveOptions::new(Provenance::new("manual", "run-1", "ada").unwrap())
}

fn eve() -> Provenance {
    Provenance::new("manual", "incident", "eve").unwrap()
}

fn hold(reason: &str) -> Hold {
    Hold { scope: HoldScope::All, reason: text(reason), provenance: eve(), until: None }
}

fn unhold(hold: u64) -> Unhold {
    Unhold { hold, reason: text("over"), provenance: eve() }
}

/// The codes of the findings of a refusal by the policy.
fn refused_by(error: &Error) -> Vec<&str> {
    assert_eq!(error.kind(), ErrorKind::PolicyRefused, "{error}");
    let refusal: &Refusal = error.source_as().unwrap();
    refusal.refusals().filter_map(|finding| finding.code()).collect()
}

impl World {
    fn release(&self, name: &str) -> Source {
        Source::Reference(self.prod.repository().tag(tag(name)))
    }

    async fn bootstrapped(self) -> World {
        self.promoter.bootstrap(&self.prod).source(self.release("1.0")).options(terms()).await.unwrap();
        self
    }

    fn observed(&self) -> Option<Digest> {
        self.registry.peek(self.prod.repository(), self.prod.tag())
    }

    async fn manifest(&self, n: usize) -> crate::registry::Manifest {
        self.registry.fetch(&self.prod.repository().digest(self.digests[n])).await.unwrap().unwrap()
    }

    async fn kind(&self, what: impl IntoFuture<Output = Result<Receipt>>) -> ErrorKind {
        what.await.unwrap_err().kind()
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_goes_up_and_back() {
    let w = world().bootstrapped().await;
    let receipt = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!(
        (receipt.result, receipt.previous_digest, receipt.digest),
        (MoveResult::Committed, Some(w.digests[0]), w.digests[1])
    );
    assert_eq!(w.observed(), Some(w.digests[1]));
    for digest in [w.digests[0], w.digests[1]] {
        assert_eq!(
            w.registry.peek(w.prod.repository(), &pin_tag(&digest)),
            Some(digest),
            "pinned-first: both are pinned"
        );
    }
    let back = w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    assert_eq!((back.previous_digest, back.digest), (Some(w.digests[1]), w.digests[0]));
    let current = w.promoter.current(&w.prod).await.unwrap();
    assert_eq!((current.live, current.previous), (Some(w.digests[0]), Some(w.digests[1])));
    let again = w.promoter.rollback(&w.prod).options(terms()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::RollbackNoTarget, "a second rollback names its target");
    w.promoter.rollback(&w.prod).options(terms()).to(w.digests[1]).await.unwrap();
    let page = w.promoter.history_page(&w.prod, None, 2).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [7, 5]);
    let page = w.promoter.history_page(&w.prod, page.next, 2).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 1]);
    let report = w.promoter.verify(&w.prod).await.unwrap();
    assert_eq!((report.defect, report.committed, report.entries), (None, 4, 9));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_writes_nothing() {
    let w = world();
    assert_eq!(w.kind(w.promoter.rollback(&w.prod).options(terms())).await, ErrorKind::ChannelNotBootstrapped);
    assert_eq!(w.kind(w.promoter.bootstrap(&w.prod).options(terms())).await, ErrorKind::ChannelAbsent);
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().size, 0);
    let w = w.bootstrapped().await;
    let size = w.promoter.state(&w.prod).await.unwrap().size;
    let missing = w.promoter.promote(&w.prod, w.release("9.9")).options(terms()).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::PolicyRefused);
    assert!(missing.to_string().contains("reg.io/acme/shop:9.9 does not exist"), "{missing}");
    let wrong = MoveOptions { expected: ExpectedDigest::At(w.digests[3]), ..terms() };
    assert_eq!(w.kind(w.promoter.promote(&w.prod, w.release("1.1")).options(wrong)).await, ErrorKind::PolicyRefused);
    assert_eq!(
        w.kind(w.promoter.bootstrap(&w.prod).source(w.release("1.1")).options(terms())).await,
        ErrorKind::ChannelBootstrapped
    );
    assert_eq!(
        w.kind(w.promoter.adopt(&w.prod).options(terms())).await,
        ErrorKind::ValueInvalid,
        "adopt needs a reason"
    );
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().size, size);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_moves_once() {
    let w = world().bootstrapped().await;
    let keyed = || MoveOptions { idempotency_key: Some("ci-7".parse().unwrap()), ..terms() };
    w.promoter.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    assert_eq!(
        w.kind(w.promoter.promote(&w.prod, w.release("1.3")).options(keyed())).await,
        ErrorKind::IdempotencyMismatch
    );
    let again = w.promoter.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::IdempotencySuperseded);
    assert!(again.message().contains("was committed (seq 3) and replaced by"), "{again}");
    w.registry.delete_tag(w.prod.repository(), &tag("1.1"));
    assert_eq!(
        w.kind(w.promoter.promote(&w.prod, w.release("1.1")).options(keyed())).await,
        ErrorKind::IdempotencySuperseded
    );
    tokio::time::sleep(Duration::from_secs(31)).await;
    let same = w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    assert_eq!(same.result, MoveResult::Unchanged);
    w.promoter.rollback(&w.prod).options(terms()).to(w.digests[1]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(31)).await;
    let replayed = w.promoter.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap();
    assert_eq!(
        (replayed.result, replayed.digest),
        (MoveResult::Replayed, w.digests[1]),
        "by whichever move it is live"
    );
    assert!(replayed.r#move.unwrap().seq < replayed.live.seq, "both moves are named");
}

#[tokio::test(start_paused = true)]
async fn drift_is_recorded_and_mended_by_name() {
    let w = world().bootstrapped().await;
    let hotfix = w.registry.push_image(w.prod.repository(), &tag("hotfix"), 99);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &hotfix);
    let refused = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ChannelDrifted);
    w.promoter.repair(&w.prod).options(terms()).await.unwrap();
    assert_eq!(w.observed(), Some(w.digests[0]));
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &hotfix);
    let adopted = w
        .promoter
        .adopt(&w.prod)
        .options(MoveOptions { reason: Some(text("hotfix by hand")), ..terms() })
        .await
        .unwrap();
    assert_eq!(adopted.digest, hotfix.digest());
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().live, Some(hotfix.digest()));
}

#[tokio::test(start_paused = true)]
async fn a_put_whose_answer_was_lost_is_read_back_after_the_quiet_time() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::After]);
    let before = tokio::time::Instant::now();
    let receipt = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let outcome = receipt.r#move.unwrap().outcome.unwrap().outcome;
    assert_eq!((outcome.put, outcome.attempts), (PutStatus::Unknown, 1));
    assert!(before.elapsed() >= Duration::from_secs(30), "R2: the quiet time");
}

#[tokio::test(start_paused = true)]
async fn a_refused_put_fails_and_moves_nothing() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Denied]);
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed, "{error}");
    let last = w.promoter.history_page(&w.prod, None, 1).await.unwrap().events.remove(0);
    assert_eq!(last.status(), MoveStatus::Failed);
    assert_eq!(w.observed(), Some(w.digests[0]));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_cuts_no_move() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Slow(Duration::from_secs(5))]);
    let plan = w.promoter.plan(&w.prod, Operation::Promote(w.release("1.1").into()), terms()).await.unwrap();
    let approved = plan.approve().unwrap();
    let cut = tokio::time::timeout(Duration::from_secs(1), w.promoter.execute(approved)).await;
    assert!(cut.is_err(), "caller-may-leave: the caller went away in the middle of the put");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let state = w.promoter.state(&w.prod).await.unwrap();
    assert_eq!((state.live, state.open), (Some(w.digests[1]), None));
}

#[tokio::test(start_paused = true)]
async fn retries_that_run_at_once_move_once_and_all_hear_of_it() {
    let w = world().bootstrapped().await;
    w.registry.latency(Duration::from_millis(50));
    let run = || {
        let other = Promoter::builder()
            .registry(Arc::new(w.registry.clone()))
            .ledger(Arc::clone(&w.promoter.inner.ledger))
            .clock(Arc::new(crate::testing::PausedClock::new()))
            .build()
            .unwrap();
        let (prod, source) = (w.prod.clone(), w.release("1.1"));
        async move {
            other
                .promote(&prod, source)
                .options(MoveOptions { idempotency_key: Some("job-7".parse().unwrap()), ..terms() })
                .await
        }
    };
    let ends = join_all([(); 4].map(|()| run())).await;
    let mut results: Vec<_> = ends.into_iter().map(|end| end.unwrap().result).collect();
    results.sort_by_key(|result| *result != MoveResult::Committed);
    assert_eq!(results, [MoveResult::Committed, MoveResult::Replayed, MoveResult::Replayed, MoveResult::Replayed]);
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().committed, 2, "the bootstrap and one move");
}

#[tokio::test(start_paused = true)]
async fn eight_at_once_queue_in_order_or_are_refused() {
    let w = world().bootstrapped().await;
    w.registry.latency(Duration::from_millis(50));
    let run = |on_conflict: OnConflict, name: &'static str| {
        let other = Promoter::new(Arc::new(w.registry.clone()), Arc::clone(&w.promoter.inner.ledger));
        let (prod, source) = (w.prod.clone(), w.release(name));
        async move { other.promote(&prod, source).options(MoveOptions { on_conflict, ..terms() }).await }
    };
    let ends = join_all(["1.1", "1.2", "1.3", "1.4"].map(|name| run(OnConflict::Wait, name))).await;
    let refused: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).map(|error| error.kind()).collect();
    assert_eq!(refused, [ErrorKind::ChannelChanged; 3], "one wins, the stale ones do not");
    let ends = join_all(["1.0", "1.1", "1.2", "1.3"].map(|name| run(OnConflict::Requeue, name))).await;
    for end in &ends {
        assert!(end.is_ok(), "{end:?}");
    }
    let report = w.promoter.verify(&w.prod).await.unwrap();
    assert_eq!(report.defect, None);
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().live, w.observed());
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_another_ledger_governs_is_left_alone() {
    let w = world().bootstrapped().await;
    let stranger = Promoter::new(Arc::new(w.registry.clone()), Arc::new(MemoryLedger::new()));
    assert_eq!(w.kind(stranger.bootstrap(&w.prod).options(terms())).await, ErrorKind::LedgerForeign);
    let known = || MoveOptions { overrides: [text(LEDGER_COMPLETE)].into(), ..terms() };
    assert_eq!(
        w.kind(stranger.bootstrap(&w.prod).options(known())).await,
        ErrorKind::ValueInvalid,
        "it needs a reason"
    );
    let receipt = stranger
        .bootstrap(&w.prod)
        .options(MoveOptions { reason: Some(text("the old ledger is lost")), ..known() })
        .await
        .unwrap();
    let overrides = receipt.r#move.unwrap().intent.decision.overrides;
    assert_eq!(overrides.len(), 1);
    let RecordedOverride { guardrail, reason } = &overrides[0];
    assert_eq!((guardrail.as_str(), reason.as_str()), (LEDGER_COMPLETE, "the old ledger is lost"));
}

#[tokio::test(start_paused = true)]
async fn a_retention_plan_keeps_what_is_live_and_what_it_cannot_read() {
    use crate::retention::{MayDelete, RetentionRule};
    use crate::testing::ReadFault;
    let w = world().bootstrapped().await;
    for name in ["1.1", "1.2", "1.3"] {
        w.promoter.promote(&w.prod, w.release(name)).options(terms()).await.unwrap();
        w.registry.delete_tag(w.prod.repository(), &tag(name));
    }
    w.registry.delete_tag(w.prod.repository(), &tag("1.0"));
    let rule = RetentionRule { keep_last: 2.try_into().unwrap(), keep_for: Duration::ZERO };
    let plan = w.promoter.retention_plan(w.prod.repository(), &rule).await.unwrap();
    let may = |n: usize| matches!(plan.may_delete(&w.digests[n]), MayDelete::Yes { .. });
    assert_eq!([0, 1, 2, 3, 4].map(may), [true, true, false, false, false], "two in the window, one tagged");
    w.registry.script_reads([ReadFault::Unavailable]);
    let plan = w.promoter.retention_plan(w.prod.repository(), &rule).await.unwrap();
    assert!(plan.blocked().is_some(), "what could not be read keeps everything");
    assert!(!matches!(plan.may_delete(&w.digests[0]), MayDelete::Yes { .. }));
}
