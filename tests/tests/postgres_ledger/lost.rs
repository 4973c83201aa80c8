//! Lost answers: the connection is cut before the request arrives, before the answer arrives, or between the two.

use std::time::Duration;

use tagwarden::ErrorKind;
use tagwarden::ledger::{Appended, Ledger, OpenMode, PostgresLedger};
use tagwarden::log::ChannelState;
use tagwarden_tests::postgres::Postgres;
use tagwarden_tests::proxy::{Fault, Proxy};

use super::{channel, made, next};

fn is_append(sent: &[u8]) -> bool {
    sent.windows(12).any(|window| window == b"INSERT INTO ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_with_a_lost_answer_is_looked_up() {
    let Some(server) = Postgres::start("append_with_a_lost_answer_is_looked_up", &[]) else { return };
    let (url, direct) = made(&server, "cut").await;
    let proxy = Proxy::tcp(server.host());
    let through = url.replace(&server.host(), &proxy.host());
    let ledger = PostgresLedger::open(&through, OpenMode::Write).await.unwrap();
    let channel = channel("cut");
    let mut state = ChannelState::empty(channel.clone());
    let mut written = Vec::new();
    let late = Fault::Late(Duration::from_millis(300));
    for fault in [Fault::Pass, Fault::Cut, Fault::LoseAnswer, late, Fault::LoseAnswer, Fault::Cut] {
        let entry = next(&mut state, &format!("{fault:?}"));
        proxy.script(is_append, [fault]);
        let append = ledger.append(&channel, written.len() as u64, entry.clone()).await.unwrap();
        assert_eq!(append, Appended::Stored, "{fault:?}");
        assert_eq!(proxy.faults_left(), 0);
        written.push(entry);
        assert_eq!(direct.read(&channel, 0, 99).await.unwrap(), written, "once, after {fault:?}");
    }
    // The append loses its position, with and without an answer.
    for fault in [Fault::Pass, Fault::Cut, Fault::LoseAnswer, late] {
        let mut rival = state.clone();
        let (seq, mine, theirs) = (state.size, next(&mut state, "mine"), next(&mut rival, "theirs"));
        assert_eq!(direct.append(&channel, seq, theirs.clone()).await.unwrap(), Appended::Stored);
        proxy.script(is_append, [fault]);
        assert_eq!(ledger.append(&channel, seq, mine).await.unwrap(), Appended::Conflict, "{fault:?}");
        written.push(theirs);
        state = rival;
        assert_eq!(direct.read(&channel, 0, 99).await.unwrap(), written, "{fault:?}");
    }
    // The late request must change nothing.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(direct.read(&channel, 0, 99).await.unwrap(), written);
    // A read is repeated if its connection was closed.
    server
        .psql("cut", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tagwarden'")
        .unwrap();
    assert_eq!(ledger.size(&channel).await.unwrap(), written.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_waits_for_another_append_at_its_position() {
    let Some(server) = Postgres::start("append_waits_for_another_append_at_its_position", &[]) else {
        return;
    };
    let (_, ledger) = made(&server, "waits").await;
    for (end, append) in [("COMMIT", Appended::Conflict), ("ROLLBACK", Appended::Stored)] {
        let channel = channel(&end.to_lowercase());
        let sql =
            format!("BEGIN; INSERT INTO tagwarden.entries VALUES ('{channel}', 0, '{{}}'); SELECT pg_sleep(1); {end}");
        let mut other = server.program("psql");
        other.args(["-X", "-q", "-c", &sql, &server.url("postgres", "waits")]).stdout(std::process::Stdio::null());
        let mut other = other.spawn().unwrap();
        let begun = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        while server.psql("waits", begun).unwrap() != "1" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let entry = next(&mut ChannelState::empty(channel.clone()), "waits");
        assert_eq!(ledger.append(&channel, 0, entry).await.unwrap(), append, "{end}");
        assert!(other.wait().unwrap().success());
    }
}

/// The test raises the error of a full disk: a really full disk would need its own file system.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_is_an_error_and_stores_nothing() {
    let Some(server) = Postgres::start("full_disk_is_an_error_and_stores_nothing", &[]) else { return };
    let (_, ledger) = made(&server, "filled").await;
    let full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON tagwarden.entries EXECUTE FUNCTION full_disk()";
    server.psql("filled", full).unwrap();
    let channel = channel("full");
    let entry = next(&mut ChannelState::empty(channel.clone()), "full");
    let error = ledger.append(&channel, 0, entry.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
    assert_eq!(
        error.to_string(),
        format!(
            "postgres://{}/filled (schema tagwarden): cannot append: could not extend file: No space left on device \
             (SQLSTATE 53100); make room on the server's disk",
            server.host()
        )
    );
    assert_eq!(ledger.size(&channel).await.unwrap(), 0);
    server.psql("filled", "DROP TRIGGER full_disk ON tagwarden.entries").unwrap();
    assert_eq!(ledger.append(&channel, 0, entry).await.unwrap(), Appended::Stored);
}
