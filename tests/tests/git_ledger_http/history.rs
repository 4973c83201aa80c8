//! A branch that was forced back or deleted, and a cache that several processes share.

use super::*;

#[tokio::test]
async fn branch_that_was_forced_back_by_three_is_truncated_until_it_is_restored() {
    let world = World::new();
    let ledger = world.machine("one").await;
    let mut log = fill(&ledger, &prod(), 5).await;
    let tip = world.server.git(&["rev-parse", "refs/heads/tagwarden"]);
    world.server.force_back("tagwarden", 3);
    for ledger in [&ledger, &world.machine("one").await] {
        refused(ledger.size(&prod()).await, ErrorKind::LedgerTruncated, &["5 were read on this machine before"]);
    }
    // Nothing is built on a cut branch.
    let (entry, said) = (next(&prod(), &log), ["5 were read on this machine before", "--force-with-lease"]);
    refused(ledger.append(&prod(), 5, entry).await, ErrorKind::LedgerAmbiguous, &said);
    assert_eq!(world.commits(), 2);
    assert_eq!(world.machine("two").await.size(&prod()).await.unwrap(), 2, "a fresh machine cannot see it");
    world.server.git(&["update-ref", "refs/heads/tagwarden", &tip]);
    append(&ledger, &prod(), &mut log).await.unwrap();
    assert_eq!(whole(&ledger, &prod()).await, log);
}

#[tokio::test]
async fn deleted_branch_is_truncated_and_never_empty() {
    let world = World::new();
    let ledger = world.machine("one").await;
    let log = fill(&ledger, &prod(), 2).await;
    world.server.delete_branch("tagwarden");
    for ledger in [&ledger, &world.machine("one").await] {
        refused(ledger.size(&prod()).await, ErrorKind::LedgerTruncated, &["the branch tagwarden is gone"]);
        let append = ledger.append(&prod(), 2, next(&prod(), &log)).await;
        refused(append, ErrorKind::LedgerAmbiguous, &["the branch tagwarden is gone"]);
    }
    assert_eq!(world.commits(), 0, "it is not made again");
}

/// Runs as a child of the test below.
#[tokio::test]
#[ignore = "a child of eight_processes_share_one_cache"]
async fn child_of_a_shared_cache() {
    let ledger = GitLedger::open(&variable("LEDGER"), OpenMode::Write).await.unwrap().cache(variable("CACHE"));
    let channel: Channel = variable("CHANNEL").parse().unwrap();
    let log = fill(&ledger, &channel, 3).await;
    assert_eq!(whole(&ledger, &channel).await, log);
    assert_eq!(ledger.size(&channel).await.unwrap(), 3);
}

#[tokio::test]
async fn eight_processes_share_one_cache() {
    let world = World::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let world = &world;
            scope.spawn(move || {
                let channel = format!("registry.example.com/acme/shop:prod-{number}");
                let cache = world.cache("shared").display().to_string();
                let set = [("LEDGER", world.server.ledger()), ("CACHE", cache), ("CHANNEL", channel)];
                let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
                child("history::child_of_a_shared_cache", world.machines.path(), &set);
            });
        }
    });
    assert_eq!(world.commits(), 24);
    assert_eq!(world.machine("other").await.channels().await.unwrap().len(), 8);
}
