"""``Promoter``: moves channels, and reports their state and history. Every call blocks."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from ._call import Seconds, wait
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

__all__ = ["Promoter"]


class Promoter:
    """Moves channels, and reports their state and history. Its arguments are

    - ``registry``: an ``OciRegistry``, a ``MemoryRegistry``, or any object with the methods of ``Registry``;
    - ``ledger``: the result of ``open_ledger``, a ``MemoryLedger``, or any object with the methods of ``Ledger``;
    - ``pipeline``: the environments that a release goes through, in their order; without one, no order is enforced;
    - ``times``: the times that it writes into the log with each move, see ``Times``;
    - ``guardrails``: rules of your own, which run after the standard policy's, see ``Guardrail``; none by default;
    - ``policy``: the name of the policy, written into the log with each move: lower case with dashes. Guardrails of
      your own make another policy, so they need a name; ``standard`` by default.

    InvalidValueError CONFIG_INVALID for times that contradict each other or two guardrails of one name, VALUE_INVALID
    for guardrails without a policy's name; TypeError for an object without the methods of a registry or a ledger.

    It may be used from many threads, and many processes and machines may move one channel at once: the ledger puts the
    moves of a channel in order. After a fork, create another one in the child: an inherited one raises
    InvalidValueError CONFIG_INVALID.

    A failed call raises a ``TagwardenError`` with a stable ``code`` (docs/reference/errors.md lists all of them), such
    as InvalidValueError VALUE_INVALID for an invalid argument. It raises TypeError for an argument that JSON cannot
    carry, and ValueError for a duration below 0, a datetime without a time zone and a string with a lone surrogate.
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
        self._core = Core(registry, ledger, pipeline, times, guardrails, policy)

    def plan(
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
        """Plans a move and evaluates the policy. Nothing is moved.

        It waits for another open move as the terms say, and may record drift or close the move of a dead worker. A
        refusal of the policy is in the plan's findings; ``Plan.approve`` raises it.

        - ``operation``: one of the five moves.
        - ``source``: the release, for ``promote`` (which needs it) and ``bootstrap``.
        - ``to``: the rollback's target, for ``rollback``.
        - ``predecessor``: as in ``bootstrap``.

        The terms are those of ``promote``, and the errors are those of the move before it begins; POLICY_REFUSED only
        for a release that does not exist. InvalidValueError VALUE_INVALID if one of these arguments is given to an
        operation that does not take it.
        """
        return Plan(self._ask("plan", locals()))

    def execute(self, approved: ApprovedPlan) -> Receipt:
        """Executes an approved plan, only once: ``approved`` is the result of ``Plan.approve``.

        A plan that is older than 5 s is made again first, and must be the same (ChannelError CHANNEL_CHANGED) unless
        the terms say to requeue. The other errors are those of ``promote``; InvalidValueError VALUE_INVALID if the plan
        was executed before; TypeError for a plan that is not approved.
        """
        self._core.may_wait()
        if not isinstance(approved, ApprovedPlan):
            raise TypeError("execute takes what Plan.approve gave")
        return Receipt._of(wait(self._core.native.execute(approved._native)))

    def promote(
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
        """Points the channel at a release: plans, evaluates the policy, and executes.

        - ``channel``: the tag that moves, ``registry/repository:tag``.
        - ``source``: the release, in the channel's own repository: ``registry/repository:tag`` or
          ``registry/repository@digest``; or, as a ``Channel``, the live digest of that channel. In ``tag@digest`` the
          digest counts, and a tag that points at another one is a warning; a leading ``oci://`` is dropped.
        - ``provenance``: the pipeline run and the actor; they are written into the log.
        - ``idempotency_key``: 1 to 128 characters. The same request with the same key moves the channel once;
          a repetition returns the receipt of that move (``replayed``). A random key by default.
        - ``reason``: the reason, for the log: one line of 1 to 1,024 characters. None by default.
        - ``expected``: the required digest of the tag before the move: a digest, ``absent`` or ``any`` (the default).
        - ``override``: names of guardrails whose refusal is ignored; they are recorded with the move, which needs a
          ``reason``. ``ledger-complete`` is allowed in a ``bootstrap`` and a ``repair``, ``parts-present`` in a
          ``rollback`` and a ``repair``. None by default.
        - ``on_conflict``: how to treat another move that comes first. ``wait`` (the default) waits for it, and
          continues if the live digest is still the same; ``requeue`` waits, reads again and evaluates the policy again;
          ``fail`` gives up at once.
        - ``timeout``: how long to wait for other moves, in seconds or as a timedelta; 180 s by default, longer than the
          time after which the move of a dead worker may be taken over.

        Nothing was moved after

        - PolicyRefusedError POLICY_REFUSED: ``findings`` says why; a release that does not exist is TARGET_ABSENT
          there, a hold CHANNEL_HELD. ``retry`` is ``later`` if time or a person can lift every refusal;
        - ChannelError CHANNEL_CHANGED (another move came first), CHANNEL_BUSY (another move is under way),
          CHANNEL_NOT_BOOTSTRAPPED, CHANNEL_DRIFTED (the tag does not point at the live digest), IDEMPOTENCY_MISMATCH
          (the key is another request's);
        - InvalidValueError VALUE_INVALID, also if the release is in another repository; ENTRY_TOO_LARGE;
        - RegistryError REGISTRY_UNAVAILABLE, REGISTRY_BUSY, REGISTRY_DENIED, REGISTRY_ABSENT, REGISTRY_DIGEST_MISMATCH,
          MANIFEST_INVALID, MANIFEST_AMBIGUOUS, MANIFEST_UNSUPPORTED, MANIFEST_TOO_LARGE;
        - LedgerError LEDGER_UNAVAILABLE, LEDGER_DENIED, LEDGER_CORRUPT, LEDGER_TRUNCATED, LEDGER_FORKED,
          LEDGER_TOO_NEW, LEDGER_MIGRATED (the log was migrated to another ledger);
        - MoveError MOVE_FAILED: the registry refused the put, or the pins that keep a rollback possible.

        ChannelError CHANNEL_OVERWRITTEN: the put landed, and was overwritten. MoveError MOVE_INDETERMINATE or
        MOVE_TAKEN_OVER, or LedgerError LEDGER_AMBIGUOUS: the result is unknown; ``retry`` is ``recover``.

        Ctrl-C, or cancelling the task that awaits it, ends the call. A move whose intent is recorded is completed
        nevertheless while the process lives; otherwise ``recover`` completes it.
        """
        return Receipt._of(self._ask("promote", locals()))

    def rollback(
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
        """Points the channel back at the previous live digest. The registry must still have all its parts.

        - ``to``: another release that was live here: its digest, its tag or label, or, as ``prod#42``, the digest that
          the move at this position made live. After a rollback, the next rollback must name its target.

        The terms and the errors are those of ``promote``, and ChannelError ROLLBACK_NO_TARGET (there is no earlier
        digest, it must be named, or it was never live here). Missing parts are the finding TARGET_INCOMPLETE,
        which names them; parts that could not be read are the warning TARGET_UNKNOWN.
        """
        return Receipt._of(self._ask("rollback", locals()))

    def bootstrap(
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
        """Records the channel's first state in the log, once.

        - ``source``: the release that the channel shall point at, as in ``promote``: the tag must be absent or point at
          it already. By default the tag's current digest.
        - ``predecessor``: the log that this one continues, where a repository was renamed. None by default.

        The terms and the errors are those of ``promote``, and ChannelError CHANNEL_BOOTSTRAPPED (the log has a
        committed move), CHANNEL_ABSENT (no tag, and no ``source``) or CHANNEL_OCCUPIED (the tag points at another
        digest), LedgerError LEDGER_FOREIGN (the repository has pins that no log of this ledger explains, so that
        another ledger seems to govern it; if that ledger is lost, give ``override``).
        """
        return Receipt._of(self._ask("bootstrap", locals()))

    def repair(
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
        return Receipt._of(self._ask("repair", locals()))

    def adopt(
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
        """Makes the tag's digest live, after a write around the ledger. The tag is not put.

        The terms and the errors are those of ``promote``, and InvalidValueError VALUE_INVALID without a ``reason``,
        ChannelError CHANNEL_ABSENT if there is no tag. A channel that did not drift is ``unchanged``.
        """
        return Receipt._of(self._ask("adopt", locals()))

    def recover(
        self,
        channel: str | Channel,
        *,
        provenance: Provenance,
        abort: bool = False,
        timeout: Seconds | None = None,
    ) -> RecoveryResult:
        """Closes the open move of a channel, if there is one, from any machine. Safe to repeat.

        - ``provenance``: who asks; it is recorded if the move is taken over.
        - ``abort``: False (the default) completes the move, with a put if it has not landed and no hold stops it;
          True closes it without a put.
        - ``timeout``: how long to wait for its worker, which may be alive, in seconds or as a timedelta; 180 s by
          default.

        ChannelError CHANNEL_BUSY if its worker may still be alive after that. MoveError MOVE_INDETERMINATE or
        MOVE_TAKEN_OVER, or LedgerError LEDGER_AMBIGUOUS: the result is still unknown, recover again. RegistryError and
        LedgerError as ``promote``.
        """
        return RecoveryResult._of(self._ask("recover", locals()))

    def hold(
        self,
        channel: str | Channel,
        *,
        reason: str,
        provenance: Provenance,
        scope: HoldScope = "promotions",
        until: datetime.datetime | None = None,
    ) -> int:
        """Stops moves of the channel. Returns the hold's id, its position in the log; ``unhold`` ends that hold.

        - ``reason``: the reason, one line of 1 to 1,024 characters.
        - ``provenance``: who asks; it is written into the log.
        - ``scope``: ``promotions`` (the default) stops promote and bootstrap, while rollback, repair and adopt pass;
          ``all`` stops every move.
        - ``until``: when it ends by itself, an aware datetime; never by default.

        InvalidValueError VALUE_INVALID if ``until`` is not in the future; ChannelError CHANNEL_ABSENT if the ledger has
        no log of the channel and the registry has no such tag (an unreachable registry does not prevent a hold);
        LedgerError as ``promote``.
        """
        return int(self._ask("hold", locals()))

    def unhold(
        self,
        channel: str | Channel,
        hold: int,
        *,
        reason: str,
        provenance: Provenance,
    ) -> int:
        """Ends one hold; the others stay. Returns the position of the new entry in the log.

        - ``hold``: the id that ``hold`` returned, and that ``holds`` lists.
        - ``reason`` and ``provenance``: as in ``hold``.

        InvalidValueError VALUE_INVALID if no such hold is in force: the message names those that are. LedgerError as
        ``promote``.
        """
        return int(self._ask("unhold", locals()))

    def unhold_mine(self, channel: str | Channel, *, reason: str, provenance: Provenance) -> tuple[int, ...]:
        """Ends every hold of one person: those of the same provider and actor. Returns the ids of these holds.

        ``reason`` and ``provenance`` as in ``hold``; LedgerError as ``promote``.
        """
        return tuple(self._ask("unhold_mine", locals()))

    def holds(self, channel: str | Channel) -> tuple[ActiveHold, ...]:
        """The holds in force now, the oldest first. LedgerError."""
        return holds_of(self._ask("holds", locals()))

    def channels(self) -> tuple[Channel, ...]:
        """Every channel that the ledger has a log of, in their order. LedgerError."""
        return channels_of(self._ask("channels", locals()))

    def current(self, channel: str | Channel) -> ChannelStatus:
        """The channel's state by its log; no registry is asked. LedgerError.

        A channel without a log has size 0 and no live digest, which is no error.
        """
        return ChannelStatus._of(self._ask("current", locals()))

    def previous(self, channel: str | Channel) -> Digest | None:
        """The digest that was live before the last move that changed it, or None. LedgerError."""
        return digest_of(self._ask("previous", locals()))

    def history(
        self,
        channel: str | Channel,
        *,
        before: int | None = None,
        limit: int = 64,
    ) -> HistoryPage:
        """A page of the moves of a channel, newest first. ``events`` iterates over all of them.

        - ``before``: a position in the log: only moves with the intent at a lower one. The newest by default.
        - ``limit``: at most so many moves; at least 1, and 0 counts as 1. 64 by default.

        LedgerError.
        """
        return HistoryPage._of(self._ask("history", locals()))

    def events(self, channel: str | Channel) -> Iterator[MoveRecord]:
        """Every move of a channel, newest first, read page by page. LedgerError."""
        before: int | None = None
        while True:
            page = self.history(channel, before=before)
            yield from page.events
            if page.next is None:
                return
            before = page.next

    def at(self, channel: str | Channel, at: datetime.datetime) -> LiveAt | None:
        """The move that was live ``at`` a time (an aware datetime), by the clocks of the log's writers.

        ``open`` is the move that was open then, and ``drift`` the drift that had been seen. None if the channel was not
        bootstrapped yet. LedgerError.
        """
        return live_at_of(self._ask("at", locals()))

    def audit(
        self,
        of: Iterable[str | Channel],
        *,
        settle: bool = True,
        timeout: Seconds | None = None,
        parts: bool = False,
    ) -> AuditReport:
        """Compares each tag's digest with the live digest of its log. It writes nothing.

        - ``of``: channels, such as ``channels()`` of the promoter. TypeError for a single one.

        - ``settle``: True (the default) reads a tag again while the registry may answer an older value, until its reads
          are settled; False reports ``lagging`` at once.
        - ``timeout``: how long to read again at most, in seconds or as a timedelta; 180 s by default. After that, such
          a channel is ``unsettled``.
        - ``parts``: True also checks the parts of each live digest: its manifests, configs and layers. A missing part
          is a warning among the ``findings`` of its channel, and does not change its state. False (the default) reads
          only the tags, one request for each.

        A channel that could not be read is ``unknown`` in the report, never in sync, and no error.
        """
        return AuditReport._of(self._ask("audit", locals()))

    def verify(self, channel: str | Channel) -> LogReport:
        """Checks every entry of a log, from its first byte. A broken rule is in the report, and no error.

        LedgerError if the log cannot be read.
        """
        return LogReport._of(self._ask("verify", locals()))

    def retention_plan(self, repository: str | Repository, *, rule: RetentionRule | None = None) -> RetentionPlan:
        """The digests of a repository that must stay and those that may go, each with its reason. Nothing is deleted.

        - ``repository``: ``registry/path``; the logs of all its channels and all its tags are read.
        - ``rule``: how far back its channels can be rolled back, see ``RetentionRule``; 10 digests and 30 days by
          default.

        If a log or a tag cannot be read, ``blocked`` names it and everything is kept. LedgerError if the channels
        cannot be listed.
        """
        return RetentionPlan._of(self._ask("retention_plan", locals()))

    def may_delete(
        self,
        repository: str | Repository,
        digest: str | Digest,
        *,
        rule: RetentionRule | None = None,
    ) -> MayDelete:
        """The permission to delete ``digest`` now, with the reason. It writes nothing.

        Ask twice, some time apart: a move that is just beginning pins its target before its log names it.

        ``repository``, ``rule`` and the errors as in ``retention_plan``.
        """
        return MayDelete._of(self._ask("may_delete", locals()))

    def _ask(self, method: str, arguments: dict[str, Any]) -> Any:
        self._core.may_wait()
        return wait(self._core.call(method, arguments))
