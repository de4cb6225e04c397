"""An inclusion proof as a party checks it: with the log's public key that it was given beforehand."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from gateway.errors import PasserelleError
from gateway.ledger.merkle import verify_inclusion
from gateway.ledger.note import LogKey, verify_note

if TYPE_CHECKING:
    from pathlib import Path

_FIRST = "c2sp.org/tlog-proof@v1"


class ProofError(PasserelleError):
    """A proof that proves nothing."""


def load_log_key(path: Path) -> LogKey:
    """The key in a vkey file; raises OSError, FormatError."""
    return LogKey.parse(path.read_text(encoding="utf-8"))


def check_proof(text: str, leaf_hash: bytes, key: LogKey) -> int:
    """The index that a tlog-proof (C2SP) proves for this leaf; raises ProofError."""
    head, _, note = text.partition("\n\n")
    rows = head.split("\n")
    if len(rows) < 2 or rows[0] != _FIRST or not rows[1].startswith("index "):  # noqa: PLR2004  its first two lines
        raise ProofError("not a tlog-proof")
    try:
        index = int(rows[1].removeprefix("index "))
        checkpoint = verify_note(note.encode(), key)
        proof = tuple(b64decode(row, validate=True) for row in rows[2:] if row)
        verify_inclusion(leaf_hash, index, checkpoint.size, proof, checkpoint.root)
    except (PasserelleError, ValueError):
        raise ProofError("the proof does not hold under the log's key") from None
    return index
