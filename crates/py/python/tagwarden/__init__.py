"""Moves floating OCI environment tags as governed release events, with a digest-level audit ledger.

Begin with ``Promoter`` (blocking) or ``AsyncPromoter``. It needs a registry, such as ``OciRegistry``, and a ledger,
such as ``open_ledger(url)``; for tests there are ``MemoryRegistry``, ``MemoryLedger`` and ``tagwarden.testing``.

>>> from tagwarden import MemoryLedger, MemoryRegistry, Promoter, Provenance
>>> registry = MemoryRegistry()
>>> releases = [registry.push_image("reg.io/acme/shop", tag, n).digest for n, tag in enumerate(["1.0", "1.1"])]
>>> promoter = Promoter(registry, MemoryLedger())
>>> ada = Provenance.of(provider="manual", run_id="first-steps", actor="ada", actor_kind="human")
>>> prod = "reg.io/acme/shop:prod"
>>> promoter.bootstrap(prod, "reg.io/acme/shop:1.0", provenance=ada).result
'committed'
>>> promoter.promote(prod, "reg.io/acme/shop:1.1", provenance=ada).previous_digest == releases[0]
True
>>> promoter.rollback(prod, provenance=ada).digest == releases[0]
True
"""

from ._request import ApprovedPlan, Plan, RetentionRule, Times
from ._tagwarden import version as _version
from .aio import AsyncPromoter
from .errors import (
    ChannelError,
    InternalError,
    InvalidValueError,
    LedgerError,
    MoveError,
    PolicyRefusedError,
    RegistryError,
    TagwardenError,
    error_kinds,
)
from .flux import Artifact, pack_artifact, pack_artifact_async, push_artifact, push_artifact_async
from .guardrail import Facts, Guardrail
from .ledger import Ledger, MemoryLedger, OpenedLedger, init_ledger, init_ledger_async, open_ledger, open_ledger_async
from .memory import InjectedFault, MemoryRegistry, ReadFault
from .promoter import Promoter
from .provenance import Provenance
from .record import (
    ActiveHold,
    ChannelStatus,
    DeadMove,
    Decision,
    DriftSeen,
    Finding,
    HistoryPage,
    Intent,
    Live,
    LiveAt,
    MigratedTo,
    MoveRecord,
    MoveSet,
    OpenMove,
    Outcome,
    PossiblyOpen,
    Predecessor,
    Receipt,
    RecordedCheck,
    RecordedError,
    RecordedOverride,
    RecordedPolicy,
    RecoveryResult,
    ReleaseOrder,
    TakeoverRecord,
    TargetManifest,
    UpstreamLog,
)
from .registry import Credentials, Manifest, OciRegistry, Registry
from .report import AuditReport, ChannelAudit, Defect, DigestRetention, LogReport, MayDelete, RetentionPlan
from .values import (
    Channel,
    Commit,
    Digest,
    Environment,
    IdempotencyKey,
    Pipeline,
    Reference,
    ReleaseLabel,
    Repository,
    Stage,
    Tag,
)

__all__ = [
    "ActiveHold",
    "ApprovedPlan",
    "Artifact",
    "AsyncPromoter",
    "AuditReport",
    "ChannelAudit",
    "Channel",
    "ChannelError",
    "RecordedCheck",
    "Commit",
    "Credentials",
    "ChannelStatus",
    "DeadMove",
    "Decision",
    "Defect",
    "Digest",
    "DriftSeen",
    "Environment",
    "RecordedError",
    "Facts",
    "InjectedFault",
    "Finding",
    "Guardrail",
    "IdempotencyKey",
    "Intent",
    "InternalError",
    "InvalidValueError",
    "DigestRetention",
    "Ledger",
    "LedgerError",
    "Live",
    "LiveAt",
    "LogReport",
    "Manifest",
    "MayDelete",
    "MemoryLedger",
    "MemoryRegistry",
    "MigratedTo",
    "MoveError",
    "MoveSet",
    "OciRegistry",
    "OpenMove",
    "OpenedLedger",
    "Outcome",
    "RecordedOverride",
    "HistoryPage",
    "Pipeline",
    "Plan",
    "RecordedPolicy",
    "PolicyRefusedError",
    "PossiblyOpen",
    "Predecessor",
    "Promoter",
    "MoveRecord",
    "Provenance",
    "ReadFault",
    "Receipt",
    "RecoveryResult",
    "Reference",
    "Registry",
    "RegistryError",
    "ReleaseLabel",
    "ReleaseOrder",
    "Repository",
    "RetentionPlan",
    "RetentionRule",
    "Stage",
    "Tag",
    "TagwardenError",
    "TakeoverRecord",
    "TargetManifest",
    "Times",
    "UpstreamLog",
    "error_kinds",
    "init_ledger",
    "init_ledger_async",
    "open_ledger",
    "open_ledger_async",
    "pack_artifact",
    "pack_artifact_async",
    "push_artifact",
    "push_artifact_async",
]

__version__: str = _version()
