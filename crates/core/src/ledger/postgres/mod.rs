//! `PostgresLedger`: a PostgreSQL database that every runner reaches.

mod address;
mod clock;
mod fault;
mod index;
mod pgpass;
mod pool;
mod schema;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use self::address::Address;
use self::clock::DatabaseClock;
use self::fault::Fault;
use self::pool::{Lease, Parameter, Pool};
use super::{Access, Append, Index, Ledger};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Channel, Timestamp};

/// The most entries that one read gives, whatever it is asked for: at most 8 MiB.
const PAGE: usize = 256;

/// How many channels are listed by one statement.
const CHANNELS_AT_ONCE: i64 = 10_000;

/// How long an append whose answer was lost is asked after.
const SETTLE: Duration = Duration::from_secs(30);

/// The first and the longest wait between two times of asking.
const SETTLE_WAIT: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// A ledger in a PostgreSQL database (12 or later), for any number of machines.
///
/// - A log is the rows of one channel in the table `entries`, whose primary key is (channel, seq). An append is one
///   `INSERT` in one round trip; it is durable when the server has answered, as durable as the server's disk.
/// - UPDATE, DELETE and TRUNCATE of entries are refused by a trigger. The owner of the tables can remove the trigger:
///   let the ledger's writers be other roles (`docs/ledgers.md`).
/// - An append whose answer was lost is sent again on a new connection: the primary key waits for the first one's end,
///   and what stands there then tells which it was. Only if that does not work for 30 s is it LEDGER_AMBIGUOUS.
/// - A failover to an *asynchronous* standby can lose entries that were acknowledged.
/// - `folds` and `terms` hold derived data; emptying them loses nothing.
///
/// # URL
/// `postgres://user:password@host:port/database?schema=…&sslmode=…&sslrootcert=…`, also `postgresql://`. Several hosts
/// are separated by commas; the first one that can be written to is used. Special characters are percent-encoded.
///
/// | part | when it is left out |
/// | --- | --- |
/// | host, port | `PGHOST`, `PGPORT`; a host that begins with `/` (as `?host=/run/postgresql`) is a socket's directory |
/// | user | `PGUSER`, then the name of the system's user |
/// | password | `PGPASSWORD`, then the password file (`PGPASSFILE`, then `~/.pgpass`), unless others may read it |
/// | database | `PGDATABASE`, then the user's name |
/// | `schema` | `tagwarden` |
/// | `sslmode` | `PGSSLMODE`, then `verify-full`; `disable` if every host is this host itself. The third is `require` |
/// | `sslrootcert` | `PGSSLROOTCERT`, then the platform's roots |
///
/// Nothing else of libpq's environment is read. The password is in no error and no `Debug`.
#[derive(Clone)]
pub struct PostgresLedger {
    pool: Arc<Pool>,
    access: Access,
    clock: Arc<DatabaseClock>,
}

impl PostgresLedger {
    /// The ledger at `url`, which must be there: see [`PostgresLedger::init`].
    ///
    /// # Errors
    /// CONFIG_INVALID for a URL that cannot be used, LEDGER_ABSENT if database, schema or tables are not there or of an
    /// older version, LEDGER_TOO_NEW if they are of a newer one and it is to be written, LEDGER_DENIED if user or
    /// password are not accepted, LEDGER_UNSUPPORTED if the server does not sync, LEDGER_UNAVAILABLE otherwise.
    pub async fn open(url: &str, access: Access) -> Result<PostgresLedger> {
        let pool = Pool::new(address(url)?, access)?;
        schema::check(&pool, access).await?;
        Ok(PostgresLedger { pool: Arc::new(pool), access, clock: Arc::default() })
    }

    /// Makes the schema and the tables of a ledger in the database at `url`, or brings them to this version's. Does
    /// nothing where all is there. The user becomes their owner; rights of others are granted by SQL (`docs/ledgers.md`).
    pub async fn init(url: &str) -> Result<()> {
        schema::init(address(url)?).await
    }

    /// `sql` with the schema's name in the place of each `@`.
    fn sql(&self, sql: &str) -> String {
        sql.replace('@', &self.pool.address().schema)
    }

    fn column<'r, T: FromSql<'r>>(&self, row: &'r Row, at: usize) -> Result<T> {
        row.try_get(at).map_err(|e| self.pool.error(Fault::Said(e), "read a row"))
    }

