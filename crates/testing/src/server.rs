//! `RegistryServer`: an OCI registry over HTTP on loopback, in this process.

#![allow(clippy::result_large_err, reason = "an answer is made once for each request, and is moved, not copied")]

mod access;
mod answer;
mod blobs;
mod challenge;
mod faults;
mod handle;
mod http_answer;
mod log;
mod manifests;
mod referrers;
mod route;
mod tags;
mod token;
mod uploads;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{MemoryRegistry, Vendor};
use tagwarden::Repository;

pub use self::access::{Anonymous, AuthMode, Bearer, Expired, Lifetime, Login};
pub use self::faults::{HttpFault, RetryAfter};
pub use self::http_answer::HttpAnswer;
pub use self::log::{AuthKind, Seen, TokenSeen};

use self::challenge::Challenges;
use self::handle::{Shared, handle, until_true};
use self::wire::{Loopback, Peer};

/// An OCI registry on loopback: pull, push (monolithic, in chunks, and mounts), paginated lists, deletes and referrers
/// as in the OCI distribution specification 1.1. The server stops when this value is dropped.
///
/// Where the specification leaves a choice, the server does the same as distribution: if no `Accept` fits the manifest,
/// it answers 404 MANIFEST_UNKNOWN; it ignores a wrong `If-Match` on a put, and the tag moves. Over the memory of
/// [`MemoryRegistry::of_vendor`] it does the same as that [`Vendor`]'s registry.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use tagwarden_testing::InjectedFault;
/// use tagwarden_testing::{HttpFault, RegistryServer};
/// let server = RegistryServer::start().await?;
/// let (repository, prod) = (server.repository("acme/shop"), "prod".parse().unwrap());
/// server.memory().push_image(&repository, &prod, 1);
/// server.memory().script([InjectedFault::After]);           // the next put is applied, and answered 500
/// server.script([HttpFault::Status(503)]);          // the next request is answered 503, and has no other effect
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
    /// Starts an empty server on a free port of 127.0.0.1, in the current tokio runtime.
    pub async fn start() -> std::io::Result<RegistryServer> {
        RegistryServer::start_on(0, MemoryRegistry::new()).await
    }

    /// Starts a server on this port of 127.0.0.1 (0 takes a free one) that serves the content of `memory`. To restart a
    /// server, pass the memory registry and the port of the stopped one.
    pub async fn start_on(port: u16, memory: MemoryRegistry) -> std::io::Result<RegistryServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let host = address.to_string();
        let challenges = Challenges::of(&host, memory.vendor());
        let shared = Arc::new(Shared { memory, host, challenges, stopped, inner: Mutex::default() });
        let serving = Some(serve(&shared, listener));
        Ok(RegistryServer { shared, address, stop, serving })
    }

    /// Serves on another free port of 127.0.0.1, too, until the server stops. With this address in [`Bearer::realm`],
    /// the token server has another port than the registry; with `localhost` in place of 127.0.0.1, another host.
    pub async fn listen(&self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        serve(&self.shared, listener);
        Ok(address)
    }

    /// The address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The host of its repositories: `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.shared.host
    }

    /// The repository of this name on this server.
    ///
    /// # Panics
    /// If the name is invalid.
    #[allow(clippy::panic, reason = "a wrong name is a mistake in the test that wrote it")]
    pub fn repository(&self, name: &str) -> Repository {
        match format!("{}/{name}", self.shared.host).parse() {
            Ok(repository) => repository,
            Err(error) => panic!("{error}"),
        }
    }

    /// The memory registry that it serves. Its scripted faults apply: a put with a lost answer is a 500, a read with a
    /// lost answer is a 503. Its [`lag`](MemoryRegistry::lag) applies too: GET and HEAD of a tag may answer any value
    /// of the window.
    pub fn memory(&self) -> &MemoryRegistry {
        &self.shared.memory
    }

    /// Requires this access control for every later request. Tokens issued before stay valid.
    pub fn access(&self, access: AuthMode) {
        let mut inner = self.shared.inner();
        inner.tokens.renew_passwords();
        inner.access = access;
    }

    /// Answers later requests that need a credential and have none like this.
    pub fn anonymous(&self, anonymous: Anonymous) {
        self.shared.inner().anonymous = anonymous;
    }

    /// Issues an identity token, which the token endpoint takes as a `refresh_token`.
    pub fn identity_token(&self) -> String {
        self.shared.inner().tokens.give_refresh()
    }

    /// Issues a token for this scope, such as `repository:acme/shop:pull`, without a login. Docker stores one as
    /// `registrytoken`. It is valid for an hour, and accepted where [`access`](Self::access) is [`AuthMode::Bearer`].
    pub fn registry_token(&self, scope: &str) -> String {
        self.shared.inner().tokens.give(vec![scope.to_owned()], Duration::from_secs(3600))
    }

    /// Requires this login. If a vendor's registry is imitated that gives tokens ([`Vendor::gives_tokens`]), the login
    /// is for its token endpoint; else it is required with every request.
    pub fn demand(&self, login: Login) {
        let tokens = self.memory().vendor().is_some_and(Vendor::gives_tokens);
        self.access(if tokens { AuthMode::Bearer(Bearer::new(login)) } else { AuthMode::Basic(login) });
    }

    /// Expires every issued token. An imitated ECR expires the password, too, until [`access`](Self::access) or
    /// [`demand`](Self::demand).
    pub fn end_tokens(&self) {
        self.shared.inner().tokens.end();
    }

    /// The delay before each request is handled. Default: 0.
    pub fn latency(&self, latency: Duration) {
        self.shared.inner().latency = latency;
    }

    /// The `Date` of each answer minus this machine's clock, in milliseconds. Default: 0. The header cannot be left out
    /// (hyper adds it), but it can be made invalid: `HttpFault::Header("date", String::new())`.
    pub fn date_offset_ms(&self, offset_ms: i64) {
        self.shared.inner().date_offset_ms = offset_ms;
    }

    /// Adds faults for the next requests, in order, one fault for each request.
    pub fn script(&self, faults: impl IntoIterator<Item = HttpFault>) {
        self.script_when(|_| true, faults);
    }

    /// Adds faults for the next requests for which `when` is true, in order, one fault for each request. `when` must
    /// not send requests to this server.
    ///
    /// ```
    /// # async fn example(server: tagwarden_testing::RegistryServer) {
    /// use tagwarden_testing::HttpFault;
    /// server.script_when(|seen| seen.is("PUT", "/manifests/prod"), [HttpFault::StatusAfter(500)]);
    /// # }
    /// ```
    pub fn script_when(
        &self,
        when: impl Fn(&Seen) -> bool + Send + 'static,
        faults: impl IntoIterator<Item = HttpFault>,
    ) {
        self.shared.inner().script.push(when, faults);
    }

    /// Adds a fault for every request for which `when` is true, unless a fault for one request applies to it.
    pub fn always(&self, when: impl Fn(&Seen) -> bool + Send + 'static, fault: HttpFault) {
        self.shared.inner().script.rule(move |seen| when(seen).then(|| fault.clone()));
    }

    /// Removes all faults on the wire.
    pub fn calm(&self) {
        self.shared.inner().script.clear();
    }

    /// The number of faults on the wire that no request has met yet. Those of [`always`](Self::always) do not count.
    pub fn faults_left(&self) -> usize {
        self.shared.inner().script.left()
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.inner().requests.clone()
    }

    /// Every request for a token so far.
    pub fn token_requests(&self) -> Vec<TokenSeen> {
        self.shared.inner().token_requests.clone()
    }

    /// Clears the log of requests. Rounds start again at the first.
    pub fn clear_requests(&self) {
        let mut inner = self.shared.inner();
        inner.answered = 0;
        inner.requests.clear();
        inner.token_requests.clear();
    }

    /// Stops the server: answers open requests, closes every connection, frees the port.
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

/// Serves in a task of its own, until the server stops.
fn serve(shared: &Arc<Shared>, listener: TcpListener) -> JoinHandle<std::io::Result<()>> {
    let app = Router::new().fallback(handle).with_state(Arc::clone(shared));
    let app = app.into_make_service_with_connect_info::<Peer>();
    let serve = axum::serve(Loopback(listener), app).with_graceful_shutdown(until_true(shared.stopped.clone()));
    tokio::spawn(async move { serve.await })
}
