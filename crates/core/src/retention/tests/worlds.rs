//! The plans of random channels, tags, indexes and pins.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

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