    async fn insert(&self, lease: Lease<'_>, channel: &str, seq: i64, bytes: &[u8]) -> Result<Append, Fault> {
        // The primary key waits for a transaction that is about to store something there.
        let sql = self.sql(
            "INSERT INTO @.entries (channel, seq, bytes) SELECT $1, $2, $3
             WHERE $2 = 0 OR EXISTS (SELECT FROM @.entries WHERE channel = $1 AND seq = $2 - 1)
             ON CONFLICT DO NOTHING",
        );
        let parameters: [Parameter<'_>; 3] = [(&channel, Type::TEXT), (&seq, Type::INT8), (&bytes, Type::BYTEA)];
        match lease.append(&sql, &parameters).await {
            Ok(0) => Ok(Append::Lost),
            Ok(_) => Ok(Append::Stored),
            Err(fault) if fault.is_lost() => Ok(Append::Lost),
            Err(fault) => Err(fault),
        }
    }

    /// How an append ended whose answer was lost.
    ///
    /// The same entry is stored again: that waits until the first attempt is over, if it still runs, and takes the
    /// position if it came to nothing. Should the first attempt arrive even later, the position is taken. What stands
    /// there is then final.
    async fn settle(&self, channel: &Channel, seq: i64, bytes: &[u8], lost: Error) -> Result<Append> {
        let deadline = Instant::now() + SETTLE;
        let [mut wait, longest] = SETTLE_WAIT;
        let mut last = lost;
        while Instant::now() < deadline {
            match self.try_settle(channel, seq, bytes).await {
                Ok(Some(append)) => return Ok(append),
                Ok(None) => {}
                Err(error) => last = error,
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(longest);
        }
        let message = format!("it is not known whether entry {seq} of {channel} was stored: {last}");
        let error = Error::new(ErrorKind::LedgerAmbiguous, message).with("channel", channel).with("seq", seq);
        Err(error.because(last))
    }

    /// None if it cannot be told from what stands there.
    async fn try_settle(&self, channel: &Channel, seq: i64, bytes: &[u8]) -> Result<Option<Append>> {
        let name = channel.to_string();
        let inserted = self.insert(self.pool.lease_new().await?, &name, seq, bytes).await;
        if inserted.map_err(|fault| self.pool.error(fault, "append"))? == Append::Stored {
            return Ok(Some(Append::Stored));
        }
        let there = self.read(channel, seq.cast_unsigned(), 1).await?;
        Ok(there.first().map(|there| if there == bytes { Append::Stored } else { Append::Lost }))
    }
}

/// The address that `url` and the environment say.
fn address(url: &str) -> Result<Address> {
    Address::parse(url, &|name| std::env::var(name).ok())
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PostgresLedger");
        debug.field("place", &self.pool.address().place).field("access", &self.access).finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        // The time rides on it: the size is read before each append.
        let sql = self.sql(
            "SELECT (SELECT seq FROM @.entries WHERE channel = $1 ORDER BY seq DESC LIMIT 1),
             (extract(epoch FROM clock_timestamp()) * 1000)::int8",
        );
        let rows = self.pool.read("read the size of a log", &sql, &[(&channel.to_string(), Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        self.clock.note(self.column(row, 1)?);
        let last: Option<i64> = self.column(row, 0)?;
        Ok(last.map_or(0, |last| last.cast_unsigned() + 1))
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let Ok(first) = i64::try_from(from) else { return Ok(Vec::new()) };
        let sql = self.sql("SELECT seq, bytes FROM @.entries WHERE channel = $1 AND seq >= $2 ORDER BY seq LIMIT $3");
        let (name, limit) = (channel.to_string(), limit.min(PAGE) as i64);
        let parameters: [Parameter<'_>; 3] = [(&name, Type::TEXT), (&first, Type::INT8), (&limit, Type::INT8)];
        let rows = self.pool.read("read entries", &sql, &parameters).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for (row, expected) in rows.iter().zip(first..) {
            let seq: i64 = self.column(row, 0)?;
            if seq != expected {
                let message = format!("{}: entry {expected} of {channel} is missing", self.pool.address().place);
                let error = Error::new(ErrorKind::LedgerCorrupt, message);
                return Err(error.with("channel", channel).with("seq", expected));
            }
            entries.push(Bytes::copy_from_slice(self.column(row, 1)?));
        }
        Ok(entries)
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Append> {
        if self.access == Access::Read {
            let message = format!("{}: the ledger was opened to be read only", self.pool.address().place);
            return Err(Error::new(ErrorKind::LedgerDenied, message).with("channel", channel));
        }
        // No writer can have filled the positions before one that the table has no number for.
        let Ok(seq) = i64::try_from(seq) else { return Ok(Append::Lost) };
        let lease = self.pool.lease().await?;
        match self.insert(lease, &channel.to_string(), seq, &bytes).await {
            Ok(append) => Ok(append),
            Err(fault) => {
                let is_without_effect = fault.is_without_effect();
                let error = self.pool.error(fault, "append").with("channel", channel).with("seq", seq);
                match is_without_effect {
                    true => Err(error),
                    false => self.settle(channel, seq, &bytes, error).await,
                }
            }
        }
    }

    fn time(&self) -> Option<Timestamp> {
        self.clock.now()
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        // From each channel straight to the next one: the cost grows with the channels, not with their entries.
        let sql = self.sql(
            "WITH RECURSIVE names AS (
                (SELECT channel FROM @.entries WHERE channel > $1 ORDER BY channel LIMIT 1)
                UNION ALL
                SELECT (SELECT e.channel FROM @.entries e WHERE e.channel > names.channel ORDER BY e.channel LIMIT 1)
                FROM names WHERE names.channel IS NOT NULL
             ) SELECT channel FROM names WHERE channel IS NOT NULL LIMIT $2",
        );
        let (mut channels, mut after) = (Vec::new(), String::new());
        loop {
            let parameters: [Parameter<'_>; 2] = [(&after, Type::TEXT), (&CHANNELS_AT_ONCE, Type::INT8)];
            let rows = self.pool.read("list the channels", &sql, &parameters).await?;
            for row in &rows {
                after = self.column(row, 0)?;
                channels.push(after.parse::<Channel>().map_err(|e| {
                    let message = format!("{}: the entries of no channel: {e}", self.pool.address().place);
                    Error::new(ErrorKind::LedgerCorrupt, message).because(e)
                })?);
            }
            if (rows.len() as i64) < CHANNELS_AT_ONCE {
                break;
            }
        }
        channels.sort();
        Ok(channels)
    }

    fn index(&self) -> Option<&dyn Index> {
        Some(self)
    }
}
