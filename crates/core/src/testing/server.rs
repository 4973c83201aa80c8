//! `RegistryServer`: an OCI registry over HTTP on loopback, in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::access::Access;
use super::faults::HttpFault;
use super::handle::{Shared, handle, until_true};
use super::log::{Seen, TokenSeen};
use super::wire::{Loopback, Peer};
use crate::registry::MemoryRegistry;
use crate::value::Repository;

/// An OCI registry on loopback: pull, push (whole and in parts, mounts), lists in pages, deletes and referrers as the
/// OCI distribution specification 1.1 says. It ends when it is dropped.
///
/// What the specification leaves open it does as distribution does: a manifest that no `Accept` fits is 404
/// MANIFEST_UNKNOWN, a wrong `If-Match` on a put is ignored and the tag moves.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use tagwarden::registry::Fault;
/// use tagwarden::testing::{HttpFault, RegistryServer};
/// let server = RegistryServer::start().await?;
/// let (repository, prod) = (server.repository("acme/shop"), "prod".parse().unwrap());
/// server.memory().push_image(&repository, &prod, 1);
/// server.memory().script([Fault::After]);           // the next put is applied, and answered 500
/// server.script([HttpFault::Status(503)]);          // but before that, a request meets a 503
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RegistryServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl RegistryServer {
    /// Starts a server that holds nothing, on a free port of 127.0.0.1, in the current tokio runtime.
    pub async fn start() -> std::io::Result<RegistryServer> {
        RegistryServer::start_on(0, MemoryRegistry::new()).await
    }

    /// Starts a server on this port of 127.0.0.1 (0 takes a free one) that serves what `memory` holds, such as what
    /// another server held on the same port before it was stopped.
    pub async fn start_on(port: u16, memory: MemoryRegistry) -> std::io::Result<RegistryServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let host = address.to_string();
        let shared = Arc::new(Shared { memory, host, stopped: stopped.clone(), inner: Mutex::default() });
        let app = Router::new().fallback(handle).with_state(shared.clone());
        let app = app.into_make_service_with_connect_info::<Peer>();
        let serve = axum::serve(Loopback(listener), app).with_graceful_shutdown(until_true(stopped));
        let serving = Some(tokio::spawn(async move { serve.await }));
        Ok(RegistryServer { shared, address, stop, serving })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:PORT`, the host of its repositories.
    pub fn host(&self) -> &str {
        &self.shared.host
    }

    /// The repository `name` of this server.
    ///
    /// # Panics
    /// If the name does not follow the grammar.
    #[allow(clippy::panic, reason = "a wrong name is a mistake in the test that wrote it")]
    pub fn repository(&self, name: &str) -> Repository {
        match format!("{}/{name}", self.shared.host).parse() {
            Ok(repository) => repository,
            Err(error) => panic!("{error}"),
        }
    }

    /// What it serves. Its scripted faults come through: a put's lost answer is a 500, a read's is a 503. So does its
    /// [`lag`](MemoryRegistry::lag): GET and HEAD of a tag answer any value of the window.
    pub fn memory(&self) -> &MemoryRegistry {
        &self.shared.memory
    }

    /// Asks this of every request from now on. Tokens given before stay good.
    pub fn access(&self, access: Access) {
        self.shared.inner().access = access;
    }

    /// Ends every token that was given.
    pub fn end_tokens(&self) {
        self.shared.inner().tokens.end();
    }

    /// Each request waits this long before anything is done with it; 0 at first.
    pub fn latency(&self, latency: Duration) {
        self.shared.inner().latency = latency;
    }

    /// The `Date` of each answer is so many milliseconds ahead of this machine's clock, behind it if negative; 0 at
    /// first. An answer without a `Date` cannot be had (hyper adds one), but one that cannot be read can:
    /// `HttpFault::Header("date", String::new())`.
    pub fn date_offset_ms(&self, offset_ms: i64) {
        self.shared.inner().date_offset_ms = offset_ms;
    }

    /// The next requests meet these faults, in order, one each.
    pub fn script(&self, faults: impl IntoIterator<Item = HttpFault>) {
        let mut inner = self.shared.inner();
        faults.into_iter().for_each(|fault| inner.script.push(fault));
    }

    /// The next requests for which `when` is true meet these faults, in order, one each. `when` must not ask the
    /// server.
    ///
    /// ```
    /// # async fn example(server: tagwarden::testing::RegistryServer) {
    /// use tagwarden::testing::HttpFault;
    /// server.script_when(|seen| seen.is("PUT", "/manifests/prod"), [HttpFault::StatusAfter(500)]);
    /// # }
    /// ```
    pub fn script_when<W>(&self, when: W, faults: impl IntoIterator<Item = HttpFault>)
    where
        W: Fn(&Seen) -> bool + Clone + Send + 'static,
    {
        let mut inner = self.shared.inner();
        faults.into_iter().for_each(|fault| inner.script.push_when(Box::new(when.clone()), fault));
    }

    /// Every request for which `when` is true, and that no other fault waits for, meets this one.
    pub fn always(&self, when: impl Fn(&Seen) -> bool + Send + 'static, fault: HttpFault) {
        self.shared.inner().script.push_always(Box::new(when), fault);
    }

    /// Forgets the faults on the wire that are still to come.
    pub fn calm(&self) {
        self.shared.inner().script.clear();
    }

    /// How many faults on the wire no request has met yet, those of [`always`](Self::always) not counted.
    pub fn faults_left(&self) -> usize {
        self.shared.inner().script.left()
    }

    /// Every request so far, in the order they arrived.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.inner().requests.clone()
    }

    /// Every request for a token so far.
    pub fn token_requests(&self) -> Vec<TokenSeen> {
        self.shared.inner().token_requests.clone()
    }

    /// Forgets the requests so far; rounds are counted from the first again.
    pub fn clear_requests(&self) {
        let mut inner = self.shared.inner();
        inner.answered = 0;
        inner.requests.clear();
        inner.token_requests.clear();
    }

    /// Stops: answers what is under way, closes every connection, frees the port.
    pub async fn stop(mut self) -> std::io::Result<()> {
        self.stop.send_replace(true);
        match self.serving.take() {
            Some(serving) => serving.await.map_err(std::io::Error::other)?,
            None => Ok(()),
        }
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
