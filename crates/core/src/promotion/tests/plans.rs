//! Plans that are executed after the channel, or what is said of it, has changed.

use super::*;

/// A plan is made again once it is older than this.
const OLD: Duration = Duration::from_secs(6);

impl World {
    async fn plan_of(&self, release: &str) -> ApprovedPlan {
        let operation = Operation::Promote(self.release(release).into());
        self.promoter.plan(&self.prod, operation, terms()).await.unwrap().approve().unwrap()
    }

    async fn size(&self) -> u64 {
        self.promoter.state(&self.prod).await.unwrap().size
    }

    /// Executes the plan: CHANNEL_CHANGED, and nothing is written.
    async fn refuses(&self, plan: ApprovedPlan) {
        let (size, tag) = (self.size().await, self.observed());
        let error = self.promoter.execute(plan).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ChannelChanged, "{error}");
        assert_eq!((self.size().await, self.observed()), (size, tag));
    }
}

#[tokio::test(start_paused = true)]
async fn plan_is_stale_after_another_move() {
    for wait in [Duration::ZERO, OLD] {
        let w = world().bootstrapped().await;
        let plan = w.plan_of("1.2").await;
        w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
        tokio::time::sleep(wait).await;
        w.refuses(plan).await;
    }
}

#[tokio::test(start_paused = true)]
async fn plan_is_stale_after_moves_there_and_back() {
    for wait in [Duration::ZERO, OLD] {
        let w = world().bootstrapped().await;
        let plan = w.plan_of("1.2").await;
        w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
        w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
        tokio::time::sleep(wait).await;
        w.refuses(plan).await;
    }
}

#[tokio::test(start_paused = true)]
async fn old_plan_is_stale_after_its_release_was_pushed_again() {
    let w = world().bootstrapped().await;
    let plan = w.plan_of("1.2").await;
    w.registry.push_image(w.prod.repository(), &tag("1.2"), 77);
    tokio::time::sleep(OLD).await;
    w.refuses(plan).await;
}

#[tokio::test(start_paused = true)]
async fn old_plan_is_executed_where_nothing_changed() {
    let w = world().bootstrapped().await;
    let plan = w.plan_of("1.2").await;
    tokio::time::sleep(OLD).await;
    assert_eq!(w.promoter.execute(plan).await.unwrap().digest, w.digests[2]);
}

#[tokio::test(start_paused = true)]
async fn old_plan_under_drift_writes_no_intent() {
    let w = world().bootstrapped().await;
    let (plan, size) = (w.plan_of("1.2").await, w.size().await);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(3).await);
    tokio::time::sleep(OLD).await;
    assert_eq!(w.promoter.execute(plan).await.unwrap_err().kind(), ErrorKind::ChannelDrifted);
    assert_eq!(w.size().await, size + 1, "the observation");
}

#[tokio::test(start_paused = true)]
async fn plan_is_judged_again_after_a_hold() {
    let w = world().bootstrapped().await;
    let plan = w.plan_of("1.2").await;
    w.promoter.hold(&w.prod, hold("incident 7")).await.unwrap();
    let size = w.size().await;
    assert_eq!(refused_by(&w.promoter.execute(plan).await.unwrap_err()), ["CHANNEL_HELD"]);
    assert_eq!(w.size().await, size, "no intent");
}
