"""Who moves a channel, in which pipeline run, for which commit and release."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import _tagwarden as _native
from .values import Commit, ReleaseLabel, Value, is_text, parsed, sound

__all__ = ["Provenance"]


@dataclass(frozen=True, repr=False)
class Provenance:
    """Who asks, in which pipeline run. ``Provenance.of`` and ``Provenance.from_environment`` make one."""

    _json: str

    @staticmethod
    def of(
        *,
        provider: str | None = None,
        run_id: str,
        actor: str,
        actor_kind: str | None = None,
        attempt: int | None = None,
        url: str | None = None,
        workflow: str | None = None,
        job_id: str | None = None,
        job_name: str | None = None,
        repository_url: str | None = None,
        commit: str | Commit | None = None,
        release: str | ReleaseLabel | None = None,
    ) -> Provenance:
        """A provenance of the given parts.

        - ``provider``: the CI system of the pipeline; ``manual`` by default.
        - ``run_id``: the pipeline run, and ``attempt``: the attempt of it, from 1.
        - ``url``: where people can read about the run. A user or password in it is left out.
        - ``workflow``: the provider's name of the pipeline; ``job_id`` and ``job_name``: the job of the run.
        - ``actor``: who asks, and ``actor_kind``: ``human`` or ``workload``; by default ``human`` where the provider
          ``manual`` is given, else ``workload``.
        - ``repository_url``, ``commit`` (7 to 64 hex digits) and ``release``: the source and name of the release.

        InvalidValueError: PROVENANCE_INCOMPLETE without a run or an actor, VALUE_INVALID for an invalid value.
        """
        return Provenance._made(locals(), None)

    @staticmethod
    def from_environment(
        environment: Mapping[str, str] | None = None,
        *,
        provider: str | None = None,
        run_id: str | None = None,
        actor: str | None = None,
        actor_kind: str | None = None,
        attempt: int | None = None,
        url: str | None = None,
        workflow: str | None = None,
        job_id: str | None = None,
        job_name: str | None = None,
        repository_url: str | None = None,
        commit: str | Commit | None = None,
        release: str | ReleaseLabel | None = None,
    ) -> Provenance:
        """A provenance of the variables that the CI system sets, or of the terminal. Given parts take precedence.

        GitHub, Gitea and Forgejo Actions, GitLab CI, CircleCI, Azure Pipelines, Buildkite and Jenkins are known. The
        actor is a person if the CI says that a person started exactly this run, else a workload.

        A person in a terminal (standard input or error is one, and ``CI`` is not set) needs to give nothing: the
        provider is ``manual``, the actor ``TAGWARDEN_ACTOR`` or the login name, and the run id a new one.

        - ``environment``: the variables; ``os.environ`` by default. With others, no terminal is looked for.

        All of this is context, not evidence: it is recorded as not verified. A variable that is not UTF-8 counts as not
        set. The errors are those of ``of``.
        """
        given = locals()
        found = given.pop("environment")
        if found is not None:
            return Provenance._made(given, _texts(found))
        return Provenance._made(given, _texts(os.environ), terminal=os.isatty(0) or os.isatty(2), login=_login())

    @staticmethod
    def _made(
        given: dict[str, Any],
        environment: dict[str, str] | None,
        *,
        terminal: bool = False,
        login: str | None = None,
    ) -> Provenance:
        plain = {k: str(v) if isinstance(v, Value) else v for k, v in given.items() if v is not None}
        given_json = sound(json.dumps(plain, ensure_ascii=False))
        made = parsed(_native.provenance(given_json, environment, terminal, login))
        return Provenance(json.dumps(made, sort_keys=True))

    @staticmethod
    def _of(json_: Mapping[str, Any]) -> Provenance:
        return Provenance(json.dumps(json_, sort_keys=True))

    @property
    def provider(self) -> str:
        """The CI system of the pipeline, or ``manual``."""
        return str(self.to_dict()["pipeline"]["provider"])

    @property
    def run_id(self) -> str:
        """The pipeline run."""
        return str(self.to_dict()["pipeline"]["run_id"])

    @property
    def attempt(self) -> int | None:
        """The attempt of the run, from 1, if the provider counts them."""
        attempt: int | None = self.to_dict()["pipeline"].get("attempt")
        return attempt

    @property
    def url(self) -> str | None:
        """Where people can read about the run."""
        url: str | None = self.to_dict()["pipeline"].get("url")
        return url

    @property
    def workflow(self) -> str | None:
        """The provider's name of the pipeline."""
        workflow: str | None = self.to_dict()["pipeline"].get("workflow")
        return workflow

    @property
    def job_id(self) -> str | None:
        """The job of the run."""
        id_: str | None = self.to_dict()["pipeline"].get("job", {}).get("id")
        return id_

    @property
    def job_name(self) -> str | None:
        """The job's name for people."""
        name: str | None = self.to_dict()["pipeline"].get("job", {}).get("name")
        return name

    @property
    def actor(self) -> str:
        """The person or workload that asks."""
        return str(self.to_dict()["actor"]["id"])

    @property
    def actor_kind(self) -> str:
        """``human`` or ``workload``."""
        return str(self.to_dict()["actor"]["kind"])

    @property
    def repository_url(self) -> str | None:
        """Where the source is kept."""
        url: str | None = self.to_dict().get("repository_url")
        return url

    @property
    def commit(self) -> Commit | None:
        """The source commit."""
        commit: str | None = self.to_dict().get("commit")
        return None if commit is None else Commit(commit)

    @property
    def release(self) -> ReleaseLabel | None:
        """The release's name for people."""
        release: str | None = self.to_dict().get("release")
        return None if release is None else ReleaseLabel(release)

    @property
    def identity(self) -> dict[str, Any] | None:
        """The claims of a verified token: ``issuer``, ``subject``, ``audience``, ``claims`` and ``token_sha256``.

        None if no token was verified. A caller cannot set it.
        """
        identity: dict[str, Any] | None = self.to_dict().get("identity")
        return identity

    def to_dict(self) -> dict[str, Any]:
        """As it is written in the ledger."""
        made: dict[str, Any] = json.loads(self._json)
        return made

    def __repr__(self) -> str:
        return f"Provenance({self.to_dict()!r})"


def _login() -> str | None:
    """The system's login name, or None. Without it, the core's error says which argument to give."""
    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):
        return None
    return name if is_text(name) else None


def _texts(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are text: Python maps a byte that is not UTF-8 to a lone surrogate."""
    return {name: value for name, value in environment.items() if is_text(name + value)}
