//! `Pool`: the connections of one ledger, each with the session settings that a ledger needs.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Address, CONNECT};
use super::fault;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::OpenMode;
use crate::lock::lock;
use crate::tls::{self, Trust};

/// The greatest number of connections that one ledger opens.
const MAX_CONNECTIONS: usize = 8;

/// The longest time that a call waits for a free connection.
const POOL_WAIT: Duration = Duration::from_secs(10);

/// The longest time that the server may work on a statement.
const STATEMENT: Duration = Duration::from_secs(10);

/// The longest time that a statement waits for a lock of another transaction.
const LOCK: Duration = Duration::from_secs(5);

/// The longest time until an answer arrives, including the network; after that the answer counts as lost.
const ANSWER: Duration = Duration::from_secs(15);

/// The number of appends of a connection that are not prepared. A command makes two appends, and preparing costs a
/// round trip; in a longer process a prepared statement saves the server's parsing and planning.
const UNPREPARED: u32 = 2;

/// The parameters of a statement, and their types. With the types given, a statement takes one round trip.
pub(super) type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// The connections of a ledger.
pub(super) struct Pool {
    pub(super) address: Address,
    pub(super) access: OpenMode,
    tls: MakeRustlsConnect,
    permits: Semaphore,
    kept: Mutex<Vec<Session>>,
}

/// A connection.
struct Session {
    client: Client,
    appends: u32,
    append: Option<Statement>,
    /// The task that does the network I/O of the connection. It is aborted when the session is dropped, so that a
    /// failed connection is closed at once.
    _carrier: JoinSet<()>,
}

/// A session in use. It is closed unless it is returned to the pool.
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    session: Session,
    is_new: bool,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(super) fn new(mut address: Address, access: OpenMode) -> Result<Pool> {
        // Without TLS the driver does not use the configuration.
        let trust = address.trust.take().unwrap_or(Trust::Platform(Vec::new()));
        let tls = MakeRustlsConnect::new(tls::config(trust, None)?);
        if access == OpenMode::Write && address.config.get_hosts().len() > 1 {
            address.config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Pool { address, access, tls, permits: Semaphore::new(MAX_CONNECTIONS), kept: Mutex::default() })
    }

    /// Takes a connection from the pool, or opens a new one.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let Ok(Ok(permit)) = timeout(POOL_WAIT, self.permits.acquire()).await else {
            let (place, seconds) = (&self.address.place, POOL_WAIT.as_secs());
            let message = format!("{place}: all {MAX_CONNECTIONS} connections were in use for {seconds} s");
            return Err(Error::new(ErrorKind::LedgerUnavailable, message));
        };
        let kept = std::iter::from_fn(|| lock(&self.kept).pop()).find(|session| !session.client.is_closed());
        let (session, is_new) = match kept {
            Some(session) => (session, false),
            None => (self.connect().await?, true),
        };
        Ok(Lease { pool: self, session, is_new, _permit: permit })
    }

    /// Closes the connections that are not in use. If one connection broke, the others are probably broken too.
    pub(super) fn clear(&self) {
        lock(&self.kept).clear();
    }

    /// The rows of a statement that may run twice: it is sent again if a used connection broke.
    pub(super) async fn query(&self, what: &str, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        loop {
            let lease = self.lease().await?;
            let is_new = lease.is_new;
            match lease.rows(what, sql, parameters).await {
                Err(error) if !is_new && !fault::is_answer(&error) => self.clear(),
                result => return result,
            }
        }
    }

    /// `sql` with each `@` replaced by the schema's name.
    pub(super) fn sql(&self, sql: &str) -> String {
        sql.replace('@', &self.address.schema)
    }

    /// The result of `future`, or an error if there is none within `limit`.
    async fn answer<T>(
        &self,
        what: &str,
        limit: Duration,
        future: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        match timeout(limit, future).await {
            Ok(result) => result.map_err(|e| fault::said(&self.address.place, what, e)),
            Err(_) => Err(fault::silence(&self.address.place, what, limit)),
        }
    }

    async fn connect(&self) -> Result<Session> {
        let connecting = self.address.config.connect(self.tls.clone());
        let (client, connection) = self.answer("connect", CONNECT, connecting).await?;
        let mut carrier = JoinSet::new();
        // Drop the error of the network task: the driver also returns it to the caller that waits for an answer.
        carrier.spawn(async move { drop(connection.await) });
        self.set_up(&client).await?;
        Ok(Session { client, appends: 0, append: None, _carrier: carrier })
    }

    /// Settings of a session in one round trip: a fixed `search_path`, timeouts for statements and locks, commits that
    /// are durable before the answer, and read-only transactions for a reader.
    async fn set_up(&self, client: &Client) -> Result<()> {
        const SETTINGS: &str = "SELECT set_config('search_path', 'pg_catalog', false),
            set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),
            set_config('default_transaction_isolation', 'read committed', false),
            set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
            set_config('default_transaction_read_only', CASE WHEN $3 THEN 'on'
                ELSE current_setting('default_transaction_read_only') END, false),
            current_setting('fsync') = 'on'";
        let reads = self.access != OpenMode::Write;
        let [statement, lock] = [STATEMENT, LOCK].map(|time| time.as_millis().to_string());
        let parameters: Parameters<'_> = &[(&statement, Type::TEXT), (&lock, Type::TEXT), (&reads, Type::BOOL)];
        let rows = self.answer("set up a session", ANSWER, client.query_typed(SETTINGS, parameters)).await?;
        let is_synced = rows.first().is_some_and(|row| row.try_get(6).unwrap_or(false));
        if is_synced || reads {
            return Ok(());
        }
        let message = format!(
            "{}: fsync is off on this server, so a crash would lose entries that were acknowledged; turn it on",
            self.address.place
        );
        Err(Error::new(ErrorKind::LedgerUnsupported, message))
    }
}

impl Lease<'_> {
    /// The rows of a statement.
    async fn rows(self, what: &str, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let sql = self.pool.sql(sql);
        let result = self.pool.answer(what, ANSWER, self.session.client.query_typed(&sql, parameters)).await;
        self.give_back(result)
    }

    /// The number of rows that the append stored. `sql` must be the same in every call, because it is prepared after the
    /// first [`UNPREPARED`] appends.
    pub(super) async fn append(mut self, sql: &str, parameters: Parameters<'_>) -> Result<u64> {
        let (pool, sql, session) = (self.pool, self.pool.sql(sql), &mut self.session);
        session.appends = session.appends.saturating_add(1);
        let stored = async {
            if session.appends > UNPREPARED && session.append.is_none() {
                let types: Vec<Type> = parameters.iter().map(|(_, kind)| kind.clone()).collect();
                session.append = Some(session.client.prepare_typed(&sql, &types).await?);
            }
            let Some(append) = &session.append else { return session.client.execute_typed(&sql, parameters).await };
            let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|(value, _)| *value).collect();
            session.client.execute(append, &values).await
        };
        let result = pool.answer("append", ANSWER, stored).await;
        self.give_back(result)
    }

    /// Runs several statements, one after the other. The session is not used again.
    pub(super) async fn batch(self, what: &str, sql: &str) -> Result<()> {
        self.pool.answer(what, ANSWER, self.session.client.batch_execute(&self.pool.sql(sql))).await
    }

    fn give_back<T>(self, result: Result<T>) -> Result<T> {
        if result.as_ref().err().is_none_or(fault::is_answer) {
            lock(&self.pool.kept).push(self.session);
        }
        result
    }
}
