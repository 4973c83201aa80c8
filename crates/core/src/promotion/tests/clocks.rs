//! A ledger whose clock differs from this machine's.

use super::flawed::over;
use super::*;
use crate::log::RecordedFinding;
use crate::testing::{FaultyLedger, PausedClock};
use crate::value::Timestamp;

/// A ledger over `inner` whose clock is ahead of this machine's by this many milliseconds.
fn ahead_of(inner: Arc<MemoryLedger>, ms: i64) -> Arc<FaultyLedger> {
    let clock = PausedClock::new();
    Arc::new(FaultyLedger::over(inner).with_time(move || Timestamp::from_unix_ms(clock.now().unix_ms() + ms)))
}

/// A bootstrapped world whose ledger's clock is ahead.
async fn ahead(ms: i64) -> World {
    let mut w = world();
    w.promoter = over(&w, ahead_of(Arc::default(), ms));
    w.bootstrapped().await
}

fn skewed(receipt: &Receipt) -> Vec<&RecordedFinding> {
    receipt.findings().iter().filter(|finding| finding.guardrail.as_str() == "clock").collect()
}

const MINUTE: i64 = 60_000;

#[tokio::test(start_paused = true)]
async fn ledger_clock_within_five_minutes_is_not_said() {
    for off in [5 * MINUTE, -5 * MINUTE] {
        let w = ahead(off).await;
        let receipt = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
        assert!(skewed(&receipt).is_empty(), "{receipt:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ledger_clock_off_by_more_than_five_minutes_is_a_warning_with_both_times() {
    for off in [6 * MINUTE, -6 * MINUTE] {
        let w = ahead(off).await;
        let now = w.promoter.inner.clock.now();
        let receipt = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
        let [finding] = skewed(&receipt)[..] else { panic!("{receipt:?}") };
        assert_eq!((finding.verdict, finding.code.as_ref().unwrap().as_str()), (Verdict::Warn, "CLOCK_SKEWED"));
        let theirs = Timestamp::from_unix_ms(now.unix_ms() + off);
        assert_eq!(finding.why.as_str(), format!("this machine's clock says {now}, and the ledger's {theirs}"));
    }
}

#[tokio::test(start_paused = true)]
async fn ledger_clock_off_by_more_than_an_hour_refuses_a_promotion_and_nothing_else() {
    let w = ahead(61 * MINUTE).await;
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CLOCK_SKEWED"]);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(3).await);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let repaired = w.promoter.repair(&w.prod).options(terms()).await.unwrap();
    assert_eq!(skewed(&repaired)[0].verdict, Verdict::Warn);
    let id = w.promoter.hold(&w.prod, hold("incident 7")).await.unwrap();
    w.promoter.unhold(&w.prod, unhold(id)).await.unwrap();
    // The channel was promoted with a right clock, and is rolled back with a wrong one.
    let mut w = world();
    let ledger = Arc::new(MemoryLedger::new());
    w.promoter = over(&w, Arc::clone(&ledger) as Arc<dyn Ledger>);
    let mut w = w.bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    w.promoter = over(&w, ahead_of(ledger, -61 * MINUTE));
    let back = w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    assert_eq!((back.digest, skewed(&back)[0].verdict), (w.digests[0], Verdict::Warn));
}
