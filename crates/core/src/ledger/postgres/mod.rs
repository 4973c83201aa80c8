//! `PostgresLedger`: a ledger in a PostgreSQL database that many machines share.

mod address;
mod fault;
mod pgpass;
mod pool;
mod schema;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use self::address::Address;
use self::pool::{Lease, Parameters, Pool};
use super::{Appended, IndexStore, Ledger, LedgerUrl, OpenMode, Term};
use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::value::{Channel, Timestamp};

/// The greatest number of entries that one read returns, for any `limit`: at most 8 MiB.
const PAGE: usize = 256;

/// The greatest number of channels that one statement lists.
const CHANNELS_AT_ONCE: i64 = 10_000;

/// The longest time for which the result of an append with a lost answer is looked for.
const SETTLE: Duration = Duration::from_secs(30);

/// The pauses between two attempts of [`PostgresLedger::settle`].
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

/// A ledger in a PostgreSQL database (12 or later), for any number of machines.
///
/// - A log is the rows of one channel in the table `entries`, whose primary key is (channel, seq). An append is one
///   `INSERT` in one round trip. When the server has answered, the entry is as durable as the server's disk.
/// - A trigger refuses UPDATE, DELETE and TRUNCATE of entries. The owner of the tables can remove the trigger: use
///   other roles for the ledger's writers (`docs/reference/ledger-urls.md`).
/// - An append whose answer was lost is sent again on a new connection. The primary key makes it wait for the end of
///   the first attempt, and the stored entry then shows the result. The append is LEDGER_AMBIGUOUS only if this fails
///   for 30 s.
/// - A failover to an *asynchronous* standby can lose entries that were acknowledged.
/// - Moves are looked up by columns that the database computes from the entry and that no writer can change. `derived`
///   holds derived data; emptying it loses nothing.
///
/// # URL
/// `postgres://user:password@host:port/database?schema=…&sslmode=…&sslrootcert=…`, also `postgresql://`. Several hosts
/// are separated by commas; with write access the first one that can be written to is used. Special characters are
/// percent-encoded.
///
/// | part | if it is left out |
/// | --- | --- |
/// | host, port | `PGHOST`, `PGPORT`; a host that begins with `/` (as `?host=/run/postgresql`) is a socket's directory |
/// | user | `PGUSER`, then the name of the system's user |
/// | password | `PGPASSWORD`, then the password file (`PGPASSFILE`, then `~/.pgpass`) if only its owner may read it |
/// | database | `PGDATABASE`, then the user's name |
/// | `schema` | `tagwarden` |
/// | `sslmode` | `PGSSLMODE`, then `disable` if every host is this host, else `verify-full` |
/// | `sslrootcert` | `PGSSLROOTCERT`, then the platform's roots |
///
/// `sslmode` is `disable`, `require` or `verify-full`. No other variable of libpq's environment is read. No error and
/// no `Debug` output contains the password.
#[derive(Clone)]
pub struct PostgresLedger {
    pool: Arc<Pool>,
    /// The last `clock_timestamp()` of the database, and when that answer arrived, on the monotonic clock.
    clock: Arc<Mutex<Option<(Timestamp, Instant)>>>,
}

impl PostgresLedger {
    /// The ledger at `url`, which must exist: see [`PostgresLedger::init`].
    ///
    /// # Errors
    /// CONFIG_INVALID for a URL that cannot be used, LEDGER_ABSENT if the database, the schema or the tables do not
    /// exist or are of an older version, LEDGER_TOO_NEW if the tables are of a newer version and `access` is to write,
    /// LEDGER_DENIED if the user or the password is not accepted, LEDGER_UNSUPPORTED if `fsync` is off on the server
    /// and `access` is to write, LEDGER_UNAVAILABLE otherwise.
    pub async fn open(url: &str, access: OpenMode) -> Result<PostgresLedger> {
        PostgresLedger::at(&url.parse()?, access).await
    }

    /// As [`PostgresLedger::open`], at a URL that was parsed before.
    pub(super) async fn at(url: &LedgerUrl, access: OpenMode) -> Result<PostgresLedger> {
        let pool = Pool::new(address(url)?, access)?;
        schema::check(&pool).await?;
        Ok(PostgresLedger { pool: Arc::new(pool), clock: Arc::default() })
    }

    /// Creates the schema and the tables of a ledger in the database at `url`, or migrates them to this version. Does
    /// nothing if they are current. The user becomes their owner; other roles get their rights by SQL
    /// (`docs/reference/ledger-urls.md`).
    pub async fn init(url: &str) -> Result<()> {
        PostgresLedger::init_at(&url.parse()?).await
    }

