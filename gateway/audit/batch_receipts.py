"""The receipts of a batch, a line each, as `batch verify-nirec` leaves them in FILE.lot/recus.jsonl (decision 0034)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.kept_answer import KeptAnswer, read_line
from gateway.audit.verdict import Fault, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".jsonl"
#: What else a batch's folder holds, and is no receipt: what was opened, its key, its lock, a wish that it stop.
BESIDE = frozenset({"lot.json", "cle", "verrou", "pause"})
#: Of one receipt, in bytes.
_LONGEST = 1 << 20


def read_lines(path: Path) -> Iterator[tuple[str, KeptAnswer | Problem]]:
    """Each line's name (file:number), and its receipt, or what is wrong with it; one at a time in memory.

    A last line that a kill left half written is passed over: the gateway gives its answer again.
    """
    number, signer = 0, b""
    try:
        with path.open("rb") as file:
            while raw := file.readline(_LONGEST + 1):
                number += 1
                name = f"{path.name}:{number}"
                if len(raw) > _LONGEST:
                    yield name, Problem(Fault.RECEIPT_UNREADABLE, "too large")
                    return
                try:
                    answer = read_line(raw, name, signer)
                except Problem as problem:
                    if raw.endswith(b"\n"):
                        yield name, problem
                    continue
                signer = answer.signer  # one certificate signed them all, or nearly: it is kept once
                yield name, answer
    except OSError as error:
        yield path.name, Problem(Fault.RECEIPT_UNREADABLE, error.strerror or "cannot be read")
