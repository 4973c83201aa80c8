//! Reads that lag: the values that they may answer, and those that they never answer.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn stale_read_answers_the_value_before() {
    let shop = shop();
    shop.registry.script([InjectedFault::Stale(2)]);
    shop.put().await;
    let (old, new) = (Some(shop.old.digest()), Some(shop.new.digest()));
    assert_eq!([shop.resolve().await, shop.resolve().await, shop.resolve().await], [old, old, new]);
    shop.registry.script_reads([ReadFault::Pass, ReadFault::Stale]);
    assert_eq!([shop.resolve().await, shop.resolve().await, shop.resolve().await], [new, old, new]);
}

#[tokio::test(start_paused = true)]
async fn chaos_reads_are_stale_only_within_the_lag() {
    let shop = shop();
    let mut chaos = RandomFaults::new(0, 100);
    (chaos.puts, chaos.reads) = (vec![InjectedFault::Pass], vec![ReadFault::Stale]);
    (chaos.lag, chaos.latency) = (Duration::from_secs(2), Duration::ZERO);
    shop.registry.chaos(chaos);
    shop.put().await;
    assert_eq!(shop.resolve().await, Some(shop.old.digest()));
    tokio::time::sleep(Duration::from_millis(2001)).await;
    assert_eq!(shop.resolve().await, Some(shop.new.digest()));
}

/// A tag that was *absent* and then pointed at the images 0, 1, 2 and 3, for one second each; and those values in
/// order.
async fn moved() -> (Shop, Tag, Vec<Option<Digest>>) {
    let shop = shop();
    let tag: Tag = "moved".parse().unwrap();
    let mut values = vec![None];
    for number in 0..4 {
        values.push(Some(shop.registry.push_image(&shop.repository, &tag, number).digest()));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    (shop, tag, values)
}

impl Shop {
    /// The values that a hundred reads of the tag answer, by resolve and by fetch.
    async fn seen(&self, tag: &Tag) -> BTreeSet<Option<Digest>> {
        let (mut resolved, mut fetched) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..100 {
            resolved.insert(self.registry.resolve(&self.repository, tag).await.unwrap());
            let manifest = self.registry.fetch(&self.repository.tag(tag.clone())).await.unwrap();
            fetched.insert(manifest.map(|manifest| manifest.digest()));
        }
        assert_eq!(resolved, fetched);
        resolved
    }
}

fn set(values: &[Option<Digest>]) -> BTreeSet<Option<Digest>> {
    values.iter().copied().collect()
}

#[tokio::test(start_paused = true)]
async fn lagging_read_answers_every_value_of_the_window_and_no_other() {
    let (shop, tag, values) = moved().await;
    assert_eq!(shop.seen(&tag).await, set(&values[4..]), "without a lag");
    // The values ended 4, 3, 2 and 1 s ago. A value that ended exactly one window ago is not answered.
    for (window_ms, first) in [(1000, 4), (1001, 3), (2001, 2), (3001, 1), (4000, 1), (4001, 0), (600_000, 0)] {
        shop.registry.lag(Duration::from_millis(window_ms));
        assert_eq!(shop.seen(&tag).await, set(&values[first..]), "{window_ms} ms");
    }
    let untouched: Tag = "untouched".parse().unwrap();
    assert_eq!(shop.seen(&untouched).await, set(&[None]));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(shop.seen(&tag).await, set(&values[4..]), "the window is over");
}

#[tokio::test(start_paused = true)]
async fn lagging_read_goes_back_and_forth_between_values() {
    let (shop, tag, values) = moved().await;
    shop.registry.lag(Duration::from_secs(60));
    let mut seen = Vec::new();
    for _ in 0..100 {
        let value = shop.registry.resolve(&shop.repository, &tag).await.unwrap();
        seen.push(values.iter().position(|had| *had == value).unwrap());
    }
    assert!(seen.windows(2).any(|two| two[0] < two[1]) && seen.windows(2).any(|two| two[0] > two[1]), "{seen:?}");
    for number in 0..values.len() {
        let times = seen.iter().filter(|seen| **seen == number).count();
        assert!((10..=30).contains(&times), "the value {number} came {times} times of 100, not about 20: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lagging_read_of_a_new_pin_or_a_deleted_tag_may_be_absent_or_not() {
    let shop = shop();
    shop.registry.lag(Duration::from_secs(5));
    let (pin, old) = (tagwarden::registry::pin_tag(&shop.old.digest()), Some(shop.old.digest()));
    let put = shop.registry.put(&shop.repository, &pin, &shop.old, TIMEOUT).await;
    assert_eq!(said(&put), "applied");
    assert_eq!(shop.seen(&pin).await, set(&[None, old]));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(shop.seen(&pin).await, set(&[old]));
    shop.registry.delete_tag(&shop.repository, &pin);
    assert_eq!(shop.seen(&pin).await, set(&[None, old]));
}

#[tokio::test(start_paused = true)]
async fn past_value_whose_manifest_is_gone_is_not_answered() {
    let (shop, tag, values) = moved().await;
    shop.registry.lag(Duration::from_secs(60));
    shop.registry.delete_manifest(&shop.repository, &values[3].unwrap());
    let left: Vec<_> = values.iter().copied().filter(|value| *value != values[3]).collect();
    assert_eq!(shop.seen(&tag).await, set(&left));
    shop.registry.script_reads([ReadFault::Stale, ReadFault::Past(1)]);
    for _ in 0..2 {
        assert_eq!(shop.registry.resolve(&shop.repository, &tag).await.unwrap(), values[4]);
    }
}

#[tokio::test(start_paused = true)]
async fn scripted_reads_answer_the_value_that_they_name() {
    let (shop, tag, values) = moved().await;
    shop.registry.script_reads((0..6).map(ReadFault::Past));
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(shop.registry.resolve(&shop.repository, &tag).await.unwrap());
    }
    assert_eq!(seen, [values[4], values[3], values[2], values[1], None, None]);

    let window = Duration::from_millis(2001);
    shop.registry.script_reads(std::iter::repeat_n(ReadFault::Lag(window), 200));
    assert_eq!(shop.seen(&tag).await, set(&values[2..]));
    assert_eq!(shop.seen(&tag).await, set(&values[4..]), "the script is over");
}

#[tokio::test(start_paused = true)]
async fn chaos_sets_the_seed_of_lagging_reads() {
    let (shop, tag, _) = moved().await;
    shop.registry.lag(Duration::from_secs(3600));
    let mut histories = Vec::new();
    for seed in [1, 2, 1] {
        shop.registry.chaos(RandomFaults::new(seed, 0));
        let mut history = Vec::new();
        for _ in 0..50 {
            history.push(shop.registry.resolve(&shop.repository, &tag).await.unwrap());
        }
        histories.push(history);
    }
    assert_eq!(histories[0], histories[2]);
    assert_ne!(histories[0], histories[1]);
}

#[tokio::test(start_paused = true)]
async fn chaos_lags_over_the_window_that_its_reads_name() {
    let (shop, tag, values) = moved().await;
    let mut chaos = RandomFaults::new(3, 100);
    (chaos.reads, chaos.latency) = (vec![ReadFault::Lag(Duration::from_millis(2001))], Duration::ZERO);
    shop.registry.chaos(chaos);
    assert_eq!(shop.seen(&tag).await, set(&values[2..]));
    let mut chaos = RandomFaults::new(3, 100);
    (chaos.reads, chaos.latency) = (vec![ReadFault::Past(2)], Duration::ZERO);
    shop.registry.chaos(chaos);
    assert_eq!(shop.seen(&tag).await, set(&values[2..]));
}
