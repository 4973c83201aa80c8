//! The invariants of the protocol, one test for each name. The seeds and the model check test them in far more cases.

use std::collections::BTreeSet;
use std::time::Duration;

use tagwarden::ledger::Appended;
use tagwarden::log::{Body, DefectCode, Entry, MoveStatus, Verifier, events};
use tagwarden::promotion::OnConflict;
use tagwarden::promotion::{RecoveryMode, RecoveryResult};
use tagwarden::registry::pin_tag;
use tagwarden::retention::{MayDelete, RetentionDecision, RetentionRule};
use tagwarden::{ErrorKind, MoveOptions, MoveResult, Operation};
use tagwarden_testing::{ChangeOrigin, InjectedFault};

use super::backend::{BACKENDS, Backend, Place};
use super::gate::{Port, What};
use super::world::{JOBS, Job, TIMEOUT, World, key, terms, who};

/// A bootstrapped channel.
async fn world(place: &Place) -> World<'_> {
    let world = World::new(place);
    world.prepare(Job::Promote).await;
    world
}

/// The numbers of the calls that a promotion makes to this port, counted from 1.
async fn calls(port: Port) -> Vec<usize> {
    let calls = super::world::calls(&Place::start(Backend::Memory), Job::Promote).await;
    calls.iter().zip(1..).filter(|(called, _)| **called == port).map(|(_, number)| number).collect()
}

