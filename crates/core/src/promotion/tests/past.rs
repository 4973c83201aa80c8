//! `history` where a page begins inside a move, and `at` where the time is inside a move or after drift.

use super::*;
use crate::testing::PausedClock;
use crate::value::{Clock, Timestamp};

/// A world, with its clock.
fn timed() -> (World, Arc<PausedClock>) {
    let w = world();
    let clock = Arc::new(PausedClock::new());
    let promoter = w.promoter.to_builder().clock(Arc::clone(&clock) as Arc<dyn Clock>).build().unwrap();
    (World { promoter, ..w }, clock)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

impl World {
    /// The status of each move before a position.
    async fn statuses(&self, before: u64) -> Vec<(u64, MoveStatus)> {
        let page = self.promoter.history_page(&self.prod, Some(before), 100).await.unwrap();
        page.events.iter().map(|event| (event.seq, event.status())).collect()
    }

    async fn at(&self, at: Timestamp) -> Option<LiveAt> {
        self.promoter.at(&self.prod, at).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn move_that_a_page_ends_in_has_its_real_status() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Denied]);
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    let (first, second) = ((1, MoveStatus::Committed), (3, MoveStatus::Failed));
    assert_eq!(w.statuses(2).await, [first], "between intent and outcome of the first move");
    assert_eq!(w.statuses(3).await, [first]);
    assert_eq!(w.statuses(4).await, [second, first], "between intent and outcome of the second");
    assert_eq!(w.statuses(5).await, [second, first]);
}

#[tokio::test(start_paused = true)]
async fn move_that_a_page_ends_in_is_open_while_it_is() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Slow(Duration::from_secs(5))]);
    let promoted = w.promoter.promote(&w.prod, w.release("1.1")).options(terms());
    let looked = async {
        pass(1).await;
        let hold = Hold { scope: HoldScope::Promotions, ..hold("a note inside the move") };
        assert_eq!(w.promoter.hold(&w.prod, hold).await.unwrap(), 4);
        w.statuses(4).await
    };
    let (_, statuses) = tokio::join!(promoted, looked);
    assert_eq!(statuses, [(3, MoveStatus::Open), (1, MoveStatus::Committed)]);
}

#[tokio::test(start_paused = true)]
async fn move_with_many_notes_inside_has_its_real_status() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Slow(Duration::from_secs(5))]);
    let promoted = w.promoter.promote(&w.prod, w.release("1.1")).options(terms());
    let noted = async {
        pass(1).await;
        for _ in 0..100 {
            let until = w.promoter.inner.clock.now().plus(Duration::from_millis(1));
            let hold = Hold { scope: HoldScope::Promotions, until: Some(until), ..hold("a note inside the move") };
            w.promoter.hold(&w.prod, hold).await.unwrap();
        }
    };
    let (receipt, ()) = tokio::join!(promoted, noted);
    receipt.unwrap();
    assert_eq!(w.statuses(5).await, [(3, MoveStatus::Committed), (1, MoveStatus::Committed)]);
}

#[tokio::test(start_paused = true)]
async fn time_inside_a_move_names_the_move_that_was_open() {
    let (w, clock) = timed();
    let w = w.bootstrapped().await;
    pass(60).await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Slow(Duration::from_secs(10))]);
    let promoted = w.promoter.promote(&w.prod, w.release("1.1")).options(terms());
    let noted = async {
        pass(5).await;
        clock.now()
    };
    let (receipt, inside) = tokio::join!(promoted, noted);
    receipt.unwrap();
    pass(60).await;

    let was = w.at(inside).await.unwrap();
    assert_eq!((was.event.intent.target.digest, was.drift), (w.digests[0], None));
    let open = was.open.clone().unwrap();
    assert_eq!((open.intent.target.digest, open.status()), (w.digests[1], MoveStatus::Committed));
    let json = serde_json::to_value(&was).unwrap();
    assert_eq!((&json["seq"], &json["open"]["seq"], json.get("drift")), (&1.into(), &3.into(), None));

    let was = w.at(clock.now()).await.unwrap();
    assert_eq!((was.event.intent.target.digest, was.open), (w.digests[1], None));
    let before = Timestamp::from_unix_ms(inside.unix_ms() - 30_000);
    assert_eq!(w.at(before).await.unwrap().open, None);
}

#[tokio::test(start_paused = true)]
async fn time_after_a_drift_says_that_it_was_seen_until_it_is_mended() {
    let (w, clock) = timed();
    let w = w.bootstrapped().await;
    pass(60).await;
    let quiet = clock.now();
    pass(60).await;
    let hotfix = w.registry.push_image(w.prod.repository(), &tag("hotfix"), 99);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &hotfix);
    let refused = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ChannelDrifted);
    pass(60).await;
    let drifted = clock.now();
    pass(60).await;
    w.promoter.repair(&w.prod).options(terms()).await.unwrap();
    pass(60).await;

    assert_eq!(w.at(quiet).await.unwrap().drift, None);
    let seen = w.at(drifted).await.unwrap().drift.unwrap();
    assert_eq!((seen.expected, seen.observed), (Some(w.digests[0]), Some(hotfix.digest())));
    assert!(seen.at > quiet && seen.at <= drifted);
    assert_eq!(w.at(clock.now()).await.unwrap().drift, None, "the repair ended it");
}

#[tokio::test(start_paused = true)]
async fn time_before_the_first_move_has_nothing_live() {
    let w = world().bootstrapped().await;
    assert_eq!(w.at("2000-01-01T00:00:00Z".parse().unwrap()).await, None);
}
