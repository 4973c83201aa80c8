//! SQL on a ledger: the changes that are refused, and the queries that `docs/reference/ledger-urls.md` lists.

use std::io::Seek as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tagwarden::ledger::{Appended, ChannelLog, Ledger, OpenMode, PostgresLedger};
use tagwarden::log::{ChannelState, Source};
use tagwarden::{Channel, MoveOptions, Promoter, Provenance, Tag, Times, Timestamp};
use tagwarden_testing::{InjectedFault, MemoryRegistry};
use tagwarden_tests::postgres::Postgres;

use super::{channel, deployment, made, next};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The SQL blocks of the document's PostgreSQL section.
fn documented() -> Vec<String> {
    let document = std::fs::read_to_string(tagwarden_tests::file("../docs/reference/ledger-urls.md")).unwrap();
    let section = document.split("\n## PostgreSQL\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = section.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// The SQL of the document that grants rights.
fn rights() -> String {
    documented().into_iter().find(|block| block.starts_with("CREATE ROLE")).unwrap()
}

/// The query of the document whose first comment begins with `begin`.
fn question(begin: &str) -> String {
    documented().into_iter().find(|block| block.starts_with(&format!("-- {begin}"))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_never_changed_or_removed() {
    let Some(server) = Postgres::start("entries_are_never_changed_or_removed", &["synchronous_commit=off"]) else {
        return;
    };
    let (_, ledger) = made(&server, "kept").await;
    for role in ["ci", "auditor", "owner"] {
        server.role(role);
    }
    let roles = "GRANT tagwarden_writer TO ci; GRANT tagwarden_reader TO auditor; ALTER TABLE tagwarden.entries OWNER TO owner; \
                 GRANT USAGE ON SCHEMA tagwarden TO owner";
    server.psql("kept", &(rights() + roles)).unwrap();
    // The test's own trigger records the `synchronous_commit` setting of each insert.
    let tell = "CREATE TABLE public.told (setting text); GRANT INSERT ON public.told TO ci;
        CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.told SELECT current_setting('synchronous_commit'); RETURN NEW; END $$;
        CREATE TRIGGER tell BEFORE INSERT ON tagwarden.entries FOR EACH ROW EXECUTE FUNCTION public.tell()";
    server.psql("kept", tell).unwrap();

    let channel = channel("kept");
    let mut state = ChannelState::empty(channel.clone());
    let (first, second) = (next(&mut state, "first"), next(&mut state, "second"));
    assert_eq!(ledger.append(&channel, 0, first.clone()).await.unwrap(), Appended::Stored);
    let changes = [
        "UPDATE tagwarden.entries SET bytes = ''",
        "UPDATE tagwarden.entries SET seq = 7 WHERE false",
        "DELETE FROM tagwarden.entries",
        "TRUNCATE tagwarden.entries",
        "SET session_replication_role = replica; DELETE FROM tagwarden.entries",
    ];
    for sql in changes {
        for (role, words) in [
            ("postgres", "entries of a ledger are never changed or removed"),
            ("owner", "entries of a ledger are never changed or removed"),
            ("ci", "permission denied"),
            ("auditor", "permission denied"),
        ] {
            let refused = server.psql_as(role, "kept", sql).unwrap_err();
            let words = match sql.starts_with("SET") && role != "postgres" {
                true => "permission denied to set parameter",
                false => words,
            };
            assert!(refused.contains(words), "{role}: {sql}: {refused}");
        }
    }
    // The documented rights are enough for a writer and for a reader.
    let writer = PostgresLedger::open(&server.url("ci", "kept"), OpenMode::Write).await.unwrap();
    assert_eq!(writer.append(&channel, 1, second.clone()).await.unwrap(), Appended::Stored);
    let reader = PostgresLedger::open(&server.url("auditor", "kept"), OpenMode::Read).await.unwrap();
    assert_eq!(reader.read(&channel, 0, 9).await.unwrap(), [first, second]);
    assert_eq!(server.psql_as("auditor", "kept", "SELECT count(*) FROM tagwarden.moves").unwrap(), "0");
    assert_eq!(server.psql("kept", "SELECT DISTINCT setting FROM public.told").unwrap(), "on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_is_one_statement() {
    let Some(server) = Postgres::start("an_append_is_one_statement", &["log_statement=all"]) else { return };
    let (_, ledger) = made(&server, "counted").await;
    let channel = channel("counted");
    let mut state = ChannelState::empty(channel.clone());
    let statements = || {
        server.log().lines().filter(|line| line.contains("LOG:  execute") || line.contains("LOG:  statement")).count()
    };
    let before = statements();
    for seq in 0..5 {
        let entry = next(&mut state, "counted");
        assert_eq!(ledger.append(&channel, seq, entry).await.unwrap(), Appended::Stored);
    }
    assert_eq!(ledger.size(&channel).await.unwrap(), 5);
    assert_eq!(statements() - before, 6, "{}", server.log());
}

/// Nothing that a writer may delete or change makes a key commit twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_commits_once_whatever_a_writer_does_to_derived_data() {
    let test = "key_commits_once_whatever_a_writer_does_to_derived_data";
    let Some(server) = Postgres::start(test, &[]) else { return };
    made(&server, "keyed").await;
    server.role("ci");
    server.psql("keyed", &(rights() + "GRANT tagwarden_writer TO ci")).unwrap();
    let registry = MemoryRegistry::new();
    let prod: Channel = "registry.example.com/acme/shop:prod".parse().unwrap();
    let tags: [Tag; 3] = ["1.0", "1.1", "1.2"].map(|name| name.parse().unwrap());
    let digests =
        [0, 1, 2].map(|n: u8| registry.push_image(prod.repository(), &tags[usize::from(n)], u64::from(n)).digest());
    let release = |nth: usize| Source::Reference(prod.repository().tag(tags[nth].clone()));
    let terms = |key: &str| MoveOptions {
        idempotency_key: Some(key.parse().unwrap()),
        ..MoveOptions::new(Provenance::new("manual", "run", "ada").unwrap())
    };
    let ms = Duration::from_millis;
    let short = Times::new(ms(1_000), ms(150), ms(150), ms(100)).unwrap().with_settle(ms(150)).unwrap();
    // As a new process has it.
    let opened = async || {
        let ledger = PostgresLedger::open(&server.url("ci", "keyed"), OpenMode::Write).await.unwrap();
        (
            Promoter::builder()
                .registry(Arc::new(registry.clone()))
                .ledger(Arc::new(ledger.clone()))
                .times(short.clone())
                .build()
                .unwrap(),
            ledger,
        )
    };
    let (promoter, ledger) = opened().await;
    promoter.bootstrap(&prod).source(release(0)).options(terms("zero")).await.unwrap();
    promoter.promote(&prod, release(1)).options(terms("one")).await.unwrap();
    let to_prod = prod.tag().clone();
    registry.script_when(move |call: &tagwarden_testing::Call| call.puts(&to_prod), [InjectedFault::refused("DENIED")]);
    promoter.promote(&prod, release(2)).options(terms("two")).await.unwrap_err();
    let mut journal = ChannelLog::new(Arc::new(ledger), prod.clone());
    for nth in 0..300 {
        journal.note(deployment(&nth.to_string()), Timestamp::from_unix_ms(0)).await.unwrap();
    }
    let size = journal.refresh().await.unwrap().size;
    assert_eq!(server.psql("keyed", "SELECT channel, name FROM tagwarden.derived").unwrap(), format!("{prod}|state"));

    let flip = "UPDATE tagwarden.derived SET bytes = set_byte(bytes, 200, get_byte(bytes, 200) # 1)";
    for (role, change) in
        [("ci", flip), ("ci", "UPDATE tagwarden.derived SET bytes = ''"), ("postgres", "TRUNCATE tagwarden.derived")]
    {
        server.psql_as(role, "keyed", change).unwrap();
        let (promoter, ledger) = opened().await;
        promoter.promote(&prod, release(1)).options(terms("one")).await.unwrap();
        assert_eq!(ledger.size(&prod).await.unwrap(), size, "{change}: the key committed once");
        let mut journal = ChannelLog::new(Arc::new(ledger), prod.clone());
        let state = journal.refresh().await.unwrap();
        assert_eq!((state.live, state.previous), (Some(digests[1]), Some(digests[0])));
        assert_eq!(journal.committed(&"one".parse().unwrap()).await.unwrap().map(|(.., to)| to), Some(digests[1]));
        assert_eq!(journal.committed(&"two".parse().unwrap()).await.unwrap(), None, "it failed");
        assert!(journal.made_live(&digests[0]).await.unwrap() < journal.made_live(&digests[1]).await.unwrap());
        assert_eq!(journal.made_live(&digests[2]).await.unwrap(), None);
    }
    // The columns of the look-ups are computed: no role can write them.
    for sql in [
        "INSERT INTO tagwarden.entries (channel, seq, bytes, key) VALUES ('x', 0, '{}', 'one')",
        "UPDATE tagwarden.entries SET key = DEFAULT",
    ] {
        assert!(server.psql_as("ci", "keyed", sql).is_err(), "{sql}");
    }
    // A failed move does not use its key up.
    let (promoter, ledger) = opened().await;
    promoter.promote(&prod, release(2)).options(terms("two")).await.unwrap();
    assert!(ledger.size(&prod).await.unwrap() > size);
}

/// A log of real moves: the documented queries read it, and a backup restores it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_of_the_guide_give_the_answers() {
    let Some(server) = Postgres::start("queries_of_the_guide_give_the_answers", &[]) else { return };
    let (_, ledger) = made(&server, "asked").await;
    let registry = MemoryRegistry::new();
    let promoter = Promoter::new(Arc::new(registry.clone()), Arc::new(ledger.clone()));
    let prod: Channel = "registry.example.com/acme/shop:prod".parse().unwrap();
    let tag = |name: &str| -> Tag { name.parse().unwrap() };
    let digests = [0, 1, 2].map(|n| registry.push_image(prod.repository(), &tag(&format!("1.{n}")), n).digest());
    let release = |name: &str| Source::Reference(prod.repository().tag(tag(name)));
    let terms = |actor: &str| {
        let mut provenance = Provenance::new("github-actions", "run-7", actor).unwrap();
        provenance.commit = Some(COMMIT.parse().unwrap());
        MoveOptions { reason: Some("it's time".parse().unwrap()), ..MoveOptions::new(provenance) }
    };
    promoter.bootstrap(&prod).source(release("1.0")).options(terms("ada")).await.unwrap();
    promoter.promote(&prod, release("1.1")).options(terms("ada")).await.unwrap();
    let to_prod = prod.tag().clone();
    registry.script_when(move |call: &tagwarden_testing::Call| call.puts(&to_prod), [InjectedFault::refused("DENIED")]);
    promoter.promote(&prod, release("1.2")).options(terms("cy")).await.unwrap_err();
    promoter.rollback(&prod).options(terms("ben")).await.unwrap();

    let ask = |sql: &str| server.psql("asked", sql).unwrap();
    let of = |digest: tagwarden::Digest| digest.to_string();
    assert_eq!(ask(&question("What is prod now?")), of(digests[0]));
    assert_eq!(ask(&question("What was it before?")), of(digests[1]));
    let who = ask(&question("Who moved it"));
    let columns: Vec<&str> = who.split('|').collect();
    assert_eq!((columns[0], columns[1]), ("rollback", "ben"), "{who}");
    assert_eq!(columns[3..], ["github-actions", "run-7", "it's time"], "{who}");
    let then = ask("SELECT closed_at FROM tagwarden.moves WHERE op = 'promote' AND status = 'committed'");
    let at = question("What was live at a time?");
    assert!(at.contains("2026-11-23 12:00:00Z"));
    assert_eq!(ask(&at.replace("2026-11-23 12:00:00Z", &then)), of(digests[1]));
    assert_eq!(ask(&at.replace("2026-11-23 12:00:00Z", "2020-01-01 00:00:00Z")), "");
    let row = |op: &str, actor: &str, status: &str| format!("{prod}|{op}|{actor}|{status}");
    let rows = [
        row("bootstrap", "ada", "committed"),
        row("promote", "ada", "committed"),
        row("promote", "cy", "failed"),
        row("rollback", "ben", "committed"),
    ];
    assert_eq!(ask(&question("Where did a commit go")), rows.join("\n"));
    let failed = ask(&question("Which moves failed"));
    assert!(
        failed.starts_with(&format!("{prod}|5|cy|")) && failed.contains("the registry refused the put"),
        "{failed}"
    );

    // A dump is a complete backup.
    let dump = tempfile::tempfile().unwrap();
    let mut back_up = server.program("pg_dump");
    back_up.args(["-n", "tagwarden", &server.url("postgres", "asked")]).stdout(dump.try_clone().unwrap());
    assert!(back_up.status().unwrap().success());
    let url = server.database("restored");
    (&dump).rewind().unwrap();
    let mut restore = server.program("psql");
    restore.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &url]).stdin(dump).stdout(Stdio::null());
    assert!(restore.status().unwrap().success());
    let restored = PostgresLedger::open(&url, OpenMode::Write).await.unwrap();
    assert_eq!(restored.read(&prod, 0, 99).await.unwrap(), ledger.read(&prod, 0, 99).await.unwrap());
    let promoter = Promoter::new(Arc::new(registry), Arc::new(restored));
    promoter.promote(&prod, release("1.2")).options(terms("ada")).await.unwrap();
    assert!(server.psql("restored", "DELETE FROM tagwarden.entries").is_err());
}
