//! Pins: moves that write them, moves that do not, and the result if a pin cannot be written.

use super::flawed::{dead, dies_after, over, shared};
use super::*;
use crate::policy::Finding;
use crate::testing::Call;

/// A move to 1.1 that has landed, whose worker is dead, and whose pin the registry refuses.
async fn landed_without_pin() -> World {
    let (w, ledger) = shared().await;
    dead(&w, &ledger).await;
    w.landed_and_its_pin_refused().await;
    w
}

impl World {
    /// The put of a dead worker's move to 1.1 lands.
    async fn landed_and_its_pin_refused(&self) {
        let pin = pin_tag(&self.digests[1]);
        assert_eq!(self.registry.peek(self.prod.repository(), &pin), None);
        self.registry.overwrite(self.prod.repository(), self.prod.tag(), &self.manifest(1).await);
        self.registry.script_when(move |call| call.puts(&pin), vec![InjectedFault::refused("DENIED"); 32]);
    }
}

fn says_that_the_pin_is_missing(w: &World, warnings: &[Finding]) {
    let [warning] = warnings else { panic!("{warnings:?}") };
    assert_eq!((warning.verdict, warning.code()), (Verdict::Warn, Some("PIN_MISSING")));
    let why = warning.why.as_str();
    assert!(why.starts_with(&format!("{} is live, and its pin could not be written", w.digests[1])), "{why}");
    assert!(why.contains("DENIED"), "the registry's words: {why}");
}

#[tokio::test(start_paused = true)]
async fn landed_move_whose_pin_is_refused_is_closed_with_a_warning() {
    let w = landed_without_pin().await;
    let within = Duration::from_secs(300);
    let recovered = w.promoter.recover(&w.prod, RecoveryMode::RollForward, eve(), within).await.unwrap();
    let RecoveryResult::Closed { event, warnings } = &recovered else { panic!("{recovered:?}") };
    assert_eq!(event.status(), MoveStatus::Committed);
    says_that_the_pin_is_missing(&w, warnings);
    assert_eq!(serde_json::to_value(&recovered).unwrap()["warnings"][0]["code"], "PIN_MISSING");
    assert_eq!(w.promoter.state(&w.prod).await.unwrap().open, None);
}

#[tokio::test(start_paused = true)]
async fn tag_does_not_leave_a_landed_digest_whose_pin_is_refused() {
    let w = landed_without_pin().await;
    let error = w.promoter.rollback(&w.prod).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed, "what it would leave has no pin");
    let state = w.promoter.state(&w.prod).await.unwrap();
    assert_eq!((state.live, state.open), (Some(w.digests[1]), None), "the landed move is closed all the same");
}

#[tokio::test(start_paused = true)]
async fn tag_leaves_a_live_digest_that_is_gone_once_it_is_pushed_again() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let manifest = w.manifest(1).await;
    w.registry.delete_manifest(w.prod.repository(), &w.digests[1]);
    let error = w.promoter.rollback(&w.prod).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed);
    let want = format!("reg.io/acme/shop@{} is gone from the registry: push it again", w.digests[1]);
    assert!(error.to_string().contains(&want), "{error}");

    w.registry.push(w.prod.repository(), &tag("1.1"), &manifest);
    w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    assert_eq!(w.registry.peek(w.prod.repository(), w.prod.tag()), Some(w.digests[0]));
}

#[tokio::test(start_paused = true)]
async fn retry_that_closes_its_landed_move_without_a_pin_is_committed_with_a_warning() {
    let (w, ledger) = shared().await;
    let keyed = || MoveOptions { idempotency_key: Some("run-7".parse().unwrap()), ..terms() };
    let dying = over(&w, dies_after(0, &ledger));
    dying.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap_err();
    w.landed_and_its_pin_refused().await;
    let receipt = w.promoter.promote(&w.prod, w.release("1.1")).options(keyed()).await.unwrap();
    assert_eq!(receipt.result, MoveResult::Committed);
    says_that_the_pin_is_missing(&w, &receipt.warnings);
}

#[tokio::test(start_paused = true)]
async fn move_that_is_pinned_warns_of_nothing() {
    let w = world().bootstrapped().await;
    let receipt = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!(receipt.warnings, []);
    assert!(serde_json::to_value(&receipt).unwrap().get("warnings").is_none());
}

/// The tags that a promotion of 1.1 to the second environment of a pipeline puts.
async fn puts_to_prod(pinned: bool) -> Vec<Tag> {
    let mut w = world();
    let dev: Channel = "reg.io/acme/shop:dev".parse().unwrap();
    let stage = |environment: &str, channel: &Channel| Stage {
        environment: environment.parse().unwrap(),
        channel: channel.clone(),
    };
    let pipeline = Pipeline::new(vec![stage("dev", &dev), stage("prod", &w.prod)]).unwrap();
    w.promoter = w.promoter.to_builder().pipeline(pipeline).build().unwrap();
    w.promoter.bootstrap(&dev).source(w.release("1.0")).options(terms()).await.unwrap();
    let w = w.bootstrapped().await;
    w.promoter.promote(&dev, w.release("1.1")).options(terms()).await.unwrap();
    if !pinned {
        w.registry.delete_tag(w.prod.repository(), &pin_tag(&w.digests[1]));
    }
    w.registry.clear_calls();
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let puts = w.registry.calls().into_iter().filter_map(|call| match call {
        Call::Put { tag, .. } => Some(tag),
        _ => None,
    });
    assert_eq!(w.registry.peek(w.prod.repository(), &pin_tag(&w.digests[1])), Some(w.digests[1]));
    puts.collect()
}

#[tokio::test(start_paused = true)]
async fn pin_that_is_seen_is_not_put_again_by_a_promotion_by_tag() {
    assert_eq!(puts_to_prod(true).await, [tag("prod")]);
    let pin = pin_tag(&world().digests[1]);
    assert_eq!(puts_to_prod(false).await, [pin, tag("prod")], "one that is gone is put before the tag");
}
