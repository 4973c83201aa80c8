mod worlds;

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::value::{Algorithm, Channel, Digest, Tag, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn digest(n: u64) -> Digest {
    Digest::of(&n.to_be_bytes())
}

fn day(n: u32) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap().plus(DAY * n)
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn channel(tag: &str) -> Channel {
    format!("reg.io/acme/shop:{tag}").parse().unwrap()
}

fn rule(keep_last: u32, keep_for_days: u32) -> RetentionRule {
    RetentionRule { keep_last: NonZeroU32::new(keep_last).unwrap(), keep_for: DAY * keep_for_days }
}

/// The history of a channel on which each of `digests`, oldest first, was live for a day, from day 0 on.
fn history(name: &str, digests: &[u64]) -> ChannelUsage {
    let mut history = ChannelUsage::empty(channel(name));
    for (at, n) in digests.iter().enumerate() {
        let from = day(at as u32);
        let until = (at + 1 < digests.len()).then(|| day(at as u32 + 1));
        history.lived.push(LivePeriod { seq: 2 * at as u64, digest: digest(*n), from, until });
    }
    history.live = digests.last().map(|n| digest(*n));
    history.size = 2 * digests.len() as u64;
    history
}

/// A repository where all of `pinned` are pinned single manifests.
fn evidence(pinned: impl IntoIterator<Item = u64>) -> RetentionInput {
    let mut evidence = RetentionInput::new("reg.io/acme/shop".parse().unwrap());
    for n in pinned {
        evidence.pin(&digest(n));
        evidence.manifest(&digest(n), ManifestKind::Single);
    }
    evidence
}

fn said(plan: &RetentionPlan, n: u64) -> String {
    plan.may_delete(&digest(n)).to_string()
}

#[test]
fn the_window_counts_distinct_digests_from_the_newest() {
    let mut evidence = evidence(1..=4);
    evidence.history(history("prod", &[1, 2, 3, 2, 3, 2, 4]));
    let plan = rule(3, 0).plan(evidence, day(100));
    assert_eq!(said(&plan, 4), "no: live on reg.io/acme/shop:prod");
    assert_eq!(said(&plan, 2), "no: number 2 of the last digests of reg.io/acme/shop:prod");
    assert_eq!(said(&plan, 3), "no: number 3 of the last digests of reg.io/acme/shop:prod");
    assert_eq!(
        said(&plan, 1),
        "yes, after its pin: number 4 of the digests of reg.io/acme/shop:prod, not live since 2026-01-02T00:00:00.000Z"
    );
    assert_eq!(plan.logs, [(channel("prod"), 14)]);
}

#[test]
fn what_is_live_is_always_inside() {
    let mut evidence = evidence([1, 2]);
    evidence.history(history("prod", &[1, 2]));
    let plan = rule(1, 0).plan(evidence, day(3000));
    assert_eq!(said(&plan, 2), "no: live on reg.io/acme/shop:prod");
    assert!(said(&plan, 1).starts_with("yes, after its pin: number 2 of"));
}

#[test]
fn the_time_window_ends_keep_for_after_a_digest_stopped_being_live() {
    let fate = |at| {
        let mut evidence = evidence([1, 2]);
        evidence.history(history("prod", &[1, 2]));
        said(&rule(1, 30).plan(evidence, at), 1)
    };
    assert_eq!(fate(day(30)), "no: in the window of reg.io/acme/shop:prod until 2026-02-01T00:00:00.000Z");
    assert!(fate(day(31)).starts_with("yes"), "the end is outside");
}

#[test]
fn a_clock_that_was_behind_does_not_shrink_the_window() {
    let mut prod = history("prod", &[1, 2, 3, 4]);
    // The clock of the machine that wrote the third move was years behind.
    let wrong: Timestamp = "2001-01-01T00:00:00Z".parse().unwrap();
    prod.lived[1].until = Some(wrong);
    prod.lived[2].from = wrong;
    let mut evidence = evidence(1..=4);
    evidence.history(prod);
    let plan = rule(1, 30).plan(evidence, day(10));
    assert!(said(&plan, 2).starts_with("no: in the window"), "{}", said(&plan, 2));
}

#[test]
fn all_that_an_open_intent_names_is_kept() {
    let mut prod = history("prod", &[1, 2]);
    prod.open = Some(OpenDigests { seq: 4, previous: Some(digest(2)), target: digest(7), replaced: Some(digest(8)) });
    let mut evidence = evidence([1, 2, 7, 8]);
    evidence.history(prod);
    let plan = rule(1, 0).plan(evidence, day(100));
    for n in [7, 8] {
        assert_eq!(said(&plan, n), "no: named by the open intent 4 of reg.io/acme/shop:prod");
    }
    assert_eq!(said(&plan, 2), "no: live on reg.io/acme/shop:prod", "the stronger reason");
}

#[test]
fn a_target_that_never_came_live_expires_after_the_time_window() {
    let mut prod = history("prod", &[1]);
    prod.tried.push(FailedTarget { seq: 9, digest: digest(5), at: day(10) });
    let fate = |at| {
        let mut evidence = evidence([1, 5]);
        evidence.history(prod.clone());
        said(&rule(10, 30).plan(evidence, at), 5)
    };
    assert!(fate(day(39)).starts_with("no: in the window"));
    assert_eq!(
        fate(day(40)),
        "yes, after its pin: never live; the last move to it on reg.io/acme/shop:prod ended 2026-01-11T00:00:00.000Z"
    );
}

#[test]
fn a_tag_keeps_and_a_pin_does_not() {
    let mut evidence = evidence(1..=4);
    evidence.history(history("prod", &[1, 2, 3]));
    evidence.tag(tag("1.0.1"), &digest(1));
    evidence.tag(tag("1.0.0"), &digest(1));
    let plan = rule(1, 0).plan(evidence, day(100));
    assert_eq!(said(&plan, 1), "no: tagged 1.0.0");
    assert!(said(&plan, 2).starts_with("yes, after its pin"));
    assert_eq!(said(&plan, 4), "no: it is pinned, and no log of this ledger names it: it may be another ledger's");
    assert_eq!(said(&plan, 99), "no: no tag, index or log that the plan knows names it");
}

#[test]
fn the_strongest_reason_of_all_channels_is_given() {
    let mut evidence = evidence(1..=3);
    evidence.history(history("prod", &[3, 1, 2]));
    evidence.history(history("dev", &[1, 2, 3]));
    let plan = rule(1, 0).plan(evidence, day(100));
    assert_eq!(said(&plan, 2), "no: live on reg.io/acme/shop:prod");
    assert_eq!(said(&plan, 3), "no: live on reg.io/acme/shop:dev");
    assert!(said(&plan, 1).ends_with("of reg.io/acme/shop:prod, not live since 2026-01-03T00:00:00.000Z"), "the later");
}

#[test]
fn children_follow_their_index_and_their_indexes_index() {
    let mut evidence = evidence([1, 2, 10]);
    evidence.history(history("prod", &[1, 2]));
    // 2 (live) → 20 → 21; 1 (past) → 21, 22 → 23; 10 is a child of the past one, and was live long ago itself.
    for (index, children) in [(2, vec![20]), (20, vec![21]), (1, vec![21, 22, 10]), (22, vec![23])] {
        evidence.manifest(&digest(index), ManifestKind::Index(children.into_iter().map(digest).collect()));
    }
    for leaf in [21, 23] {
        evidence.manifest(&digest(leaf), ManifestKind::Single);
    }
    evidence.history(history("dev", &[10, 2]));
    let plan = rule(1, 0).plan(evidence, day(100));
    assert_eq!(plan.blocked(), None);
    assert_eq!(said(&plan, 20), format!("no: part of the index {}", digest(2)));
    assert_eq!(said(&plan, 21), format!("no: part of the index {}", digest(20)));
    assert_eq!(said(&plan, 22), format!("yes: part of the index {}, which expires", digest(1)));
    assert_eq!(said(&plan, 23), format!("yes: part of the index {}, which expires", digest(22)));
    assert!(said(&plan, 10).starts_with("yes, after its pin: number 2 of the digests of reg.io/acme/shop:dev"));
}

#[test]
fn an_index_that_nothing_names_is_kept_with_its_children() {
    let mut evidence = evidence([]);
    evidence.manifest(&digest(1), ManifestKind::Index(vec![digest(2)]));
    evidence.manifest(&digest(2), ManifestKind::Single);
    let plan = rule(1, 0).plan(evidence, day(100));
    assert_eq!(said(&plan, 1), "no: no tag, index or log that the plan knows names it");
    assert_eq!(said(&plan, 2), format!("no: part of the index {}", digest(1)));
}

#[test]
fn what_could_not_be_looked_at_keeps_everything() {
    let build = |blind: &dyn Fn(&mut RetentionInput)| {
        let mut evidence = evidence([1, 2]);
        evidence.history(history("prod", &[1, 2]));
        blind(&mut evidence);
        said(&rule(1, 0).plan(evidence, day(100)), 1)
    };
    assert!(build(&|_| ()).starts_with("yes"));
    assert_eq!(build(&|evidence| evidence.failed("tags: 503\u{1b}[2J")), "no: tags: 503\u{fffd}[2J");
    let blind = format!("no: {} may be an index that needs it, and could not be read: ", digest(9));
    let unreadable = |evidence: &mut RetentionInput| {
        evidence.tag(tag("v9"), &digest(9));
        evidence.manifest(&digest(9), ManifestKind::Unreadable("429".to_owned()));
    };
    assert_eq!(build(&unreadable), format!("{blind}429"));
    assert_eq!(build(&|evidence| evidence.tag(tag("v9"), &digest(9))), format!("{blind}it was not looked at"));
    assert_eq!(build(&|evidence| evidence.history(history("dev", &[9]))), format!("{blind}it was not looked at"));
    let absent = |evidence: &mut RetentionInput| {
        evidence.history(history("dev", &[9]));
        evidence.manifest(&digest(9), ManifestKind::Absent);
    };
    assert!(build(&absent).starts_with("yes"), "proven absent is not unknown");
    let moved = |evidence: &mut RetentionInput| {
        let mut dev = history("dev", &[1]);
        (dev.live, dev.lived, dev.migrated) = (None, Vec::new(), Some(2));
        evidence.history(dev);
    };
    assert_eq!(build(&moved), "no: the log of reg.io/acme/shop:dev goes on in another ledger (seq 2)");
}

#[test]
fn channels_of_other_repositories_name_nothing_here() {
    let mut evidence = evidence([1, 2]);
    evidence.history(history("prod", &[1, 2]));
    let mut other = history("prod", &[1]);
    other.channel = "reg.io/acme/other:prod".parse().unwrap();
    evidence.history(other);
    assert!(said(&rule(1, 0).plan(evidence, day(100)), 1).starts_with("yes"));
}

#[test]
fn a_sha512_digest_is_judged_as_any() {
    let long = Algorithm::Sha512.digest(b"x");
    let mut evidence = evidence([]);
    evidence.tag(tag("v1"), &long);
    evidence.manifest(&long, ManifestKind::Single);
    let plan = rule(1, 0).plan(evidence, day(100));
    assert_eq!(plan.may_delete(&long).to_string(), "no: tagged v1");
    assert_eq!(plan.digests()[0].digest, long);
}

#[test]
fn as_json_each_digest_has_its_reason() {
    let mut evidence = evidence([1, 2]);
    evidence.history(history("prod", &[1, 2]));
    let plan = rule(1, 0).plan(evidence, day(100));
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["rule"], serde_json::json!({"keep_last": 1, "keep_for_s": 0}));
    assert_eq!(json["logs"], serde_json::json!([{"channel": "reg.io/acme/shop:prod", "size": 4}]));
    let of = |n| json["digests"].as_array().unwrap().iter().find(|row| row["digest"] == digest(n).to_string()).unwrap();
    assert_eq!(of(2)["keep"], serde_json::json!({"reason": "live", "channel": "reg.io/acme/shop:prod"}));
    assert_eq!(of(2)["pin"], "held");
    assert_eq!(of(1)["expire"]["reason"], "past");
    assert!(json.get("blocked").is_none());
}

#[test]
fn blocked_digest_takes_no_place_in_the_rollback_window() {
    let mut evidence = evidence(1..=4);
    let mut history = history("prod", &[1, 2, 3, 4]);
    history.blocked.insert(digest(3));
    evidence.history(history.clone());
    let plan = rule(2, 0).plan(evidence.clone(), day(10));
    assert!(said(&plan, 2).contains("number 2 of the last digests"), "{}", said(&plan, 2));
    let want = format!("blocked, so no rollback target of {}; not live since {}", channel("prod"), day(3));
    assert!(said(&plan, 3).contains(&want), "{}", said(&plan, 3));
    let plan = rule(2, 30).plan(evidence, day(10));
    assert!(matches!(plan.may_delete(&digest(3)), MayDelete::No { .. }), "it is kept for the rule's time");
}
