//! `Pool`: the connections of one ledger, each with the session settings that a ledger needs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Address, CONNECT};
use super::fault::Fault;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::OpenMode;
use crate::tls;

/// The greatest number of connections that one ledger opens.
pub(super) const MAX_CONNECTIONS: usize = 8;

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

/// A parameter of a statement, and its type. With the types given, a statement takes one round trip.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// The connections of a ledger.
pub(super) struct Pool {
    address: Address,
    access: OpenMode,
    tls: Option<MakeRustlsConnect>,
    permits: Arc<Semaphore>,
    kept: Mutex<Vec<Session>>,
}

/// A connection.
pub(super) struct Session {
    client: Client,
    appends: u32,
    append: Option<Statement>,
    /// The task that does the network I/O of the connection. It is aborted when the session is dropped, so that a
    /// failed connection is closed at once.
    carrier: JoinHandle<()>,
}

/// A session in use. It is closed unless it is returned to the pool.
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    session: Session,
    is_new: bool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(mut address: Address, access: OpenMode) -> Result<Pool> {
        let tls = address.tls.trust()?.map(tls::config).transpose()?.map(MakeRustlsConnect::new);
        if access == OpenMode::Write && address.config.get_hosts().len() > 1 {
            address.config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Ok(Pool { address, access, tls, permits, kept: Mutex::default() })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Takes a connection from the pool, or opens a new one.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let permit = self.permit().await?;
        let kept = std::iter::from_fn(|| self.kept().pop()).find(|session| !session.client.is_closed());
        let (session, is_new) = match kept {
            Some(session) => (session, false),
            None => (self.connect().await?, true),
        };
        Ok(Lease { pool: self, session, is_new, _permit: permit })
    }

    /// Opens a new connection.
    pub(super) async fn lease_new(&self) -> Result<Lease<'_>> {
        let permit = self.permit().await?;
        Ok(Lease { pool: self, session: self.connect().await?, is_new: true, _permit: permit })
    }

    /// The rows of a statement that changes nothing. It is sent again on a new connection if a used connection broke.
    pub(super) async fn read(&self, what: &str, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>> {
        let lease = self.lease().await?;
        let is_new = lease.is_new;
        let result = match lease.rows(sql, parameters).await {
            Err(fault) if !is_new && !fault.answered() => {
                // If one connection broke, the others are probably broken too.
                self.kept().clear();
                self.lease_new().await?.rows(sql, parameters).await
            }
            result => result,
        };
        result.map_err(|fault| self.error(fault, what))
    }

    pub(super) fn error(&self, fault: Fault, what: &str) -> Error {
        fault.error(&self.address.place, what)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        match timeout(POOL_WAIT, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                let message = format!(
                    "{}: all {MAX_CONNECTIONS} connections were in use for {} s",
                    self.address.place,
                    POOL_WAIT.as_secs()
                );
                Err(Error::new(ErrorKind::LedgerUnavailable, message))
            }
        }
    }

    async fn connect(&self) -> Result<Session> {
        let session = match timeout(CONNECT, self.try_connect()).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Err(self.error(Fault::Said(error), "connect")),
            Err(_) => return Err(self.error(Fault::Silence(CONNECT), "connect")),
        };
        self.set_up(&session).await?;
        Ok(session)
    }

    async fn try_connect(&self) -> Result<Session, tokio_postgres::Error> {
        // Drop the error of the network task: the driver also returns it to the caller that waits for an answer.
        Ok(match &self.tls {
            Some(tls) => {
                let (client, connection) = self.address.config.connect(tls.clone()).await?;
                Session::of(client, async move { drop(connection.await) })
            }
            None => {
                let (client, connection) = self.address.config.connect(NoTls).await?;
                Session::of(client, async move { drop(connection.await) })
            }
        })
    }

    /// Settings of a session in one round trip: a fixed `search_path`, timeouts for statements and locks, commits that
    /// are durable before the answer, and read-only transactions for a reader.
    async fn set_up(&self, session: &Session) -> Result<()> {
        const SETTINGS: &str = "SELECT set_config('search_path', 'pg_catalog', false),
            set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),
            set_config('default_transaction_isolation', 'read committed', false),
            set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
            set_config('default_transaction_read_only', CASE WHEN $3 THEN 'on'
                ELSE current_setting('default_transaction_read_only') END, false),
            current_setting('fsync') = 'on'";
        let reads = self.access == OpenMode::Read;
        let [statement, lock] = [STATEMENT, LOCK].map(|time| time.as_millis().to_string());
        let parameters: [Parameter<'_>; 3] = [(&statement, Type::TEXT), (&lock, Type::TEXT), (&reads, Type::BOOL)];
        let rows = session.rows(SETTINGS, &parameters).await.map_err(|fault| self.error(fault, "set up a session"))?;
        let is_synced = rows.first().is_some_and(|row| row.try_get(6).unwrap_or(false));
        if !is_synced && !reads {
            let message = format!(
                "{}: fsync is off on this server, so a crash would lose entries that were acknowledged; turn it on",
                self.address.place
            );
            return Err(Error::new(ErrorKind::LedgerUnsupported, message));
        }
        Ok(())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        // Every change is one push, pop or clear, so a panic in another task cannot leave it half changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn of(client: Client, carrier: impl Future<Output = ()> + Send + 'static) -> Session {
        Session { client, appends: 0, append: None, carrier: tokio::spawn(carrier) }
    }

    /// Runs the append, as a prepared statement after the first [`UNPREPARED`] appends.
    async fn append(&mut self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, tokio_postgres::Error> {
        self.appends = self.appends.saturating_add(1);
        if self.appends > UNPREPARED && self.append.is_none() {
            let types: Vec<Type> = parameters.iter().map(|(_, kind)| kind.clone()).collect();
            self.append = Some(self.client.prepare_typed(sql, &types).await?);
        }
        match &self.append {
            Some(append) => {
                let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|(value, _)| *value).collect();
                self.client.execute(append, &values).await
            }
            None => self.client.execute_typed(sql, parameters).await,
        }
    }

    async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Fault> {
        answer(self.client.query_typed(sql, parameters)).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Lease<'_> {
    /// The rows of a statement.
    pub(super) async fn rows(self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Fault> {
        let result = self.session.rows(sql, parameters).await;
        self.give_back(result)
    }

    /// The number of rows that a statement changed.
    pub(super) async fn execute(self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, Fault> {
        let result = answer(self.session.client.execute_typed(sql, parameters)).await;
        self.give_back(result)
    }

    /// The number of rows that the append stored. `sql` must be the same in every call.
    pub(super) async fn append(mut self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, Fault> {
        let result = answer(self.session.append(sql, parameters)).await;
        self.give_back(result)
    }

    /// Runs several statements, one after the other. The session is not used again.
    pub(super) async fn batch(self, sql: &str) -> Result<(), Fault> {
        answer(self.session.client.batch_execute(sql)).await
    }

    fn give_back<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        if result.as_ref().err().is_none_or(Fault::answered) {
            self.pool.kept().push(self.session);
        }
        result
    }
}

/// The result of `future`, or `Fault::Silence` after [`ANSWER`].
async fn answer<T>(future: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
    match timeout(ANSWER, future).await {
        Ok(result) => result.map_err(Fault::Said),
        Err(_) => Err(Fault::Silence(ANSWER)),
    }
}
