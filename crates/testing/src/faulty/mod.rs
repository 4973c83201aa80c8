//! Faults at a port: wrappers of a ledger and of a registry whose calls meet faults.

mod ledger;
mod registry;

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use super::script::Script;
use tagwarden::{Error, Result};

pub use ledger::{FaultyLedger, LedgerCall};
pub use registry::FaultyRegistry;

/// The fault of one call of a [`FaultyLedger`] or a [`FaultyRegistry`]: whether the call has its effect, what is done
/// just before the call and just before its answer, and the answer.
///
/// The work of [`first`](Fault::first) and [`then`](Fault::then) is anything that a test needs: a delay, a gate that
/// waits until the test opens it, a call of another writer. With `std::future::pending()` the caller never gets an
/// answer, like a process that was killed.
///
/// ```
/// use std::sync::Arc;
/// use tagwarden::Channel;
/// use tagwarden::ledger::{Appended, Ledger, MemoryLedger};
/// use tagwarden_testing::{Fault, FaultyLedger, LedgerCall};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let channel: Channel = "reg.io/shop:prod".parse().unwrap();
/// let memory = Arc::new(MemoryLedger::new());
/// let ledger = FaultyLedger::over(memory.clone());
///
/// // Another writer appends just before the next append.
/// let other = channel.clone();
/// let overtakes = async move { drop(memory.append(&other, 0, "theirs".into()).await) };
/// ledger.script_when(LedgerCall::appends, [Fault::pass().first(overtakes)]);
/// assert_eq!(ledger.append(&channel, 0, "mine".into()).await.unwrap(), Appended::Conflict);
///
/// // From now on a size is one too small.
/// ledger.rule(|_| Some(Fault::pass().edit(|size: &mut u64| *size -= 1)));
/// assert_eq!(ledger.size(&channel).await.unwrap(), 0);
/// # });
/// ```
#[must_use]
pub struct Fault {
    first: Vec<BoxFuture<'static, ()>>,
    answer: Answer,
    then: Vec<BoxFuture<'static, ()>>,
    edit: Option<Edit>,
}

/// A change of an answer of any type.
type Edit = Box<dyn FnOnce(&mut dyn Any) + Send>;

#[derive(Debug)]
enum Answer {
    /// The call has its effect, and is answered.
    OfTheCall,
    /// The call has no effect.
    Before(Error),
    /// The call has its effect.
    After(Error),
}

impl Fault {
    /// No fault: the call is answered normally.
    pub fn pass() -> Fault {
        Fault { first: Vec::new(), answer: Answer::OfTheCall, then: Vec::new(), edit: None }
    }

    /// The call has no effect, and its answer is this error.
    pub fn before(error: Error) -> Fault {
        Fault { answer: Answer::Before(error), ..Fault::pass() }
    }

    /// The call has its effect, and its answer is this error.
    pub fn after(error: Error) -> Fault {
        Fault { answer: Answer::After(error), ..Fault::pass() }
    }

    /// The same, and `work` is done before the call, after the work that was added earlier.
    pub fn first(mut self, work: impl Future<Output = ()> + Send + 'static) -> Fault {
        self.first.push(Box::pin(work));
        self
    }

    /// The same, and `work` is done between the call and its answer, after the work that was added earlier.
    ///
    /// tokio's `sleep` counts from the moment when it is made, which is before the call: put it into an `async` block.
    pub fn then(mut self, work: impl Future<Output = ()> + Send + 'static) -> Fault {
        self.then.push(Box::pin(work));
        self
    }

    /// The same, and `edit` changes the value that the call answers: `u64` of a size, `Vec<Bytes>` of a read, and so on.
    /// It is not called if the value is of another type, or if the answer is an error.
    pub fn edit<T: 'static>(mut self, edit: impl FnOnce(&mut T) + Send + 'static) -> Fault {
        self.edit = Some(Box::new(move |value| {
            if let Some(value) = value.downcast_mut() {
                edit(value);
            }
        }));
        self
    }

    /// The answer of `call` with this fault.
    async fn meet<T: Send + 'static>(self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        for work in self.first {
            work.await;
        }
        let mut answer = match self.answer {
            Answer::OfTheCall => call.await,
            Answer::Before(error) => Err(error),
            Answer::After(error) => {
                drop(call.await);
                Err(error)
            }
        };
        for work in self.then {
            work.await;
        }
        if let (Ok(value), Some(edit)) = (&mut answer, self.edit) {
            edit(value);
        }
        answer
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("answer", &self.answer).finish_non_exhaustive()
    }
}

/// The faults of the calls of one port.
struct Faults<C>(Mutex<Script<C, Fault>>);

impl<C> Faults<C> {
    fn new() -> Faults<C> {
        Faults(Mutex::default())
    }

    fn script(&self) -> MutexGuard<'_, Script<C, Fault>> {
        // A panic in a test's own rule leaves the script as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of `made`, with the fault of `call`.
    async fn meet<T: Send + 'static>(&self, call: C, made: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let fault = self.script().take(&call).unwrap_or_else(Fault::pass);
        fault.meet(made).await
    }
}
