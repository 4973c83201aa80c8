"""Rules of your own: a guardrail judges facts, and a refusal stops the move."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, runtime_checkable

from .provenance import Provenance
from .record import ActiveHold, Finding
from .values import Channel, Digest

__all__ = ["Facts", "Guardrail"]


class Facts:
    """All facts that a guardrail may use. An unknown fact is None."""

    def __init__(self, json: Mapping[str, Any]) -> None:
        self._json = dict(json)

    @property
    def op(self) -> str:
        """``promote``, ``rollback``, ``bootstrap``, ``repair`` or ``adopt``."""
        return str(self._json["op"])

    @property
    def channel(self) -> Channel:
        """The channel that is to move."""
        return Channel(self._json["channel"])

    @property
    def live(self) -> Digest | None:
        """The live digest: the target of the last committed move."""
        return self._digest("live")

    @property
    def observed(self) -> Digest | None:
        """The observed digest: the registry's answer for the tag."""
        return self._digest("observed")

    @property
    def target(self) -> Digest | None:
        """The digest that the move points the channel at."""
        target = self._json.get("target")
        return None if target is None else Digest(target["digest"])

    @property
    def missing(self) -> tuple[str, ...]:
        """Parts of the target that are proven missing in the registry: a rollback and a repair look at all of them, a
        promotion at manifests."""
        return tuple(self._json.get("missing", ()))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Parts of the target that could not be read, in the registry's words, and manifests of an unknown type."""
        return tuple(self._json.get("unknown", ()))

    @property
    def holds(self) -> tuple[ActiveHold, ...]:
        """The holds in force that stop such a move."""
        return tuple(ActiveHold.from_dict(hold) for hold in self._json.get("holds", ()))

    @property
    def binding_policy(self) -> Digest | None:
        """The digest of the policy that the log says is binding."""
        return self._digest("binding_policy")

    @property
    def provenance(self) -> Provenance:
        """Who asks, in which pipeline run, for which commit and release."""
        return Provenance._of(self._json["provenance"])

    def to_dict(self) -> dict[str, Any]:
        """All facts.

        Also ``previous``, ``source``, ``tagged``, ``expected``, ``upstream``, ``here`` and ``at``.
        """
        return copy.deepcopy(self._json)

    def _digest(self, name: str) -> Digest | None:
        text = self._json.get(name)
        return None if text is None else Digest(text)


@runtime_checkable
class Guardrail(Protocol):
    """One rule. It is pure: the same facts give the same finding. Its exceptions refuse the move (GUARDRAIL_FAILED).

    ``settings``, if there is such an attribute, is JSON and goes into the policy's digest. ``timeout``, if there is
    such an attribute, is how long it may take (seconds or a timedelta); 30 s by default. A rule that takes longer
    refuses the move.
    """

    @property
    def name(self) -> str:
        """Its name, in lower case with dashes; unique in a policy."""
        ...

    def judge(self, facts: Facts) -> Finding | Awaitable[Finding]:
        """The rule's finding about a move."""
        ...
