//! One tokio runtime for each process. The child of a fork has none of its parent's threads, so it makes its own
//! runtime.

use std::sync::{Arc, Mutex, PoisonError};

use tagwarden::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

/// The runtime of this process. Call it with the GIL held, so that no fork happens while the lock is held.
pub(crate) fn runtime() -> Result<Arc<Runtime>> {
    let mut kept = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    if let Some((process, runtime)) = kept.as_ref()
        && *process == here
    {
        return Ok(Arc::clone(runtime));
    }
    let failed = |e| Error::new(ErrorKind::InternalFault, "no threads can be started").with_source(e);
    let made = Builder::new_multi_thread().enable_all().thread_name("tagwarden").build().map_err(failed)?;
    let made = Arc::new(made);
    // Forget the parent's runtime, do not drop it: its threads do not exist in this process.
    std::mem::forget(kept.replace((here, Arc::clone(&made))));
    Ok(made)
}

/// The process in which an object was made. Connections and locks work only in that process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home(u32);

impl Home {
    /// The current process.
    pub(crate) fn here() -> Home {
        Home(std::process::id())
    }

    /// CONFIG_INVALID in a child of a fork.
    pub(crate) fn check(self, what: &str) -> Result<()> {
        if self.0 == std::process::id() {
            return Ok(());
        }
        let message = format!(
            "the {what} was made in process {}, and this is process {}: after a fork, make it again in the child",
            self.0,
            std::process::id()
        );
        Err(Error::new(ErrorKind::ConfigInvalid, message))
    }
}
