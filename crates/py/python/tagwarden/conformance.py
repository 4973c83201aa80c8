"""Contract tests of the ports for your own registry or ledger. They return the requirements that it breaks."""

from ._tagwarden import Failure
from ._tagwarden import _ledger_conformance as ledger
from ._tagwarden import _registry_conformance as registry

__all__ = ["Failure", "ledger", "registry"]
