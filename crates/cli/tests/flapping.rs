//! A registry whose reads flap at random between all values that a tag had in the last two seconds: no move and no audit
//! mistakes lag for drift, and no write from outside is mistaken for lag.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use common::World;
use serde_json::Value;
use tagwarden::Digest;
use tagwarden_testing::HttpFault;
use tagwarden_testing::{ChangeOrigin, RandomFaults};

const PROD: &str = "/manifests/prod";
const LAG: Duration = Duration::from_secs(2);
/// The settle time is the lag. The grace may not be shorter than the put timeout; the ttl is room for a slow machine, and
/// no move waits for it.
const TIMES: [&str; 10] =
    ["--ttl", "20s", "--grace", "500ms", "--quiet", "1s", "--put-timeout", "500ms", "--settle", "2s"];

/// A channel on a registry that flaps.
struct Flapping {
    world: World,
    prod: String,
}

impl Flapping {
    /// The draws begin at `seed`.
    fn new(seed: u64) -> Flapping {
        let world = World::new();
        world.config("ledger = 'ledger'\n");
        let memory = world.server.memory();
        memory.chaos(RandomFaults::new(seed, 0));
        // That leaves the seed alone: no faults, no latency.
        memory.calm();
        memory.lag(LAG);
        let prod = world.prod();
        Flapping { world, prod }
    }

    /// A move that commits, and what it made live: the answer, the tag and the audit after it agree.
    fn moves(&self, verb: &str, args: &[&str], want: Digest) -> Value {
        let json = self.world.json(&[&[verb, self.prod.as_str()], args, &TIMES].concat(), 0);
        assert_eq!((&json["result"], &json["digest"]), (&"committed".into(), &want.to_string().into()), "{json}");
        assert_eq!(self.world.digest("prod"), want, "{json}");
        self.is_in_sync(want);
        json
    }

    fn promotes(&self, release: &str) {
        // By digest: a read of a release's tag may lag as well.
        let digest = self.world.digest(release);
        // A release that was rolled back comes again on purpose.
        let again = ["--override", "not-rolled-back", "--reason", "again"];
        self.moves("promote", &[&["--source", &digest.to_string()][..], &again].concat(), digest);
    }

    fn rolls_back(&self, args: &[&str], to: &str) {
        self.moves("rollback", args, self.world.digest(to));
    }

    fn is_in_sync(&self, live: Digest) {
        let json = self.world.json(&["audit", &self.prod, "--settle", "2s"], 0);
        let (channel, live) = (&json["channels"][0], live.to_string());
        assert_eq!((&channel["state"], &channel["live"]), (&"in_sync".into(), &live.into()), "{json}");
    }

    fn entries(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.world.log("prod")).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The bodies of the log's entries of a kind.
    fn bodies(&self, kind: &str) -> Vec<Value> {
        self.entries().into_iter().filter(|entry| entry["kind"] == kind).map(|mut entry| entry["body"].take()).collect()
    }

    fn puts(&self) -> usize {
        self.world.server.requests().iter().filter(|seen| seen.is("PUT", PROD)).count()
    }
}

/// `TAGWARDEN_SEED`, or one that is drawn.
fn seed() -> u64 {
    match std::env::var("TAGWARDEN_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().hash_one("flapping"),
    }
}

#[test]
fn moves_on_a_registry_that_flaps_commit_and_only_a_foreign_write_is_drift() {
    let seed = seed();
    println!("TAGWARDEN_SEED={seed}");
    let it = Flapping::new(seed);
    let (world, first) = (&it.world, it.world.digest("1.4.0"));
    // The tag was absent within the window, and each pin is.
    it.moves("bootstrap", &["--source", &first.to_string()], first);

    // Ten moves: to what the tag never had, and back and forth between two digests that it had within the window.
    it.promotes("1.4.1");
    it.rolls_back(&[], "1.4.0");
    it.promotes("1.4.1");
    it.rolls_back(&["--to", &first.to_string()], "1.4.0");
    it.promotes("1.4.2");
    it.promotes("1.4.3");
    it.rolls_back(&[], "1.4.2");
    it.promotes("1.4.3");

    // A put back that is carried out, and whose answer is lost. While its target is a past value, a read of it proves
    // nothing, so that it is put once more; on a slow machine that window may be over.
    world.server.clear_requests();
    world.server.script_when(|seen| seen.is("PUT", PROD), [HttpFault::SilentAfter]);
    it.rolls_back(&[], "1.4.2");
    assert_eq!(world.server.faults_left(), 0);
    assert!((1..=2).contains(&it.puts()), "{:?}", world.server.requests());
    it.promotes("1.4.4");
    assert_eq!(it.bodies("observation"), [] as [Value; 0]);

    // A foreign write. While reads lag an audit may answer the one or the other; later it says drift.
    let hotfix = world.push_by_hand(7);
    std::thread::sleep(LAG);
    for _ in 0..2 {
        let json = world.json(&["audit", &it.prod, "--settle", "2s"], 4);
        assert_eq!(json["channels"][0]["state"], "moved_outside", "{json}");
        let refused = ["promote", &it.prod, "--source", &world.digest("1.4.5").to_string()];
        let json = world.json(&[&refused[..], &TIMES].concat(), 4);
        assert_eq!(json["error"]["code"], "CHANNEL_DRIFTED", "{json}");
    }
    let json = it.moves("repair", &[], world.digest("1.4.4"));
    assert_eq!(json["move"]["intent"]["replaced"], hotfix.to_string(), "{json}");
    // The digest that the repair replaced is a past value as well.
    it.promotes("1.4.5");

    let (intents, outcomes, seen) = (it.bodies("intent"), it.bodies("outcome"), it.bodies("observation"));
    assert_eq!((intents.len(), outcomes.len(), seen.len()), (13, 13, 1));
    assert!(outcomes.iter().all(|outcome| outcome["status"] == "committed"), "{outcomes:?}");
    assert_eq!(seen[0]["observed"], hotfix.to_string());
    // The tag had each target, by a governed put, in the order of the log.
    let mut targets: Vec<_> =
        intents.iter().map(|intent| intent["target"]["digest"].as_str().unwrap().to_owned()).collect();
    targets.dedup();
    let changes = world.server.memory().changes().into_iter();
    let mut put: Vec<_> = changes
        .filter(|change| change.tag.as_str() == "prod" && !matches!(change.by, ChangeOrigin::Outside))
        .map(|change| change.digest.unwrap().to_string())
        .collect();
    put.dedup();
    assert_eq!(put, targets);
    world.verify_independently("prod");
}
