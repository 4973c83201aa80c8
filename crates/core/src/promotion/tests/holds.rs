//! Holds: the moves that they stop, channels that may not exist, and old texts in a log.

use super::*;
use crate::testing::ReadFault;

fn typo() -> Channel {
    "reg.io/acme/shop:prd".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_moves_until_it_is_ended() {
    let w = world().bootstrapped().await;
    let hold = w.promoter.hold(&w.prod, hold("incident 7")).await.unwrap();
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    assert!(error.to_string().contains("incident 7"), "{error}");
    w.promoter.unhold(&w.prod, unhold(hold)).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ending_one_of_two_holds_leaves_the_other() {
    let w = world().bootstrapped().await;
    let by = |actor: &str, scope| {
        let provenance = Provenance::new("manual", "incident", actor).unwrap();
        Hold { scope, reason: text("incident 7"), provenance, until: None }
    };
    let eve = w.promoter.hold(&w.prod, by("eve", HoldScope::Promotions)).await.unwrap();
    let bob = w.promoter.hold(&w.prod, by("bob", HoldScope::Promotions)).await.unwrap();
    let ids = async || w.promoter.holds(&w.prod).await.unwrap().iter().map(|hold| hold.seq).collect::<Vec<_>>();
    assert_eq!(ids().await, [eve, bob]);
    w.promoter.unhold(&w.prod, unhold(eve)).await.unwrap();
    assert_eq!(ids().await, [bob]);
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    let error = w.promoter.unhold(&w.prod, unhold(eve)).await.unwrap_err();
    let message = format!("hold {eve} of reg.io/acme/shop:prod is not in force; in force: {bob}");
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::ValueInvalid, message));
    let mine = w.promoter.unhold_mine(&w.prod, text("over"), by("bob", HoldScope::All).provenance).await.unwrap();
    assert_eq!(mine, [bob]);
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_the_moves_of_its_scope() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let hotfix = w.registry.push_image(w.prod.repository(), &tag("hotfix"), 99);
    let go_around = || w.registry.overwrite(w.prod.repository(), w.prod.tag(), &hotfix);
    let promotions = Hold { scope: HoldScope::Promotions, ..hold("incident 7") };
    let id = w.promoter.hold(&w.prod, promotions).await.unwrap();
    let error = w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    go_around();
    w.promoter.repair(&w.prod).options(terms()).await.unwrap();
    go_around();
    w.promoter.adopt(&w.prod).options(MoveOptions { reason: Some(text("hotfix")), ..terms() }).await.unwrap();
    w.promoter.unhold(&w.prod, unhold(id)).await.unwrap();

    let id = w.promoter.hold(&w.prod, hold("legal")).await.unwrap();
    let named = format!("held for all moves by eve until it is ended (hold {id}): legal");
    let names = |error: Error| {
        assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
        assert!(error.to_string().contains(&named), "{error}");
    };
    names(w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap_err());
    names(w.promoter.rollback(&w.prod).options(terms()).await.unwrap_err());
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(2).await);
    names(w.promoter.repair(&w.prod).options(terms()).await.unwrap_err());
    names(
        w.promoter.adopt(&w.prod).options(MoveOptions { reason: Some(text("hotfix")), ..terms() }).await.unwrap_err(),
    );
}

#[tokio::test(start_paused = true)]
async fn hold_on_a_channel_without_log_and_tag_is_refused() {
    let w = world().bootstrapped().await;
    let error = w.promoter.hold(&typo(), hold("incident 7")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelAbsent);
    assert!(error.to_string().starts_with("reg.io/acme/shop:prd cannot be held: "), "{error}");
    assert_eq!(w.promoter.state(&typo()).await.unwrap().size, 0);
}

#[tokio::test(start_paused = true)]
async fn hold_on_a_channel_with_a_tag_and_no_log_is_taken() {
    let w = world();
    w.registry.push(w.prod.repository(), w.prod.tag(), &w.manifest(0).await);
    assert_eq!(w.promoter.hold(&w.prod, hold("incident 7")).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn hold_on_a_channel_with_a_log_asks_no_registry() {
    let w = world().bootstrapped().await;
    w.registry.delete_tag(w.prod.repository(), w.prod.tag());
    w.registry.clear_calls();
    w.promoter.hold(&w.prod, hold("incident 7")).await.unwrap();
    assert_eq!(w.registry.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn hold_is_taken_when_the_registry_cannot_be_asked() {
    for fault in [ReadFault::Unavailable, ReadFault::Denied, ReadFault::Slow(Duration::from_secs(600))] {
        let w = world();
        w.registry.script_reads([fault]);
        let began = tokio::time::Instant::now();
        assert_eq!(w.promoter.hold(&typo(), hold("incident 7")).await.unwrap(), 0);
        assert!(began.elapsed() <= Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn log_with_an_invisible_character_is_read_and_verified() {
    let w = world().bootstrapped().await;
    // A text of an entry that was written before such characters were refused.
    let reason: Line = serde_json::from_str("\"inci\u{200b}dent\"").unwrap();
    let hold = w.promoter.hold(&w.prod, Hold { reason, ..hold("incident") }).await.unwrap();
    let anew = Promoter::new(Arc::new(w.registry.clone()), Arc::clone(&w.promoter.inner.ledger));
    assert_eq!(anew.verify(&w.prod).await.unwrap().defect, None);
    assert_eq!(anew.holds(&w.prod).await.unwrap()[0].reason.as_str(), "inci\u{200b}dent");
    anew.unhold(&w.prod, unhold(hold)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn hold_counts_until_five_minutes_after_its_end() {
    let w = world().bootstrapped().await;
    let until = w.promoter.inner.clock.now().plus(Duration::from_secs(60));
    w.promoter.hold(&w.prod, Hold { until: Some(until), ..hold("incident 7") }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60 + 299)).await;
    assert_eq!(w.promoter.current(&w.prod).await.unwrap().holds.len(), 1);
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    assert!(error.to_string().contains("it counts for 5 min longer, as clocks may differ"), "{error}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(w.promoter.current(&w.prod).await.unwrap().holds, []);
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn hold_that_is_just_over_stops_a_move_at_the_guard() {
    let w = world().bootstrapped().await;
    let pin = pin_tag(&w.digests[1]);
    w.registry.script_when(move |call| call.puts(&pin), [InjectedFault::Slow(Duration::from_secs(5))]);
    let promoted = w.promoter.promote(&w.prod, w.release("1.1")).options(terms());
    let held = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let until = w.promoter.inner.clock.now().plus(Duration::from_millis(1));
        w.promoter.hold(&w.prod, Hold { until: Some(until), ..hold("incident 7") }).await.unwrap()
    };
    let (promoted, _) = tokio::join!(promoted, held);
    assert_eq!(refused_by(&promoted.unwrap_err()), ["CHANNEL_HELD"]);
    assert_eq!(w.observed(), Some(w.digests[0]));
}
