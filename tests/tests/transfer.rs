//! A long log is migrated into every kind of ledger and back, with the same root.
//!
//! `TAGWARDEN_MOVES=10000` sets the number of moves.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tagwarden::ledger::{Ending, LedgerUrl, Migration, MigrationResult, OpenMode, export};
use tagwarden::log::{Body, ChannelState, LogReport, PolicyEntry};
use tagwarden::{Channel, Digest, Line, Provenance, Timestamp};
use tagwarden_testing::entries;
use tagwarden_tests::docker_registry::Transport;
use tagwarden_tests::moto::Moto;
use tagwarden_tests::number_of;
use tagwarden_tests::postgres::Postgres;

/// The default number of moves.
const MOVES: u64 = 500;

fn channel() -> Channel {
    "registry.example.com/acme/shop:prod".parse().unwrap()
}

fn moves() -> u64 {
    number_of("TAGWARDEN_MOVES").unwrap_or(MOVES)
}

fn text(text: impl AsRef<str>) -> Line {
    text.as_ref().parse().unwrap()
}

fn who() -> Provenance {
    Provenance::new("manual", "run", "ada").unwrap()
}

/// The policy of the moves.
fn policy() -> Body {
    let (policy, digest) = ("{}".to_owned(), Digest::of(b"{}"));
    Body::Policy(PolicyEntry { name: text("default"), digest, text: policy, binding: false, provenance: who() })
}

/// The bodies of the intent and of the outcome of the n-th move.
fn bodies(state: &ChannelState, nth: u64) -> [Body; 2] {
    let intent = entries::intent(&channel(), state.size, state.live, Digest::of(&nth.to_be_bytes())).unwrap();
    let outcome = entries::outcome(state.size, &intent);
    [Body::Intent(Box::new(intent)), Body::Outcome(outcome)]
}

/// Writes a ledger with one log into a directory, in one write.
fn directory(dir: &Path, moves: u64) -> LogReport {
    let mut state = ChannelState::empty(channel());
    let mut lines = Vec::new();
    for nth in 0..=moves {
        let bodies = if nth == 0 { vec![policy()] } else { bodies(&state, nth).into() };
        for body in bodies {
            // A fixed UUIDv7 for each entry.
            let id = format!("0193f1c2-0000-7000-8000-{:012x}", state.size).parse().unwrap();
            let at = Timestamp::from_unix_ms(1_795_000_000_000 + i64::try_from(state.size).unwrap());
            let sealed = state.next(body, id, at).seal().unwrap();
            state.take(sealed.bytes()).unwrap();
            lines.extend_from_slice(sealed.bytes());
            lines.push(b'\n');
        }
    }
    std::fs::create_dir_all(dir).unwrap();
    let name = channel().to_string().replace('/', "%2f").replace(':', "%3a");
    std::fs::File::create(dir.join(format!("{name}.jsonl"))).unwrap().write_all(&lines).unwrap();
    let report = LogReport::of_jsonl(Some(channel()), &lines);
    assert_eq!((&report.defect, report.moves), (&None, moves));
    report
}

async fn moved(from: &str, to: &str) -> MigrationResult {
    let began = Instant::now();
    let [from, to]: [LedgerUrl; 2] = [from, to].map(|url| url.parse().unwrap());
    to.init().await.unwrap();
    let (source, target) = (from.open(OpenMode::Write).await.unwrap(), to.open(OpenMode::Write).await.unwrap());
    let transfer = Migration::migrating(source, target, to.name().unwrap(), who());
    let done = transfer.run(transfer.survey(&channel()).await.unwrap()).await.unwrap();
    println!("{} entries from {from} to {to}: {} ms", done.size, began.elapsed().as_millis());
    done
}

/// Migrates from a directory into this ledger and back into a directory: each copy has the same bytes and the same
/// root.
async fn through(home: &Path, moves: u64, place: String) {
    let (first, last) = (home.join("first").display().to_string(), home.join("last").display().to_string());
    let written = directory(Path::new(&first), moves);
    for (from, to) in [(&first, &place), (&place, &last)] {
        let done = moved(from, to).await;
        assert_eq!((done.size, done.copied, done.root), (written.entries, written.entries, written.root));
        assert_eq!(done.ending, Ending::Migrated { seq: written.entries });
    }
    // The independent verifier reads the result.
    let ledger = last.parse::<LedgerUrl>().unwrap().open(OpenMode::Read).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let exported = export(Arc::clone(&ledger).as_ref(), &channel(), dir.path()).await.unwrap();
    assert_eq!(exported.root, written.root);
    tagwarden_tests::verify_ledger(&exported.file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration_to_postgresql_and_back_keeps_the_logs() {
    let Some(postgres) = Postgres::start("migration_to_postgresql_and_back_keeps_the_logs", &[]) else { return };
    let home = tempfile::tempdir().unwrap();
    through(home.path(), moves(), postgres.database("audit")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration_to_a_directory_of_objects_and_back_keeps_the_logs() {
    let home = tempfile::tempdir().unwrap();
    through(home.path(), moves(), format!("file://{}", home.path().join("objects").display())).await;
}

/// The environment variable with the ledger's URL, for the child process that has the store's credentials.
const URL: &str = "TAGWARDEN_TEST_URL";

/// Takes minutes: each entry is one PUT in sequence, and moto needs about 6 ms for each.
#[test]
fn migration_to_s3_and_back_keeps_the_logs() {
    let Some(moto) = Moto::start("migration_to_s3_and_back_keeps_the_logs", Transport::Http) else { return };
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_child::through_the_store", "--ignored", "--nocapture"])
        .env(URL, moto.url("team/ledger"))
        .envs(Moto::environment())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && text.contains("1 passed"), "{text}");
    println!("{text}");
}

mod in_a_child {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "a child of migration_to_s3_and_back_keeps_the_logs"]
    async fn through_the_store() {
        let url = std::env::var(URL).unwrap();
        let home = tempfile::tempdir().unwrap();
        through(home.path(), moves(), url).await;
    }
}
