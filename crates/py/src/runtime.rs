//! One tokio runtime for each process: a child of a fork has none of its parent's threads, and makes its own.

use std::sync::{Arc, Mutex, PoisonError};

use tagwarden::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

/// The runtime of this process. To be asked with the GIL held: then no fork happens while the lock is.
pub(crate) fn runtime() -> Result<Arc<Runtime>> {
    let mut kept = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    if let Some((process, runtime)) = kept.as_ref()
        && *process == here
    {
        return Ok(Arc::clone(runtime));
    }
    let failed = |e| Error::new(ErrorKind::InternalFault, "no threads can be started").because(e);
    let made = Builder::new_multi_thread().enable_all().thread_name("tagwarden").build().map_err(failed)?;
    let made = Arc::new(made);
    // A parent's runtime is let go without being ended: its threads are not here.
    std::mem::forget(kept.replace((here, Arc::clone(&made))));
    Ok(made)
}

/// The process that something was made in. What keeps connections and locks is of use there alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home(u32);

impl Home {
    /// This process.
    pub(crate) fn here() -> Home {
        Home(std::process::id())
    }

    /// CONFIG_INVALID in the child of a fork.
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
