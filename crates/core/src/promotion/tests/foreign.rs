//! A repository with pins that this ledger does not explain.

use super::*;

fn dev() -> Channel {
    "reg.io/acme/shop:dev".parse().unwrap()
}

impl World {
    /// Puts a pin, as a move of another ledger does.
    async fn pin(&self, n: usize) {
        self.registry.push(self.prod.repository(), &pin_tag(&self.digests[n]), &self.manifest(n).await);
    }

    async fn bootstrap_dev(&self) -> Result<Receipt> {
        self.promoter.bootstrap(&dev()).source(self.release("1.0")).options(terms()).await
    }
}

#[tokio::test(start_paused = true)]
async fn foreign_pin_beside_own_ones_refuses_a_bootstrap() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    w.pin(3).await;
    let error = w.bootstrap_dev().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerForeign);
    let want = format!("reg.io/acme/shop has a pin that no log of this ledger explains ({}): ", w.digests[3]);
    assert!(error.to_string().starts_with(&want), "{error}");
    let known = MoveOptions {
        overrides: [text(LEDGER_COMPLETE)].into(),
        reason: Some(text("the other ledger is lost")),
        ..terms()
    };
    w.promoter.bootstrap(&dev()).source(w.release("1.0")).options(known).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn foreign_pin_names_no_override_that_the_policy_forbids() {
    use std::collections::BTreeSet;

    use crate::policy::OverrideRule;
    let w = world();
    w.pin(3).await;
    let error = w.bootstrap_dev().await.unwrap_err();
    assert!(error.to_string().ends_with("; if it is lost, override ledger-complete with a reason"), "{error}");
    let limit = OverrideRule { allowed: Some(BTreeSet::new()), by: None };
    let promoter = w.promoter.to_builder().policy(Policy::standard().with_overrides(limit)).build().unwrap();
    let error = promoter.bootstrap(&dev()).source(w.release("1.0")).options(terms()).await.unwrap_err();
    assert!(error.to_string().ends_with("; if it is lost, the policy lets no guardrail be overridden"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn foreign_pins_beyond_the_third_are_counted() {
    let w = world();
    for n in 0..5 {
        w.pin(n).await;
    }
    let error = w.bootstrap_dev().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerForeign);
    assert!(error.to_string().contains(" and 2 more): "), "{error}");
    let named = w.digests.iter().filter(|digest| error.to_string().contains(&digest.to_string())).count();
    assert_eq!(named, 3);
}

#[tokio::test(start_paused = true)]
async fn pins_of_a_failed_move_and_of_what_a_repair_replaced_are_explained() {
    let w = world().bootstrapped().await;
    let prod = w.prod.tag().clone();
    w.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Denied]);
    let failed = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::MoveFailed);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(2).await);
    w.promoter.repair(&w.prod).options(terms()).await.unwrap();
    for n in [1, 2] {
        w.pin(n).await;
    }
    w.bootstrap_dev().await.unwrap();
}

/// A move that lost the position of its intent to another move leaves no pin that looks like another ledger's.
#[tokio::test(start_paused = true)]
async fn move_that_lost_its_position_leaves_no_pin() {
    let w = world().bootstrapped().await;
    let plan = w.promoter.plan(&w.prod, Operation::Promote(w.release("1.3").into()), terms()).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let lost = w.promoter.execute(plan.approve().unwrap()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::ChannelChanged, "{lost}");
    assert_eq!(w.registry.peek(w.prod.repository(), &pin_tag(&w.digests[3])), None);
    w.bootstrap_dev().await.unwrap();
    // A write without a ledger is drift, not the move of another ledger.
    tokio::time::sleep(Duration::from_secs(60)).await;
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(3).await);
    let report = w.promoter.audit(std::slice::from_ref(&w.prod)).await.unwrap();
    assert!(matches!(report.channels()[0].drift, crate::drift::Drift::MovedOutside { .. }), "{report}");
}
