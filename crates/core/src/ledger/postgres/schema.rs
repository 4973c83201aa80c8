//! The tables of a ledger: their creation and migration, and a check of their version.

use super::address::Address;
use super::pool::Pool;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::OpenMode;

/// The statements that migrate a schema from one version to the next, oldest first.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// Creates the schema and its tables, or migrates them to this version. Concurrent calls wait for each other.
pub(super) async fn init(address: Address) -> Result<()> {
    let schema = address.schema.clone();
    let pool = Pool::new(address, OpenMode::Write)?;
    let script = script(&schema);
    let lease = pool.lease().await?;
    lease.batch(&script).await.map_err(|fault| pool.error(fault, "make the ledger's tables"))?;
    check(&pool, OpenMode::Write).await
}

/// Checks that the tables exist, and that this version can use them for `access`.
pub(super) async fn check(pool: &Pool, access: OpenMode) -> Result<()> {
    let place = &pool.address().place;
    let schema = &pool.address().schema;
    let sql = format!("SELECT max(version), to_regclass('{schema}.entries') IS NOT NULL FROM {schema}.migrations");
    let rows = pool.read("open the ledger", &sql, &[]).await?;
    let row = rows.first();
    let version: Option<i32> = row.and_then(|row| row.try_get(0).ok()).flatten();
    let (found, known) = (version.unwrap_or(0), i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX));
    let has_entries = row.is_some_and(|row| row.try_get(1).unwrap_or(false));
    let (kind, message) = match access {
        _ if found > 0 && !has_entries => {
            (ErrorKind::LedgerAbsent, "the table `entries` is gone; restore it from a backup".to_owned())
        }
        _ if found < known => (
            ErrorKind::LedgerAbsent,
            format!(
                "its tables are of version {found}, and this tagwarden needs {known}; run `tagwarden ledger init` with this URL"
            ),
        ),
        OpenMode::Write if found > known => (
            ErrorKind::LedgerTooNew,
            format!(
                "its tables are of version {found}, and this tagwarden knows {known}: it can be read, not written; \
                     upgrade tagwarden"
            ),
        ),
        _ => return Ok(()),
    };
    Err(Error::new(kind, format!("{place}: {message}")))
}

/// A script of one transaction that applies the missing migrations, under a lock that every `init` of this schema
/// takes.
fn script(schema: &str) -> String {
    let mut script = format!(
        "BEGIN;
        SELECT pg_advisory_xact_lock(hashtextextended('tagwarden ledger init {schema}', 0));
        DO $init$ BEGIN
            IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF;
            IF to_regclass('{schema}.migrations') IS NULL THEN
                CREATE TABLE {schema}.migrations (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
            END IF;
        END $init$;\n"
    );
    for (sql, version) in MIGRATIONS.iter().zip(1..) {
        let sql = sql.replace('@', schema);
        script += &format!(
            "DO $init$ BEGIN
                IF NOT EXISTS (SELECT FROM {schema}.migrations WHERE version >= {version}) THEN
                    {sql}
                    INSERT INTO {schema}.migrations (version) VALUES ({version});
                END IF;
            END $init$;\n"
        );
    }
    script + "COMMIT"
}
