//! `Promoter` and `AsyncPromoter`: each method is defined once, and blocks in the one and is awaited in the other.

mod holds;
mod moves;
mod queries;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tagwarden_bind::convert::{FromCore, to};
use tagwarden_bind::foreign::Guardrails;
use tagwarden_bind::settings::PromoterArgs;

use crate::args::{Text, text};
use crate::config::Config;
use crate::error::{Raises, mistaken};
use crate::foreign::{Backend, timeout};
use crate::history::{AsyncHistory, History};
use crate::host::{List, json};
use crate::run::{self, Awaited, Home, Work, awaited};
use crate::settings::{Pipeline, Times};
use crate::value::Channel;
use crate::{ledger, registry};

/// A promoter of the core, with the guardrails that are written in Python.
#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) core: tagwarden::Promoter,
    guards: Guardrails,
    home: Home,
    /// True if a backend or a guardrail is written in Python.
    foreign: bool,
}

/// A call, before it is known which promoter does it.
pub(crate) type Deferred<T> = Box<dyn FnOnce(Inner) -> Work<T> + Send>;

/// A call of the core. Its failure names the exception of a guardrail as its cause.
pub(crate) fn deferred<T, U, F>(act: impl FnOnce(Inner) -> F + Send + 'static) -> Deferred<U>
where
    T: Send + 'static,
    U: FromCore<T> + 'static,
    F: Future<Output = tagwarden::Result<T>> + Send + 'static,
{
    Box::new(move |inner| {
        let (home, guards) = (inner.home, inner.guards.clone());
        Box::pin(async move {
            home.check("promoter")?;
            act(inner).await.map(to).map_err(|error| guards.blame(error))
        })
    })
}

/// The parts of a promoter.
struct Setup {
    registry: Py<PyAny>,
    ledger: Py<PyAny>,
    pipeline: Option<Pipeline>,
    times: Option<Times>,
    guardrails: Option<List<Py<PyAny>>>,
    policy: Option<Text>,
    config: Option<Config>,
    channel: Option<Channel>,
}

impl Setup {
    /// A promoter, whose backends' coroutines run in this event loop.
    fn make(&self, py: Python<'_>, event_loop: Option<&Bound<'_, PyAny>>) -> Raises<Inner> {
        let (registry, one) = registry::port(self.registry.bind(py), event_loop)?;
        let (ledger, other) = ledger::port(self.ledger.bind(py), event_loop)?;
        let mut foreign = one || other;
        let mut guards = Guardrails::default();
        for guardrail in self.guardrails.iter().flat_map(|List(guardrails)| guardrails) {
            let guardrail = guardrail.bind(py);
            if !(guardrail.hasattr("name")? && guardrail.hasattr("judge")?) {
                return Err(mistaken("a Guardrail", guardrail).into());
            }
            foreign = true;
            let name = guardrail.getattr("name")?.str()?.to_str()?.to_owned();
            let settings = guardrail.getattr_opt("settings")?;
            let settings = settings.map(|settings| json(&settings)).transpose()?.unwrap_or_default();
            let backend = Backend::named(guardrail, name.clone(), event_loop);
            guards.add(name, settings, backend, timeout(guardrail)?)?;
        }
        let args = PromoterArgs {
            config: self.config.clone().map(|Config(config)| config),
            channel: self.channel.clone().map(|Channel(channel)| channel),
            pipeline: self.pipeline.clone().map(Pipeline::core).transpose()?,
            times: self.times.clone().map(Times::args).transpose()?,
            policy: text(self.policy.clone()),
        };
        let core = args.builder(&guards)?.registry(registry).ledger(ledger).build()?;
        Ok(Inner { core, guards, home: Home::here(), foreign })
    }
}

/// Moves channels, and reports their state and history. Every call blocks. Its arguments are
///
/// - ``registry``: an ``OciRegistry``, a ``MemoryRegistry``, or any object with the methods of ``Registry``;
/// - ``ledger``: the result of ``open_ledger``, a ``MemoryLedger``, or any object with the methods of ``Ledger``;
/// - ``pipeline``: the environments that a release goes through, in their order; without one, no order is enforced;
/// - ``times``: the times that it writes into the log with each move, see ``Times``;
/// - ``guardrails``: rules of your own, which run after the standard policy's, see ``Guardrail``; none by default;
/// - ``policy``: the name of the policy, written into the log with each move. By default ``standard`` and the names of
///   the guardrails: ``standard+no-fridays``;
/// - ``config``: a ``tagwarden.toml``. The promoter has the policy of the ``channel``'s environment and its step after a
///   rollback, and the file's pipeline, order of releases and settle times. None by default: the standard policy judges
///   every channel;
/// - ``channel``: the channel that the promoter moves, only with a ``config``, which needs it.
///
/// InvalidValueError CONFIG_INVALID for times that contradict each other or two guardrails of one name, VALUE_INVALID
/// for a name that is no line, for a ``config`` without a ``channel`` or the other way round, and for a ``pipeline``
/// beside a ``config``; TypeError for an object without the methods of a registry, a ledger or a guardrail.
///
/// It may be used from many threads, and many processes and machines may move one channel at once: the ledger puts the
/// moves of a channel in order. After a fork, create another one in the child: an inherited one raises
/// InvalidValueError CONFIG_INVALID.
///
/// A failed call raises a ``TagwardenError`` with a stable ``code`` (docs/reference/errors.md lists all of them), such
/// as InvalidValueError VALUE_INVALID for an invalid argument or a duration below 0. It raises TypeError for an
/// argument of another type, and ValueError for a datetime without a time zone and a string with a lone surrogate.
#[pyclass(frozen, weakref, module = "tagwarden")]
#[derive(Clone)]
pub(crate) struct Promoter(Inner);

/// The result of a call that blocks.
type Blocked<T> = T;

impl Promoter {
    fn of(py: Python<'_>, setup: Setup) -> Raises<Promoter> {
        setup.make(py, None).map(Promoter)
    }

    pub(crate) fn ask<T: Send>(&self, py: Python<'_>, call: Deferred<T>) -> Raises<T> {
        // In a coroutine of a backend that runs in the package's own loop, the call would wait for itself.
        if self.0.foreign && py.import("tagwarden._run")?.call_method0("in_own_loop")?.is_truthy()? {
            let why = "a coroutine of a backend waits for a Promoter: await an AsyncPromoter instead";
            return Err(PyRuntimeError::new_err(why).into());
        }
        run::block(py, call(self.0.clone()))
    }
}

/// ``Promoter``, awaited: the same arguments, methods and errors.
///
/// It may be used from many tasks, event loops and threads. Cancelling the task aborts its call; a move whose intent is
/// recorded is completed nevertheless while the process lives. An ``async def`` method of your own registry, ledger or
/// guardrail runs in the loop that awaits the call (in a loop of the package if that loop has ended). After a fork,
/// create another one in the child.
#[pyclass(frozen, weakref, module = "tagwarden")]
#[derive(Clone)]
pub(crate) struct AsyncPromoter(Arc<Loops>);

/// A promoter for each event loop if a backend or a guardrail is written in Python: its coroutines run in that loop.
struct Loops {
    setup: Setup,
    first: Inner,
    others: Mutex<Vec<(Py<PyAny>, Inner)>>,
}

impl AsyncPromoter {
    fn of(py: Python<'_>, setup: Setup) -> Raises<AsyncPromoter> {
        let first = setup.make(py, None)?;
        Ok(AsyncPromoter(Arc::new(Loops { setup, first, others: Mutex::default() })))
    }

    /// The promoter of this event loop.
    fn here(&self, event_loop: &Bound<'_, PyAny>) -> Raises<Inner> {
        let Loops { setup, first, others } = &*self.0;
        if !first.foreign {
            return Ok(first.clone());
        }
        // No call of Python while the lock is held: it may wait for a thread that waits for the lock.
        let others = || others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, inner)) = others().iter().find(|(known, _)| known.is(event_loop)) {
            return Ok(inner.clone());
        }
        let py = event_loop.py();
        let inner = setup.make(py, Some(event_loop))?;
        let mut open = vec![(event_loop.clone().unbind(), inner.clone())];
        for known in std::mem::take(&mut *others()) {
            if !known.0.call_method0(py, "is_closed")?.is_truthy(py)? {
                open.push(known);
            }
        }
        others().extend(open);
        Ok(inner)
    }

    pub(crate) fn ask<T>(&self, py: Python<'_>, call: Deferred<T>) -> Raises<Awaited<T>>
    where
        T: for<'py> IntoPyObject<'py> + Send + 'static,
    {
        let this = self.clone();
        awaited(py, move |event_loop| Ok(call(this.here(event_loop)?)))
    }
}

