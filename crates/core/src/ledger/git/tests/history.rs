//! A branch that was rewritten, deleted or edited.

use super::*;

#[tokio::test]
async fn branch_that_was_forced_back_is_truncated_and_a_rewritten_one_is_forked() {
    let world = World::new();
    let ledger = world.writer("one").await;
    fill(&ledger, &channel(), 0, 4).await;
    let tip = world.git(&["rev-parse", "tagwarden"]);
    world.git(&["update-ref", "refs/heads/tagwarden", "tagwarden~3"]);
    for ledger in [&ledger, &world.writer("one").await] {
        let said = ["4 were read on this machine before", &tip, "--force-with-lease"];
        refused(ledger.size(&channel()).await, ErrorKind::LedgerTruncated, &said);
        let next = entry(&channel(), 4, None, "ada");
        let append = ledger.append(&channel(), 4, next.bytes().clone()).await.unwrap_err();
        assert_eq!(append.kind(), ErrorKind::LedgerAmbiguous, "{append:?}");
        assert!(append.to_string().contains(&tip), "{append}");
    }
    // A machine that lost the repository of its cache detects the cut by the head that it saw.
    std::fs::remove_dir_all(world.repository(&ledger)).unwrap();
    refused(ledger.size(&channel()).await, ErrorKind::LedgerTruncated, &["4 were read on this machine before"]);
    // Another entry takes the place of one that was read.
    fill(&world.writer("two").await, &channel(), 1, 5).await;
    let said = ["another entry was read there before on this machine"];
    refused(ledger.size(&channel()).await, ErrorKind::LedgerForked, &said);
    assert_eq!(world.writer("three").await.size(&channel()).await.unwrap(), 5);
    world.git(&["update-ref", "refs/heads/tagwarden", &tip]);
    std::fs::remove_dir_all(world.repository(&ledger)).unwrap();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 4, "it was restored");
}

#[tokio::test]
async fn branch_that_is_gone_is_truncated_and_never_empty() {
    let world = World::new();
    let ledger = world.writer("one").await;
    fill(&ledger, &channel(), 0, 1).await;
    world.git(&["update-ref", "-d", "refs/heads/tagwarden"]);
    let said = ["the branch tagwarden is gone"];
    refused(ledger.size(&channel()).await, ErrorKind::LedgerTruncated, &said);
    std::fs::remove_dir_all(world.repository(&ledger)).unwrap();
    refused(world.writer("one").await.size(&channel()).await, ErrorKind::LedgerTruncated, &said);
    assert_eq!(world.writer("two").await.size(&channel()).await.unwrap(), 0);
}

#[tokio::test]
async fn edit_by_hand_is_corrupt_or_forked() {
    let world = World::new();
    let ledger = world.writer("one").await;
    fill(&ledger, &channel(), 0, 2).await;
    let clone = world.dir.path().join("clone");
    let run = |arguments: &[&str]| {
        let run = Command::new("git").args(arguments).current_dir(world.dir.path()).output().unwrap();
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    };
    let server = world.server().display().to_string();
    run(&["clone", "--quiet", "--branch", "tagwarden", &server, "clone"]);
    let file = clone.join(LOG).join("000000000000.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("because", "BECAUSE")).unwrap();
    let commit = ["-C", "clone", "-c", "user.name=eve", "-c", "user.email=eve@x.invalid", "commit", "-qam", "edit"];
    run(&commit);
    run(&["-C", "clone", "push", "--quiet", "origin", "HEAD"]);
    refused(ledger.size(&channel()).await, ErrorKind::LedgerForked, &["another entry was read there before"]);
    std::fs::write(&file, text.trim_end()).unwrap();
    run(&commit);
    run(&["-C", "clone", "push", "--quiet", "origin", "HEAD"]);
    refused(world.writer("two").await.size(&channel()).await, ErrorKind::LedgerCorrupt, &["no newline"]);
}
