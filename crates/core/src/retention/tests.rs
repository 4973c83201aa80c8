use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

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

/// The target of an open intent, and the digest that it replaces.
type Open = Option<(u64, Option<u64>)>;

/// A world: channels with the digests that were live, each with or without an open intent; tags; indexes; pins.
#[derive(Clone, Debug)]
struct World {
    channels: Vec<(Vec<u64>, Open)>,
    tags: Vec<(u8, u64)>,
    indexes: Vec<(u64, Vec<u64>)>,
    pins: Vec<u64>,
    rule: RetentionRule,
    at: u32,
}

impl World {
    fn histories(&self) -> Vec<ChannelUsage> {
        let of = |(at, (lived, open)): (usize, &(Vec<u64>, Open))| {
            let mut history = history(&format!("c{at}"), lived);
            history.open = open.map(|(target, replaced)| OpenDigests {
                seq: 1000,
                previous: history.live,
                target: digest(target),
                replaced: replaced.map(digest),
            });
            history
        };
        self.channels.iter().enumerate().map(of).collect()
    }

    /// The plan, with the facts added in an order that depends on `turn`.
    fn plan(&self, turn: usize) -> RetentionPlan {
        type Give = Box<dyn Fn(&mut RetentionInput)>;
        let mut gifts: Vec<Give> = Vec::new();
        for mut history in self.histories() {
            if turn % 2 == 1 {
                history.lived.reverse();
            }
            gifts.push(Box::new(move |evidence| evidence.history(history.clone())));
        }
        for (name, n) in self.tags.clone() {
            gifts.push(Box::new(move |evidence| evidence.tag(tag(&format!("v{name}")), &digest(n))));
        }
        for n in self.pins.clone() {
            gifts.push(Box::new(move |evidence| evidence.pin(&digest(n))));
        }
        for n in 0..32 {
            let children: Vec<_> =
                self.indexes.iter().filter(|(index, _)| *index == n).flat_map(|(_, children)| children).collect();
            let children: Vec<_> = children.into_iter().map(|n| digest(*n)).collect();
            let shape = if children.is_empty() { ManifestKind::Single } else { ManifestKind::Index(children) };
            // Only a digest that a tag, a pin, an index or a log names has a shape.
            let named = self.names(n);
            if named {
                gifts.push(Box::new(move |evidence| evidence.manifest(&digest(n), shape.clone())));
            }
        }
        if !gifts.is_empty() {
            let by = turn % gifts.len();
            gifts.rotate_left(by);
        }
        if turn % 3 == 1 {
            gifts.reverse();
        }
        let mut evidence = RetentionInput::new("reg.io/acme/shop".parse().unwrap());
        for give in gifts {
            give(&mut evidence);
        }
        self.rule.plan(evidence, day(self.at))
    }

    fn names(&self, n: u64) -> bool {
        self.pins.contains(&n)
            || self.tags.iter().any(|(_, named)| *named == n)
            || self.indexes.iter().any(|(_, children)| children.contains(&n))
            || self.channels.iter().any(|(lived, open)| {
                lived.contains(&n) || open.is_some_and(|(to, replaced)| to == n || replaced == Some(n))
            })
    }

    /// The digests that must not expire, computed in another way than the plan does.
    fn must_stay(&self) -> HashSet<u64> {
        let mut stay: HashSet<u64> = self.tags.iter().map(|(_, n)| *n).collect();
        for (lived, open) in &self.channels {
            let mut newest: Vec<u64> = Vec::new();
            for n in lived.iter().rev() {
                if !newest.contains(n) {
                    newest.push(*n);
                }
            }
            stay.extend(newest.iter().take(self.rule.keep_last.get() as usize));
            for (at, n) in lived.iter().enumerate() {
                if at + 1 == lived.len() || day(self.at) < day(at as u32 + 1).plus(self.rule.keep_for) {
                    stay.insert(*n);
                }
            }
            if let Some((to, replaced)) = open {
                stay.extend([*to]);
                stay.extend(replaced);
            }
        }
        loop {
            let of_kept = self.indexes.iter().filter(|(index, _)| stay.contains(index));
            let more: Vec<u64> = of_kept.flat_map(|(_, children)| children.clone()).collect();
            let before = stay.len();
            stay.extend(more);
            if stay.len() == before {
                return stay;
            }
        }
    }
}

