"""What a leaf tells of a copy of the log that was handed to somebody (DESIGN L2, section 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.ledger.encoding import FormatError, canonical_json, parse_canonical_json, parse_timestamp, timestamp

if TYPE_CHECKING:
    from datetime import datetime

_MEMBERS = frozenset({"v", "kind", "recipient", "due", "size", "root"})
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ROOT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Handover:
    """What was handed over.

    Attributes:
        recipient: a party of the policy.
        due: when the copy is to be returned or destroyed at the latest, UTC.
        size: of the log that the copy is of.
        root: hex of its root.
    """

    recipient: str
    due: datetime
    size: int
    root: str

    def evidence(self) -> bytes:
        """The evidence of it."""
        fields = {"recipient": self.recipient, "due": timestamp(self.due), "size": self.size, "root": self.root}
        return canonical_json({"v": 1, "kind": "handover", **fields})


def read_handover(evidence: bytes) -> Handover:
    """What the evidence tells of; raises FormatError for any other bytes."""
    said = parse_canonical_json(evidence)
    if said.keys() != _MEMBERS or said["v"] != 1 or said["kind"] != "handover":
        raise FormatError("not the members of a handover")
    due, size = said["due"], said["size"]
    named = (isinstance(value, str) for value in (said["recipient"], due, said["root"]))
    if not all(named) or isinstance(size, bool) or not isinstance(size, int):
        raise FormatError("a handover's members of other types")
    found = Handover(said["recipient"], parse_timestamp(due), size, said["root"])
    if not (_NAME.fullmatch(found.recipient) and _ROOT.fullmatch(found.root) and size > 0):
        raise FormatError("a handover's members not of their form")
    if found.evidence() != evidence:  # Python takes `true` for the version 1
        raise FormatError("a handover in another form")
    return found
