//! The in-process HTTP registry, by name.

use serde_json::{Value, json};
use tagwarden::registry::MemoryRegistry;
use tagwarden::testing::{Access, Bearer, Login, RegistryServer};
use tagwarden::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

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
        let unavailable = |e| Error::new(ErrorKind::RegistryUnavailable, "the test registry does not start").because(e);
        let server = RegistryServer::start().await.map_err(unavailable)?;
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

    /// Calls the server's method of this name: `access`, `script_http`, `calm_http`, `requests`, `latency_http`, `end_tokens` or `stop`.
    pub async fn call(&self, method: &str, mut asked: Fields) -> Result<Given> {
        let mut running = self.running.lock().await;
        if method == "stop" {
            asked.end()?;
            if let Some(server) = running.take() {
                let failed =
                    |e| Error::new(ErrorKind::RegistryUnavailable, "the test registry did not stop well").because(e);
                server.stop().await.map_err(failed)?;
            }
            return Given::json(&Value::Null);
        }
        let stopped =
            || Error::new(ErrorKind::RegistryUnavailable, format!("the test registry {} was stopped", self.host));
        let server = running.as_ref().ok_or_else(stopped)?;
        let given = match method {
            "access" => {
                let login = match (asked.take::<String>("user")?, asked.secret("password")?) {
                    (Some(user), Some(password)) => Some(Login::new(user, password)),
                    (None, None) => None,
                    _ => return Err(asked.wrong("user", "give a user and a password, or neither")),
                };
                let bearer: bool = asked.take("token")?.unwrap_or(false);
                server.access(match (login, bearer) {
                    (None, _) => Access::Open,
                    (Some(login), false) => Access::Basic(login),
                    (Some(login), true) => Access::Bearer(Bearer::new(login)),
                });
                Value::Null
            }
            "script_http" => {
                let faults: Vec<_> = asked.items("faults")?.into_iter().map(faults::http).collect::<Result<_>>()?;
                match (asked.take::<String>("method")?, asked.take::<String>("path")?) {
                    (None, None) => server.script(faults),
                    (method, path) => {
                        let path = path.unwrap_or_default();
                        server.script_when(
                            move |seen| match &method {
                                Some(method) => seen.is(method, &path),
                                None => seen.is(&seen.method.clone(), &path),
                            },
                            faults,
                        );
                    }
                }
                Value::Null
            }
            "calm_http" => {
                server.calm();
                Value::Null
            }
            "latency_http" => {
                let latency = asked.ms("latency")?;
                server.latency(latency.unwrap_or_default());
                Value::Null
            }
            "end_tokens" => {
                server.end_tokens();
                Value::Null
            }
            "requests" => server
                .requests()
                .iter()
                .map(|seen| json!({ "method": seen.method, "path": seen.path, "status": seen.status }))
                .collect(),
            other => {
                return Err(Error::new(ErrorKind::InternalFault, format!("a test registry has no method {other}")));
            }
        };
        asked.end()?;
        Given::json(&given)
    }
}
