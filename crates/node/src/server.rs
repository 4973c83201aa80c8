//! `TestRegistry`: the core's registry over HTTP on loopback, for users' tests.

use std::sync::{Mutex, PoisonError};

use napi::bindgen_prelude::Either4;
use napi_derive::napi;
use serde_json::json;
use tagwarden::registry;
use tagwarden::testing::{Access, Bearer, Login, RegistryServer};
use tagwarden::{Error, ErrorKind, Result};

use crate::call::Call;
use crate::error::thrown;
use crate::fields::Fields;
use crate::memory::MemoryRegistry;

/// A registry that listens on a free port of 127.0.0.1 until it is closed.
#[napi]
pub struct TestRegistry {
    server: Mutex<Option<RegistryServer>>,
    host: String,
    memory: registry::MemoryRegistry,
}

/// Starts one: `{user?, password?, token?}`.
#[napi(catch_unwind)]
pub fn start_registry(request: String) -> Call {
    Call::start(async move {
        let access = access(Fields::parse("TestRegistry", &request)?)?;
        let io = |e| Error::new(ErrorKind::RegistryUnavailable, "the test registry cannot listen").because(e);
        let server = RegistryServer::start().await.map_err(io)?;
        server.access(access);
        let (host, memory) = (server.host().to_owned(), server.memory().clone());
        Ok(Either4::D(TestRegistry { server: Mutex::new(Some(server)), host, memory }))
    })
}

#[napi]
impl TestRegistry {
    /// `127.0.0.1:PORT`.
    #[napi(getter)]
    pub fn host(&self) -> String {
        self.host.clone()
    }

    /// What it serves.
    #[napi(catch_unwind)]
    pub fn memory(&self) -> MemoryRegistry {
        MemoryRegistry::of(self.memory.clone())
    }

    /// The requests so far: `[{method, path, status?}]`.
    #[napi(catch_unwind)]
    pub fn requests(&self) -> napi::Result<String> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(server) = server.as_ref() else {
            return Err(thrown(&Error::new(ErrorKind::RegistryUnavailable, "the test registry is closed")));
        };
        let seen = server.requests();
        let seen = seen.iter().map(|seen| json!({ "method": seen.method, "path": seen.path, "status": seen.status }));
        Ok(seen.collect::<serde_json::Value>().to_string())
    }

    /// Closes it. To be done twice is no error.
    #[napi(catch_unwind)]
    pub fn close(&self) -> Call {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        Call::json(async move {
            match server {
                Some(server) => server.stop().await.map_err(|e| {
                    Error::new(ErrorKind::RegistryUnavailable, "the test registry did not stop").because(e)
                }),
                None => Ok(()),
            }
        })
    }
}

/// Open to everybody without a user; else Basic, or tokens of its own where `token` is true.
fn access(mut asked: Fields) -> Result<Access> {
    let (user, password) = (asked.secret("user")?, asked.secret("password")?);
    let token: bool = asked.take("token")?.unwrap_or(false);
    let access = match (user, password) {
        (None, None) => Access::Open,
        (Some(user), Some(password)) if token => Access::Bearer(Bearer::new(Login::new(user, password))),
        (Some(user), Some(password)) => Access::Basic(Login::new(user, password)),
        _ => return Err(asked.wrong("user", "user and password go together")),
    };
    asked.end()?;
    Ok(access)
}
