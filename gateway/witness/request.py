"""The body of ``add-checkpoint``, read strictly (C2SP tlog-witness)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gateway.ledger.encoding import FormatError, decode64, encode64
from gateway.ledger.merkle import HASH_SIZE
from gateway.ledger.note import SignedNote, parse_note

MOST_PROOF_LINES = 63
#: 63 lines of proof, and a checkpoint with many signatures.
LARGEST_BODY = 1 << 16
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a log asks of a witness, parsed; nothing of it is verified yet.

    Attributes:
        old: the size that the proof begins at.
        proof: the hashes of an RFC 6962 consistency proof.
        note: the checkpoint as sent.
        signed: the same, parsed.
    """

    old: int
    proof: tuple[bytes, ...]
    note: bytes = field(repr=False)
    signed: SignedNote = field(repr=False)


def read_request(body: bytes) -> AddCheckpoint:
    """The request in a body; raises FormatError for what is malformed."""
    if len(body) > LARGEST_BODY:
        raise FormatError("body too large")
    head, blank, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError("head not ASCII") from error
    old = _OLD.fullmatch(first)
    if not blank or old is None or int(old[1]) > _LARGEST:
        raise FormatError("no old size, or no blank line")
    if len(lines) > MOST_PROOF_LINES:
        raise FormatError("proof too long")
    proof = tuple(decode64(line) for line in lines)
    if any(len(step) != HASH_SIZE for step in proof):
        raise FormatError("proof's line is no hash")
    return AddCheckpoint(int(old[1]), proof, note, parse_note(note))


def write_request(old: int, proof: tuple[bytes, ...], note: bytes) -> bytes:
    """The body that asks for a cosignature."""
    return f"old {old}\n".encode() + b"".join(f"{encode64(step)}\n".encode() for step in proof) + b"\n" + note
