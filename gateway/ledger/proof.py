"""An inclusion proof as a party or an auditor reads it: C2SP's tlog-proof, under the log's public key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError, decode64
from gateway.ledger.merkle import verify_inclusion
from gateway.ledger.note import verify_note

if TYPE_CHECKING:
    from gateway.ledger.note import Checkpoint, LogKey

_HEAD = re.compile(r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9][0-9]{0,18})((?:\n[A-Za-z0-9+/]{43}=)*)")


def verify_proof(text: str, leaf_hash: bytes, key: LogKey) -> tuple[int, Checkpoint]:
    """Where a ``c2sp.org/tlog-proof@v1`` proves this leaf to stand, and under which checkpoint; raises FormatError."""
    head, _, note = text.partition("\n\n")
    match = _HEAD.fullmatch(head)
    if match is None:
        raise FormatError("not a tlog-proof")
    checkpoint = verify_note(note.encode(errors="replace"), key)
    index = int(match[1])
    proof = tuple(decode64(row) for row in match[2].split())
    try:
        verify_inclusion(leaf_hash, index, checkpoint.size, proof, checkpoint.root)
    except LedgerError:
        raise FormatError("the proof does not hold") from None
    return index, checkpoint
