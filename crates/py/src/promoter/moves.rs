//! Moves, their plans, and the recovery of one.

use pyo3::prelude::*;
use tagwarden::promotion::{BootstrapOptions, RecoveryMode};
use tagwarden::{MoveOptions, Operation, log};
use tagwarden_bind::args::{parse, wrong};

use super::{AsyncPromoter, Blocked, Deferred, Inner, Promoter, deferred, methods};
use crate::args::{Expected, OrderText, Release, Seconds, Text, duration};
use crate::error::Raises;
use crate::host::List;
use crate::plan::{ApprovedPlan, Plan};
use crate::provenance::Provenance;
use crate::records::{OnConflict, Op, Predecessor, Receipt, RecoveryResult};
use crate::run::Awaited;
use crate::value::{Channel, IdempotencyKey};

/// Defines moves. A move reads its own arguments as its operation; the others are its options.
macro_rules! moves {
    (
        $(
            $(#[$($about:tt)*])*
            fn $name:ident($($arg:ident: $type:ty),*) as ($($signature:tt)*) -> $gives:ident by $call:ident
                $operation:block
        )+
    ) => {
        methods! {
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

moves! {
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

methods! {
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
}
