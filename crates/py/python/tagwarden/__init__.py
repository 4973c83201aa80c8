"""Moves floating OCI environment tags as governed release events, with a digest-level audit ledger.

Begin with ``Promoter`` (blocking) or ``AsyncPromoter``. It needs a registry, such as ``OciRegistry``, and a ledger,
such as ``open_ledger(url)``; for tests there are ``MemoryRegistry``, ``MemoryLedger`` and ``tagwarden.testing``.

>>> from tagwarden import MemoryLedger, MemoryRegistry, Promoter, Provenance
>>> registry = MemoryRegistry()
>>> releases = [registry.push_image("reg.io/acme/shop", tag, n).digest for n, tag in enumerate(["1.0", "1.1"])]
>>> promoter = Promoter(registry, MemoryLedger())
>>> ada = Provenance.manual("ada")
>>> prod = "reg.io/acme/shop:prod"
>>> promoter.bootstrap(prod, "reg.io/acme/shop:1.0", provenance=ada).result
'committed'
>>> promoter.promote(prod, "reg.io/acme/shop:1.1", provenance=ada).previous_digest == releases[0]
True
>>> promoter.rollback(prod, provenance=ada).digest == releases[0]
True
"""

from . import _tagwarden, errors, protocols
from ._tagwarden import *
from ._tagwarden import __version__ as __version__
from .errors import *
from .protocols import *

__all__ = []
__all__ += _tagwarden.__all__
__all__.remove("_ledger_conformance")
__all__.remove("_panic")
__all__.remove("_registry_conformance")
__all__.remove("__version__")
__all__ += errors.__all__
__all__ += protocols.__all__
