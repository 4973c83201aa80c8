//! A ledger that does not know a move that was made, and clocks that do not agree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use common::cases::count;
use serde_json::Value;
use tagwarden::Timestamp;

/// Copies the ledger's directory.
fn copy(world: &World, to: &str) {
    let (from, to) = (world.dir.path().join("ledger"), world.dir.path().join(to));
    let mut dirs = vec![(from, to)];
    while let Some((from, to)) = dirs.pop() {
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => dirs.push((entry.path(), to.join(entry.file_name()))),
                false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
            }
        }
    }
}

/// A channel at 1.4.2, of which the ledger `old` knows only the moves up to 1.4.1.
fn with_an_older_copy() -> World {
    let world = World::with_prod();
    world.does(&["promote", &world.prod(), "--source", "1.4.1"], 0);
    copy(&world, "old");
    world.does(&["promote", &world.prod(), "--source", "1.4.2"], 0);
    world
}

fn old_log(world: &World) -> Vec<u8> {
    let log = world.log("prod");
    std::fs::read(world.dir.path().join("old").join(log.file_name().unwrap())).unwrap()
}

#[test]
fn an_older_copy_of_a_ledger_is_behind_and_moves_nothing() {
    let world = with_an_older_copy();
    let prod = world.prod();
    let (before, observed) = (old_log(&world), world.digest("1.4.2"));
    world.server.clear_requests();
    // The copy is from longer ago: no lag explains what the registry answers.
    world.later(|| {
        for args in [&["promote", prod.as_str(), "--source", "1.4.3"][..], &["rollback", &prod]] {
            let json = world.json(&[args, &["--ledger", "old"]].concat(), 6);
            assert_eq!(json["error"]["code"], "LEDGER_BEHIND", "{args:?}: {json}");
            let message = json["error"]["message"].as_str().unwrap();
            assert!(message.contains(&observed.to_string()) && message.contains("an older copy"), "{message}");
        }
        let said = world.does(&["audit", &prod, "--ledger", "old"], 6);
        assert!(said.out.contains(&format!("{prod}  ledger behind: ")), "{}", said.out);
        let json = world.json(&["audit", &prod, "--ledger", "old"], 6);
        assert_eq!(json["channels"][0]["state"], "ledger_behind", "{json}");

        let json = world.json(&["repair", &prod, "--ledger", "old"], 3);
        let findings = json["error"]["findings"].as_array().unwrap();
        let refused: Vec<_> = findings.iter().filter(|finding| finding["verdict"] == "refuse").collect();
        assert_eq!(json["error"]["code"], "POLICY_REFUSED", "{json}");
        assert_eq!((refused.len(), &refused[0]["guardrail"]), (1, &"ledger-complete".into()), "{json}");
        assert_eq!(refused[0]["code"], "LEDGER_BEHIND", "{json}");
    });
    assert_eq!((count(&world, "PUT"), world.digest("prod")), (0, observed));
    assert_eq!(old_log(&world), before, "nothing is written");
    // The ledger that governs is in sync.
    world.does(&["audit", &prod], 0);
}

#[test]
fn a_ledger_that_is_behind_repairs_only_by_override_and_adopts_with_a_warning() {
    let world = with_an_older_copy();
    let prod = world.prod();
    let warns = |json: &Value| {
        let findings = json["move"]["intent"]["decision"]["findings"].as_array().unwrap().clone();
        findings.iter().any(|finding| finding["code"] == "LEDGER_BEHIND" && finding["verdict"] == "warn")
    };
    world.later(|| {
        let adopt = ["adopt", &prod, "--ledger", "old", "--reason", "the newer one is lost"];
        assert!(warns(&world.json(&adopt, 0)));
    });
    assert_eq!(world.digest("prod"), world.digest("1.4.2"));

    let world = with_an_older_copy();
    let prod = world.prod();
    let repair =
        ["repair", &prod, "--ledger", "old", "--override", "ledger-complete", "--reason", "the newer one is lost"];
    assert!(warns(&world.later(|| world.json(&repair, 0))));
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
}

const MINUTE_MS: i64 = 60 * 1000;

/// The reasons of the findings CLOCK_SKEWED, each of this verdict.
fn skewed(findings: &Value, verdict: &str) -> Vec<String> {
    let findings = findings.as_array().unwrap().iter().filter(|finding| finding["code"] == "CLOCK_SKEWED");
    findings
        .map(|finding| {
            assert_eq!((&finding["verdict"], &finding["guardrail"]), (&verdict.into(), &"clock".into()), "{finding}");
            finding["why"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The two times that a finding names, in minutes apart.
fn minutes_apart(why: &str) -> i64 {
    let times: Vec<Timestamp> = why.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [here, there] = times[..] else { panic!("two times are to be named: {why}") };
    (there.unix_ms() - here.unix_ms() + MINUTE_MS / 2).div_euclid(MINUTE_MS)
}

#[test]
fn a_registry_whose_clock_is_ten_minutes_off_is_a_warning_with_both_times() {
    for minutes in [10, -10] {
        let world = World::with_prod();
        let prod = world.prod();
        world.server.date_offset_ms(minutes * MINUTE_MS);
        let json = world.json(&["promote", &prod, "--source", "1.4.1"], 0);
        let why = skewed(&json["move"]["intent"]["decision"]["findings"], "warn");
        assert_eq!((why.len(), minutes_apart(&why[0])), (1, minutes), "{why:?}");
        let said = world.does(&["rollback", &prod], 0);
        let line = said.out.lines().find(|line| line.contains("clock: this machine's clock says ")).unwrap();
        assert_eq!(minutes_apart(line), minutes, "{line}");
        assert_eq!(world.digest("prod"), world.digest("1.4.0"));
    }
    // Four minutes are nothing to say.
    let world = World::with_prod();
    world.server.date_offset_ms(4 * MINUTE_MS);
    let json = world.json(&["promote", &world.prod(), "--source", "1.4.1"], 0);
    assert_eq!(skewed(&json["move"]["intent"]["decision"]["findings"], "warn"), [] as [String; 0]);
}

#[test]
fn a_registry_whose_clock_is_over_an_hour_off_stops_only_promotions() {
    for minutes in [61, -61] {
        let world = World::with_prod();
        let prod = world.prod();
        world.does(&["promote", &prod, "--source", "1.4.1"], 0);
        world.server.date_offset_ms(minutes * MINUTE_MS);
        world.server.clear_requests();
        let json = world.json(&["promote", &prod, "--source", "1.4.2"], 3);
        assert_eq!(json["error"]["code"], "POLICY_REFUSED", "{json}");
        let why = skewed(&json["error"]["findings"], "refuse");
        assert_eq!((why.len(), minutes_apart(&why[0])), (1, minutes), "{why:?}");
        assert_eq!(count(&world, "PUT"), 0);

        let json = world.json(&["rollback", &prod], 0);
        assert_eq!(skewed(&json["move"]["intent"]["decision"]["findings"], "warn").len(), 1, "{json}");
        world.push_by_hand(7);
        let json = world.json(&["repair", &prod], 0);
        assert_eq!(skewed(&json["move"]["intent"]["decision"]["findings"], "warn").len(), 1, "{json}");
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (2, world.digest("1.4.0")));
        let hold = world.json(&["hold", &prod, "--reason", "incident 7"], 0);
        world.does(&["unhold", &prod, &hold["hold"].to_string(), "--reason", "over"], 0);
        world.verify_independently("prod");
    }
}
