//! The in-process HTTP registry, by name.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tagwarden::registry::MemoryRegistry;
use tagwarden::testing::{Access, Bearer, Login, RegistryServer, Seen};
use tagwarden::{Error, ErrorKind, Result};

use crate::faults;
use crate::fields::Fields;
use crate::promoter::Given;

/// A server on loopback, until it is stopped.
#[derive(Debug)]
pub struct Server {
    host: String,
    memory: MemoryRegistry,
    running: Mutex<Option<RegistryServer>>,
}

impl Server {
    /// Starts one on a free port of 127.0.0.1. It needs a tokio runtime that goes on.
    pub async fn start() -> Result<Server> {
        let server = RegistryServer::start().await.map_err(|e| unavailable("does not start").because(e))?;
        let (host, memory) = (server.host().to_owned(), server.memory().clone());
        Ok(Server { host, memory, running: Mutex::new(Some(server)) })
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What it serves.
    pub fn memory(&self) -> &MemoryRegistry {
        &self.memory
    }

    /// Stops it. Doing it again is no error.
    pub async fn stop(&self) -> Result<Given> {
        let server = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.stop().await.map_err(|e| unavailable("did not stop well").because(e))?;
        }
        Given::json(&Value::Null)
    }

    /// Calls the server's method of this name: `demand`, `script_http`, `calm`, `faults_left`, `latency`, `end_tokens`,
    /// `requests` or `clear_requests`.
    pub fn set(&self, method: &str, mut asked: Fields) -> Result<Given> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let server = running.as_ref().ok_or_else(|| unavailable("was stopped"))?;
        let mut given = Value::Null;
        match method {
            "demand" => server.access(access(&mut asked)?),
            "script_http" => {
                let faults: Vec<_> = asked.items("faults")?.into_iter().map(faults::http).collect::<Result<_>>()?;
                match (asked.take::<String>("method")?, asked.take::<String>("path")?) {
                    (None, None) => server.script(faults),
                    (method, path) => server.script_when(requests(method, path), faults),
                }
            }
            "calm" => server.calm(),
            "faults_left" => given = json!(server.faults_left()),
            "latency" => server.latency(asked.need_ms("latency")?),
            "end_tokens" => server.end_tokens(),
            "requests" => {
                let seen = server.requests();
                let seen =
                    seen.iter().map(|seen| json!({ "method": seen.method, "path": seen.path, "status": seen.status }));
                given = seen.collect();
            }
            "clear_requests" => server.clear_requests(),
            other => {
                return Err(Error::new(ErrorKind::InternalFault, format!("a test registry has no method {other}")));
            }
        }
        asked.end()?;
        Given::json(&given)
    }
}

fn unavailable(what: &str) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, format!("the test registry {what}"))
}

/// Open without a user; else Basic, or tokens of its own where `token` is true.
fn access(asked: &mut Fields) -> Result<Access> {
    let (user, password) = (asked.secret("user")?, asked.secret("password")?);
    let token: bool = asked.take("token")?.unwrap_or(false);
    match (user, password) {
        (None, None) => Ok(Access::Open),
        (Some(user), Some(password)) if token => Ok(Access::Bearer(Bearer::new(Login::new(user, password)))),
        (Some(user), Some(password)) => Ok(Access::Basic(Login::new(user, password))),
        _ => Err(asked.wrong("user", "give a user and a password, or neither")),
    }
}

/// Requests of this method, if one is given, whose path ends so.
fn requests(method: Option<String>, path: Option<String>) -> impl Fn(&Seen) -> bool + Clone + Send + 'static {
    let path = path.unwrap_or_default();
    move |seen| seen.is(method.as_deref().unwrap_or(&seen.method), &path)
}