/// Defines the constructor of each promoter, and the iterator that it gives.
macro_rules! classes {
    ($($class:ident gives $history:ident;)+) => {$(
        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = (
                registry: "Registry", ledger: "Ledger", *, pipeline = None, times = None,
                guardrails: "Iterable[Guardrail] | None" = None, policy = None, config = None, channel = None
            ))]
            #[allow(clippy::too_many_arguments, reason = "each is an option")]
            fn new(
                py: Python<'_>,
                registry: Py<PyAny>,
                ledger: Py<PyAny>,
                pipeline: Option<Pipeline>,
                times: Option<Times>,
                guardrails: Option<List<Py<PyAny>>>,
                policy: Option<Text>,
                config: Option<Config>,
                channel: Option<Channel>,
            ) -> Raises<$class> {
                $class::of(py, Setup { registry, ledger, pipeline, times, guardrails, policy, config, channel })
            }

            /// Every move of a channel, newest first, read page by page. LedgerError.
            fn history(&self, channel: Channel) -> $history {
                $history::new(self.clone(), channel)
            }
        }
    )+};
}

classes! {
    Promoter gives History;
    AsyncPromoter gives AsyncHistory;
}

/// Defines methods of both promoters. A method reads its arguments, and gives the call of the core.
macro_rules! methods {
    ($($(#[$($about:tt)*])* fn $name:ident($($arg:ident: $type:ty),*) -> $gives:ty $body:block)+) => {
        $(
            #[allow(clippy::too_many_arguments, reason = "each is an option")]
            fn $name($($arg: $type),*) -> Raises<Deferred<$gives>> $body
        )+

        methods! { @class Promoter Blocked $($(#[$($about)*])* fn $name($($arg: $type),*) -> $gives;)+ }
        methods! { @class AsyncPromoter Awaited $($(#[$($about)*])* fn $name($($arg: $type),*) -> $gives;)+ }
    };
    (
        @class $class:ident $result:ident
        $($(#[$($about:tt)*])* fn $name:ident($($arg:ident: $type:ty),*) -> $gives:ty;)+
    ) => {
        #[pymethods]
        impl $class {
            $(
                $(#[$($about)*])*
                #[allow(clippy::too_many_arguments, reason = "each is an option")]
                fn $name(&self, py: Python<'_>, $($arg: $type),*) -> Raises<$result<$gives>> {
                    self.ask(py, self::$name($($arg),*)?)
                }
            )+
        }
    };
}
use methods;
