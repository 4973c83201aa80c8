"""``AsyncPromoter``: the methods of ``Promoter``, awaited, with the same docstrings."""

from __future__ import annotations

import datetime
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ._call import Seconds, wait_async
from ._request import (
    ApprovedPlan,
    Core,
    HoldScope,
    OnConflict,
    Plan,
    RetentionRule,
    Source,
    Times,
    channels_of,
    digest_of,
    holds_of,
    live_at_of,
)
from .guardrail import Guardrail
from .ledger import Ledger
from .provenance import Provenance
from .record import ActiveHold, ChannelStatus, HistoryPage, LiveAt, MoveRecord, Predecessor, Receipt, RecoveryResult
from .registry import Registry
from .report import AuditReport, LogReport, MayDelete, RetentionPlan
from .values import Channel, Digest, IdempotencyKey, Pipeline, Repository

__all__ = ["AsyncPromoter"]

if TYPE_CHECKING:
    import asyncio


class _Cores:
    """A core for each event loop, if anything behind it is written in Python: its coroutines run in that loop."""

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop | None], Core]) -> None:
        self._make = make
        self._first = make(None)
        self._lock = threading.Lock()
        self._of: dict[asyncio.AbstractEventLoop, Core] = {}

    def here(self) -> Core:
        """The core of the loop that runs."""
        if not self._first.adapters:
            return self._first
        import asyncio

        loop = asyncio.get_running_loop()
        with self._lock:
            core = self._of.get(loop)
            if core is None:
                self._of = {at: its for at, its in self._of.items() if not at.is_closed()}
                core = self._of[loop] = self._make(loop)
            return core


