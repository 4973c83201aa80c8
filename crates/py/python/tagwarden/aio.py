"""``AsyncPromoter``: the methods of ``Promoter``, awaited. A cancelled task aborts its call."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Literal

from ._call import ms, wait_async
from ._request import (
    Approved,
    Core,
    Meet,
    Plan,
    RetentionRule,
    Seconds,
    Source,
    Times,
    channels,
    channels_of,
    digest,
    event,
    sourced,
    terms,
    whole,
)
from .errors import PolicyRefusedError
from .guardrail import Guardrail
from .ledger import Ledger, OpenedLedger
from .memory import MemoryRegistry
from .record import (
    AuditReport,
    Current,
    LogReport,
    MayDelete,
    Page,
    PromotionEvent,
    Receipt,
    Recovered,
    RetentionPlan,
)
from .registry import OciRegistry, Registry
from .values import Channel, Digest, Key, Pipeline, Provenance, Repository

__all__ = ["AsyncPromoter"]


class AsyncPromoter:
    """A promoter over a registry and a ledger, with the standard policy and then ``guardrails``.

    It may be used from many tasks at once. After a fork, make it again in the child.
    """

    def __init__(
        self,
        registry: Registry | OciRegistry | MemoryRegistry,
        ledger: Ledger | OpenedLedger,
        *,
        pipeline: Pipeline | None = None,
        times: Times | None = None,
        guardrails: Sequence[Guardrail] = (),
    ) -> None:
        self._core = Core(registry, ledger, pipeline, times, guardrails)

    async def plan(
        self,
        channel: str | Channel,
        operation: Literal["promote", "rollback", "bootstrap", "repair", "adopt"],
        from_: Source | None = None,
        to: str | Digest | None = None,
        *,
        provenance: Provenance,
        key: str | Key | None = None,
        reason: str | None = None,
        expect: str | Digest | None = None,
        meet: Meet | None = None,
        patience: Seconds | None = None,
    ) -> Plan:
        """Finds out what a move would do and what the policy says of it. Nothing is moved.

        ``from_`` is for promote and bootstrap, ``to`` for rollback.
        """
        return Plan(await self._ask("plan", {"op": operation, "channel": channel, "from": sourced(from_), "to": to, **terms(provenance, key, reason, expect, meet, patience)}), self._core)

    async def execute(self, approved: Approved) -> Receipt:
        """Executes an approved plan, which is used up. ChannelError CHANNEL_MOVED if the channel has moved since."""
        if not isinstance(approved, Approved):
            raise TypeError("execute takes what Plan.approve gave")
        return Receipt._of(await wait_async(self._core.native.execute(approved._native)))

    async def promote(
        self,
        channel: str | Channel,
        from_: Source,
        *,
        provenance: Provenance,
        key: str | Key | None = None,
        reason: str | None = None,
        expect: str | Digest | None = None,
        meet: Meet | None = None,
        patience: Seconds | None = None,
    ) -> Receipt:
        """Points the channel at a release: plans, has the policy judge, and executes.

        PolicyRefusedError, ChannelError, MoveError (``retry`` ``recover``: call ``recover``), RegistryError, LedgerError.
        """
        return Receipt._of(await self._ask("promote", {"channel": channel, "from": sourced(from_), **terms(provenance, key, reason, expect, meet, patience)}))

    async def rollback(
        self,
        channel: str | Channel,
        to: str | Digest | None = None,
        *,
        provenance: Provenance,
        key: str | Key | None = None,
        reason: str | None = None,
        expect: str | Digest | None = None,
        meet: Meet | None = None,
        patience: Seconds | None = None,
    ) -> Receipt:
        """Points the channel back at what was live before, or at ``to``, which must have been live here.

        ChannelError: ROLLBACK_NO_TARGET, ROLLBACK_INCOMPLETE; the rest as ``promote``.
        """
        return Receipt._of(await self._ask("rollback", {"channel": channel, "to": to, **terms(provenance, key, reason, expect, meet, patience)}))

    async def bootstrap(
        self,
        channel: str | Channel,
        from_: Source | None = None,
        *,
        foreign: Literal["refuse", "accept"] | None = None,
        provenance: Provenance,
        key: str | Key | None = None,
        reason: str | None = None,
        expect: str | Digest | None = None,
        meet: Meet | None = None,
        patience: Seconds | None = None,
    ) -> Receipt:
        """Takes the first state into the log: the tag as it is, or a release if the tag is absent or points at it.

        ``foreign``: what to do if another ledger seems to govern the repository; ``accept`` needs a reason.
        """
        return Receipt._of(await self._ask("bootstrap", {"channel": channel, "from": sourced(from_), "foreign": foreign, **terms(provenance, key, reason, expect, meet, patience)}))

    async def repair(
        self,
        channel: str | Channel,
        *,
        provenance: Provenance,
        key: str | Key | None = None,
        reason: str | None = None,
        expect: str | Digest | None = None,
        meet: Meet | None = None,
        patience: Seconds | None = None,
    ) -> Receipt:
        """Puts the live digest back after somebody went around the ledger."""
        return Receipt._of(await self._ask("repair", {"channel": channel, **terms(provenance, key, reason, expect, meet, patience)}))

    async def adopt(
        self,
        channel: str | Channel,
        *,
        provenance: Provenance,
        key: str | Key | None = None,
        reason: str | None = None,
        expect: str | Digest | None = None,
        meet: Meet | None = None,
        patience: Seconds | None = None,
    ) -> Receipt:
        """Takes what somebody put there as live. It needs a reason."""
        return Receipt._of(await self._ask("adopt", {"channel": channel, **terms(provenance, key, reason, expect, meet, patience)}))

    async def recover(
        self,
        channel: str | Channel,
        *,
        how: Literal["forward", "abandon"] | None = None,
        patience: Seconds | None = None,
    ) -> Recovered:
        """Closes the open move of a channel, on any machine; ``patience`` (180 s) waits for a worker that may be alive."""
        return Recovered._of(await self._ask("recover", {"channel": channel, "how": how, "patience": ms(patience)}))

    async def hold(
        self,
        channel: str | Channel,
        reason: str,
        *,
        provenance: Provenance,
        until: datetime.datetime | None = None,
    ) -> int:
        """Holds the channel, until a time or a release: the position of the hold."""
        return int(await self._ask("hold", {"channel": channel, "reason": reason, "provenance": provenance, "until": until}))

    async def release(
        self,
        channel: str | Channel,
        reason: str,
        *,
        provenance: Provenance,
    ) -> int | None:
        """Ends the hold: the position of the release, or None if nothing stood."""
        return whole(await self._ask("release", {"channel": channel, "reason": reason, "provenance": provenance}))

    async def channels(
        self,
    ) -> tuple[Channel, ...]:
        """Every channel of the ledger, in their order."""
        return channels_of(await self._ask("channels", {}))

    async def current(
        self,
        channel: str | Channel,
    ) -> Current:
        """What the channel is now, as its log says."""
        return Current._of(await self._ask("current", {"channel": channel}))

    async def previous(
        self,
        channel: str | Channel,
    ) -> Digest | None:
        """The live digest before the last move that changed it."""
        return digest(await self._ask("previous", {"channel": channel}))

    async def history(
        self,
        channel: str | Channel,
        *,
        before: int | None = None,
        limit: int = 64,
    ) -> Page:
        """Moves, newest first: at most ``limit`` of them below position ``before``."""
        return Page._of(await self._ask("history", {"channel": channel, "before": before, "limit": limit}))

    async def events(self, channel: str | Channel) -> AsyncIterator[PromotionEvent]:
        """Every move of a channel, newest first."""
        before: int | None = None
        while True:
            page = await self.history(channel, before=before)
            for event in page.events:
                yield event
            if page.next is None:
                return
            before = page.next

    async def at(
        self,
        channel: str | Channel,
        at: datetime.datetime,
    ) -> PromotionEvent | None:
        """The move that was live at a time."""
        return event(await self._ask("at", {"channel": channel, "at": at}))

    async def audit(
        self,
        of: Iterable[str | Channel],
    ) -> AuditReport:
        """Compares what each tag points at with what its log says."""
        return AuditReport._of(await self._ask("audit", {"channels": channels(of)}))

    async def verify(
        self,
        channel: str | Channel,
    ) -> LogReport:
        """Checks every entry of the log."""
        return LogReport._of(await self._ask("verify", {"channel": channel}))

    async def retention_plan(
        self,
        repository: str | Repository,
        *,
        rule: RetentionRule | None = None,
    ) -> RetentionPlan:
        """Which digests of a repository must stay, and which may go."""
        return RetentionPlan._of(await self._ask("retention_plan", {"repository": repository, "rule": rule}))

    async def may_delete(
        self,
        repository: str | Repository,
        digest: str | Digest,
        *,
        rule: RetentionRule | None = None,
    ) -> MayDelete:
        """Whether a digest may be deleted, and why."""
        return MayDelete.from_dict(await self._ask("may_delete", {"repository": repository, "digest": digest, "rule": rule}))

    async def _ask(self, method: str, arguments: dict[str, Any]) -> Any:
        self._core.awaited()
        try:
            return await wait_async(self._core.call(method, arguments))
        except PolicyRefusedError as refused:
            self._core.blame(refused)
            raise