async fn entries(world: &World<'_>) -> Vec<Entry> {
    let bytes = world.ledger().read(&world.prod, 0, 10_000).await.unwrap();
    bytes.iter().map(|bytes| Entry::open(bytes).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn intent_before_put_no_tag_moves_without_a_durable_intent() {
    for place in BACKENDS.map(Place::start) {
        for job in JOBS {
            let world = World::new(&place);
            world.prepare(job).await;
            let (promoter, gate) = world.gated(&[]);
            world.run(&promoter, job).await.unwrap();
            assert_eq!(gate.violations(), [""; 0], "at each put an intent stood in the log");
            let calls = gate.calls();
            let at = |wanted: Port| calls.iter().position(|call| call.port == wanted);
            assert!(at(Port::Put).is_none_or(|put| at(Port::Append).unwrap() < put), "{job:?}: {calls:?}");
        }
        // Without an intent there is no put.
        let world = world(&place).await;
        let append = calls(Port::Append).await[0];
        let (promoter, gate) = world.gated(&[(append, What::Refused)]);
        let error = world.run(&promoter, Job::Promote).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
        assert!(gate.calls().iter().all(|call| call.port != Port::Put));
        assert_eq!(world.observed(), Some(world.digests[0]));
    }
}

#[tokio::test(start_paused = true)]
async fn no_interleaving_of_moves() {
    for place in BACKENDS.map(Place::start) {
        let world = world(&place).await;
        world.registry.latency(Duration::from_millis(40));
        let names = ["1.1", "1.2", "1.3", "1.4"];
        let runs =
            names.into_iter().cycle().take(12).map(|name| {
                let promoter = world.promoter();
                let operation = Operation::Promote(world.release(name).into());
                let prod = world.prod.clone();
                async move {
                    promoter.run(&prod, operation, MoveOptions { on_conflict: OnConflict::Requeue, ..terms() }).await
                }
            });
        for end in futures_util::future::join_all(runs).await {
            end.unwrap();
        }
        let mut open = None;
        for entry in entries(&world).await {
            match entry.body {
                Body::Intent(intent) => assert_eq!(open.replace(intent.move_id), None, "seq {}", entry.seq),
                Body::Outcome(outcome) => assert_eq!(open.take(), Some(outcome.move_id), "seq {}", entry.seq),
                _ => {}
            }
        }
        world.at_rest("twelve at once").await;
        // The tag moved in the order of the log.
        let moved = events(&entries(&world).await);
        let landed =
            world.registry.changes().into_iter().filter(|c| c.tag == *world.prod.tag() && c.by == ChangeOrigin::Put);
        assert_eq!(
            landed.map(|change| change.digest).collect::<Vec<_>>(),
            moved.iter().map(|event| Some(event.intent.target.digest)).collect::<Vec<_>>()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn committed_was_put_and_read_from_the_registry_after_it() {
    for place in BACKENDS.map(Place::start) {
        for job in JOBS {
            let world = World::new(&place);
            world.prepare(job).await;
            let (promoter, gate) = world.gated(&[]);
            world.run(&promoter, job).await.unwrap();
            let last = events(&entries(&world).await).pop().unwrap();
            let outcome = &last.outcome.unwrap().outcome;
            assert_eq!(outcome.observed, Some(last.intent.target.digest), "{job:?}");
            let calls = gate.calls();
            let put = calls.iter().rposition(|call| call.port == Port::Put).unwrap_or(0);
            let read = calls.iter().skip(put).position(|call| call.what == "resolve prod").map(|at| at + put);
            let closed = calls.iter().position(|call| call.what.ends_with("\"outcome\"")).unwrap();
            assert!(read.is_some_and(|read| read < closed), "{job:?}: {calls:?}");
        }
        // A 2xx is not proof: the put was not applied, so the move is not committed.
        let world = world(&place).await;
        let prod = world.prod.tag().clone();
        world.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Ignored]);
        let error = world.run(&world.promoter(), Job::Promote).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MoveIndeterminate);
        assert_eq!(world.state().await.live, Some(world.digests[0]));
    }
}

/// A put is refused while reads lag: a stale read may show the target, which was live before.
#[tokio::test(start_paused = true)]
async fn committed_was_put_so_that_a_refused_put_is_not_committed_by_a_read_that_lags() {
    let place = Place::start(Backend::Memory);
    let world = world(&place).await;
    world.run(&world.promoter(), Job::Promote).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (prod, resolved) = (world.prod.tag().clone(), world.prod.tag().clone());
    world.registry.script_when(move |call| call.puts(&prod), [InjectedFault::refused("DENIED")]);
    // The first read of the tag is before the put, the second one confirms the put.
    let faults = [tagwarden_testing::ReadFault::Pass, tagwarden_testing::ReadFault::Stale];
    world.registry.script_reads_when(move |call| call.resolves(&resolved), faults);
    let error = world.promoter().rollback(&world.prod).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed, "{error}");
    assert_eq!(world.registry.faults_left(), 0);
    world.at_rest("refused").await;
}

#[tokio::test(start_paused = true)]
async fn key_once_the_same_key_never_commits_twice() {
    for place in BACKENDS.map(Place::start) {
        let world = world(&place).await;
        world.registry.latency(Duration::from_millis(40));
        let runs = (0..6).map(|_| {
            let promoter = world.promoter();
            let (operation, prod) = (Operation::Promote(world.release("1.1").into()), world.prod.clone());
            async move {
                promoter
                    .run(
                        &prod,
                        operation,
                        MoveOptions { idempotency_key: Some(key("once")), on_conflict: OnConflict::Requeue, ..terms() },
                    )
                    .await
            }
        });
        let ends = futures_util::future::join_all(runs).await;
        let results: Vec<_> = ends.into_iter().map(|end| end.unwrap().result).collect();
        assert_eq!(results.iter().filter(|result| **result == MoveResult::Committed).count(), 1, "{results:?}");
        world.promoter().promote(&world.prod, world.release("1.2")).options(terms()).await.unwrap();
        // The same is true after other moves, and from another machine.
        let again = world
            .promoter()
            .promote(&world.prod, world.release("1.1"))
            .options(MoveOptions { idempotency_key: Some(key("once")), ..terms() })
            .await
            .unwrap_err();
        assert_eq!(again.kind(), ErrorKind::IdempotencySuperseded, "{again}");
        let committed = events(&entries(&world).await);
        let keys: BTreeSet<_> = committed.iter().map(|event| event.intent.key.clone()).collect();
        assert_eq!((keys.len(), committed.len()), (3, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn recoverable_by_any_machine_after_a_crash() {
    for place in BACKENDS.map(Place::start) {
        let world = world(&place).await;
        // A worker dies, and so do two workers that take over its move. The fourth worker closes it.
        let put = calls(Port::Put).await[0];
        let (first, gate) = world.gated(&[(put, What::CrashAfter)]);
        assert!(gate.unless_dead(world.run(&first, Job::Promote)).await.is_none());
        for _ in 0..2 {
            let (next, gate) = world.gated(&[]);
            let work = async {
                tokio::spawn({
                    let gate = gate.clone();
                    async move {
                        while !gate.calls().iter().any(|call| call.what.ends_with("\"takeover\"")) {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        gate.kill();
                    }
                });
                next.recover(&world.prod, RecoveryMode::RollForward, who(), TIMEOUT).await
            };
            assert!(gate.unless_dead(work).await.is_none(), "it dies in the quiet time");
        }
        let RecoveryResult::Closed { event, .. } =
            world.promoter().recover(&world.prod, RecoveryMode::Abort, who(), TIMEOUT).await.unwrap()
        else {
            panic!("there was a move to close")
        };
        assert_eq!((event.status(), event.takeovers.len()), (MoveStatus::Committed, 3), "it had landed");
        world.at_rest("three deaths").await;
    }
}

#[tokio::test(start_paused = true)]
async fn closed_is_closed_and_leaves_no_put_behind() {
    for place in BACKENDS.map(Place::start) {
        for fault in [
            InjectedFault::refused("DENIED"),
            InjectedFault::Denied,
            InjectedFault::Before,
            InjectedFault::Late(Duration::from_secs(10)),
        ] {
            let world = world(&place).await;
            let prod = world.prod.tag().clone();
            world.registry.script_when(move |call| call.puts(&prod), [fault.clone()]);
            let ended = world.run(&world.promoter(), Job::Promote).await;
            let state = world.state().await;
            assert_eq!(state.open, None, "{fault:?}: {ended:?}");
            tokio::time::sleep(Duration::from_secs(600)).await;
            let last = world.registry.changes().into_iter().rfind(|change| change.tag == *world.prod.tag()).unwrap();
            assert_eq!(last.digest, state.live, "{fault:?}: nothing lands after the outcome");
            assert_eq!(ended.is_ok(), state.live == Some(world.digests[1]), "{fault:?}");
        }
        // The move is aborted while its put is still on the way. The recovery waits for the quiet time, so it sees the
        // put.
        let world = world(&place).await;
        let prod = world.prod.tag().clone();
        world.registry.script_when(move |call| call.puts(&prod), [InjectedFault::Late(Duration::from_secs(14))]);
        let put = calls(Port::Put).await[0];
        let (dying, gate) = world.gated(&[(put, What::CrashAfter)]);
        assert!(gate.unless_dead(world.run(&dying, Job::Promote)).await.is_none());
        world.promoter().recover(&world.prod, RecoveryMode::Abort, who(), TIMEOUT).await.unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        world.at_rest("given up").await;
    }
}

#[tokio::test(start_paused = true)]
async fn pinned_first_both_digests_before_the_tag_moves() {
    for place in BACKENDS.map(Place::start) {
        let world = world(&place).await;
        world.registry.delete_tag(world.prod.repository(), &pin_tag(&world.digests[0]));
        let (promoter, gate) = world.gated(&[]);
        world.run(&promoter, Job::Promote).await.unwrap();
        assert_eq!(gate.violations(), [""; 0], "both pins were there at the put");
        for digest in &world.digests[..2] {
            assert_eq!(world.registry.peek(world.prod.repository(), &pin_tag(digest)), Some(*digest));
        }
        // If a pin cannot be put, the tag does not move.
        let pin = pin_tag(&world.digests[2]);
        world.registry.script_when(move |call| call.puts(&pin), [InjectedFault::refused("DENIED")]);
        let error = world.promoter().promote(&world.prod, world.release("1.2")).options(terms()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MoveFailed);
        assert!(error.to_string().contains("could not be pinned"), "{error}");
        world.at_rest("not pinned").await;
    }
}

#[tokio::test(start_paused = true)]
async fn tamper_evident_entries_are_never_changed_or_removed() {
    for place in BACKENDS.map(Place::start) {
        let world = world(&place).await;
        let ledger = world.ledger();
        let mut before = ledger.read(&world.prod, 0, 1_000).await.unwrap();
        for (name, number) in ["1.1", "1.2", "1.3"].into_iter().zip(1..) {
            world.promoter().promote(&world.prod, world.release(name)).options(terms()).await.unwrap();
            let now = ledger.read(&world.prod, 0, 1_000).await.unwrap();
            assert_eq!(now[..before.len()], before[..], "what stood there stands there");
            assert_eq!(now.len(), 1 + 2 * (number + 1), "the policy, and two of each move");
            before = now;
        }
        // No position can be written twice.
        for (seq, bytes) in (0..).zip(&before) {
            let again = ledger.append(&world.prod, seq, bytes.clone()).await;
            assert_eq!(again.ok(), Some(Appended::Conflict), "seq {seq}");
        }
        // A changed entry, a missing entry and two swapped entries are found.
        let mut changed = before.clone();
        changed[4] = String::from_utf8(changed[4].to_vec()).unwrap().replace("\"attempts\":1", "\"attempts\":2").into();
        let mut missing = before.clone();
        missing.remove(3);
        let mut swapped = before.clone();
        swapped.swap(3, 5);
        for (log, seq, code) in
            [(changed, 5, DefectCode::Parent), (missing, 3, DefectCode::Sequence), (swapped, 3, DefectCode::Sequence)]
        {
            let mut verifier = Verifier::new(Some(world.prod.clone()));
            verifier.feed(&log);
            let defect = verifier.finish().defect.unwrap();
            assert_eq!((defect.seq, defect.code), (seq, code));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn caller_may_leave_and_never_cuts_a_move() {
    for place in BACKENDS.map(Place::start) {
        let mut begun = 0;
        for after_ms in (0..4_000).step_by(250) {
            let world = world(&place).await;
            world.registry.latency(Duration::from_millis(500));
            let promoter = world.promoter();
            let run = world.run(&promoter, Job::Promote);
            drop(tokio::time::timeout(Duration::from_millis(after_ms), run).await);
            tokio::time::sleep(Duration::from_secs(30)).await;
            let state = world.state().await;
            assert_eq!(state.open, None, "after {after_ms} ms");
            assert_eq!(state.live, world.observed(), "after {after_ms} ms");
            begun += state.committed - 1;
        }
        assert!((1..16).contains(&begun), "some went before the intent and some after: {begun}");
    }
}

#[tokio::test(start_paused = true)]
async fn rollback_kept_what_is_live_or_open_or_in_the_window_never_expires() {
    for place in BACKENDS.map(Place::start) {
        let world = world(&place).await;
        for name in ["1.1", "1.2", "1.3"] {
            world.promoter().promote(&world.prod, world.release(name)).options(terms()).await.unwrap();
        }
        // An open intent names 1.4.
        let put = calls(Port::Put).await[0];
        let (dying, gate) = world.gated(&[(put, What::CrashBefore)]);
        let work = dying.promote(&world.prod, world.release("1.4")).options(terms());
        assert!(gate.unless_dead(work).await.is_none());
        tokio::time::sleep(Duration::from_secs(400 * 86_400)).await;
        let rule = RetentionRule::default();
        let promoter = world.promoter();
        let plan = promoter.retention_plan(world.prod.repository(), &rule).await.unwrap();
        assert_eq!(plan.blocked(), None);
        for digest in &world.digests[..5] {
            let judged = plan.digests().into_iter().find(|judged| judged.digest == *digest);
            let fate = judged.unwrap().fate;
            assert!(matches!(fate, RetentionDecision::Keep(_)), "{digest}: {fate:?}");
            assert!(matches!(plan.may_delete(digest), MayDelete::No { .. }), "{digest}");
        }
    }
}
