"""An attacker with root on the database: writes what the schema lets anybody write, past every check of ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

from gateway.ledger.encoding import canonical_json, timestamp
from gateway.ledger.leaf import KINDS, Leaf, binding
from gateway.ledger.record import Record
from gateway.policy.bundle import read_bundle
from gateway.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from gateway.model import LeafKind


class Root:
    """On a database that others may be using."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gateway" / "db" / "passerelle.sqlite"

    def run(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """One statement, committed."""
        with closing(sqlite3.connect(self.path, timeout=40)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def act(
        self,
        name: str,
        content: bytes,
        approvals: Sequence[bytes] = (),
        *,
        at: datetime | None = None,
        kind: LeafKind = "policy",
        **changes: object,
    ) -> Leaf:
        """Inserts an act about a bundle, as a writer of ours would have written it."""
        bundle, digest = read_bundle(content)
        follows = name in {"proposed", "activated"}
        evidence = {
            "v": 1, "kind": kind, "act": name, "by": "command", "policy": digest,
            "version": bundle.version if follows else None,
            "previous": bundle.previous if follows else None,
            "approvals": [document.decode() for document in approvals],
            "reason": None,
        }  # fmt: skip
        return self.record(canonical_json(evidence | changes), at=at, kind=kind)

    def record(self, evidence: bytes, *, at: datetime | None = None, kind: LeafKind = "policy") -> Leaf:
        """Inserts a plain record of a writer that nobody knew."""
        record = Record(bytes(range(32)), evidence)
        leaf = Leaf(kind, uuid4(), uuid4(), 0, at or SystemClock().now(), binding(record.salt32, evidence))
        with closing(sqlite3.connect(self.path, timeout=40)) as connection, connection:
            connection.execute(
                "INSERT INTO writers (id, period, role, state, opened_at) VALUES (?, ?, 'init', 'open', ?)",
                (leaf.writer.bytes, leaf.period, timestamp(leaf.time)),
            )
            connection.execute(
                "INSERT INTO records (exchange_id, kind, time, leaf, writer, record, counter) VALUES (?,?,?,?,?,?,0)",
                (
                    leaf.exchange_id.bytes,
                    KINDS[kind],
                    timestamp(leaf.time),
                    leaf.pack(),
                    leaf.writer.bytes,
                    record.pack(),
                ),
            )
        return leaf

    def put(self, content: bytes, name: str | None = None) -> None:
        """Puts these bytes where a bundle of this name stands, or would."""
        digest = name or sha256(content).hexdigest()
        self.run("INSERT OR REPLACE INTO objects (sha256, bytes, published) VALUES (?, ?, 0)", digest, content)

    def acts(self) -> Iterator[int]:
        """The rows of the acts, the newest first."""
        rows = self.run("SELECT id FROM records WHERE kind = ? ORDER BY id DESC", KINDS["policy"])
        return (int(str(row)) for (row,) in rows)

    def leaf(self, row: int) -> bytes:
        """The leaf of one record."""
        ((leaf,),) = self.run("SELECT leaf FROM records WHERE id = ?", row)
        assert isinstance(leaf, bytes)
        return leaf

    def delete(self, row: int) -> None:
        """Deletes one record."""
        self.run("DELETE FROM records WHERE id = ?", row)
