//! Eight processes at once on one channel, Ctrl-C, and what a dead run leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{World, said};
use serde_json::Value;
use tagwarden_testing::HttpFault;

/// The times of a move whose run dies.
const DEAD: [&str; 8] = ["--ttl", "1s", "--grace", "600ms", "--quiet", "600ms", "--put-timeout", "500ms"];

/// Begins a promotion to each of eight releases, all at the same time.
fn eight(world: &World, flags: &[&str]) -> Vec<(i32, Value)> {
    let prod = world.prod();
    let begun: Vec<_> = (1..=8)
        .map(|number| {
            let from = format!("1.4.{number}");
            world.begin(&[&["promote", prod.as_str(), "--source", &from, "--json"], flags].concat())
        })
        .collect();
    let ended = begun.into_iter().map(|child| said(child.wait_with_output().unwrap()));
    ended.map(|said| (said.exit, serde_json::from_str(&said.out).expect(&said.err))).collect()
}

#[test]
fn eight_requeuing_promotions_are_eight_ordered_moves() {
    let world = World::with_prod();
    let ends = eight(&world, &["--on-conflict", "requeue", "--timeout", "50s"]);
    assert!(ends.iter().all(|(exit, json)| *exit == 0 && json["result"] == "committed"), "{ends:?}");
    let history = world.json(&["history", &world.prod(), "--all"], 0);
    let events = history["events"].as_array().unwrap();
    assert_eq!(events.len(), 9);
    for pair in events.windows(2) {
        assert_eq!(
            pair[0]["intent"]["previous"], pair[1]["intent"]["target"]["digest"],
            "each move begins where the last ended"
        );
        assert!(pair[0]["seq"].as_u64() > pair[1]["outcome"]["seq"].as_u64(), "moves do not interleave");
    }
    assert_eq!(events[0]["intent"]["target"]["digest"], world.digest("prod").to_string());
    world.verify_independently("prod");
}

#[test]
fn eight_waiting_promotions_are_one_move_and_seven_channel_changed() {
    let world = World::with_prod();
    // All have looked before the first one's look is answered, and so before anything is put.
    world.server.latency(Duration::from_millis(1_000));
    let ends = eight(&world, &[]);
    let (won, lost): (Vec<_>, Vec<_>) = ends.iter().partition(|(exit, _)| *exit == 0);
    assert_eq!(won.len(), 1, "{ends:?}");
    for (exit, json) in lost {
        assert_eq!(
            (*exit, &json["error"]["code"], &json["error"]["retry"]),
            (3, &"CHANNEL_CHANGED".into(), &"replan".into())
        );
    }
    world.server.latency(Duration::ZERO);
    let history = world.json(&["history", &world.prod(), "--all"], 0);
    assert_eq!(history["events"].as_array().unwrap().len(), 2);
    assert_eq!(world.digest("prod").to_string(), won[0].1["digest"]);
    world.verify_independently("prod");
}

