"""What both promoters ask of the native half."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from . import _tagwarden as _native
from . import ledger as _ledger
from . import registry as _registry
from ._backend import Adapter, GuardrailAdapter
from ._call import encode, given, ms
from .errors import PolicyRefusedError, fail
from .guardrail import Guardrail
from .record import Finding, PromotionEvent, Receipt
from .values import Channel, Digest, Key, Pipeline, Provenance, Reference

Seconds: TypeAlias = float | datetime.timedelta
"""A duration: seconds, or a timedelta."""
Meet: TypeAlias = Literal["wait", "queue", "leave"]
"""What to do when another move comes first: wait and go on only if the live digest is the same, queue, or leave."""
Source: TypeAlias = str | Reference | Channel
"""Where a target is named: a tag or digest, or (as a Channel) what is live on another channel."""


@dataclass(frozen=True)
class Times:
    """What a promoter works with, in seconds: a move's time to live, the grace before others take it over, how long an
    unanswered put may still land, and the time-out of one put. None is the default: 60, 30, 30 and 15 s."""

    ttl: Seconds | None = None
    grace: Seconds | None = None
    quiet: Seconds | None = None
    put: Seconds | None = None

    def to_dict(self) -> dict[str, float]:
        """In milliseconds."""
        pairs = ((name, ms(value)) for name, value in vars(self).items())
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True)
class RetentionRule:
    """How many digests a channel keeps, and for how long (seconds or timedelta); None is the core's default."""

    keep_last: int | None = None
    keep_for: Seconds | None = None

    def to_dict(self) -> dict[str, float]:
        """``keep_for`` in milliseconds."""
        pairs = (("keep_last", self.keep_last), ("keep_for", ms(self.keep_for)))
        return {name: value for name, value in pairs if value is not None}


class Core:
    """A native promoter and the adapters of what is written in Python behind it."""

    def __init__(
        self,
        registry: Any,
        ledger: Any,
        pipeline: Pipeline | None,
        times: Times | None,
        guardrails: Sequence[Guardrail],
    ) -> None:
        registry_port, registry_adapter = _registry.port(registry)
        ledger_port, ledger_adapter = _ledger.port(ledger)
        self.rules: list[GuardrailAdapter] = [GuardrailAdapter(rule) for rule in guardrails]
        adapters: list[Adapter | None] = [registry_adapter, ledger_adapter, *self.rules]
        self.adapters: list[Adapter] = [adapter for adapter in adapters if adapter is not None]
        options = encode({"pipeline": pipeline, "times": times})
        native, error = _native.Promoter.over(registry_port, ledger_port, options, self.rules)
        if native is None:
            fail(error or "")
        self.native = native

    def call(self, method: str, arguments: dict[str, Any]) -> _native.Call:
        """Starts a call."""
        return self.native.call(method, encode(arguments))

    def awaited(self) -> None:
        """Coroutines of backends run in the loop that awaits the call."""
        if self.adapters:
            import asyncio

            for adapter in self.adapters:
                adapter.loop = asyncio.get_running_loop()

    def blame(self, refused: PolicyRefusedError) -> None:
        """Gives a refusal what a guardrail raised as its cause."""
        for finding in refused.findings:
            for rule in self.rules:
                if finding.code == "GUARDRAIL_FAILED" and finding.guardrail == rule.name:
                    refused.__cause__ = rule.raised


def sourced(source: Source | None) -> Any:
    """A source as the core reads it."""
    return {"channel": str(source)} if isinstance(source, Channel) else source


def terms(
    provenance: Provenance,
    key: str | Key | None,
    reason: str | None,
    expect: str | Digest | None,
    meet: Meet | None,
    patience: Seconds | None,
) -> dict[str, Any]:
    """The terms of a move."""
    return {
        "provenance": provenance,
        "key": key,
        "reason": reason,
        "expect": expect,
        "meet": meet,
        "patience": ms(patience),
    }


def channels(of: Iterable[str | Channel]) -> list[str]:
    """Channels as text. TypeError for one string, whose letters are no channels."""
    if isinstance(of, (str, Channel)):
        raise TypeError("channels are given as a list")
    return [str(channel) for channel in of]


def whole(given: int | None) -> int | None:
    """A position, or None."""
    return given


def channels_of(given: list[str]) -> tuple[Channel, ...]:
    """Channels of text."""
    return tuple(Channel(text) for text in given)


def digest(given: str | None) -> Digest | None:
    """A digest, or None."""
    return None if given is None else Digest(given)


def event(given: dict[str, Any] | None) -> PromotionEvent | None:
    """A move, or None."""
    return None if given is None else PromotionEvent._of(given)


class Approved:
    """A plan that the policy permits. ``execute`` takes nothing else."""

    def __init__(self, native: _native.Approved) -> None:
        self._native = native


class Plan:
    """A move that was thought through, and what the policy says of it. Nothing was written."""

    def __init__(self, native: _native.Plan, core: Core) -> None:
        self._native, self._core = native, core
        says: Mapping[str, Any] = given(native.says())
        change = says.get("change")
        self.from_: Digest | None = Digest(change["from"]) if change and "from" in change else None
        """The live digest now."""
        self.to: Digest | None = Digest(change["to"]) if change else None
        """The digest that would be live; None if there is nothing to do."""
        self.findings: tuple[Finding, ...] = tuple(Finding._of(finding) for finding in says["findings"])
        """What each guardrail says; empty if there is nothing to do."""
        settled = says.get("settled")
        self.settled: Receipt | None = Receipt._of(settled) if settled else None
        """The receipt, if there is nothing to do."""

    def approve(self) -> Approved:
        """The permission to execute it; it uses the plan up. PolicyRefusedError or ChannelError (CHANNEL_HELD)."""
        approved, error = self._native.approve()
        if approved is None:
            try:
                fail(error or "")
            except PolicyRefusedError as refused:
                self._core.blame(refused)
                raise
        return Approved(approved)
