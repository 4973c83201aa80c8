//! A history with everything that a promoter writes: every kind of entry, every operation, every outcome of a move.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tagwarden::ledger::{Ending, Ledger, MemoryLedger, Migration};
use tagwarden::log::{Body, Entry, Hold, HoldScope, Kind, TakeoverOp, Unhold};
use tagwarden::policy::Refusal;
use tagwarden::promotion::RecoveryMode;
use tagwarden::{Clock, Error, ErrorKind, MoveOptions, Provenance};
use tagwarden_testing::{InjectedFault, TestImage};
use tagwarden_tests::verify_ledger;

use super::backend::{Backend, Place, export};
use super::gate::{Port, What};
use super::world::{Job, TIMEOUT, World, a_hold, calls, terms, text, who};

fn ben() -> Provenance {
    Provenance::new("manual", "incident-7", "ben").unwrap()
}

/// The codes of a refusal by the policy.
fn refused_by(error: &Error) -> Vec<&str> {
    let refusal = error.source_as::<Refusal>().unwrap_or_else(|| panic!("{error}"));
    refusal.refusals().filter_map(|finding| finding.code()).collect()
}

/// Holds of both scopes stop the moves of their scope, and end.
async fn hold_and_unhold(world: &World<'_>) {
    let (promoter, prod) = (world.promoter(), &world.prod);
    let until = Some(world.clock.now().plus(Duration::from_secs(3600)));
    let provenance = ben();
    let freeze = Hold { scope: HoldScope::Promotions, reason: text("a freeze"), provenance, until };
    let freeze = promoter.hold(prod, freeze).await.unwrap();
    let error = promoter.promote(prod, world.release("1.2")).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    promoter.rollback(prod).options(terms()).await.unwrap();

    let incident = promoter.hold(prod, a_hold("an incident")).await.unwrap();
    let error = promoter.rollback(prod).options(terms()).to(world.digests[1]).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    assert_eq!(promoter.unhold_mine(prod, text("over"), who()).await.unwrap(), [incident]);
    promoter.unhold(prod, Unhold { hold: freeze, reason: text("over"), provenance: ben() }).await.unwrap();
    assert_eq!(promoter.holds(prod).await.unwrap(), []);
}

/// One move fails. Another worker aborts a second move.
async fn fail_and_abort(world: &World<'_>) {
    let (promoter, prod) = (world.promoter(), &world.prod);
    let tag = prod.tag().clone();
    world.registry.script_when(move |call| call.puts(&tag), [InjectedFault::refused("DENIED")]);
    let error = promoter.promote(prod, world.release("1.2")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed, "{error}");

    let made = calls(&Place::start(Backend::Memory), Job::Promote).await;
    let put = 1 + made.iter().position(|port| *port == Port::Put).unwrap();
    let (dying, gate) = world.gated(&[(put, What::CrashBefore)]);
    assert!(gate.unless_dead(dying.promote(prod, world.release("1.3")).options(terms())).await.is_none(), "it dies");
    promoter.recover(prod, RecoveryMode::Abort, ben(), TIMEOUT).await.unwrap();
}

/// Two writes around the ledger: the first is repaired, the second is adopted.
async fn repair_and_adopt(world: &World<'_>) {
    let (promoter, prod) = (world.promoter(), &world.prod);
    let hotfix = TestImage::image(5).manifest;
    world.registry.overwrite(prod.repository(), prod.tag(), &hotfix);
    let error = promoter.promote(prod, world.release("1.2")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelDrifted, "{error}");
    promoter.repair(prod).options(terms()).await.unwrap();
    world.registry.overwrite(prod.repository(), prod.tag(), &hotfix);
    promoter.adopt(prod).options(MoveOptions { reason: Some(text("a hotfix")), ..terms() }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn promoter_history_of_every_kind_satisfies_the_independent_verifier() {
    let place = Place::start(Backend::Memory);
    let world = World::new(&place);
    let (promoter, prod) = (world.promoter(), &world.prod);
    promoter.bootstrap(prod).source(world.release("1.0")).options(terms()).await.unwrap();
    promoter.promote(prod, world.release("1.1")).options(terms()).await.unwrap();
    hold_and_unhold(&world).await;
    fail_and_abort(&world).await;
    repair_and_adopt(&world).await;
    world.at_rest("before the log is migrated").await;
    let target: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let transfer = Migration::migrating(world.ledger(), Arc::clone(&target), text("s3://team/ledger"), ben());
    let done = transfer.run(transfer.survey(prod).await.unwrap()).await.unwrap();
    assert_eq!(done.ending, Ending::Migrated { seq: done.size });

    let bytes = world.ledger().read(prod, 0, 1000).await.unwrap();
    let entries: Vec<Entry> = bytes.iter().map(|bytes| Entry::open(bytes).unwrap()).collect();
    let (mut kinds, mut words) = (BTreeSet::new(), BTreeSet::new());
    for entry in &entries {
        kinds.insert(entry.body.kind());
        match &entry.body {
            Body::Intent(intent) => drop(words.insert(intent.op.as_str())),
            Body::Outcome(outcome) => drop(words.insert(outcome.status.as_str())),
            Body::Hold(hold) => drop(words.insert(hold.scope.as_str())),
            Body::Takeover(takeover) => assert_eq!((takeover.op, &takeover.provenance), (TakeoverOp::Abort, &ben())),
            Body::Policy(policy) => assert!(!policy.binding && entry.seq == 0, "{policy:?}"),
            _ => {}
        }
    }
    let all =
        ["aborted", "adopt", "all", "bootstrap", "committed", "failed", "promote", "promotions", "repair", "rollback"];
    assert_eq!(words, BTreeSet::from(all));
    let later = [Kind::Approval, Kind::Check, Kind::Block, Kind::Unblock, Kind::Deployment];
    let written = Kind::ALL.iter().copied().filter(|kind| !later.contains(kind));
    assert_eq!(kinds, written.collect());

    let report = promoter.verify(prod).await.unwrap();
    assert_eq!((&report.defects[..], report.entries), (&[][..], entries.len() as u64));
    let log = tempfile::NamedTempFile::new().unwrap();
    for (ledger, size) in [(world.ledger(), done.size + 1), (target, done.size)] {
        export(ledger.as_ref(), prod, log.path()).await;
        let verified = verify_ledger(log.path()).unwrap();
        assert_eq!(
            (verified["entries"].as_u64(), verified["committed"].as_u64()),
            (Some(size), Some(report.committed))
        );
    }
}
