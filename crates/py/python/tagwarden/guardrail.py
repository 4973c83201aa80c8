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
    """Everything that a guardrail may look at. A fact that is not known is None."""

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
        """What the last committed move made the channel point at."""
        return self._digest("live")

    @property
    def observed(self) -> Digest | None:
        """What the registry answered for the tag."""
        return self._digest("observed")

    @property
    def target(self) -> Digest | None:
        """What the channel is to point at."""
        target = self._json.get("target")
        return None if target is None else Digest(target["digest"])

    @property
    def missing(self) -> tuple[str, ...]:
        """Parts of the target that are proven missing in the registry: a rollback and a repair look at all of them, a
        promotion at manifests."""
        return tuple(self._json.get("missing", ()))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Parts of the target that could not be looked at, in the registry's words, and manifests that are not
        understood."""
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
    """One rule. It is pure: the same facts give the same finding. What it raises refuses the move (GUARDRAIL_FAILED).

    ``settings``, if there is such an attribute, is JSON and goes into the policy's digest. ``timeout``, if there is
    such an attribute, is how long it may take (seconds or a timedelta); 30 s by default, and then it refuses.
    """

    @property
    def name(self) -> str:
        """Its name, in lower case with dashes; unique in a policy."""
        ...

    def judge(self, facts: Facts) -> Finding | Awaitable[Finding]:
        """What it says about a move."""
        ...
