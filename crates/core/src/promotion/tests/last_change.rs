//! The last change: the last committed move whose target is not the digest that was live before it.

use super::flawed::{dies_after, over, shared};
use super::*;

impl World {
    /// A repair, and a keyed promotion of what is live.
    async fn changes_nothing(&self) {
        self.registry.overwrite(self.prod.repository(), self.prod.tag(), &self.manifest(4).await);
        tokio::time::sleep(Duration::from_secs(31)).await;
        let repaired = self.promoter.repair(&self.prod).options(terms()).await.unwrap();
        assert_eq!(repaired.result, MoveResult::Committed);
        tokio::time::sleep(Duration::from_secs(31)).await;
        let keyed = MoveOptions { idempotency_key: Some("ci-7".parse().unwrap()), ..terms() };
        let live = Source::Reference(self.prod.repository().digest(repaired.digest));
        self.promoter.promote(&self.prod, live).options(keyed).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn rollback_after_a_repair_and_a_no_op_goes_to_what_was_live_before_the_last_change() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let before = w.promoter.state(&w.prod).await.unwrap();
    w.changes_nothing().await;
    let after = w.promoter.state(&w.prod).await.unwrap();
    assert_eq!((after.previous, after.changed_by), (before.previous, before.changed_by));
    assert_eq!(after.committed, before.committed + 2);
    assert_eq!(w.promoter.rollback(&w.prod).options(terms()).await.unwrap().digest, w.digests[0]);
}

#[tokio::test(start_paused = true)]
async fn rollback_after_a_rollback_names_its_target_whatever_changed_nothing_since() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    w.changes_nothing().await;
    assert_eq!(w.promoter.previous(&w.prod).await.unwrap(), Some(w.digests[1]));
    assert_eq!(w.kind(w.promoter.rollback(&w.prod).options(terms())).await, ErrorKind::RollbackNoTarget);
}

#[tokio::test(start_paused = true)]
async fn rollback_that_put_the_live_digest_again_is_no_change() {
    let (w, ledger) = shared().await;
    w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    let dying = over(&w, dies_after(0, &ledger));
    dying.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(w.promoter.rollback(&w.prod).options(terms()).await.unwrap().digest, w.digests[2]);
    assert_eq!(w.promoter.rollback(&w.prod).options(terms()).await.unwrap().digest, w.digests[0]);
}
