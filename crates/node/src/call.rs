//! `Call`: one asynchronous call, which can be aborted.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use napi::bindgen_prelude::{Either4, within_runtime_if_available};
use napi_derive::napi;
use serde::Serialize;
use tagwarden::{Error, ErrorKind, Result};
use tokio::task::{AbortHandle, JoinHandle};

use crate::error::{aborted, panicked, thrown};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::server::TestRegistry;

/// What a call gives: JSON text, or something that stays on this side.
pub(crate) type Given = Either4<String, Plan, Ledger, TestRegistry>;

/// A call under way. Aborting it drops the core's future: a move whose intent may stand is brought to its end all the
/// same, in a task of its own.
#[napi]
pub struct Call {
    task: Mutex<Option<JoinHandle<Result<Given>>>>,
    abort: AbortHandle,
}

impl Call {
    /// Starts a call whose result becomes JSON text.
    pub(crate) fn json<T: Serialize>(work: impl Future<Output = Result<T>> + Send + 'static) -> Call {
        Call::start(async move { text(&work.await?).map(Either4::A) })
    }

    /// Starts a call.
    pub(crate) fn start(work: impl Future<Output = Result<Given>> + Send + 'static) -> Call {
        let task = within_runtime_if_available(|| tokio::spawn(work));
        Call { abort: task.abort_handle(), task: Mutex::new(Some(task)) }
    }
}

#[napi]
impl Call {
    /// What it gives. To be asked once.
    #[napi]
    pub async fn done(&self) -> napi::Result<Given> {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(task) = task else {
            return Err(thrown(&Error::new(ErrorKind::InternalFault, "the call was asked for its result twice")));
        };
        match task.await {
            Ok(result) => result.map_err(|error| thrown(&error)),
            Err(ended) if ended.is_panic() => Err(panicked()),
            Err(_) => Err(aborted()),
        }
    }

    /// Ends it, if it has not ended yet.
    #[napi(catch_unwind)]
    pub fn abort(&self) {
        self.abort.abort();
    }
}

/// Panics, in a call or before it: that a panic never ends the process is tested with it. `index.js` does not give it.
#[napi(catch_unwind)]
#[allow(clippy::panic, reason = "that is what it is for")]
pub fn inject_panic(in_a_call: bool) -> Call {
    if !in_a_call {
        panic!("injected");
    }
    Call::json(async move { if in_a_call { panic!("injected") } else { Ok(()) } })
}

/// The JSON text of a value.
pub(crate) fn text<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::new(ErrorKind::InternalFault, "a result has no JSON").because(e))
}
