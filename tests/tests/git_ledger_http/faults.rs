//! A server that refuses, redirects, breaks, or loses answers.

use std::time::Duration;

use tagwarden_tests::number_of;
use tagwarden_tests::proxy::{Fault, Proxy};

use super::*;

/// Default of TAGWARDEN_AWAY: the number of seconds for which a server is away.
const AWAY: u64 = 3;

/// True for the request that updates the branch.
fn is_push(head: &[u8]) -> bool {
    head.starts_with(b"POST ") && String::from_utf8_lossy(head).contains("/git-receive-pack")
}

/// A way to break a server, and the parts of the error.
type Row = (fn(&GitServer), &'static [&'static str]);

#[tokio::test]
async fn refused_push_is_denied_with_its_words_and_stores_nothing() {
    let world = World::new();
    let ledger = world.machine("one").await;
    let mut log = fill(&ledger, &prod(), 2).await;
    let table: [Row; 5] = [
        (
            |server| server.answer_pushes(403, "Permission to acme/shop.git denied to ci.\n", usize::MAX),
            &["Permission to acme/shop.git denied to ci", "the right to push to the branch `tagwarden`"],
        ),
        // A public repository asks for a login at pushes only, and GitHub does not show what may not be written.
        (|server| server.answer_pushes(401, "log in\n", usize::MAX), &["give a token (TAGWARDEN_GIT_TOKEN)"]),
        (
            |server| server.answer_pushes(404, "Repository not found.\n", usize::MAX),
            &["Repository not found", "there is no such repository, or no credential was found for it"],
        ),
        (
            |server| server.hook("pre-receive", "echo 'error: GH013: Repository rule violations found'; exit 1"),
            &["GH013: Repository rule violations found", "exclude the branch `tagwarden` from the ruleset"],
        ),
        (
            |server| server.hook("update", "echo 'no entries on Fridays'; exit 1"),
            &["no entries on Fridays", "let the server's hook accept the branch `tagwarden`"],
        ),
    ];
    for (fault, parts) in table {
        fault(&world.server);
        let text = refused(append(&ledger, &prod(), &mut log).await, ErrorKind::LedgerDenied, parts);
        assert!(text.starts_with(&format!("{}: cannot append: ", world.server.ledger())), "{text}");
        assert_eq!(world.commits(), log.len(), "{text}");
        mend(&world.server);
        append(&ledger, &prod(), &mut log).await.unwrap();
    }
    assert_eq!(whole(&world.machine("two").await, &prod()).await, log);
    assert_eq!(world.commits(), log.len());
}

#[tokio::test]
async fn refused_read_is_denied_with_its_words_and_loses_nothing() {
    let world = World::new();
    let ledger = world.machine("one").await;
    let mut log = fill(&ledger, &prod(), 2).await;
    let table: [Row; 4] = [
        (|server| server.expect("Basic eDp5"), &["give a token (TAGWARDEN_GIT_TOKEN)"]),
        (
            |server| server.answer(403, "not for you\n", usize::MAX),
            &["not for you", "the right to read the repository"],
        ),
        (
            |server| server.answer(404, "Repository not found.\n", usize::MAX),
            &["Repository not found", "there is no such repository, or no credential was found for it"],
        ),
        (|server| server.redirect_to("http://127.0.0.1:9"), &["use the URL that the server redirects to"]),
    ];
    for (fault, parts) in table {
        fault(&world.server);
        // A machine that knows the tip pushes, and cannot see what became of that.
        for (machine, kind) in [("one", ErrorKind::LedgerAmbiguous), ("cold", ErrorKind::LedgerDenied)] {
            let ledger = if machine == "one" { &ledger } else { &world.machine(machine).await };
            refused(ledger.size(&prod()).await, ErrorKind::LedgerDenied, parts);
            refused(append(ledger, &prod(), &mut log).await, kind, parts);
            assert_eq!(world.commits(), log.len());
        }
        mend(&world.server);
        append(&ledger, &prod(), &mut log).await.unwrap();
    }
    assert_eq!(whole(&world.machine("two").await, &prod()).await, log);
}

fn mend(server: &GitServer) {
    server.calm();
    for hook in ["pre-receive", "update"] {
        server.hook(hook, "exit 0");
    }
}

#[tokio::test]
async fn server_that_is_away_for_a_while_loses_nothing() {
    let world = World::new();
    let ledger = world.machine("one").await;
    let mut log = fill(&ledger, &prod(), 1).await;
    world.server.answer_pushes(503, "", 3);
    append(&ledger, &prod(), &mut log).await.unwrap();
    let (reader, away) = (world.machine("two").await, number_of("TAGWARDEN_AWAY").unwrap_or(AWAY));
    world.server.answer(503, "", usize::MAX);
    let meanwhile = async {
        refused(reader.size(&prod()).await, ErrorKind::LedgerUnavailable, &["503"]);
        refused(append(&reader, &prod(), &mut Vec::new()).await, ErrorKind::LedgerUnavailable, &["503"]);
        tokio::time::sleep(Duration::from_secs(away)).await;
        world.server.calm();
    };
    let channel = prod();
    let (appended, ()) = tokio::join!(append(&ledger, &channel, &mut log), meanwhile);
    appended.unwrap();
    assert_eq!(whole(&reader, &prod()).await, log);
    assert_eq!(world.commits(), 3);
}

