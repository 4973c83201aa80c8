//! Missing objects, missing rights, untrusted servers: each has its error kind and its message, without a password.

use tagwarden::ErrorKind;
use tagwarden::ledger::{Appended, IndexStore, Ledger, OpenMode, PostgresLedger};
use tagwarden::log::ChannelState;
use tagwarden_tests::docker_registry::CA_PEM;
use tagwarden_tests::postgres::{PASSWORD, Postgres};

use super::{channel, made, next};

/// The kind and the message of the error when a URL is opened.
async fn refusal(url: &str, access: OpenMode) -> (ErrorKind, String) {
    let error = match PostgresLedger::open(url, access).await {
        Ok(ledger) => panic!("{ledger:?} was opened"),
        Err(error) => error,
    };
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        shown += &format!("{error} {error:?}");
        source = error.source();
    }
    assert!(!shown.contains(PASSWORD) && !shown.contains("canary"), "{shown}");
    (error.kind(), error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_database_or_tables_are_ledger_absent() {
    let Some(server) = Postgres::start("missing_database_or_tables_are_ledger_absent", &[]) else { return };
    let host = server.host();
    let at = |database: &str| format!("postgres://{host}/{database} (schema tagwarden): ");
    let init = "; run `tagwarden ledger init` with this URL";

    let (kind, text) = refusal(&server.url("postgres", "nowhere"), OpenMode::Write).await;
    assert_eq!(kind, ErrorKind::LedgerAbsent);
    let expected = "cannot connect: database \"nowhere\" does not exist (SQLSTATE 3D000); create the database, then run \
                    `tagwarden ledger init` with this URL";
    assert_eq!(text, at("nowhere") + expected);

    let url = server.database("bare");
    for access in [OpenMode::Write, OpenMode::Read] {
        let (kind, text) = refusal(&url, access).await;
        assert_eq!(kind, ErrorKind::LedgerAbsent);
        let expected = "cannot open the ledger: relation \"tagwarden.migrations\" does not exist (SQLSTATE 42P01)";
        assert_eq!(text, at("bare") + expected + init);
    }

    let (url, ledger) = made(&server, "versions").await;
    assert_eq!(
        format!("{ledger:?}"),
        format!("PostgresLedger {{ place: {:?}, access: Write, .. }}", at("versions").trim_end_matches(": "))
    );
    let set = |version: &str| {
        server.psql("versions", &format!("UPDATE tagwarden.migrations SET version = {version}")).unwrap()
    };
    set("0");
    let (kind, text) = refusal(&url, OpenMode::Read).await;
    assert_eq!(kind, ErrorKind::LedgerAbsent);
    assert_eq!(text, at("versions") + "its tables are of version 0, and this tagwarden needs 1" + init);
    set("2");
    let (kind, text) = refusal(&url, OpenMode::Write).await;
    assert_eq!(kind, ErrorKind::LedgerTooNew);
    let expected =
        "its tables are of version 2, and this tagwarden knows 1: it can be read, not written; upgrade tagwarden";
    assert_eq!(text, at("versions") + expected);
    assert_eq!(PostgresLedger::init(&url).await.unwrap_err().kind(), ErrorKind::LedgerTooNew);
    let reader = PostgresLedger::open(&url, OpenMode::Read).await.unwrap();
    assert_eq!(reader.size(&channel("a")).await.unwrap(), 0, "a newer one can be read");
    set("1");
    server.psql("versions", "DROP TABLE tagwarden.entries CASCADE").unwrap();
    let (kind, text) = refusal(&url, OpenMode::Read).await;
    assert_eq!(
        (kind, text),
        (ErrorKind::LedgerAbsent, at("versions") + "the table `entries` is gone; restore it from a backup")
    );

    drop(server);
    let (kind, text) = refusal(&url, OpenMode::Write).await;
    assert_eq!(kind, ErrorKind::LedgerUnavailable);
    let begins = at("versions") + "cannot connect: error connecting to server: Connection refused";
    assert!(text.starts_with(&begins), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_rights_are_ledger_denied_and_a_reader_can_read() {
    let Some(server) = Postgres::start("missing_rights_are_ledger_denied_and_a_reader_can_read", &[]) else { return };
    let (url, ledger) = made(&server, "rights").await;
    let channel = channel("rights");
    let mut state = ChannelState::empty(channel.clone());
    let entry = next(&mut state, "kept");
    assert_eq!(ledger.append(&channel, 0, entry.clone()).await.unwrap(), Appended::Stored);
    let place = format!("postgres://{}/rights (schema tagwarden): ", server.host());

    let (kind, text) = refusal(&url.replace(PASSWORD, "canary-of-a-password"), OpenMode::Read).await;
    assert_eq!(kind, ErrorKind::LedgerDenied);
    let expected = "cannot connect: password authentication failed for user \"postgres\" (SQLSTATE 28P01); check user, \
                    password and pg_hba.conf (a rule may want sslmode=verify-full)";
    assert_eq!(text, place.clone() + expected);

    server.role("stranger");
    let (kind, text) = refusal(&server.url("stranger", "rights"), OpenMode::Read).await;
    assert_eq!(kind, ErrorKind::LedgerDenied);
    let rights = " (SQLSTATE 42501); the rights that a reader and a writer need are in docs/reference/ledger-urls.md";
    assert_eq!(text, format!("{place}cannot open the ledger: permission denied for schema tagwarden{rights}"));

    // A reader has no rights on the index: it can read every entry, and write none.
    server.role("reader");
    let grants =
        "GRANT USAGE ON SCHEMA tagwarden TO reader; GRANT SELECT ON tagwarden.entries, tagwarden.migrations TO reader";
    server.psql("rights", grants).unwrap();
    let reader = PostgresLedger::open(&server.url("reader", "rights"), OpenMode::Write).await.unwrap();
    assert_eq!(reader.read(&channel, 0, 9).await.unwrap(), std::slice::from_ref(&entry));
    assert_eq!(reader.channels().await.unwrap(), std::slice::from_ref(&channel));
    assert_eq!(reader.get(&channel, "state").await.unwrap_err().kind(), ErrorKind::LedgerDenied);
    let denied = reader.append(&channel, 1, next(&mut state, "denied")).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::LedgerDenied);
    assert_eq!(denied.to_string(), format!("{place}cannot append: permission denied for table entries{rights}"));

    let read_only = PostgresLedger::open(&url, OpenMode::Read).await.unwrap();
    assert_eq!(read_only.size(&channel).await.unwrap(), 1);
    let denied = read_only.append(&channel, 1, entry.clone()).await.unwrap_err();
    assert_eq!(
        (denied.kind(), denied.to_string()),
        (ErrorKind::LedgerDenied, place.clone() + "the ledger was opened to be read only")
    );

    // Read-only, as on a standby.
    server.psql("rights", "ALTER DATABASE rights SET default_transaction_read_only = on").unwrap();
    let standby = PostgresLedger::open(&url, OpenMode::Write).await.unwrap();
    let error = standby.append(&channel, 1, entry).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
    let expected = "cannot append: cannot execute INSERT in a read-only transaction (SQLSTATE 25006); the server is a \
                    standby, or default_transaction_read_only is on: use the primary's address";
    assert_eq!(error.to_string(), place + expected);
    assert_eq!(ledger.size(&channel).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_fsync_is_ledger_unsupported() {
    let Some(server) = Postgres::start("server_without_fsync_is_ledger_unsupported", &["fsync=off"]) else { return };
    let error = PostgresLedger::init(&server.database("unsynced")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerUnsupported);
    assert_eq!(
        error.to_string(),
        format!(
            "postgres://{}/unsynced (schema tagwarden): fsync is off on this server, so a crash would lose entries that \
             were acknowledged; turn it on",
            server.host()
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_certificate_is_verified_and_traffic_is_encrypted() {
    let test = "server_certificate_is_verified_and_traffic_is_encrypted";
    let settings = ["ssl=on"];
    let Some(mut server) = Postgres::start(test, &settings) else { return };
    let (url, _) = made(&server, "tls").await;
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), CA_PEM).unwrap();
    let verified = format!("{url}?sslrootcert={}", ca.path().display());
    let session = "SELECT ssl, (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tagwarden') FROM pg_stat_ssl \
                   JOIN pg_stat_activity USING (pid) WHERE application_name = 'tagwarden'";
    for url in [&verified, &format!("{url}?sslmode=require")] {
        // The server takes a moment to notice that the previous connection was closed.
        while !server.psql("tls", session).unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let ledger = PostgresLedger::open(url, OpenMode::Write).await.unwrap();
        assert_eq!(server.psql("tls", session).unwrap(), "t|1", "{url}");
        assert_eq!(ledger.size(&channel("tls")).await.unwrap(), 0);
    }
    // The platform does not trust the root that signed the certificate.
    let (kind, text) = refusal(&format!("{url}?sslmode=verify-full"), OpenMode::Write).await;
    assert_eq!(kind, ErrorKind::LedgerUnavailable);
    assert!(text.contains("cannot connect: error performing TLS handshake: invalid peer certificate: "), "{text}");
    // Without TLS on the server, the client must not connect in clear text.
    server.kill();
    server.start_again(&[]);
    for url in [&verified, &format!("{url}?sslmode=require")] {
        let (kind, text) = refusal(url, OpenMode::Write).await;
        assert_eq!(kind, ErrorKind::LedgerUnavailable);
        assert!(text.contains("cannot connect: error performing TLS handshake: server does not support TLS"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_certificate_that_is_the_given_root_is_accepted() {
    let test = "server_certificate_that_is_the_given_root_is_accepted";
    let settings = ["ssl=on", "ssl_cert_file=own.pem", "ssl_key_file=own.key"];
    let Some(server) = Postgres::start(test, &settings) else { return };
    let (url, _) = made(&server, "own").await;
    let with = |root: &str| format!("{url}?sslrootcert={}", tagwarden_tests::file(root).display());
    let ledger = PostgresLedger::open(&with("data/tls/own.pem"), OpenMode::Write).await.unwrap();
    assert_eq!(ledger.size(&channel("own")).await.unwrap(), 0);
    let (kind, text) = refusal(&with("data/tls/ca.pem"), OpenMode::Write).await;
    assert_eq!(kind, ErrorKind::LedgerUnavailable);
    assert!(
        text.contains("invalid peer certificate: ") && text.ends_with("with sslrootcert=FILE in the URL"),
        "{text}"
    );
}