fn world() -> impl Strategy<Value = World> {
    let n = 0u64..24;
    let lived = vec(n.clone(), 0..8).prop_map(|mut lived| {
        lived.dedup();
        lived
    });
    let open = prop::option::weighted(0.3, (n.clone(), prop::option::of(n.clone())));
    // An index names only higher numbers, because two manifests cannot name each other.
    let index = (n.clone(), vec(1u64..8, 1..4));
    let index = index.prop_map(|(index, steps)| (index, steps.into_iter().map(|step| index + step).collect()));
    (
        vec((lived, open), 0..4),
        vec((0u8..40, n.clone()), 0..6),
        vec(index, 0..5),
        vec(n, 0..12),
        1u32..5,
        0u32..8,
        0u32..16,
    )
        .prop_map(|(channels, tags, indexes, pins, keep_last, keep_for, at)| World {
            channels,
            tags,
            indexes,
            pins,
            rule: rule(keep_last, keep_for),
            at,
        })
}

fn expiring(plan: &RetentionPlan) -> HashSet<u64> {
    (0..32).filter(|n| matches!(plan.may_delete(&digest(*n)), MayDelete::Yes { .. })).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Invariant I10, and the same for tags and index children.
    #[test]
    fn rollback_kept_what_is_live_open_or_in_a_window_never_expires(world in world()) {
        let plan = world.plan(0);
        prop_assert_eq!(plan.blocked(), None);
        let both: Vec<_> = expiring(&plan).intersection(&world.must_stay()).copied().collect();
        prop_assert!(both.is_empty(), "{both:?}");
    }

    /// A digest that need not stay, was live once and is not the child of an index expires: the plan does not keep
    /// everything.
    #[test]
    fn what_has_left_every_window_expires(world in world()) {
        let (plan, stay) = (world.plan(0), world.must_stay());
        for (lived, _) in &world.channels {
            for n in lived.iter().filter(|n| !stay.contains(n)) {
                let child = world.indexes.iter().any(|(_, children)| children.contains(n));
                prop_assert!(child || expiring(&plan).contains(n), "{n}: {}", said(&plan, *n));
            }
        }
    }

    #[test]
    fn the_order_of_what_is_given_does_not_matter(world in world(), turn in 1usize..64) {
        let json = |turn| serde_json::to_string(&world.plan(turn)).unwrap();
        prop_assert_eq!(json(0), json(turn));
    }

    /// A live digest stays, even if any tags, pins and older moves are missing from the evidence.
    #[test]
    fn forgetting_never_makes_a_live_digest_expire(world in world(), keep in any::<u64>()) {
        let live: HashSet<u64> = world.channels.iter().filter_map(|(lived, _)| lived.last().copied()).collect();
        let mut less = world;
        let mut bit = 0;
        let mut kept = || { bit += 1; keep.rotate_right(bit) & 1 == 1 };
        less.tags.retain(|_| kept());
        less.pins.retain(|_| kept());
        for (lived, _) in &mut less.channels {
            let last = lived.pop();
            lived.retain(|_| kept());
            lived.extend(last);
        }
        let both: Vec<_> = expiring(&less.plan(0)).intersection(&live).copied().collect();
        prop_assert!(both.is_empty(), "{both:?}");
    }

    /// A rule with wider windows never lets more digests expire.
    #[test]
    fn a_wider_window_keeps_at_least_as_much(world in world(), more in 0u32..4, longer in 0u32..8) {
        let narrow = expiring(&world.plan(0));
        let mut wider = world;
        wider.rule.keep_last = wider.rule.keep_last.saturating_add(more);
        wider.rule.keep_for += DAY * longer;
        prop_assert!(expiring(&wider.plan(0)).is_subset(&narrow));
    }
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
