//! The in-process HTTP registry, called by method name.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tagwarden::{Error, ErrorKind, Result};
use tagwarden_testing::MemoryRegistry;
use tagwarden_testing::{AuthMode, Bearer, Login, RegistryServer, Seen};

use crate::faults;
use crate::fields::Fields;
use crate::promoter::Given;

/// A server on loopback. It runs until `stop`.
#[derive(Debug)]
pub struct Server {
    host: String,
    memory: MemoryRegistry,
    running: Mutex<Option<RegistryServer>>,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1. The current tokio runtime must keep running.
    pub async fn start() -> Result<Server> {
        let server = RegistryServer::start().await.map_err(|e| unavailable("does not start").with_source(e))?;
        let (host, memory) = (server.host().to_owned(), server.memory().clone());
        Ok(Server { host, memory, running: Mutex::new(Some(server)) })
    }

    /// The host of its repositories: `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The memory registry that it serves.
    pub fn memory(&self) -> &MemoryRegistry {
        &self.memory
    }

    /// Stops the server. A second call succeeds.
    pub async fn stop(&self) -> Result<Given> {
        let server = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.stop().await.map_err(|e| unavailable("did not stop well").with_source(e))?;
        }
        Given::json(&Value::Null)
    }

    /// Calls the server's method of this name: `demand`, `script_http`, `calm`, `faults_left`, `latency`, `end_tokens`,
    /// `requests` or `clear_requests`. If an argument is wrong, nothing is changed.
    pub fn set(&self, method: &str, mut asked: Fields) -> Result<Given> {
        let act = read(method, &mut asked)?;
        asked.end()?;
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let server = running.as_ref().ok_or_else(|| unavailable("was stopped"))?;
        Given::json(&act(server))
    }
}

/// The action of a call, after all of its arguments were read.
type Act = Box<dyn FnOnce(&RegistryServer) -> Value>;

fn read(method: &str, asked: &mut Fields) -> Result<Act> {
    Ok(match method {
        "demand" => {
            let access = access(asked)?;
            set(move |server| server.access(access))
        }
        "script_http" => {
            let faults: Vec<_> = asked.items("faults")?.into_iter().map(faults::http).collect::<Result<_>>()?;
            match (asked.take::<String>("method")?, asked.take::<String>("path")?) {
                (None, None) => set(move |server| server.script(faults)),
                (method, path) => set(move |server| server.script_when(requests(method, path), faults)),
            }
        }
        "calm" => set(RegistryServer::calm),
        "faults_left" => Box::new(|server| json!(server.faults_left())),
        "latency" => {
            let latency = asked.need_ms("latency")?;
            set(move |server| server.latency(latency))
        }
        "end_tokens" => set(RegistryServer::end_tokens),
        "requests" => Box::new(|server| server.requests().iter().map(seen_json).collect()),
        "clear_requests" => set(RegistryServer::clear_requests),
        other => return Err(Error::new(ErrorKind::InternalFault, format!("a test registry has no method {other}"))),
    })
}

/// An action that returns nothing.
fn set(set: impl FnOnce(&RegistryServer) + 'static) -> Act {
    Box::new(|server| {
        set(server);
        Value::Null
    })
}

fn seen_json(seen: &Seen) -> Value {
    json!({ "method": seen.method, "path": seen.path, "status": seen.status })
}

fn unavailable(what: &str) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, format!("the test registry {what}"))
}

/// Reads the access control: open without arguments, else Basic, or bearer tokens if `token` is true. A token without a
/// user is refused: the server would be open by mistake.
fn access(asked: &mut Fields) -> Result<AuthMode> {
    let (user, password) = (asked.secret("user")?, asked.secret("password")?);
    let token: bool = asked.take("token")?.unwrap_or(false);
    match (user, password) {
        (None, None) if !token => Ok(AuthMode::Open),
        (Some(user), Some(password)) if token => Ok(AuthMode::Bearer(Bearer::new(Login::new(user, password)))),
        (Some(user), Some(password)) => Ok(AuthMode::Basic(Login::new(user, password))),
        _ => Err(asked.wrong("user", "give a user and a password; nothing at all opens it to all")),
    }
}

/// Matches requests of this method, or of any method if none is given, whose path ends in `path`.
fn requests(method: Option<String>, path: Option<String>) -> impl Fn(&Seen) -> bool + Clone + Send + 'static {
    let path = path.unwrap_or_default();
    move |seen| seen.is(method.as_deref().unwrap_or(&seen.method), &path)
}
