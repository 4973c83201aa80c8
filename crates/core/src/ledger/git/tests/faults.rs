//! A server that refuses, dies, or does not answer.

use super::*;

#[tokio::test]
async fn refusal_of_a_hook_is_denied_with_its_words_and_stores_nothing() {
    let world = World::new();
    world.hook("pre-receive", "echo 'only through pull requests' >&2; exit 1");
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 0, None, "ada");
    let append = ledger.append(&channel(), 0, next.bytes().clone()).await;
    refused(append, ErrorKind::LedgerDenied, &["only through pull requests"]);
    assert_eq!(world.git(&["for-each-ref"]), "");
    world.hook("pre-receive", "exit 0");
    fill(&ledger, &channel(), 0, 1).await;
}

#[tokio::test]
async fn answer_that_is_lost_after_the_update_is_stored() {
    let world = World::new();
    // The server dies after it moved the branch and before it says so.
    world.hook("post-receive", "kill -9 $PPID");
    let ledger = world.writer("one").await;
    let log = fill(&ledger, &channel(), 0, 2).await;
    assert_eq!(world.git(&["rev-list", "--count", "tagwarden"]), "2");
    assert_eq!(whole(&ledger, &channel()).await, log);
}

#[tokio::test]
async fn push_that_is_never_answered_is_ambiguous() {
    let world = World::new();
    world.hook("pre-receive", "kill -9 $PPID");
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 0, None, "ada");
    let append = ledger.append(&channel(), 0, next.bytes().clone()).await;
    refused(append, ErrorKind::LedgerAmbiguous, &["it is not known whether the entry was stored"]);
    world.hook("pre-receive", "exit 0");
    assert_eq!(ledger.append(&channel(), 0, next.bytes().clone()).await.unwrap(), Appended::Stored);
}

#[tokio::test]
async fn push_over_its_time_is_ended_and_sent_again() {
    let world = World::new();
    let ledger = world.writer("one").await.timeout(Duration::from_secs(2));
    fill(&ledger, &channel(), 0, 1).await;
    let first = world.dir.path().join("first");
    world.hook("pre-receive", &format!("[ -e {0} ] && exit 0; touch {0}; sleep 600", first.display()));
    fill(&ledger, &channel(), 1, 2).await;
    assert_eq!(world.git(&["rev-list", "--count", "tagwarden"]), "2");
}
