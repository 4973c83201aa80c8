//! A cache that is used for a long time costs what it cost at first, and stays small.

use std::time::{Duration, Instant};

use tagwarden_tests::number_of;

use super::*;

/// Default of TAGWARDEN_LOOKS: the number of looks and appends in one cache.
const LOOKS: u64 = 25;

/// The greatest size of a cache, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// The bytes of all files below a directory, and their number.
fn size_of(directory: &Path) -> (u64, u64) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap());
    entries.fold((0, 0), |(bytes, files), entry| {
        let (more, count) = match entry.file_type().unwrap().is_dir() {
            true => size_of(&entry.path()),
            false => (entry.metadata().unwrap().len(), 1),
        };
        (bytes + more, files + count)
    })
}

/// One look and one append of a process that has just begun.
#[derive(Clone, Copy, Debug)]
struct Cost {
    requests: usize,
    took: Duration,
}

#[tokio::test]
async fn looks_and_appends_in_one_cache_cost_at_the_end_what_they_cost_at_first() {
    let world = World::new();
    let dev: Channel = "registry.example.com/acme/shop:dev".parse().unwrap();
    let (mut mine, mut theirs, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..number_of("TAGWARDEN_LOOKS").unwrap_or(LOOKS) {
        append(&world.machine("other").await, &dev, &mut theirs).await.unwrap();
        world.server.clear_requests();
        let begun = Instant::now();
        let ledger = world.machine("one").await;
        assert_eq!(ledger.size(&dev).await.unwrap(), theirs.len() as u64);
        append(&ledger, &prod(), &mut mine).await.unwrap();
        costs.push(Cost { requests: world.server.requests().len(), took: begun.elapsed() });
        let (bytes, _) = size_of(&world.cache("one"));
        assert!(bytes <= MAX_BYTES, "{bytes} bytes after {round} rounds");
    }
    let [first, last] = [&costs[..10], &costs[costs.len() - 10..]];
    let took = |costs: &[Cost]| costs.iter().map(|cost| cost.took).sum::<Duration>();
    let (bytes, files) = size_of(&world.cache("one"));
    println!("first ten {:.2?}, last ten {:.2?}; {bytes} bytes in {files} files", took(first), took(last));
    // The first round makes the cache.
    let (cold, warm) = (costs[0].requests, costs[1].requests);
    assert_eq!((cold, warm), (7, 5), "{costs:?}");
    let dear: Vec<&Cost> = costs[1..].iter().filter(|cost| cost.requests != warm).collect();
    assert!(dear.len() * 100 <= costs.len(), "only a cache that is made anew costs more: {dear:?}");
    let reader = world.machine("reader").await;
    assert_eq!((whole(&reader, &prod()).await, whole(&reader, &dev).await), (mine, theirs));
}
