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

#[tokio::test]
async fn words_of_a_server_that_dies_do_not_refuse_an_entry() {
    let world = World::new();
    world.hook("pre-receive", "echo 'checking the rules of protected branches' >&2; sleep 0.2; kill -9 $PPID");
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 0, None, "ada");
    let append = ledger.append(&channel(), 0, next.bytes().clone()).await;
    refused(append, ErrorKind::LedgerAmbiguous, &["not known whether the entry was stored", "protected branches"]);
}

#[tokio::test]
async fn branch_that_the_server_cannot_write_is_said_with_its_words() {
    let world = World::new();
    let tree = world.git(&["mktree"]);
    let commit = world.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "x", &tree]);
    world.git(&["update-ref", "refs/heads/tagwarden/x", &commit]);
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 0, None, "ada");
    let append = ledger.append(&channel(), 0, next.bytes().clone()).await;
    let error = refused(append, ErrorKind::LedgerDenied, &["remote rejected"]);
    assert!(!error.to_string().contains("hook"), "{error}");

    world.git(&["update-ref", "-d", "refs/heads/tagwarden/x"]);
    std::fs::write(world.server().join("refs/heads/tagwarden.lock"), "").unwrap();
    let append = ledger.append(&channel(), 0, next.bytes().clone()).await;
    refused(append, ErrorKind::LedgerUnavailable, &["the server does not update the branch", "File exists"]);
    std::fs::remove_file(world.server().join("refs/heads/tagwarden.lock")).unwrap();
    assert_eq!(ledger.append(&channel(), 0, next.bytes().clone()).await.unwrap(), Appended::Stored);
}

#[tokio::test]
async fn ledger_begins_in_an_empty_repository_of_either_format() {
    for begins_with_init in [true, false] {
        let world = World { dir: tempfile::tempdir().unwrap() };
        world.git(&["init", "--quiet", "--bare", "--object-format=sha256", "."]);
        let ledger = world.writer("one").await;
        if begins_with_init {
            ledger.start().await.unwrap();
        }
        let log = fill(&ledger, &channel(), 0, 2).await;
        assert_eq!(world.git(&["rev-parse", "tagwarden"]).len(), 64);
        for machine in ["one", "two"] {
            assert_eq!(whole(&world.writer(machine).await, &channel()).await, log, "{machine}");
        }
    }
}
