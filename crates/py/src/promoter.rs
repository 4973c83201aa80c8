//! `Promoter` and `AsyncPromoter`: each method is defined once, and blocks in the one and is awaited in the other.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tagwarden::log::{Block, Hold, Unblock, Unhold};
use tagwarden::promotion::{AuditLooks, AuditOptions, BootstrapOptions, DiffOptions, RecoveryMode};
use tagwarden::{MoveOptions, Operation, log};
use tagwarden_bind::args::{parse, wrong};
use tagwarden_bind::convert::{FromCore, to};
use tagwarden_bind::foreign::Guardrails;
use tagwarden_bind::settings::PromoterArgs;

use crate::args::{Expected, Number, OrderText, Release, Seconds, Text, duration, number, text};
use crate::config::Config;
use crate::error::{Raises, mistaken};
use crate::foreign::{Backend, timeout};
use crate::history::{AsyncHistory, History};
use crate::host::{Count, List, Time, json};
use crate::plan::{ApprovedPlan, Plan};
use crate::provenance::Provenance;
use crate::records::{
    ActiveHold, AuditReport, BlockedOn, ChannelStatus, HeldChannel, HistoryPage, HoldScope, LiveAt, LogReport,
    MayDelete, OnConflict, Op, Predecessor, Receipt, RecoveryResult, ReleaseDiff, RetentionPlan,
};
use crate::run::{self, Awaited, Home, Work, awaited};
use crate::settings::{Pipeline, RetentionRule, Times};
use crate::value::{Channel, Digest, IdempotencyKey, Repository};
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

