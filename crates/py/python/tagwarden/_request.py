"""Requests of both promoters to the native half."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import _tagwarden as _native
from . import ledger as _ledger
from . import registry as _registry
from ._backend import Adapter, GuardrailAdapter, in_own_loop
from ._call import Seconds, encode, given, ms
from .guardrail import Guardrail
from .ledger import Ledger
from .record import ActiveHold, DeadMove, Finding, LiveAt, Receipt
from .registry import Registry
from .values import Channel, Digest, Pipeline, Reference

if TYPE_CHECKING:
    import asyncio

OnConflict: TypeAlias = Literal["wait", "requeue", "fail"]
"""How to treat an earlier move: wait and continue only if the live digest is still the same, requeue, or fail."""
HoldScope: TypeAlias = Literal["promotions", "all"]
"""Which moves a hold stops: promote and bootstrap, or every move."""
Source: TypeAlias = str | Reference | Channel
"""The name of a target: a tag or digest, or (as a Channel) the live digest of another channel."""


@dataclass(frozen=True)
class Times:
    """Times that a promoter writes into the log with each move, and the timeout of one put.

    Each is in seconds or a timedelta, from 1 ms to 1 h; None is the default.

    - ``ttl``: the time to live of a move. After it, its worker sends no put. 60 s by default.
    - ``grace``: how long after ``ttl`` another worker may take the move over. 30 s by default.
    - ``quiet``: how long a put whose answer was lost may still land. 30 s by default.
    - ``put``: the timeout of one put: shorter than ``ttl``, not longer than ``grace`` and ``quiet``. 15 s by default.
    - ``settle``: how long after a write a read of the tag may answer an older value; not shorter than ``quiet``. 30 s
      by default, 10 min for ``ghcr.io``, 2 min for ``*.azurecr.io``.

    A promoter raises InvalidValueError CONFIG_INVALID for times that contradict each other.
    """

    ttl: Seconds | None = None
    grace: Seconds | None = None
    quiet: Seconds | None = None
    put: Seconds | None = None
    settle: Seconds | None = None

    def to_dict(self) -> dict[str, float]:
        """The times in milliseconds; None is left out. ValueError for a time that is negative or not finite."""
        pairs = ((name, ms(value)) for name, value in vars(self).items())
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True)
class RetentionRule:
    """How far back a channel can be rolled back. A digest inside *either* window is kept, on each channel by itself.

    - ``keep_last``: how many distinct digests are kept, the live one included. At least 1; 10 by default.
    - ``keep_for``: how long a digest is kept after it stopped being live, or after the last move to it was closed
      without effect: seconds or a timedelta, 0 keeps by number alone. 30 days by default.

    The call that takes the rule raises InvalidValueError VALUE_INVALID for a number out of range.
    """

    keep_last: int | None = None
    keep_for: Seconds | None = None

    def to_dict(self) -> dict[str, float]:
        """``keep_for`` in milliseconds; None is left out. ValueError for a time that is negative or not finite."""
        pairs = (("keep_last", self.keep_last), ("keep_for", ms(self.keep_for)))
        return {name: value for name, value in pairs if value is not None}


class Core:
    """A native promoter, and the adapters of backends and guardrails that are written in Python."""

    def __init__(
        self,
        registry: Registry,
        ledger: Ledger,
        pipeline: Pipeline | None,
        times: Times | None,
        guardrails: Sequence[Guardrail],
        policy: str | None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        registry_port, registry_adapter = _registry.port(registry)
        ledger_port, ledger_adapter = _ledger.port(ledger)
        rules = [GuardrailAdapter(rule) for rule in guardrails]
        adapters: list[Adapter | None] = [registry_adapter, ledger_adapter, *rules]
        self.adapters: list[Adapter] = [adapter for adapter in adapters if adapter is not None]
        for adapter in self.adapters:
            adapter.loop = loop
        options = encode({"pipeline": pipeline, "times": times, "policy": policy})
        self.native: _native.Promoter = given(_native.Promoter.over(registry_port, ledger_port, options, rules))

    def call(self, method: str, arguments: dict[str, Any]) -> _native.Call:
        """Starts a call with a method's ``locals()``."""
        return self.native.call(method, encode(asked(arguments)))

    def may_wait(self) -> None:
        """RuntimeError in a coroutine of a backend that runs in the package's own loop: it would wait for itself."""
        if self.adapters and in_own_loop():
            raise RuntimeError("a coroutine of a backend waits for a Promoter: await an AsyncPromoter instead")


