"""An inclusion proof as a party checks it: with the log's public key that it was given beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import LedgerError, PasserelleError
from gateway.ledger.note import LogKey
from gateway.ledger.proof import verify_proof

if TYPE_CHECKING:
    from pathlib import Path


class ProofError(PasserelleError):
    """A proof that proves nothing."""


def load_log_key(path: Path) -> LogKey:
    """The key in a vkey file; raises OSError, FormatError."""
    return LogKey.parse(path.read_text(encoding="utf-8"))


def check_proof(text: str, leaf_hash: bytes, key: LogKey) -> int:
    """The index that a tlog-proof (C2SP) proves for this leaf; raises ProofError."""
    try:
        return verify_proof(text, leaf_hash, key)[0]
    except LedgerError:
        raise ProofError("the proof does not hold under the log's key") from None
