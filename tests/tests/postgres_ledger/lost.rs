//! Lost answers: the connection is cut before the request arrives, before the answer arrives, or between the two.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tagwarden::ErrorKind;
use tagwarden::ledger::{Appended, Ledger, OpenMode, PostgresLedger};
use tagwarden::log::ChannelState;
use tagwarden_tests::postgres::Postgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{channel, made, next};

/// The fault of the next append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Cut {
    /// No fault: the append is answered.
    Nothing,
    /// The connection is cut, and the server does not receive the append.
    Request,
    /// The server handles the append, and the connection is cut in place of the answer.
    Answer,
    /// The connection is cut, and the server receives the append later.
    Late,
}

/// A port that forwards to the server and injects one fault into one append.
struct Wire {
    port: u16,
    next: Arc<AtomicU8>,
}

impl Wire {
    async fn to(server: &Postgres) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Wire { port: listener.local_addr().unwrap().port(), next: Arc::default() };
        let (next, host) = (Arc::clone(&wire.next), server.host());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, host.clone(), Arc::clone(&next)));
            }
        });
        wire
    }

    fn cut(&self, what: Cut) {
        self.next.store(what as u8, Ordering::SeqCst);
    }

    fn is_cut(&self) -> bool {
        self.next.load(Ordering::SeqCst) == Cut::Nothing as u8
    }
}

async fn carry(mut client: TcpStream, host: String, next: Arc<AtomicU8>) {
    let Ok(mut server) = TcpStream::connect(host).await else { return };
    let (mut there, mut back) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut there) => {
                let Ok(length @ 1..) = read else { return };
                let is_append = there[..length].windows(12).any(|window| window == b"INSERT INTO ");
                let cut = if is_append { next.swap(Cut::Nothing as u8, Ordering::SeqCst) } else { 0 };
                if cut == Cut::Request as u8 {
                    return;
                }
                if cut == Cut::Late as u8 {
                    drop(client);
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    server.write_all(&there[..length]).await.unwrap();
                    let _ = server.read(&mut back).await;
                    return;
                }
                server.write_all(&there[..length]).await.unwrap();
                if cut == Cut::Answer as u8 {
                    let _ = server.read(&mut back).await;
                    return;
                }
            }
            read = server.read(&mut back) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&back[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_with_a_lost_answer_is_looked_up() {
    let Some(server) = Postgres::start("append_with_a_lost_answer_is_looked_up", &[]) else { return };
    let (url, direct) = made(&server, "cut").await;
    let wire = Wire::to(&server).await;
    let through = url.replace(&server.host(), &format!("127.0.0.1:{}", wire.port));
    let ledger = PostgresLedger::open(&through, OpenMode::Write).await.unwrap();
    let channel = channel("cut");
    let mut state = ChannelState::empty(channel.clone());
    let mut written = Vec::new();
    for cut in [Cut::Nothing, Cut::Request, Cut::Answer, Cut::Late, Cut::Answer, Cut::Request] {
        let entry = next(&mut state, &format!("{cut:?}"));
        wire.cut(cut);
        let append = ledger.append(&channel, written.len() as u64, entry.clone()).await.unwrap();
        assert_eq!(append, Appended::Stored, "{cut:?}");
        assert!(wire.is_cut());
        written.push(entry);
        assert_eq!(direct.read(&channel, 0, 99).await.unwrap(), written, "once, after {cut:?}");
    }
    // The append loses its position, with and without an answer.
    for cut in [Cut::Nothing, Cut::Request, Cut::Answer, Cut::Late] {
        let mut rival = state.clone();
        let (seq, mine, theirs) = (state.size, next(&mut state, "mine"), next(&mut rival, "theirs"));
        assert_eq!(direct.append(&channel, seq, theirs.clone()).await.unwrap(), Appended::Stored);
        wire.cut(cut);
        assert_eq!(ledger.append(&channel, seq, mine).await.unwrap(), Appended::Conflict, "{cut:?}");
        written.push(theirs);
        state = rival;
        assert_eq!(direct.read(&channel, 0, 99).await.unwrap(), written, "{cut:?}");
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