def asked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A method's arguments (its ``locals()``) under the core's names and in its units; None is left out.

    >>> asked({"self": ..., "source": Channel("reg.io/acme/shop:dev"), "idempotency_key": None, "timeout": 1.5})
    {'source': {'channel': 'reg.io/acme/shop:dev'}, 'timeout': 1500.0}
    """
    request: dict[str, Any] = {}
    for name, value in arguments.items():
        if name != "self" and value is not None:
            core, read = _AS_THE_CORE_READS.get(name, (name, None))
            request[core] = value if read is None else read(value)
    return request


def _source(source: Source) -> Any:
    return {"channel": str(source)} if isinstance(source, Channel) else source


def _channels(of: Iterable[str | Channel]) -> list[str]:
    if isinstance(of, (str, Channel)):
        raise TypeError("channels are given as a list")  # A string can be iterated, but its letters are no channels.
    return [str(channel) for channel in of]


_AS_THE_CORE_READS: dict[str, tuple[str, Callable[[Any], Any] | None]] = {
    "source": ("source", _source),
    "operation": ("op", None),
    "of": ("channels", _channels),
    "timeout": ("timeout", ms),
}


def channels_of(given: list[str]) -> tuple[Channel, ...]:
    """The channels of these texts."""
    return tuple(Channel._known(text) for text in given)


def digest_of(given: str | None) -> Digest | None:
    """A digest, or None."""
    return None if given is None else Digest._known(given)


def live_at_of(given: dict[str, Any] | None) -> LiveAt | None:
    """A ``LiveAt``, or None."""
    return None if given is None else LiveAt._of(given)


def holds_of(given: list[dict[str, Any]]) -> tuple[ActiveHold, ...]:
    """Holds."""
    return tuple(ActiveHold._of(hold) for hold in given)


class ApprovedPlan:
    """A plan that the policy permits. ``execute`` takes only this, and only once."""

    def __init__(self, native: _native.ApprovedPlan) -> None:
        self._native = native


class Plan:
    """A planned move, and the policy's findings about it. Nothing was moved."""

    def __init__(self, native: _native.Plan) -> None:
        self._native = native
        says: Mapping[str, Any] = given(native.says())
        change = says.get("change")
        self.previous_digest: Digest | None = (
            Digest(change["previous_digest"]) if change and "previous_digest" in change else None
        )
        """The live digest now; None before the first move, or if there is nothing to do."""
        self.digest: Digest | None = Digest(change["digest"]) if change else None
        """The digest that would be live; None if there is nothing to do."""
        self.findings: tuple[Finding, ...] = tuple(Finding._of(finding) for finding in says["findings"])
        """The findings of the guardrails, in the policy's order; empty if there is nothing to do."""
        settled = says.get("settled")
        self.settled: Receipt | None = Receipt._of(settled) if settled else None
        """The receipt, if there is nothing to do: the channel points there already, or the key has moved it."""
        dead_move = says.get("dead_move")
        self.dead_move: DeadMove | None = DeadMove._of(dead_move) if dead_move else None
        """The dead worker's move that executing would close before it judges; None if no such move is open."""

    def approve(self) -> ApprovedPlan:
        """The permission to execute the plan, given only once.

        PolicyRefusedError POLICY_REFUSED with every finding. InvalidValueError VALUE_INVALID if it was approved before.
        """
        return ApprovedPlan(given(self._native.approve()))
