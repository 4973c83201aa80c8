use super::*;

fn with(url: &str, environment: &[(&str, &str)]) -> Result<Address> {
    let set = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Address::of(&url.parse()?, &set)
}

fn parsed(url: &str) -> Address {
    with(url, &[]).unwrap()
}

fn refused(url: &str) -> String {
    let error = with(url, &[]).err().unwrap_or_else(|| panic!("{url} was taken"));
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    error.to_string()
}

#[test]
fn a_url_says_all() {
    let address = parsed("postgres://ci:p%40ss%2Fword@db.example:6543/releases?schema=shop&sslmode=verify-full");
    assert_eq!(address.place, "postgres://db.example:6543/releases (schema shop)");
    assert_eq!(address.config.get_user(), Some("ci"));
    assert_eq!(address.config.get_password(), Some(&b"p@ss/word"[..]));
    assert_eq!(address.config.get_dbname(), Some("releases"));
    assert!(matches!(address.trust, Some(Trust::Platform(_))));
    let several = parsed("postgresql://ci@a.example,b.example:6543/d");
    assert_eq!(several.place, "postgres://a.example:5432,b.example:6543/d (schema tagwarden)");
    assert_eq!(parsed("postgres://ci@[::1]:6543/d").place, "postgres://::1:6543/d (schema tagwarden)");
}

#[test]
fn what_a_url_leaves_out_is_in_the_environment() {
    let set = [("PGHOST", "db"), ("PGPORT", "1"), ("PGUSER", "u"), ("PGPASSWORD", "pw"), ("PGDATABASE", "d")];
    let address = with("postgres://", &set).unwrap();
    assert_eq!(address.place, "postgres://db:1/d (schema tagwarden)");
    assert_eq!((address.config.get_user(), address.config.get_password()), (Some("u"), Some(&b"pw"[..])));
    assert_eq!(with("postgres://x@h/e", &set).unwrap().place, "postgres://h:5432/e (schema tagwarden)");
    assert!(with("postgres://h/e", &[("PGSSLMODE", "disable")]).unwrap().trust.is_none());
    assert_eq!(refused("postgres:///d"), "the PostgreSQL URL names no host, and PGHOST is not set");
    assert_eq!(refused("postgres://h"), "the PostgreSQL URL names no database, and PGDATABASE is not set");
}

#[test]
fn only_this_host_is_spoken_to_in_the_clear_unless_asked_for() {
    for url in ["postgres://localhost/d", "postgres://127.0.0.1/d", "postgres://[::1]/d", "postgres://%2Frun%2Fpg/d"] {
        assert!(parsed(url).trust.is_none(), "{url}");
    }
    assert!(parsed("postgres:///d?host=/run/pg").trust.is_none());
    for url in ["postgres://db.example/d", "postgres://10.0.0.1/d", "postgres://localhost,db.example/d"] {
        assert!(matches!(parsed(url).trust, Some(Trust::Platform(_))), "{url}");
    }
    assert!(matches!(parsed("postgres://db.example/d?sslmode=require").trust, Some(Trust::Everyone)));
    assert!(parsed("postgres://db.example/d?sslmode=disable").trust.is_none());
    assert!(matches!(parsed("postgres://localhost/d?sslrootcert=system").trust, Some(Trust::Platform(_))));
    let own = refused("postgres://localhost/d?sslrootcert=/nowhere/ca.pem");
    assert!(own.starts_with("the sslrootcert /nowhere/ca.pem cannot be used: "), "{own}");
    assert_eq!(
        refused("postgres://db.example/d?sslmode=prefer"),
        "the sslmode `prefer` is not supported; use verify-full, or disable where the wire is yours alone, or \
         require where the server's certificate cannot be verified"
    );
    assert_eq!(
        refused("postgres://h/d?sslmode=require&sslrootcert=/ca.pem"),
        "sslrootcert says whom to trust, so the sslmode must be verify-full"
    );
}

#[test]
fn root_certificates_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    let url = format!("postgres://localhost/d?sslrootcert={}", file.display());
    let error = || with(&url, &[]).err().unwrap();
    let begins = format!("the sslrootcert {} cannot be used: ", file.display());
    assert!(error().to_string().starts_with(&begins), "{}", error());
    std::fs::write(&file, "nothing").unwrap();
    assert_eq!(
        (error().kind(), error().to_string()),
        (ErrorKind::ConfigInvalid, begins + "no PEM certificate in the text")
    );
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    assert_eq!(
        refused("postgres://h/d?options=-cfsync%3Doff"),
        "the PostgreSQL URL has the key `options`; known are host, schema, sslmode and sslrootcert"
    );
    assert_eq!(refused("s3://b/d"), "a PostgreSQL URL begins with postgres:// or postgresql://");
    assert_eq!(
        refused("postgres://h/d?schema=A%22b"),
        "the schema `A\"b` cannot be used: 1 to 63 of a-z, 0-9 and _, not beginning with a digit or pg_"
    );
    for schema in ["", "1a", "pg_x", &"a".repeat(64)] {
        refused(&format!("postgres://h/d?schema={schema}&sslmode=disable"));
    }
    for url in ["postgres://h:0/d", "postgres://h:x/d", "postgres://h/%zz", "postgres://h/%e9", "postgres://h/%0"] {
        refused(url);
    }
}

#[test]
fn a_password_that_is_not_encoded_is_not_shown() {
    for password in
        ["can/ary", "can?ary", "1/canary", "1?canary=1", "1?sslmode=canary", "can%ary", "ca:nary", "can@ary"]
    {
        let url = format!("postgres://ci:{password}@db.example/d");
        let shown = match with(&url, &[]) {
            Ok(address) => address.place,
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("ary") && !shown.contains("can/"), "{url}: {shown}");
    }
}