class AsyncPromoter:
    """``Promoter``, awaited: the same arguments, methods and errors.

    It may be used from many tasks, event loops and threads. A cancelled task aborts its call; a move whose intent
    stands is brought to its end all the same while the process lives. What is ``async def`` in a registry, a ledger or
    a guardrail of your own runs in the loop that awaits the call (in one of the package's own if that one has ended).
    After a fork, make it again in the child.
    """

    def __init__(
        self,
        registry: Registry,
        ledger: Ledger,
        *,
        pipeline: Pipeline | None = None,
        times: Times | None = None,
        guardrails: Sequence[Guardrail] = (),
        policy: str | None = None,
    ) -> None:
        self._cores = _Cores(functools.partial(Core, registry, ledger, pipeline, times, tuple(guardrails), policy))

    async def plan(
        self,
        channel: str | Channel,
        operation: Literal["promote", "rollback", "bootstrap", "repair", "adopt"],
        source: Source | None = None,
        to: str | Digest | None = None,
        *,
        predecessor: Predecessor | None = None,
        provenance: Provenance,
        idempotency_key: str | IdempotencyKey | None = None,
        reason: str | None = None,
        expected: str | Digest | None = None,
        override: Sequence[str] | None = None,
        on_conflict: OnConflict | None = None,
        timeout: Seconds | None = None,
    ) -> Plan:
        """Finds out what a move would do and what the policy says of it. Nothing is moved.

        It waits for another's open move as the terms say, and may write an observation of drift or close the move of a
        worker that died. What the policy refuses is in the plan's findings, and raised by ``Plan.approve``.

        - ``operation``: which of the five moves.
        - ``source``: the release, for ``promote`` (which needs it) and ``bootstrap``.
        - ``to``: what to go back to, for ``rollback``.
        - ``predecessor``: as in ``bootstrap``.

        The terms are those of ``promote``, and it raises what the move itself would raise before it begins;
        POLICY_REFUSED only for a release that does not exist. InvalidValueError VALUE_INVALID if one of these is given
        to an operation that does not take it.
        """
        return Plan(await self._ask("plan", locals()))

    async def execute(self, approved: ApprovedPlan) -> Receipt:
        """Executes an approved plan, which is used up: ``approved`` is what ``Plan.approve`` gave.

        A plan that is older than 5 s is made again first, and must come out the same (ChannelError CHANNEL_CHANGED)
        unless the terms said to requeue. Otherwise it raises what ``promote`` raises; InvalidValueError VALUE_INVALID
        if the plan was executed before; TypeError for a plan that is not approved.
        """
        if not isinstance(approved, ApprovedPlan):
            raise TypeError("execute takes what Plan.approve gave")
        return Receipt._of(await wait_async(self._cores.here().native.execute(approved._native)))

    async def promote(
        self,
        channel: str | Channel,
        source: Source,
        *,
        provenance: Provenance,
        idempotency_key: str | IdempotencyKey | None = None,
        reason: str | None = None,
        expected: str | Digest | None = None,
        override: Sequence[str] | None = None,
        on_conflict: OnConflict | None = None,
        timeout: Seconds | None = None,
    ) -> Receipt:
        """Points the channel at a release: plans, has the policy judge, and executes.

        - ``channel``: the tag that moves, ``registry/repository:tag``.
        - ``source``: the release, in the channel's own repository: ``registry/repository:tag`` or
          ``registry/repository@digest``; or, as a ``Channel``, what is live on that channel. Of ``tag@digest`` the
          digest counts, and a tag that points at another one is a warning; an ``oci://`` before it is dropped.
        - ``provenance``: the pipeline run and the actor; they are written into the log.
        - ``idempotency_key``: 1 to 128 characters. The same request with the same key moves the channel once,
          and is then answered with the receipt of that move (``replayed``). A random one by default.
        - ``reason``: why, for the log: one line of 1 to 1,024 characters. None by default.
        - ``expected``: what the tag must point at for the move to start: a digest, ``absent`` or ``any`` (the default).
        - ``override``: names of guardrails whose refusal does not count; they are recorded with the move, which needs a
          ``reason``. ``ledger-complete`` can be one in a ``bootstrap`` and a ``repair``, ``parts-present`` in a
          ``rollback`` and a ``repair``. None by default.
        - ``on_conflict``: what to do when another move comes first. ``wait`` (the default) waits for it, and goes on if
          the live digest is still what it was; ``requeue`` waits, looks again and judges anew; ``fail`` gives up at
          once.
        - ``timeout``: how long to wait for others, in seconds or as a timedelta; 180 s by default, longer than it
          takes until the move of a dead worker may be taken over.

        Nothing was moved after

        - PolicyRefusedError POLICY_REFUSED: ``findings`` says why; a release that does not exist is TARGET_ABSENT
          there, a hold CHANNEL_HELD. ``retry`` is ``later`` if time or a person can lift all that refuses;
        - ChannelError CHANNEL_CHANGED (another move came first), CHANNEL_BUSY (another move is under way),
          CHANNEL_NOT_BOOTSTRAPPED, CHANNEL_DRIFTED (the tag does not point at the live digest), IDEMPOTENCY_MISMATCH
          (the key is another request's);
        - InvalidValueError VALUE_INVALID, also if the release is in another repository; ENTRY_TOO_LARGE;
        - RegistryError REGISTRY_UNAVAILABLE, REGISTRY_BUSY, REGISTRY_DENIED, REGISTRY_ABSENT, REGISTRY_DIGEST_MISMATCH,
          MANIFEST_INVALID, MANIFEST_AMBIGUOUS, MANIFEST_UNSUPPORTED, MANIFEST_TOO_LARGE;
        - LedgerError LEDGER_UNAVAILABLE, LEDGER_DENIED, LEDGER_CORRUPT, LEDGER_TRUNCATED, LEDGER_FORKED,
          LEDGER_TOO_NEW, LEDGER_MIGRATED (the log goes on in another ledger);
        - MoveError MOVE_FAILED: the registry refused the put, or the pins that keep a rollback possible.

        ChannelError CHANNEL_OVERWRITTEN: the put landed, and was overwritten. MoveError MOVE_INDETERMINATE or
        MOVE_TAKEN_OVER, or LedgerError LEDGER_AMBIGUOUS: it is not known how it ended; ``retry`` is ``recover``.

        Ctrl-C, or the end of the task that awaits it, ends the call; a move whose intent stands is brought to its end
        all the same while the process lives, and is left to ``recover`` otherwise.
        """
        return Receipt._of(await self._ask("promote", locals()))

    async def rollback(
        self,
        channel: str | Channel,
        to: str | Digest | None = None,
        *,
        provenance: Provenance,
        idempotency_key: str | IdempotencyKey | None = None,
        reason: str | None = None,
        expected: str | Digest | None = None,
        override: Sequence[str] | None = None,
        on_conflict: OnConflict | None = None,
        timeout: Seconds | None = None,
    ) -> Receipt:
        """Points the channel back at the digest that was live before. All that it is made of must still be there.

        - ``to``: another release that was live here: its digest, its tag or label, or, as ``prod#42``, what the move
          at this position made live. After a rollback, the next one must name it.

        The terms and the errors are those of ``promote``, and ChannelError ROLLBACK_NO_TARGET (there is no earlier
        digest, it must be named, or it was never live here). Parts that are gone are the finding TARGET_INCOMPLETE,
        which names them; parts that could not be looked at are the warning TARGET_UNKNOWN.
        """
        return Receipt._of(await self._ask("rollback", locals()))

    async def bootstrap(
        self,
        channel: str | Channel,
        source: Source | None = None,
        *,
        predecessor: Predecessor | None = None,
        provenance: Provenance,
        idempotency_key: str | IdempotencyKey | None = None,
        reason: str | None = None,
        expected: str | Digest | None = None,
        override: Sequence[str] | None = None,
        on_conflict: OnConflict | None = None,
        timeout: Seconds | None = None,
    ) -> Receipt:
        """Takes the channel's first state into the log, once.

        - ``source``: the release that the channel is to point at, as in ``promote``: the tag must be absent or point at
          it already. By default the tag is taken as it is.
        - ``predecessor``: the log that this one continues, where a repository was renamed. None by default.

        The terms and the errors are those of ``promote``, and ChannelError CHANNEL_BOOTSTRAPPED (the log has a
        committed move), CHANNEL_ABSENT (no tag, and no ``source``) or CHANNEL_OCCUPIED (the tag points at something
        else), LedgerError LEDGER_FOREIGN (the repository has pins that no log of this ledger there explains,
        so that another ledger seems to govern it; if that one is lost, give ``override``).
        """
        return Receipt._of(await self._ask("bootstrap", locals()))

    async def repair(
        self,
        channel: str | Channel,
        *,
        provenance: Provenance,
        idempotency_key: str | IdempotencyKey | None = None,
        reason: str | None = None,
        expected: str | Digest | None = None,
        override: Sequence[str] | None = None,
        on_conflict: OnConflict | None = None,
        timeout: Seconds | None = None,
    ) -> Receipt:
        """Puts the live digest back after a write around the ledger.

        The terms and the errors are those of ``promote``. A channel that did not drift is ``unchanged``.
        """
        return Receipt._of(await self._ask("repair", locals()))

    async def adopt(
        self,
        channel: str | Channel,
        *,
        provenance: Provenance,
        idempotency_key: str | IdempotencyKey | None = None,
        reason: str | None = None,
        expected: str | Digest | None = None,
        override: Sequence[str] | None = None,
        on_conflict: OnConflict | None = None,
        timeout: Seconds | None = None,
    ) -> Receipt:
        """Takes what the tag points at as live, after a write around the ledger. The tag is not put.

        The terms and the errors are those of ``promote``, and InvalidValueError VALUE_INVALID without a ``reason``,
        ChannelError CHANNEL_ABSENT if there is no tag. A channel that did not drift is ``unchanged``.
        """
        return Receipt._of(await self._ask("adopt", locals()))

    async def recover(
        self,
        channel: str | Channel,
        *,
        provenance: Provenance,
        abort: bool = False,
        timeout: Seconds | None = None,
    ) -> RecoveryResult:
        """Closes the move that is open on a channel, if one is, on any machine. It is safe to do again.

        - ``provenance``: who asks; it is recorded where the move is taken over.
        - ``abort``: False (the default) brings the move about, with a put if it has not landed and no hold stops it;
          True closes it without a put.
        - ``timeout``: how long to wait for its worker, which may be alive, in seconds or as a timedelta; 180 s by
          default.

        ChannelError CHANNEL_BUSY if its worker may still be alive in the end. MoveError MOVE_INDETERMINATE or
        MOVE_TAKEN_OVER, or LedgerError LEDGER_AMBIGUOUS: it is still not known, recover again. RegistryError and
        LedgerError as ``promote``.
        """
        return RecoveryResult._of(await self._ask("recover", locals()))

    async def hold(
        self,
        channel: str | Channel,
        *,
        reason: str,
        provenance: Provenance,
        scope: HoldScope = "promotions",
        until: datetime.datetime | None = None,
    ) -> int:
        """Stops moves of the channel. The hold's id, which is its position in the log: ``unhold`` ends that hold.

        - ``reason``: why, one line of 1 to 1,024 characters.
        - ``provenance``: who; it is written into the log.
        - ``scope``: ``promotions`` (the default) stops promote and bootstrap, while rollback, repair and adopt pass;
          ``all`` stops every move.
        - ``until``: when it ends by itself, an aware datetime; by default it does not.

        InvalidValueError VALUE_INVALID if ``until`` is not in the future; ChannelError CHANNEL_ABSENT if the ledger has
        no log of the channel and the registry has no such tag (one that cannot be asked stops no hold); LedgerError as
        ``promote``.
        """
        return int(await self._ask("hold", locals()))

    async def unhold(
        self,
        channel: str | Channel,
        hold: int,
        *,
        reason: str,
        provenance: Provenance,
    ) -> int:
        """Ends one hold; the others stay. Where that stands in the log.

        - ``hold``: the id that ``hold`` gave, and that ``holds`` lists.
        - ``reason`` and ``provenance``: as in ``hold``.

        InvalidValueError VALUE_INVALID if no such hold is in force: the message names those that are. LedgerError as
        ``promote``.
        """
        return int(await self._ask("unhold", locals()))

    async def unhold_mine(self, channel: str | Channel, *, reason: str, provenance: Provenance) -> tuple[int, ...]:
        """Ends every hold of one person: those of the same provider and actor. The ids of the holds that were ended.

        ``reason`` and ``provenance`` as in ``hold``; LedgerError as ``promote``.
        """
        return tuple(await self._ask("unhold_mine", locals()))

    async def holds(self, channel: str | Channel) -> tuple[ActiveHold, ...]:
        """The holds in force now, the oldest first. LedgerError."""
        return holds_of(await self._ask("holds", locals()))

    async def channels(self) -> tuple[Channel, ...]:
        """Every channel that the ledger has a log of, in their order. LedgerError."""
        return channels_of(await self._ask("channels", locals()))

    async def current(self, channel: str | Channel) -> ChannelStatus:
        """What the channel is now, as its log says: no registry is asked. LedgerError.

        A channel without a log is one of size 0 with nothing live, and no error.
        """
        return ChannelStatus._of(await self._ask("current", locals()))

    async def previous(self, channel: str | Channel) -> Digest | None:
        """The digest that was live before the last move that changed it, or None. LedgerError."""
        return digest_of(await self._ask("previous", locals()))

    async def history(
        self,
        channel: str | Channel,
        *,
        before: int | None = None,
        limit: int = 64,
    ) -> HistoryPage:
        """A page of the moves of a channel, newest first. ``events`` goes through all of them.

        - ``before``: a position in the log: only moves whose intent stands below it. The newest by default.
        - ``limit``: at most so many moves; at least 1, and 0 counts as 1. 64 by default.

        LedgerError.
        """
        return HistoryPage._of(await self._ask("history", locals()))

    async def events(self, channel: str | Channel) -> AsyncIterator[MoveRecord]:
        """Every move of a channel, newest first, read page by page. LedgerError."""
        before: int | None = None
        while True:
            page = await self.history(channel, before=before)
            for event in page.events:
                yield event
            if page.next is None:
                return
            before = page.next

    async def at(self, channel: str | Channel, at: datetime.datetime) -> LiveAt | None:
        """The move that was live ``at`` a time (an aware datetime), by the clocks of who wrote the log.

        ``open`` is the move that was open then, and ``drift`` the drift that had been seen. None if the channel was not
        bootstrapped yet. LedgerError.
        """
        return live_at_of(await self._ask("at", locals()))

    async def audit(
        self,
        of: Iterable[str | Channel],
        *,
        settle: bool = True,
        timeout: Seconds | None = None,
        parts: bool = False,
    ) -> AuditReport:
        """Compares what each tag points at with what its log says. It writes nothing.

        - ``of``: channels, such as ``channels()`` of the promoter. TypeError for a single one.

        - ``settle``: True (the default) looks again where the registry may answer an older value, until its reads are
          settled; False says ``lagging`` at once.
        - ``timeout``: how long to look again at most, in seconds or as a timedelta; 180 s by default. Then such a
          channel is ``unsettled``.
        - ``parts``: True looks at the parts of each live digest, too: its manifests, configs and layers. What is
          missing is among the ``findings`` of its channel, a warning, and no other state. False (the default) looks at
          the tags alone, one request for each.

        What could not be looked at is ``unknown`` in the report, never in sync, and no error.
        """
        return AuditReport._of(await self._ask("audit", locals()))

    async def verify(self, channel: str | Channel) -> LogReport:
        """Checks every entry of a log, from its first byte. A broken rule is in the report, and no error.

        LedgerError if the log cannot be read.
        """
        return LogReport._of(await self._ask("verify", locals()))

    async def retention_plan(self, repository: str | Repository, *, rule: RetentionRule | None = None) -> RetentionPlan:
        """Which digests of a repository must stay and which may go, each with its reason. Nothing is deleted.

        - ``repository``: ``registry/path``; the logs of all its channels and all its tags are looked at.
        - ``rule``: how far back its channels can be rolled back, see ``RetentionRule``; 10 digests and 30 days by
          default.

        What could not be looked at keeps everything, and is named in ``blocked``. LedgerError if the channels cannot be
        listed.
        """
        return RetentionPlan._of(await self._ask("retention_plan", locals()))

    async def may_delete(
        self,
        repository: str | Repository,
        digest: str | Digest,
        *,
        rule: RetentionRule | None = None,
    ) -> MayDelete:
        """Whether ``digest`` may be deleted now, and why. It writes nothing.

        Ask twice, some time apart: a move that is just beginning pins its target before its log names it.

        ``repository``, ``rule`` and the errors as in ``retention_plan``.
        """
        return MayDelete._of(await self._ask("may_delete", locals()))

    async def _ask(self, method: str, arguments: dict[str, Any]) -> Any:
        return await wait_async(self._cores.here().call(method, arguments))
