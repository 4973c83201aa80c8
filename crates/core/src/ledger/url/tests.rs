use super::*;
use crate::error::ErrorKind;
use crate::ledger::OpenMode;

fn url(text: &str) -> LedgerUrl {
    text.parse().unwrap()
}

fn error(text: &str) -> String {
    let error = text.parse::<LedgerUrl>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    error.to_string()
}

#[test]
fn a_path_is_a_directory_and_may_be_relative() {
    assert_eq!(url("audit").within(Path::new("/home")).to_string(), "/home/audit");
    assert_eq!(url("/srv/audit").within(Path::new("/home")).to_string(), "/srv/audit");
    assert_eq!(url("s3://bucket/audit").within(Path::new("/home")).to_string(), "s3://bucket/audit");
    assert!(url("audit").name().unwrap().as_str().starts_with('/'), "another ledger's last entry names it whole");
}

#[test]
fn a_scheme_is_known_in_any_case_and_has_one_name() {
    assert_eq!(url("POSTGRESQL://db/audit").to_string(), "postgres://db/audit");
    assert_eq!(url("S3://Bucket/a").to_string(), "s3://Bucket/a");
    assert_eq!(url("file://localhost/srv/my%20audit").to_string(), "file:///srv/my%20audit");
    assert_eq!(url("file:///srv/audit?timeout-ms=500").to_string(), "file:///srv/audit?timeout-ms=500");
}

const DSN: &str = "ledger: a libpq connection string; write it as postgres://USER@HOST/DATABASE";

#[test]
fn directory_with_an_equals_sign_is_a_directory() {
    for text in ["./a:b@c", "audit=1", "hosts=db", "/srv/host=db", "host", "audit host=db"] {
        assert_eq!(url(text).to_string(), text);
    }
}

#[test]
fn errors_say_what_and_what_to_write() {
    for (text, want) in [
        ("", "ledger: it is empty; give a directory or a URL"),
        (
            "redis://cache/0",
            "ledger: no ledger is kept in redis://; give a directory, file://, s3://, gs://, az://, postgres://, \
             git+https://, git+http://, git+ssh://, git+file://",
        ),
        ("postgres:host/db", "ledger: write postgres://"),
        (
            "ci:hunter2@db.example.com/audit",
            "ledger: a user, a password and a host, but no scheme, such as postgres://; a directory with a : and an @ in \
             its name is written ./NAME",
        ),
        ("host=db Password = hunter2", DSN),
        ("host=db dbname=audit user=ci", DSN),
        ("  DBNAME = audit", DSN),
        ("service=audit", DSN),
        ("file://srv", "ledger: file://srv: a file URL names a whole path: file:///its/path"),
        ("file:///a%2", "ledger: file:///a%2: a % without two hex digits, or not UTF-8"),
        ("file:///a?timeout-ms=5&b", "ledger: file:///a?timeout-ms=5&b: write ? as %3F and # as %23"),
        ("file:///a?b", "ledger: file:///a?b: write ? as %3F and # as %23"),
        ("s3://", "ledger: s3://: no bucket; it is s3://bucket/prefix"),
        ("gs:///audit", "ledger: gs://: no bucket; it is gs://bucket/prefix"),
        ("s3://b&c/p", "ledger: s3://: no bucket has that name: it has letters, digits and . - _ only"),
        ("postgres://h/d/e", "ledger: postgres://: a / in the database's name; write / as %2F"),
        ("postgres://h/d%", "ledger: postgres://: a % without two hex digits, or not UTF-8; write % as %25"),
        ("s3://bucket/a\u{1b}[2J", "ledger: s3://: text: control or bidirectional character U+001B at byte 13"),
    ] {
        assert_eq!(error(text), want);
    }
    assert!(error(&format!("s3://bucket/{}", "a".repeat(1024))).contains("1036 characters, the most is 1024"));
}

/// Neither the shown form nor an error contains a text that may be a secret.
#[test]
fn no_secret_is_ever_shown() {
    const CANARY: &str = "c4n4ry";
    for (text, want) in [
        ("postgres://ci:c4n4ry@db:5432/audit", "postgres://ci@db:5432/audit"),
        ("postgres://ci:a@c4n4ry@db/audit?sslmode=require", "postgres://ci@db/audit?sslmode=require"),
        ("postgres://:c4n4ry@db/audit", "postgres://db/audit"),
        ("postgres://db/audit?user=ci&password=c4n4ry&sslmode=require", "postgres://db/audit?user=ci&sslmode=require"),
        ("postgres://db/audit?c4n4ry", "postgres://db/audit"),
        ("postgres://db?options=-c%20x.secret=c4n4ry", "postgres://db"),
        ("az://audit/a?sv=2024&sig=c4n4ry", "az://audit/a"),
        ("s3://b/a?endpoint=http://u:c4n4ry%40h&region=eu-1", "s3://b/a?region=eu-1"),
        (
            "s3://b/a?endpoint=http://127.0.0.1:9000&aws_secret_access_key=c4n4ry",
            "s3://b/a?endpoint=http://127.0.0.1:9000",
        ),
    ] {
        let url = url(text);
        assert_eq!(url.to_string(), want);
        let shown = [format!("{url:?}"), serde_json::to_string(&url).unwrap(), url.name().unwrap().to_string()];
        assert!(shown.iter().all(|shown| !shown.contains(CANARY)), "{shown:?}");
        assert_eq!(shown[1], format!("{want:?}"), "and it is a URL again");
        assert_eq!(want.parse::<LedgerUrl>().unwrap().to_string(), want);
    }
    for text in [
        "postgres://ci:c4n4/c4n4ry@db/audit",
        "postgres://ci:c4n4?c4n4ry@db/audit",
        "postgres://ci:c4n4#c4n4ry",
        "postgres://ci:c4n4ry%@db/audit",
        "postgres:/ci:c4n4ry@db/audit",
        "s3://key:c4n4ry@bucket/a",
        "c4n4ry:c4n4ry://x",
        "s3://b/a?endpoint=http://u:c4n4ry@h",
        "postgres://ci:c4n4ry@\u{202e}db/audit",
        "file://u:c4n4ry@/srv",
        "file://c4n4ry@localhost/srv",
        "file://u:c4n4/c4n4ry@/srv",
        "file://localhost:c4n4ry",
        "file:///srv?password=c4n4ry",
    ] {
        let error = text.parse::<LedgerUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    }
}