/// Defines the methods of both promoters. A method reads its arguments, and gives the call of the core. A move reads
/// its own arguments as its operation; the others are its options.
macro_rules! methods {
    (
        moves {
            $(
                $(#[$($about:tt)*])*
                fn $name:ident($($arg:ident: $type:ty),*) as ($($signature:tt)*) -> $gives:ident by $call:ident
                    $operation:block
            )+
        }
        $($others:tt)*
    ) => {
        methods! {
            @all
            $(
                $(#[$($about)*])*
                #[pyo3(signature = (
                    channel, $($signature)*, provenance, idempotency_key = None, reason = None, expected = None,
                    r#override = None, on_conflict = None, timeout = None
                ))]
                fn $name(
                    channel: Channel,
                    $($arg: $type,)*
                    provenance: Provenance,
                    idempotency_key: Option<IdempotencyKey>,
                    reason: Option<Text>,
                    expected: Option<Expected>,
                    r#override: Option<List<Text>>,
                    on_conflict: Option<OnConflict>,
                    timeout: Option<Seconds>
                ) -> $gives {
                    let (operation, order) = $operation;
                    let mut options = MoveOptions::new(provenance.given()?);
                    options.idempotency_key = idempotency_key.map(|IdempotencyKey(key)| key);
                    options.reason = reason.map(|Text(reason)| parse("reason", &reason)).transpose()?;
                    options.expected = expected.map_or(options.expected, |Expected(expected)| expected);
                    let names = r#override.into_iter().flat_map(List::texts);
                    options.overrides = names.map(|name| parse("override", &name)).collect::<tagwarden::Result<_>>()?;
                    options.on_conflict = on_conflict.map_or(options.on_conflict, Into::into);
                    options.timeout = duration("timeout", timeout)?.unwrap_or(options.timeout);
                    options.order = order.map(|OrderText(order)| parse("order", &order)).transpose()?;
                    Ok($call(channel.0, operation, options))
                }
            )+
            $($others)*
        }
    };
    (@all $($(#[$($about:tt)*])* fn $name:ident($($arg:ident: $type:ty),*) -> $gives:ty $body:block)+) => {
        $(
            #[allow(clippy::too_many_arguments, reason = "each is an option")]
            fn $name($($arg: $type),*) -> Raises<Deferred<$gives>> $body
        )+

        methods! { @class Promoter History Blocked $($(#[$($about)*])* fn $name($($arg: $type),*) -> $gives;)+ }
        methods! { @class AsyncPromoter AsyncHistory Awaited $($(#[$($about)*])* fn $name($($arg: $type),*) -> $gives;)+ }
    };
    (
        @class $class:ident $history:ident $result:ident
        $($(#[$($about:tt)*])* fn $name:ident($($arg:ident: $type:ty),*) -> $gives:ty;)+
    ) => {
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

fn moved(channel: tagwarden::Channel, operation: Operation, options: MoveOptions) -> Deferred<Receipt> {
    deferred(async move |inner: Inner| inner.core.run(&channel, operation, options).await)
}

fn planned(channel: tagwarden::Channel, operation: Operation, options: MoveOptions) -> Deferred<Plan> {
    deferred(async move |inner: Inner| {
        let plan = inner.core.plan(&channel, operation, options).await;
        plan.map(|plan| (plan, inner.guards))
    })
}

fn predecessor(given: Option<Predecessor>) -> Option<log::Predecessor> {
    given.map(|Predecessor { channel, size, root }| log::Predecessor { channel: channel.0, size, root: root.0 })
}

methods! {
    moves {
        /// Points the channel at a release: plans, evaluates the policy, and executes.
        ///
        /// - ``channel``: the tag that moves, ``registry/repository:tag``.
        /// - ``source``: the release, in the channel's own repository. As text: ``registry/repository:tag``,
        ///   ``registry/repository@digest``, a tag (``1.4.2``), a digest, an environment of the pipeline (``preprod``: what
        ///   is live there), or what was live on a channel: ``prod~1`` (one change ago), ``prod#42`` (the move at this
        ///   position), ``prod@{2 hours ago}``. In ``tag@digest`` the digest counts, and a tag that points at another one
        ///   is a warning; a leading ``oci://`` is dropped. The name of a channel that the ledger knows is its live
        ///   digest, as is a ``Channel``; a ``Reference`` is never a channel.
        /// - ``order``: the release's value in the order of releases, of the configured kind: a version, an RFC 3339 time
        ///   or a build number. By default the first of these: that of the source channel's log, that of the tag or the
        ///   annotations, that of the channel's own log. InvalidValueError VALUE_INVALID if no order is configured.
        /// - ``provenance``: the pipeline run and the actor; they are written into the log.
        /// - ``idempotency_key``: 1 to 128 characters. The same request with the same key moves the channel once;
        ///   a repetition returns the receipt of that move (``replayed``). A random key by default.
        /// - ``reason``: the reason, for the log: one line of 1 to 1,024 characters. None by default.
        /// - ``expected``: the required digest of the tag before the move: a digest, ``absent`` or ``any`` (the
        ///   default).
        /// - ``override``: names of guardrails whose refusal is ignored; they are recorded with the move, which needs a
        ///   ``reason``. ``forward-only`` is allowed in a ``promote``, ``not-rolled-back`` in a ``promote`` and a
        ///   ``bootstrap``, ``parts-present`` in a ``rollback`` and a ``repair``, ``ledger-complete`` in a ``bootstrap``
        ///   and a ``repair``. None by default.
        /// - ``on_conflict``: how to treat another move that comes first. ``wait`` (the default) waits for it, and
        ///   continues if the live digest is still the same; ``requeue`` waits, reads again and evaluates the policy
        ///   again; ``fail`` gives up at once.
        /// - ``timeout``: how long to wait for other moves, in seconds or as a timedelta; 180 s by default, longer than
        ///   the time after which the move of a dead worker may be taken over.
        ///
        /// Nothing was moved after
        ///
        /// - PolicyRefusedError POLICY_REFUSED: ``findings`` says why; a release that does not exist is TARGET_ABSENT
        ///   there, a hold CHANNEL_HELD. ``retry`` is ``later`` if time or a person can lift every refusal;
        /// - ChannelError CHANNEL_CHANGED (another move came first), CHANNEL_BUSY (another move is under way),
        ///   CHANNEL_NOT_BOOTSTRAPPED, CHANNEL_DRIFTED (the tag does not point at the live digest),
        ///   IDEMPOTENCY_MISMATCH (the key is another request's);
        /// - InvalidValueError VALUE_INVALID, also if the release is in another repository; ENTRY_TOO_LARGE;
        /// - RegistryError REGISTRY_UNAVAILABLE, REGISTRY_BUSY, REGISTRY_DENIED, REGISTRY_ABSENT,
        ///   REGISTRY_DIGEST_MISMATCH, MANIFEST_INVALID, MANIFEST_AMBIGUOUS, MANIFEST_UNSUPPORTED, MANIFEST_TOO_LARGE;
        /// - LedgerError LEDGER_UNAVAILABLE, LEDGER_DENIED, LEDGER_CORRUPT, LEDGER_TRUNCATED, LEDGER_FORKED,
        ///   LEDGER_TOO_NEW, LEDGER_MIGRATED (the log was migrated to another ledger);
        /// - MoveError MOVE_FAILED: the registry refused the put, or the pins that keep a rollback possible.
        ///
        /// ChannelError CHANNEL_OVERWRITTEN: the put landed, and was overwritten. MoveError MOVE_INDETERMINATE or
        /// MOVE_TAKEN_OVER, or LedgerError LEDGER_AMBIGUOUS: the result is unknown; ``retry`` is ``recover``.
        ///
        /// Ctrl-C, or cancelling the task that awaits it, ends the call. A move whose intent is recorded is completed
        /// nevertheless while the process lives; otherwise ``recover`` completes it.
        fn promote(source: Release, order: Option<OrderText>) as (source, *, order = None) -> Receipt by moved {
            (Operation::Promote(source.0), order)
        }

        /// Points the channel back at the previous live digest. The registry must still have all its parts.
        ///
        /// - ``to``: another release that was live here: its digest, its tag or label, or an expression as in ``promote``:
        ///   ``~2``, ``prod#42``. A word is first a release that was promoted here. After a rollback, the next rollback
        ///   must name its target.
        ///
        /// The terms and the errors are those of ``promote``, and ChannelError ROLLBACK_NO_TARGET (there is no earlier
        /// digest, it must be named, or it was never live here). Missing parts are the finding TARGET_INCOMPLETE, which
        /// names them; parts that could not be read are the warning TARGET_UNKNOWN.
        fn rollback(to: Option<Release>) as (to = None, *) -> Receipt by moved {
            (Operation::Rollback(to.map(|Release(to)| to)), None)
        }

        /// Records the channel's first state in the log, once.
        ///
        /// - ``source``: the release that the channel shall point at, as in ``promote``: the tag must be absent or
        ///   point at it already. By default the tag's current digest.
        /// - ``predecessor``: the log that this one continues, where a repository was renamed. None by default.
        /// - ``order``: as in ``promote``.
        ///
        /// The terms and the errors are those of ``promote``, and ChannelError CHANNEL_BOOTSTRAPPED (the log has a
        /// committed move), CHANNEL_ABSENT (no tag, and no ``source``) or CHANNEL_OCCUPIED (the tag points at another
        /// digest), LedgerError LEDGER_FOREIGN (the repository has pins that no log of this ledger explains, so that
        /// another ledger seems to govern it; if that ledger is lost, give ``override``).
        fn bootstrap(
            source: Option<Release>,
            predecessor: Option<Predecessor>,
            order: Option<OrderText>
        ) as (source = None, *, predecessor = None, order = None) -> Receipt by moved {
            let (source, predecessor) = (source.map(|Release(source)| source), self::predecessor(predecessor));
            (Operation::Bootstrap(BootstrapOptions { source, predecessor }), order)
        }

        /// Puts the live digest back after a write around the ledger.
        ///
        /// The terms and the errors are those of ``promote``. A channel that did not drift is ``unchanged``.
        fn repair() as (*) -> Receipt by moved {
            (Operation::Repair, None)
        }

        /// Makes the tag's digest live, after a write around the ledger. The tag is not put.
        ///
        /// The terms and the errors are those of ``promote``, and InvalidValueError VALUE_INVALID without a ``reason``,
        /// ChannelError CHANNEL_ABSENT if there is no tag. A channel that did not drift is ``unchanged``.
        fn adopt() as (*) -> Receipt by moved {
            (Operation::Adopt, None)
        }

        /// Plans a move and evaluates the policy. Nothing is moved.
        ///
        /// It waits for another open move as the terms say, and may record drift or close the move of a dead worker. A
        /// refusal of the policy is in the plan's findings; ``Plan.approve`` raises it.
        ///
        /// - ``operation``: ``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``.
        /// - ``source``: the release, for ``promote`` (which needs it) and ``bootstrap``.
        /// - ``to``: the rollback's target, for ``rollback``.
        /// - ``predecessor``: as in ``bootstrap``; ``order``: as in ``promote``, for ``promote`` and ``bootstrap``.
        ///
        /// The terms are those of ``promote``, and the errors are those of the move before it begins; POLICY_REFUSED only
        /// for a release that does not exist. InvalidValueError VALUE_INVALID if one of these arguments is given to an
        /// operation that does not take it.
        fn plan(
            operation: Op,
            source: Option<Release>,
            to: Option<Release>,
            predecessor: Option<Predecessor>,
            order: Option<OrderText>
        ) as (operation, source = None, to = None, *, predecessor = None, order = None) -> Plan by planned {
            let (source, to) = (source.map(|Release(source)| source), to.map(|Release(to)| to));
            let operation = match (operation, source, to, self::predecessor(predecessor)) {
                (Op::Promote, Some(source), None, None) => Operation::Promote(source),
                (Op::Promote, None, ..) => return Err(wrong("source", "it is missing").into()),
                (Op::Rollback, None, to, None) => Operation::Rollback(to),
                (Op::Bootstrap, source, None, predecessor) => Operation::Bootstrap(BootstrapOptions { source, predecessor }),
                (Op::Repair, None, None, None) => Operation::Repair,
                (Op::Adopt, None, None, None) => Operation::Adopt,
                (op, source, to, _) => {
                    let name = if source.is_some() { "source" } else if to.is_some() { "to" } else { "predecessor" };
                    return Err(wrong(name, format!("a {op:?} does not take it").to_lowercase()).into());
                }
            };
            (operation, order)
        }
    }

    /// Executes an approved plan, only once: ``approved`` is the result of ``Plan.approve``.
    ///
    /// A plan that is older than 5 s is made again first, and must be the same (ChannelError CHANNEL_CHANGED) unless
    /// the terms say to requeue. The other errors are those of ``promote``; InvalidValueError VALUE_INVALID if the plan
    /// was executed before; TypeError for a plan that is not approved.
    fn execute(approved: Py<ApprovedPlan>) -> Receipt {
        Ok(deferred(async move |inner: Inner| inner.core.execute(approved.get().0.take()?).await))
    }

    /// Closes the open move of a channel, if there is one, from any machine. Safe to repeat.
    ///
    /// - ``provenance``: who asks; it is recorded if the move is taken over.
    /// - ``abort``: False (the default) completes the move, with a put if it has not landed and no hold stops it; True
    ///   closes it without a put.
    /// - ``timeout``: how long to wait for its worker, which may be alive, in seconds or as a timedelta; 180 s by
    ///   default.
    ///
    /// ChannelError CHANNEL_BUSY if its worker may still be alive after that. MoveError MOVE_INDETERMINATE or
    /// MOVE_TAKEN_OVER, or LedgerError LEDGER_AMBIGUOUS: the result is still unknown, recover again. RegistryError and
    /// LedgerError as ``promote``.
    #[pyo3(signature = (channel, *, provenance, abort = false, timeout = None))]
    fn recover(channel: Channel, provenance: Provenance, abort: bool, timeout: Option<Seconds>) -> RecoveryResult {
        let provenance = provenance.given()?;
        let mode = if abort { RecoveryMode::Abort } else { RecoveryMode::RollForward };
        let timeout = duration("timeout", timeout)?.unwrap_or(MoveOptions::TIMEOUT);
        Ok(deferred(async move |inner: Inner| inner.core.recover(&channel.0, mode, provenance, timeout).await))
    }

    /// Stops moves of the channel. Returns the hold's id, its position in the log; ``unhold`` ends that hold.
    ///
    /// - ``reason``: the reason, one line of 1 to 1,024 characters.
    /// - ``provenance``: who asks; it is written into the log.
    /// - ``scope``: ``promotions`` (the default) stops promote and bootstrap, while rollback, repair and adopt pass;
    ///   ``all`` stops every move.
    /// - ``until``: when it ends by itself, an aware datetime; never by default.
    ///
    /// InvalidValueError VALUE_INVALID if ``until`` is not in the future; ChannelError CHANNEL_ABSENT if the ledger has
    /// no log of the channel and the registry has no such tag (an unreachable registry does not prevent a hold);
    /// LedgerError as ``promote``.
    #[pyo3(signature = (channel, *, reason, provenance, scope = None, until = None))]
    fn hold(
        channel: Channel,
        reason: Text,
        provenance: Provenance,
        scope: Option<HoldScope>,
        until: Option<Time>
    ) -> Count {
        let (scope, reason) = (scope.map_or_else(Default::default, Into::into), parse("reason", &reason.0)?);
        let hold = Hold { scope, reason, provenance: provenance.given()?, until: until.map(|Time(until)| until) };
        Ok(deferred(async move |inner: Inner| inner.core.hold(&channel.0, hold).await))
    }

    /// Stops moves of every environment of the pipeline, also of those without a log. Returns the hold's id on each
    /// channel, in their order.
    ///
    /// ``reason``, ``provenance``, ``scope`` and ``until`` as in ``hold``. InvalidValueError CONFIG_INVALID without a
    /// pipeline. If a channel cannot be held, the others are, and the LedgerError says which.
    #[pyo3(signature = (*, reason, provenance, scope = None, until = None))]
    fn hold_pipeline(
        reason: Text,
        provenance: Provenance,
        scope: Option<HoldScope>,
        until: Option<Time>
    ) -> List<HeldChannel> {
        let (scope, reason) = (scope.map_or_else(Default::default, Into::into), parse("reason", &reason.0)?);
        let hold = Hold { scope, reason, provenance: provenance.given()?, until: until.map(|Time(until)| until) };
        Ok(deferred(async move |inner: Inner| inner.core.hold_pipeline(hold).await))
    }

    /// Ends one hold; the others stay. Returns the position of the new entry in the log.
    ///
    /// - ``hold``: the id that ``hold`` returned, and that ``holds`` lists.
    /// - ``reason`` and ``provenance``: as in ``hold``.
    ///
    /// InvalidValueError VALUE_INVALID if no such hold is in force: the message names those that are. LedgerError as
    /// ``promote``.
    #[pyo3(signature = (channel, hold, *, reason, provenance))]
    fn unhold(channel: Channel, hold: Number, reason: Text, provenance: Provenance) -> Count {
        let (hold, reason) = (hold.get("hold")?, parse("reason", &reason.0)?);
        let unhold = Unhold { hold, reason, provenance: provenance.given()? };
        Ok(deferred(async move |inner: Inner| inner.core.unhold(&channel.0, unhold).await))
    }

    /// Ends every hold of one person: those of the same provider and actor. Returns the ids of these holds.
    ///
    /// ``reason`` and ``provenance`` as in ``hold``; LedgerError as ``promote``.
    #[pyo3(signature = (channel, *, reason, provenance))]
    fn unhold_mine(channel: Channel, reason: Text, provenance: Provenance) -> List<Count> {
        let (reason, provenance) = (parse("reason", &reason.0)?, provenance.given()?);
        Ok(deferred(async move |inner: Inner| inner.core.unhold_mine(&channel.0, reason, provenance).await))
    }

    /// The holds in force now, the oldest first. LedgerError.
    fn holds(channel: Channel) -> List<ActiveHold> {
        Ok(deferred(async move |inner: Inner| inner.core.holds(&channel.0).await))
    }

    /// Declares a release unfit: no promotion, rollback or repair goes to it, here and in every later environment.
    /// Returns the position of the block in the log; that of the earlier one if the digest is blocked there already.
    ///
    /// - ``release``: as ``source`` of ``promote``. A tag is looked up now, and its digest is blocked.
    /// - ``reason`` and ``provenance``: as in ``hold``.
    /// - ``only``: the channel from which on it counts; by default that of the pipeline's first environment.
    /// - ``url``: a page with more information. None by default.
    ///
    /// InvalidValueError CONFIG_INVALID without ``only`` and without a pipeline; RegistryError REGISTRY_ABSENT for a tag
    /// that does not exist; ChannelError RELEASE_UNKNOWN if the record has no such release, CHANNEL_ABSENT as in
    /// ``hold``; LedgerError as ``promote``.
    #[pyo3(signature = (release, *, reason, provenance, only = None, url = None))]
    fn block(
        release: Release,
        reason: Text,
        provenance: Provenance,
        only: Option<Channel>,
        url: Option<Text>
    ) -> Count {
        let (reason, provenance) = (parse("reason", &reason.0)?, provenance.given()?);
        let url = url.map(|Text(url)| parse("url", &url)).transpose()?;
        Ok(deferred(async move |inner: Inner| {
            let only = only.map(|Channel(only)| only);
            let (channel, digest) = inner.core.block_target(only.as_ref(), &release.0).await?;
            inner.core.block(&channel, Block { digest, reason, provenance, url }).await
        }))
    }

    /// Ends the block of a release in the log that has it. Returns the position of the new entry.
    ///
    /// The arguments are those of ``block``. InvalidValueError VALUE_INVALID if that log does not block it: the message
    /// names the channels whose logs do, for ``only``.
    #[pyo3(signature = (release, *, reason, provenance, only = None))]
    fn unblock(release: Release, reason: Text, provenance: Provenance, only: Option<Channel>) -> Count {
        let (reason, provenance) = (parse("reason", &reason.0)?, provenance.given()?);
        Ok(deferred(async move |inner: Inner| {
            let only = only.map(|Channel(only)| only);
            let (channel, digest) = inner.core.block_target(only.as_ref(), &release.0).await?;
            inner.core.unblock(&channel, Unblock { digest, reason, provenance }).await
        }))
    }

    /// The blocks in force on the channel: those of its own log, and of every earlier environment. LedgerError.
    fn blocks(channel: Channel) -> List<BlockedOn> {
        Ok(deferred(async move |inner: Inner| inner.core.blocks(&channel.0).await))
    }

    /// Compares two releases: revisions, the moves between them, platforms, layers, and the files of Flux artifacts.
    ///
    /// - ``old`` and ``new``: as ``source`` of ``promote``.
    /// - ``channel``: the channel that words, and steps without a name such as ``~1``, are about. By default the one that
    ///   ``new`` or ``old`` names; words are then of the repository of the pipeline's first channel.
    /// - ``unified``: True for the unified diff of each file; False by default.
    /// - ``timeout``: how long to read what the releases have in them, in seconds or as a timedelta; 30 s by default.
    ///
    /// A release that is gone from the registry is compared by what its move recorded; ``notes`` says what is not known.
    /// ChannelError RELEASE_UNKNOWN if neither the registry nor the record has it; RegistryError and LedgerError as
    /// ``promote``.
    #[pyo3(signature = (old, new, *, channel = None, unified = false, timeout = None))]
    fn diff(
        old: Release,
        new: Release,
        channel: Option<Channel>,
        unified: bool,
        timeout: Option<Seconds>
    ) -> ReleaseDiff {
        let timeout = duration("timeout", timeout)?.unwrap_or(DiffOptions::default().timeout);
        let options = DiffOptions { channel: channel.map(|Channel(channel)| channel), unified, timeout };
        Ok(deferred(async move |inner: Inner| inner.core.diff(&old.0, &new.0, &options).await))
    }

    /// Every channel that the ledger has a log of, in their order. LedgerError.
    fn channels() -> List<Channel> {
        Ok(deferred(async move |inner: Inner| inner.core.channels().await))
    }

    /// The channel's state by its log; no registry is asked. LedgerError.
    ///
    /// A channel without a log has size 0 and no live digest, which is no error.
    fn current(channel: Channel) -> ChannelStatus {
        Ok(deferred(async move |inner: Inner| inner.core.current(&channel.0).await))
    }

    /// The digest that was live before the last move that changed it, or None. LedgerError.
    fn previous(channel: Channel) -> Option<Digest> {
        Ok(deferred(async move |inner: Inner| inner.core.previous(&channel.0).await))
    }

    /// A page of the moves of a channel, newest first. ``history`` iterates over all of them.
    ///
    /// - ``before``: a position in the log: only moves with the intent at a lower one. The newest by default.
    /// - ``limit``: at most so many moves; at least 1, and 0 counts as 1. 64 by default.
    ///
    /// LedgerError.
    #[pyo3(signature = (channel, *, before = None, limit = None))]
    fn history_page(channel: Channel, before: Option<Number>, limit: Option<Number>) -> HistoryPage {
        let (before, limit) = (number("before", before)?, number("limit", limit)?.unwrap_or(PAGE));
        Ok(deferred(async move |inner: Inner| inner.core.history_page(&channel.0, before, limit).await))
    }

    /// The move that was live ``at`` a time (an aware datetime), by the clocks of the log's writers.
    ///
    /// ``open`` is the move that was open then, and ``drift`` the drift that had been seen. None if the channel was not
    /// bootstrapped yet. LedgerError.
    fn at(channel: Channel, at: Time) -> Option<LiveAt> {
        Ok(deferred(async move |inner: Inner| inner.core.at(&channel.0, at.0).await))
    }

    /// Compares each tag's digest with the live digest of its log. It writes nothing.
    ///
    /// - ``channels``: several, such as those of ``Promoter.channels``. TypeError for a single one.
    /// - ``settle``: True (the default) reads a tag again while the registry may answer an older value, until its reads
    ///   are settled; False reports ``lagging`` at once.
    /// - ``timeout``: how long to read again at most, in seconds or as a timedelta; 180 s by default. After that, such
    ///   a channel is ``unsettled``.
    /// - ``parts``: True also checks the parts of each live digest: its manifests, configs and layers. A missing part
    ///   is a warning among the ``findings`` of its channel, and does not change its state. False (the default) reads
    ///   only the tags, one request for each.
    ///
    /// A channel that could not be read is ``unknown`` in the report, never in sync, and no error.
    #[pyo3(signature = (channels, *, settle = true, timeout = None, parts = false))]
    fn audit(channels: List<Channel>, settle: bool, timeout: Option<Seconds>, parts: bool) -> AuditReport {
        let timeout = duration("timeout", timeout)?.unwrap_or(MoveOptions::TIMEOUT);
        let looks = if parts { AuditLooks::TagAndParts } else { AuditLooks::Tag };
        let options = AuditOptions::default().timeout(settle.then_some(timeout)).looks(looks);
        let channels: Vec<_> = channels.0.into_iter().map(|Channel(channel)| channel).collect();
        Ok(deferred(async move |inner: Inner| inner.core.audit_with(&channels, options).await))
    }

    /// Checks every entry of a log, from its first byte. A broken rule is in the report, and no error.
    ///
    /// LedgerError if the log cannot be read.
    fn verify(channel: Channel) -> LogReport {
        Ok(deferred(async move |inner: Inner| inner.core.verify(&channel.0).await))
    }

    /// The digests of a repository that must stay and those that may go, each with its reason. Nothing is deleted.
    ///
    /// - ``repository``: ``registry/path``; the logs of all its channels and all its tags are read.
    /// - ``rule``: how far back its channels can be rolled back, see ``RetentionRule``; 10 digests and 30 days by
    ///   default.
    ///
    /// If a log or a tag cannot be read, ``blocked`` names it and everything is kept. LedgerError if the channels
    /// cannot be listed.
    #[pyo3(signature = (repository, *, rule = None))]
    fn retention_plan(repository: Repository, rule: Option<RetentionRule>) -> RetentionPlan {
        let rule = RetentionRule::core(rule)?;
        Ok(deferred(async move |inner: Inner| inner.core.retention_plan(&repository.0, &rule).await))
    }

    /// The permission to delete ``digest`` now, with the reason. It writes nothing.
    ///
    /// Ask twice, some time apart: a move that is just beginning pins its target before its log names it.
    ///
    /// ``repository``, ``rule`` and the errors as in ``retention_plan``.
    #[pyo3(signature = (repository, digest, *, rule = None))]
    fn may_delete(repository: Repository, digest: Digest, rule: Option<RetentionRule>) -> MayDelete {
        let rule = RetentionRule::core(rule)?;
        Ok(deferred(async move |inner: Inner| inner.core.may_delete(&repository.0, &rule, &digest.0).await))
    }
}

/// The number of moves of a page.
pub(crate) const PAGE: usize = 64;