/// Until the server has seen a put of prod.
fn await_put(world: &World) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.server.requests().iter().any(|seen| seen.is("PUT", "/manifests/prod")) {
        assert!(Instant::now() < deadline, "no put came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn interrupt(pid: u32) {
    assert!(Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn the_first_ctrl_c_waits_for_the_move_to_be_closed() {
    let world = World::with_prod();
    world.server.clear_requests();
    world.server.always(|seen| seen.is("PUT", "/manifests/prod"), HttpFault::Slow(Duration::from_millis(800)));
    let child = world.begin(&["promote", &world.prod(), "--source", "1.4.1"]);
    await_put(&world);
    interrupt(child.id());
    let ended = said(child.wait_with_output().unwrap());
    assert_eq!(ended.exit, 0, "{}", ended.err);
    assert!(ended.err.contains("interrupted; a move that has begun is completed first"), "{}", ended.err);
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    world.does(&["audit"], 0);
}

#[test]
fn the_second_ctrl_c_leaves_at_once_and_another_run_recovers() {
    let world = World::with_prod();
    let prod = world.prod();
    world.server.clear_requests();
    world.server.always(|seen| seen.is("PUT", "/manifests/prod"), HttpFault::Silent);
    let times = ["--ttl", "1s", "--grace", "600ms", "--quiet", "600ms", "--put-timeout", "500ms"];
    let long = ["--ttl", "5s", "--grace", "4s", "--quiet", "600ms", "--put-timeout", "500ms"];
    let mut begun = vec!["promote", &prod, "--source", "1.4.1", "--json"];
    begun.extend(["--ttl", "2s", "--grace", "1s", "--quiet", "1s", "--put-timeout", "900ms"]);
    let child = world.begin(&begun);
    await_put(&world);
    interrupt(child.id());
    std::thread::sleep(Duration::from_millis(100));
    interrupt(child.id());
    let ended = said(child.wait_with_output().unwrap());
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.exit, &json["error"]["code"]), (5, &"MOVE_INDETERMINATE".into()), "{}", ended.err);
    assert!(json["error"]["message"].as_str().unwrap().contains(&format!("`tagwarden recover {prod}` is due")));

    // Every command sees the open move, which blocks the next one.
    let said = world.does(&["audit"], 5);
    assert!(
        said.out.contains("has not landed") && said.out.contains("if its run is dead: tagwarden recover"),
        "{}",
        said.out
    );
    // `current` says whose it is, since when, and how it is closed; with the registry or without it.
    let complete = format!("tagwarden recover {prod}");
    let way = format!("if its run is dead: {complete}; to abort it if it has not landed: {complete} --abort\n");
    for args in [&["current", &prod][..], &["current", &prod, "--offline"]] {
        let exit = if args.len() == 2 { 5 } else { 0 };
        let text = format!("{}\n", world.does(args, exit).out.trim_end());
        assert!(
            text.contains(&format!("  open      promote to 1.4.1 {} (seq 3, move ", world.digest("1.4.1"))),
            "{text}"
        );
        assert!(text.contains("  begun     by ada (a workload), manual 42, at 2"), "{text}");
        assert_eq!((text.contains(&way), text.matches("recover").count()), (true, 2), "{text}");
        let json = world.json(args, exit);
        let event = &json["open_event"];
        assert_eq!((&event["seq"], &event["status"]), (&json["open"]["seq"], &"open".into()));
        assert_eq!(event["intent"]["provenance"]["actor"]["id"], "ada");
        assert_eq!(event["intent"]["provenance"]["pipeline"]["run_id"], "42");
        assert!(event["at"].as_str().unwrap().starts_with('2'));
        assert_eq!(json["recover"], serde_json::json!({"complete": complete, "abort": format!("{complete} --abort")}));
    }
    let busy = world.does(&[&["promote", &prod, "--source", "1.4.2", "--on-conflict", "fail"][..], &long].concat(), 3);
    assert!(
        busy.err.contains("[CHANNEL_BUSY]\nhint: leave out --on-conflict fail, or wait longer with --timeout TIME;")
            && busy.err.contains(&format!("if the run of the open move is dead: `tagwarden recover {prod}`")),
        "{}",
        busy.err
    );

    world.server.calm();
    let said = world.does(&[&["recover", prod.as_str()][..], &times].concat(), 0);
    assert!(said.out.starts_with(&format!("committed promote {prod}\n")), "{}", said.out);
    assert!(said.err.contains("waiting for move ") && said.err.contains("then it may be taken over)"), "{}", said.err);
    assert!(said.err.contains("waiting until no earlier put can land any more (at most "), "{}", said.err);
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    assert_eq!(world.json(&["recover", &prod], 0)["result"], "nothing");
    world.verify_independently("prod");
}

/// Kills a promotion of prod to 1.4.1 whose put the registry does not answer.
fn kill_a_promotion(world: &World) {
    world.server.clear_requests();
    world.server.always(|seen| seen.is("PUT", "/manifests/prod"), HttpFault::Silent);
    let mut child = world.begin(&[&["promote", &world.prod(), "--source", "1.4.1"][..], &DEAD].concat());
    await_put(world);
    child.kill().unwrap();
    child.wait().unwrap();
    world.server.calm();
}

#[test]
fn a_dead_move_is_closed_with_abort() {
    let world = World::with_prod();
    let prod = world.prod();
    kill_a_promotion(&world);
    world.server.clear_requests();
    let before = std::fs::read(world.log("prod")).unwrap();
    let said = world.does(&[&["promote", prod.as_str(), "--source", "1.4.2", "--dry-run"][..], &DEAD].concat(), 0);
    assert!(said.out.contains("a dead move is open: promote to sha256:"), "{}", said.out);
    assert_eq!(std::fs::read(world.log("prod")).unwrap(), before, "a dry run writes nothing");
    assert!(world.server.requests().iter().all(|request| request.method != "PUT"));
    let json = world.json(&[&["recover", prod.as_str(), "--abort"][..], &DEAD].concat(), 0);
    assert_eq!((&json["result"], &json["event"]["status"]), (&"closed".into(), &"aborted".into()));
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));
    world.verify_independently("prod");
}

#[test]
fn dead_move_that_landed_is_not_aborted_and_the_answer_says_how_to_leave_it() {
    let world = World::with_prod();
    let prod = world.prod();
    kill_a_promotion(&world);
    // As if the put had landed.
    world.push_by_hand(1);
    let said = world.does(&[&["recover", prod.as_str(), "--abort"][..], &DEAD].concat(), 0);
    assert!(said.out.starts_with(&format!("committed promote {prod}\n")), "{}", said.out);
    let way = format!("it had landed, so it was not aborted; to leave it: tagwarden rollback {prod} --reason …");
    assert!(said.out.contains(&way), "{}", said.out);
}

#[test]
fn put_without_an_answer_is_indeterminate_and_names_the_next_command() {
    let world = World::with_prod();
    let prod = world.prod();
    let sent = Arc::new(AtomicBool::new(false));
    let put = Arc::clone(&sent);
    world.server.always(
        move |seen| {
            let is_put = seen.is("PUT", "/manifests/prod");
            put.fetch_or(is_put, Ordering::SeqCst);
            is_put
        },
        HttpFault::Silent,
    );
    // From then on the registry says nothing of the tag either.
    world.server.always(
        move |seen| sent.load(Ordering::SeqCst) && seen.path.ends_with("/manifests/prod"),
        HttpFault::Status(503),
    );
    let times = ["--ttl", "900ms", "--grace", "500ms", "--quiet", "500ms", "--put-timeout", "400ms"];
    let said = world.does(&[&["promote", prod.as_str(), "--source", "1.4.1"][..], &times].concat(), 5);
    assert!(said.err.contains("[MOVE_INDETERMINATE]\nhint: `tagwarden recover "), "{}", said.err);
    assert!(said.err.contains("brings it to rest, from any machine"), "{}", said.err);
    world.server.calm();
    world.does(&[&["recover", prod.as_str()][..], &times].concat(), 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    world.verify_independently("prod");
}
