//! Pins that lag, and pins that a policy hides.

use super::*;
use crate::testing::{ErrorAnswer, ReadFault};

#[tokio::test(start_paused = true)]
async fn pins_do_not_move_so_that_one_that_lags_is_waited_for() {
    let w = world().bootstrapped().await;
    let pin = pin_tag(&w.digests[0]);
    w.registry.delete_tag(w.prod.repository(), &pin);
    let resolves = pin.clone();
    // The first read is the look before the put; the next 12 answer the value before it.
    let lags = std::iter::once(ReadFault::Pass).chain(std::iter::repeat_n(ReadFault::Past(1), 12));
    w.registry.script_reads_when(move |call| call.resolves(&resolves), lags);
    let before = tokio::time::Instant::now();
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!((w.observed(), w.registry.faults_left()), (Some(w.digests[1]), 0));
    assert!(before.elapsed() > Duration::from_secs(7), "paused time: longer than half of a put's timeout");
}

#[tokio::test(start_paused = true)]
async fn hidden_pin_of_the_live_digest_counts_as_there() {
    let w = world().bootstrapped().await;
    for (status, n) in [(412, 0), (451, 1), (403, 2)] {
        w.registry.hide(w.prod.repository(), &w.digests[n], ErrorAnswer::new(status, "POLICY", "5 vulnerabilities"));
        let receipt = w.promoter.promote(&w.prod, w.release(&format!("1.{}", n + 1))).options(terms()).await.unwrap();
        assert_eq!(w.observed(), Some(w.digests[n + 1]), "{status}");
        let hidden = receipt.findings().iter().find(|finding| finding.why.as_str().contains("also as pinned"));
        assert!(hidden.unwrap().why.as_str().contains("POLICY: 5 vulnerabilities"), "{:?}", receipt.findings());
    }
}

#[tokio::test(start_paused = true)]
async fn pin_that_cannot_be_read_stops_the_put() {
    let w = world().bootstrapped().await;
    let pin = pin_tag(&w.digests[0]);
    w.registry.script_reads_when(move |call| call.resolves(&pin), [ReadFault::Unavailable]);
    w.registry.delete_tag(w.prod.repository(), &pin_tag(&w.digests[0]));
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!((error.kind(), w.observed()), (ErrorKind::MoveFailed, Some(w.digests[0])), "{error}");
}