#[tokio::test]
async fn pushes_that_are_never_served_are_ambiguous_and_the_same_entry_is_stored_later() {
    let world = World::new();
    let ledger = world.machine("one").await;
    let mut log = fill(&ledger, &prod(), 1).await;
    world.server.answer_pushes(503, "", usize::MAX);
    let entry = next(&prod(), &log);
    let said = ["it is not known whether the entry was stored", "503"];
    refused(ledger.append(&prod(), 1, entry.clone()).await, ErrorKind::LedgerAmbiguous, &said);
    assert_eq!(whole(&ledger, &prod()).await, log, "reads are served");
    world.server.calm();
    assert_eq!(ledger.append(&prod(), 1, entry.clone()).await.unwrap(), Appended::Stored);
    log.push(entry);
    assert_eq!(whole(&world.machine("two").await, &prod()).await, log);
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn entry_whose_answer_was_lost_is_stored_once() {
    let world = World::new();
    let proxy = Proxy::http(world.server.host());
    let url = format!("git+{}", world.server.url_at(&proxy.host()));
    let ledger = world.machine_at("one", &url).await;
    let mut log = fill(&ledger, &prod(), 1).await;
    // libcurl sends the request again where its connection died; so lose one answer, and then two.
    for lost in 1..=3 {
        world.server.clear_requests();
        proxy.script(is_push, vec![Fault::LoseAnswer; lost]);
        append(&ledger, &prod(), &mut log).await.unwrap();
        assert_eq!(world.commits(), log.len(), "after {lost} lost answers");
        let seen = world.server.requests();
        let pushes = seen.iter().filter(|seen| seen.method == "POST" && seen.path == "/git-receive-pack").count();
        assert!(pushes >= 2, "the client's library sent it again: {seen:#?}");
        proxy.calm();
    }
    assert!(proxy.done().lost >= 3, "{proxy:?}");
    assert_eq!(whole(&world.machine("two").await, &prod()).await, log);
}

#[tokio::test]
async fn push_that_never_arrived_is_sent_again() {
    let world = World::new();
    let proxy = Proxy::http(world.server.host());
    let url = format!("git+{}", world.server.url_at(&proxy.host()));
    let ledger = world.machine_at("one", &url).await;
    let mut log = fill(&ledger, &prod(), 1).await;
    proxy.script(is_push, [Fault::Cut, Fault::Cut]);
    append(&ledger, &prod(), &mut log).await.unwrap();
    assert_eq!(proxy.done().cut, 2);
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn stored_entry_that_is_answered_403_and_cannot_be_looked_for_is_ambiguous() {
    let world = World::new();
    let ledger = world.machine("one").await;
    let mut log = fill(&ledger, &prod(), 1).await;
    world.server.break_after_update(403);
    let entry = next(&prod(), &log);
    let error = ledger.append(&prod(), 1, entry.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerAmbiguous, "{error:?}");
    assert_eq!(world.commits(), 2);
    world.server.calm();
    assert_eq!(ledger.append(&prod(), 1, entry.clone()).await.unwrap(), Appended::Stored, "its own entry is there");
    log.push(entry);
    assert_eq!(world.commits(), 2);
    assert_eq!(whole(&world.machine("two").await, &prod()).await, log);
}

#[tokio::test]
async fn old_server_is_read_and_written() {
    let world = World::new();
    world.server.without_filters();
    world.server.protocol_0();
    let mut log = Vec::new();
    while log.len() < 102 {
        log.push(next(&prod(), &log));
    }
    let text = |entries: &[Bytes]| entries.iter().flat_map(|entry| [entry, &b"\n"[..]].concat()).collect::<Vec<u8>>();
    let directory = "registry.example.com/acme/shop/@prod";
    let (first, second) = (format!("{directory}/000000000000.jsonl"), format!("{directory}/000000000100.jsonl"));
    world.server.commit("tagwarden", &[(&first, &text(&log[..100])), (&second, &text(&log[100..]))]);
    let (one, two) = (world.machine("one").await, world.machine("two").await);
    assert_eq!(whole(&one, &prod()).await, log);
    append(&two, &prod(), &mut log).await.unwrap();
    assert_eq!(one.size(&prod()).await.unwrap(), 103);
    assert_eq!(whole(&two, &prod()).await, log);
}

#[tokio::test]
async fn server_without_filters_is_read_whole() {
    let world = World::new();
    world.server.without_filters();
    let log = fill(&world.machine("one").await, &prod(), 3).await;
    assert_eq!(whole(&world.machine("two").await, &prod()).await, log);
}
