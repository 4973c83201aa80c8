//! The tables of a ledger: their creation and migration, and a check of their version.

use super::address::Address;
use super::pool::Pool;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::OpenMode;

/// The statements that migrate a schema from one version to the next, oldest first.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// Creates the schema and its tables, or migrates them to this version. Concurrent calls wait for each other.
pub(super) async fn init(address: Address) -> Result<()> {
    let pool = Pool::new(address, OpenMode::Write)?;
    pool.lease().await?.batch("make the ledger's tables", &script()).await?;
    check(&pool).await
}

/// Checks that the tables exist, and that this version can use them for the access of `pool`.
pub(super) async fn check(pool: &Pool) -> Result<()> {
    let sql = "SELECT max(version), to_regclass('@.entries') IS NOT NULL FROM @.migrations";
    let rows = pool.query("open the ledger", sql, &[]).await?;
    let row = rows.first();
    let version: Option<i32> = row.and_then(|row| row.try_get(0).ok()).flatten();
    let (found, known) = (version.unwrap_or(0), i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX));
    let has_entries = row.is_some_and(|row| row.try_get(1).unwrap_or(false));
    let versions = format!("its tables are of version {found}, and this tagwarden");
    let (kind, message) = match pool.access {
        _ if found > 0 && !has_entries => {
            (ErrorKind::LedgerAbsent, "the table `entries` is gone; restore it from a backup".to_owned())
        }
        _ if found < known => {
            let message = format!("{versions} needs {known}; run `tagwarden ledger init` with this URL");
            (ErrorKind::LedgerAbsent, message)
        }
        OpenMode::Write if found > known => {
            let message = format!("{versions} knows {known}: it can be read, not written; upgrade tagwarden");
            (ErrorKind::LedgerTooNew, message)
        }
        _ => return Ok(()),
    };
    Err(Error::new(kind, format!("{}: {message}", pool.address.place)))
}

/// A script of one transaction that applies the missing migrations, under a lock that every `init` of this schema
/// takes. `@` stands for the schema.
fn script() -> String {
    let mut script = "BEGIN;
        SELECT pg_advisory_xact_lock(hashtextextended('tagwarden ledger init @', 0));
        DO $init$ BEGIN
            IF to_regnamespace('@') IS NULL THEN CREATE SCHEMA @; END IF;
            IF to_regclass('@.migrations') IS NULL THEN
                CREATE TABLE @.migrations (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
            END IF;
        END $init$;\n"
        .to_owned();
    for (sql, version) in MIGRATIONS.iter().zip(1..) {
        script += &format!(
            "DO $init$ BEGIN
                IF NOT EXISTS (SELECT FROM @.migrations WHERE version >= {version}) THEN
                    {sql}
                    INSERT INTO @.migrations (version) VALUES ({version});
                END IF;
            END $init$;\n"
        );
    }
    script + "COMMIT"
}
