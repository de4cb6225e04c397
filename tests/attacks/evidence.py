"""The evidence of one exchange, as an auditor who holds the period keys reads it in the published log."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.trust import load_trust
from gateway.ledger.encoding import parse_canonical_json
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.reader import LogReader
from gateway.ledger.record import open_record, unpack_record
from gateway.ledger.sealing import open_data_key
from gateway.ledger.tiles import WIDTH, entries_path, evidence_path, unpack_entries, unpack_evidence
from tests.adapters.fakes import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from gateway.ledger.leaf import Leaf

#: All that evidence may keep of a request whose salt was not claimed (C6).
UNCLAIMED = {"v", "kind", "exchange_id", "received_at", "party", "reason", "nonce", "answer"}
_TOLD = ("exchange", "refusal", "delivery")


@dataclass(frozen=True)
class Kept:
    """A sealed record, opened."""

    kind: str
    evidence: dict[str, Any]
    answer_base: str


class Book:
    """A log that grows while it is read; full tiles are read once."""

    def __init__(self, log: Path, trust: Path) -> None:
        self._log = log
        self._trust = load_trust(trust)
        self._reader = LogReader(log, self._trust.log_key)
        self._full: dict[int, list[tuple[bytes, bytes]]] = {}

    def of(self, exchange_id: str, seconds: float = 10) -> list[Kept]:
        """Every record of this exchange, once there is one; empty when none came in time."""
        found: list[Kept] = []

        def there() -> bool:
            found[:] = self._search(exchange_id)
            return bool(found)

        until(there, seconds)
        return found

    @property
    def size(self) -> int:
        """How many leaves the published log has."""
        return self._reader.checkpoint()[1].size

    def every(self, kind: str, operation: str | None) -> list[Kept]:
        """Each exchange, each refusal past the salt's claim, or each round of a delivery, of one operation."""
        evidence = ((one, one.evidence) for one in self._search(None))
        return [one for one, said in evidence if (said["kind"], said.get("operation")) == (kind, operation)]

    def _search(self, exchange_id: str | None) -> list[Kept]:
        keys: dict[UUID, AESGCM] = {}
        wanted: list[tuple[Leaf, bytes, bytes]] = []
        try:
            pairs = list(self._pairs())
        except FileNotFoundError:
            return []  # the log grew in the meantime: the next look finds it
        for entry, record in pairs:
            leaf = unpack_leaf(entry)
            if leaf.kind == "opening":
                content = parse_canonical_json(unpack_record(record).evidence)
                sealed = base64.b64decode(content["sealed_data_key"])
                key = open_data_key(self._trust.periods[leaf.period], sealed, leaf.writer, leaf.period)
                keys[leaf.writer] = AESGCM(key)
            elif str(leaf.exchange_id) == exchange_id or (exchange_id is None and leaf.kind in _TOLD):
                wanted.append((leaf, entry, record))
        return [_opened(keys[leaf.writer], leaf, entry, record) for leaf, entry, record in wanted]

    def _pairs(self) -> Iterator[tuple[bytes, bytes]]:
        size = self.size
        for index in range(-(-size // WIDTH)):
            width = min(WIDTH, size - WIDTH * index)
            pairs = self._full.get(index) or self._tile(index, width)
            if width == WIDTH:
                self._full[index] = pairs
            yield from pairs

    def _tile(self, index: int, width: int) -> list[tuple[bytes, bytes]]:
        entries = unpack_entries((self._log / entries_path(index, width)).read_bytes())
        records = unpack_evidence((self._log / evidence_path(index, width)).read_bytes())
        return list(zip(entries, records, strict=True))


def _opened(key: AESGCM, leaf: Leaf, entry: bytes, record: bytes) -> Kept:
    plain = unpack_record(open_record(key, entry, leaf.counter, record))
    return Kept(leaf.kind, parse_canonical_json(plain.evidence), plain.answer_base.decode())
