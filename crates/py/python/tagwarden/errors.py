"""Errors: one base, a class for each area of codes.

``code`` is stable and for programs, the message is for people, ``retry`` is the caller's next step: ``never``,
``later``, ``replan`` or ``recover``. ``context`` says where it happened, by name. No error ever holds a credential. The
codes are listed in ``docs/reference/errors.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ._tagwarden import Finding, error_kinds

__all__ = [
    "ChannelError",
    "InternalError",
    "InvalidValueError",
    "LedgerError",
    "MoveError",
    "PolicyRefusedError",
    "RegistryError",
    "TagwardenError",
]

_KINDS: dict[str, dict[str, str]] = {kind["code"]: kind for kind in error_kinds()}
_RETRIES = ("never", "later", "replan", "recover")


class TagwardenError(Exception):
    """The base class of tagwarden's errors.

    >>> error = TagwardenError.of("CHANNEL_CHANGED", "prod moved", {"channel": "reg.io/acme/shop:prod"})
    >>> error.code, error.retry, type(error).__name__
    ('CHANNEL_CHANGED', 'replan', 'ChannelError')
    """

    def __init__(
        self,
        code: str,
        message: str,
        context: Mapping[str, str] | None = None,
        findings: tuple[Finding, ...] = (),
        retry: str | None = None,
    ) -> None:
        if code not in _KINDS:
            raise ValueError(f"{code!r} is not an error code of tagwarden")
        if retry is not None and retry not in _RETRIES:
            raise ValueError(f"retry: {retry!r} is none of {', '.join(_RETRIES)}")
        super().__init__(code, message, dict(context or {}), findings, retry)
        self.code = code
        """The stable code, ``AREA_STATE``."""
        self.message = message
        """The message for people: what failed, where, and what helps."""
        self.findings = findings
        """The findings of the guardrails, if the policy refused."""

    @staticmethod
    def of(
        code: str,
        message: str,
        context: Mapping[str, str] | None = None,
        findings: tuple[Finding, ...] = (),
        retry: str | None = None,
    ) -> TagwardenError:
        """The error of this code, in the class of its area. ValueError if there is no such code.

        ``retry`` is that of the code by default.
        """
        return area(code)(code, message, context, findings, retry)

    @property
    def context(self) -> Mapping[str, str]:
        """Where it happened, by name: ``channel``, ``seq``, ``move_id``, …"""
        return MappingProxyType(self.args[2])

    @property
    def retry(self) -> str:
        """The caller's next step: ``never``, ``later``, ``replan`` or ``recover``.

        The code determines it. A refusal by the policy is ``later`` if every finding that refuses is ``later``.
        """
        retry: str | None = self.args[4]
        return _KINDS[self.code]["retry"] if retry is None else retry

    @property
    def meaning(self) -> str:
        """The code in one sentence."""
        return _KINDS[self.code]["meaning"]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON: ``code``, ``retry``, ``message``, ``context``, ``findings``."""
        findings = [finding.to_dict() for finding in self.findings]
        return {
            "code": self.code,
            "retry": self.retry,
            "message": self.message,
            "context": dict(self.context),
            "findings": findings,
        }


class InvalidValueError(TagwardenError, ValueError):
    """The caller's input is wrong: a value, a provenance, a configuration, something to pack."""


class PolicyRefusedError(TagwardenError):
    """The policy or a hold refuses the move; ``findings`` says why. Nothing was moved."""


class ChannelError(TagwardenError):
    """The state of the channel prevents the move: moved, busy, drifted, no such release. Nothing was moved."""


class MoveError(TagwardenError):
    """The move began and failed, or its result is unknown (``retry`` is ``recover``)."""


class RegistryError(TagwardenError):
    """The registry, or a manifest in it, failed or is invalid."""


class LedgerError(TagwardenError):
    """The ledger, or an entry in it, failed or is invalid."""


class InternalError(TagwardenError):
    """A rule inside tagwarden was broken; please report it."""


_AREAS: dict[str, type[TagwardenError]] = {
    "VALUE": InvalidValueError,
    "PROVENANCE": InvalidValueError,
    "CONFIG": InvalidValueError,
    "SOURCE": InvalidValueError,
    "ENTRY": InvalidValueError,
    "POLICY": PolicyRefusedError,
    "CHANNEL": ChannelError,
    "ROLLBACK": ChannelError,
    "RELEASE": ChannelError,
    "IDEMPOTENCY": ChannelError,
    "MOVE": MoveError,
    "REGISTRY": RegistryError,
    "MANIFEST": RegistryError,
    "LEDGER": LedgerError,
    "INTERNAL": InternalError,
}


def area(code: str) -> type[TagwardenError]:
    """The class of a code's area; the base class for an unknown area."""
    return _AREAS.get(code.split("_", 1)[0], TagwardenError)