    pub(super) async fn init_at(url: &LedgerUrl) -> Result<()> {
        schema::init(address(url)?).await
    }

    fn column<'r, T: FromSql<'r>>(&self, row: &'r Row, at: usize) -> Result<T> {
        row.try_get(at).map_err(|e| fault::said(&self.pool.address.place, "read a row", e))
    }

    async fn insert(&self, lease: Lease<'_>, channel: &str, seq: i64, bytes: &[u8]) -> Result<Appended> {
        // The primary key makes this wait for a transaction that is storing an entry at the same position.
        let sql = "INSERT INTO @.entries (channel, seq, bytes) SELECT $1, $2, $3
             WHERE $2 = 0 OR EXISTS (SELECT FROM @.entries WHERE channel = $1 AND seq = $2 - 1)
             ON CONFLICT DO NOTHING";
        match lease.append(sql, &[(&channel, Type::TEXT), (&seq, Type::INT8), (&bytes, Type::BYTEA)]).await {
            Ok(0) => Ok(Appended::Conflict),
            Ok(_) => Ok(Appended::Stored),
            Err(error) if fault::is_lost(&error) => Ok(Appended::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Finds the result of an append whose answer was lost.
    ///
    /// The same entry is inserted again. That waits for the end of the first attempt, if it still runs, and takes the
    /// position if the first attempt failed. If the first attempt arrives even later, it finds the position taken. The
    /// entry at the position is then final.
    async fn settle(&self, channel: &Channel, seq: i64, bytes: &[u8], lost: Error) -> Result<Appended> {
        let deadline = Instant::now() + SETTLE;
        let (mut last, mut failed) = (lost, 0);
        while Instant::now() < deadline {
            match self.try_settle(channel, seq, bytes).await {
                Ok(Some(append)) => return Ok(append),
                Ok(None) => {}
                Err(error) => last = error,
            }
            failed += 1;
            tokio::time::sleep(BACKOFF.pause(failed)).await;
        }
        let message = format!("it is not known whether entry {seq} of {channel} was stored: {last}");
        let error =
            Error::new(ErrorKind::LedgerAmbiguous, message).with_context("channel", channel).with_context("seq", seq);
        Err(error.with_source(last))
    }

    /// None if there is no entry at the position, so that the result is still unknown.
    async fn try_settle(&self, channel: &Channel, seq: i64, bytes: &[u8]) -> Result<Option<Appended>> {
        let name = channel.to_string();
        self.pool.clear();
        if self.insert(self.pool.lease().await?, &name, seq, bytes).await? == Appended::Stored {
            return Ok(Some(Appended::Stored));
        }
        let there = self.read(channel, seq.cast_unsigned(), 1).await?;
        Ok(there.first().map(|there| if there == bytes { Appended::Stored } else { Appended::Conflict }))
    }
}

/// The address from `url` and the environment.
fn address(url: &LedgerUrl) -> Result<Address> {
    Address::of(url, &|name| std::env::var(name).ok())
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PostgresLedger");
        debug.field("place", &self.pool.address.place).field("access", &self.pool.access).finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        // The same statement reads the database's time, because the size is read before each intent.
        let sql = "SELECT (SELECT seq FROM @.entries WHERE channel = $1 ORDER BY seq DESC LIMIT 1),
             (extract(epoch FROM clock_timestamp()) * 1000)::int8";
        let rows = self.pool.query("read the size of a log", sql, &[(&channel.to_string(), Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        *lock(&self.clock) = Some((Timestamp::from_unix_ms(self.column(row, 1)?), Instant::now()));
        let last: Option<i64> = self.column(row, 0)?;
        Ok(last.map_or(0, |last| last.cast_unsigned() + 1))
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let Ok(first) = i64::try_from(from) else { return Ok(Vec::new()) };
        let sql = "SELECT seq, bytes FROM @.entries WHERE channel = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
        let (name, limit) = (channel.to_string(), limit.min(PAGE) as i64);
        let parameters: Parameters<'_> = &[(&name, Type::TEXT), (&first, Type::INT8), (&limit, Type::INT8)];
        let rows = self.pool.query("read entries", sql, parameters).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for (row, expected) in rows.iter().zip(first..) {
            let seq: i64 = self.column(row, 0)?;
            if seq != expected {
                let message = format!("{}: entry {expected} of {channel} is missing", self.pool.address.place);
                let error = Error::new(ErrorKind::LedgerCorrupt, message);
                return Err(error.with_context("channel", channel).with_context("seq", expected));
            }
            entries.push(Bytes::copy_from_slice(self.column(row, 1)?));
        }
        Ok(entries)
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        if self.pool.access != OpenMode::Write {
            let message = format!("{}: the ledger was opened to be read only", self.pool.address.place);
            return Err(Error::new(ErrorKind::LedgerDenied, message).with_context("channel", channel));
        }
        // A position that the column's type cannot hold is never the next one.
        let Ok(seq) = i64::try_from(seq) else { return Ok(Appended::Conflict) };
        let lease = self.pool.lease().await?;
        let inserted = self.insert(lease, &channel.to_string(), seq, &bytes).await;
        match inserted.map_err(|e| e.with_context("channel", channel).with_context("seq", seq)) {
            Err(error) if !fault::is_without_effect(&error) => self.settle(channel, seq, &bytes, error).await,
            answered => answered,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        lock(&self.clock).map(|(said, at)| said.plus(at.elapsed()))
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        // Jump from each channel to the next one: the cost grows with the number of channels, not of entries.
        let sql = "WITH RECURSIVE names AS (
                (SELECT channel FROM @.entries WHERE channel > $1 ORDER BY channel LIMIT 1)
                UNION ALL
                SELECT (SELECT e.channel FROM @.entries e WHERE e.channel > names.channel ORDER BY e.channel LIMIT 1)
                FROM names WHERE names.channel IS NOT NULL
             ) SELECT channel FROM names WHERE channel IS NOT NULL LIMIT $2";
        let (mut channels, mut after) = (Vec::new(), String::new());
        loop {
            let parameters: Parameters<'_> = &[(&after, Type::TEXT), (&CHANNELS_AT_ONCE, Type::INT8)];
            let rows = self.pool.query("list the channels", sql, parameters).await?;
            for row in &rows {
                after = self.column(row, 0)?;
                channels.push(after.parse::<Channel>().map_err(|e| {
                    let message = format!("{}: the entries of no channel: {e}", self.pool.address.place);
                    Error::new(ErrorKind::LedgerCorrupt, message).with_source(e)
                })?);
            }
            if (rows.len() as i64) < CHANNELS_AT_ONCE {
                break;
            }
        }
        channels.sort();
        Ok(channels)
    }

    async fn search(&self, channel: &Channel, term: Term<'_>, size: u64) -> Result<Option<Vec<u64>>> {
        let (column, value) = match term {
            Term::Key(key) => ("key", key.as_str().to_owned()),
            Term::Target(digest) => ("target", digest.to_string()),
        };
        // Moves do not overlap: the first outcome after an intent is the intent's own.
        let sql = format!(
            "SELECT i.seq FROM @.entries i WHERE i.channel = $1 AND i.{column} = $2 AND 'committed' = (
                SELECT o.status FROM @.entries o
                WHERE o.channel = $1 AND o.seq > i.seq AND o.seq < $3 AND o.status IS NOT NULL ORDER BY o.seq LIMIT 1
             ) ORDER BY i.seq DESC"
        );
        let (name, size) = (channel.to_string(), i64::try_from(size).unwrap_or(i64::MAX));
        let parameters: Parameters<'_> = &[(&name, Type::TEXT), (&value, Type::TEXT), (&size, Type::INT8)];
        let rows = self.pool.query("look up a move", &sql, parameters).await?;
        rows.iter().map(|row| Ok(self.column::<i64>(row, 0)?.cast_unsigned())).collect::<Result<_>>().map(Some)
    }

    fn index(&self) -> Option<&dyn IndexStore> {
        Some(self)
    }
}

/// A blob is a row in `derived`.
#[async_trait]
impl IndexStore for PostgresLedger {
    async fn get(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>> {
        let sql = "SELECT bytes FROM @.derived WHERE channel = $1 AND name = $2";
        let parameters: Parameters<'_> = &[(&channel.to_string(), Type::TEXT), (&name, Type::TEXT)];
        let rows = self.pool.query("read the index", sql, parameters).await?;
        rows.first().map(|row| Ok(Bytes::copy_from_slice(self.column(row, 0)?))).transpose()
    }

    async fn put(&self, channel: &Channel, name: &str, blob: Bytes) -> Result<()> {
        if self.pool.access != OpenMode::Write {
            return Ok(());
        }
        let sql = "INSERT INTO @.derived (channel, name, bytes) VALUES ($1, $2, $3)
             ON CONFLICT (channel, name) DO UPDATE SET bytes = excluded.bytes";
        let (channel, blob) = (channel.to_string(), blob.as_ref());
        let parameters: Parameters<'_> = &[(&channel, Type::TEXT), (&name, Type::TEXT), (&blob, Type::BYTEA)];
        self.pool.query("write the index", sql, parameters).await.map(drop)
    }
}