#[test]
fn one_place_is_seen_through_its_spellings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    assert!(url(path).is_same(&url(&format!("{path}/."))));
    assert!(url("s3://b/a/").is_same(&url("s3://b/a")));
    assert!(
        url("postgres://ci:x@db/a").is_same(&url("postgresql://ada:y@DB:5432/a?sslmode=require")),
        "for another account"
    );
    assert!(!url("postgres://db/a?schema=one").is_same(&url("postgres://db/a?schema=two")));
    assert!(!url("s3://b/a?endpoint=http://h:1").is_same(&url("s3://b/a?endpoint=http://h:2")));
    assert!(!url(path).is_same(&url(&format!("file://{path}"))), "the layouts are two");
    assert!(!url("s3://b/a").is_same(&url("gs://b/a")));
}

#[tokio::test]
async fn what_is_not_built_in_says_how_to_get_it() {
    for (text, feature, built_in) in [
        ("file:///x", "object-store", cfg!(feature = "object-store")),
        ("s3://b", "s3", cfg!(feature = "s3")),
        ("gs://b", "gcs", cfg!(feature = "gcs")),
        ("az://b", "azure", cfg!(feature = "azure")),
        ("postgres://h/d", "postgres", cfg!(feature = "postgres")),
        ("git+https://h/d", "git", cfg!(feature = "git")),
    ] {
        let url = url(text);
        let want = format!("{}:// is not built into this program", text.split_once("://").unwrap().0);
        let error = url.not_built_in().to_string();
        assert!(error.contains(&want) && error.ends_with(&format!("--features {feature}")), "{error}");
        if !built_in {
            for error in [url.open(OpenMode::Read).await.unwrap_err(), url.init().await.unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
                let want = format!("cargo install tagwarden-cli --features {feature}");
                assert!(error.to_string().ends_with(&want), "{error}");
            }
        }
    }
}

#[test]
fn git_branch_is_named_by_its_repository() {
    for (text, want) in [
        ("git", "git"),
        ("git#audit", "git#audit"),
        ("git+https://github.com/acme/shop", "git+https://github.com/acme/shop"),
        ("git+https://github.com/acme/shop#tagwarden", "git+https://github.com/acme/shop"),
        ("GIT+HTTPS://ci:c4n4ry@GitHub.com/acme/shop#team/audit", "git+https://github.com/acme/shop#team/audit"),
        ("git+https://c4n4ry@github.com/acme/shop", "git+https://github.com/acme/shop"),
        ("git+ssh://git@github.com/acme/shop", "git+ssh://git@github.com/acme/shop"),
        ("git+file:///srv/ledger.git#x", "git+file:///srv/ledger.git#x"),
        ("git+http://127.0.0.1:80/x.git", "git+http://127.0.0.1:80/x.git"),
    ] {
        let url = url(text);
        assert_eq!(url.to_string(), want);
        assert_eq!(want.parse::<LedgerUrl>().unwrap().to_string(), want);
        assert!(!format!("{url:?}").contains("c4n4ry"));
    }
    for directory in ["./git", "git/ledger", "gitea", "git.d", "git@github.com:acme/shop"] {
        assert_eq!(url(directory).within(Path::new("/home")).to_string(), format!("/home/{directory}"));
    }
    for text in
        ["git#", "git#a b", "git#-a", "git#a..b", "git+file:///x#a.lock", "git+file:///x#/a", "git+file:///x#a@{1}"]
    {
        let error = text.parse::<LedgerUrl>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{text}: {error}");
    }
    for text in [
        "git+https://u:c4n4#c4n4ry@h/x",
        "git+https://u:c4n4/c4n4ry@h/x",
        "git+https://u:c4n4?c4n4ry@h/x",
        "git+https:c4n4ry",
    ] {
        let error = text.parse::<LedgerUrl>().unwrap_err();
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
    }
}

#[test]
fn git_branch_is_the_same_for_every_user_and_way() {
    let one = url("git+https://github.com/acme/shop");
    for same in ["git+https://u:p@GitHub.com/acme/shop.git", "git+https://github.com/acme/shop/#tagwarden"] {
        assert!(one.is_same(&url(same)), "{same}");
    }
    for other in
        ["git+https://github.com/acme/shop#audit", "git+https://github.com/acme/other", "git+file:///acme/shop"]
    {
        assert!(!one.is_same(&url(other)), "{other}");
    }
}

#[cfg(all(feature = "file", unix))]
#[tokio::test]
async fn a_directory_is_made_to_be_written_and_never_to_be_read() {
    let home = tempfile::tempdir().unwrap();
    let ledger = url("deep/ledger").within(home.path());
    let error = ledger.open(OpenMode::Read).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerAbsent);
    assert!(error.to_string().ends_with("deep/ledger: there is no ledger here"), "{error}");
    ledger.init().await.unwrap();
    ledger.init().await.unwrap();
    ledger.open(OpenMode::Read).await.unwrap();
    assert!(home.path().join("deep/ledger").is_dir());
}
