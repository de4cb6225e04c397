from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.ledger.beginning import begin_log
from gateway.ledger.encoding import decode64, parse_canonical_json
from gateway.ledger.leaf import SEALED_KINDS, Leaf, unpack_leaf
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import LogKey, verify_note
from gateway.ledger.publish import Publisher
from gateway.ledger.record import Record, open_record, unpack_record
from gateway.ledger.sealing import new_period_key, open_data_key
from gateway.ledger.sequencer import Sequencer
from gateway.ledger.storage import Log, Records, lives
from gateway.ledger.tiles import (
    WIDTH,
    entries_path,
    evidence_path,
    hashes_path,
    tiles_of,
    unpack_entries,
    unpack_evidence,
)
from gateway.ledger.writer import Writer
from gateway.storage import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres.cluster import Cluster

ORIGIN = "log.test/passerelle"
POLICY = b"version: 1\n"


class FakeClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 20, 17, 43, 123456, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def monotonic(self) -> float:
        return time.monotonic()


class SystemRandomness:
    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def uuid(self) -> uuid.UUID:
        return uuid.uuid4()


class LogKeystore:
    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, key_id: str, data: bytes) -> bytes:
        assert key_id == "log"
        return self._key.sign(data)

    def mac(self, key_id: str, data: bytes) -> bytes:
        raise NotImplementedError

    def certificate(self, key_id: str) -> bytes:
        raise NotImplementedError


@dataclass
class Bench:
    """One gateway's ledger on disk: what a test builds its processes from."""

    folder: Path
    url: str = ""
    clock: FakeClock = field(default_factory=FakeClock)
    randomness: SystemRandomness = field(default_factory=SystemRandomness)
    keystore: LogKeystore = field(default_factory=LogKeystore)
    objects: dict[str, bytes] = field(default_factory=dict)
    period_keys: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    databases: list[Database] = field(default_factory=list)
    writers: list[Writer] = field(default_factory=list)
    alarms: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = LogKey(ORIGIN, self.keystore.public)
        self.url = self.url or f"sqlite:///{self.folder / 'db.sqlite'}"
        self.locks = lives(self.url, self.folder / "writers")
        self.directory = self.folder / "log"

    def begin(self) -> str:
        return begin_log(
            self.url,
            key=self.key,
            policy=POLICY,
            objects={},
            locks=self.locks,
            clock=self.clock,
            randomness=self.randomness,
        )

    def period_key(self, period: int) -> bytes:
        return self.period_keys.setdefault(period, new_period_key())[1]

    def database(self) -> Database:
        self.databases.append(open_database(self.url, durable=True))
        return self.databases[-1]

    def records(self) -> Records:
        return Records(self.database(), self.objects.__getitem__)

    def writer(self, records: Records | None = None, *, role: str = "worker", seals: bool = True) -> Writer:
        writer = Writer(
            records or self.records(),
            role=role,
            locks=self.locks,
            randomness=self.randomness,
            period_key=self.period_key if seals else None,
        )
        self.writers.append(writer)
        return writer

    def sequencer(self, publisher: Publisher | None = None) -> Sequencer:
        return Sequencer(
            log=Log(self.database()),
            publisher=publisher or self.publisher(),
            writer=self.writer(role="sequencer", seals=False),
            key=self.key,
            keystore=self.keystore,
            clock=self.clock,
            randomness=self.randomness,
            locks=self.locks,
            alarm=self.alarms.append,
        )

    def publisher(self) -> Publisher:
        return Publisher(self.directory, self.folder / "log.tmp")

    def exchange(self, writer: Writer, evidence: bytes = b'{"kind":"exchange"}') -> uuid.UUID:
        """One sealed record through a writer."""
        exchange_id = self.randomness.uuid()
        draft = writer.draft("exchange", exchange_id, self.clock.now(), evidence)
        writer.commit(draft, party="ministry", answer_base=b"base", answer_signature=b"signature")
        return exchange_id

    def whole_log(self) -> list[tuple[Leaf, Record]]:
        """The whole log read again from its directory and verified: every file, every hash, every record."""
        checkpoint = verify_note((self.directory / "checkpoint").read_bytes(), self.key)
        expected = {path for tile in tiles_of(checkpoint.size) for path in tile.paths}
        present = {
            str(path.relative_to(self.directory))
            for path in self.directory.rglob("*")
            if path.is_file() and path.name != "checkpoint" and path.parent.name != "objects"
        }
        assert present == expected
        leaves = self._bundles(checkpoint.size, entries_path, unpack_entries)
        records = self._bundles(checkpoint.size, evidence_path, unpack_evidence)
        tree = CompactRange()
        levels: list[list[bytes]] = [[leaf_hash(leaf) for leaf in leaves]]
        for digest in levels[0]:
            tree.append(digest)
        assert (tree.size, tree.root()) == (checkpoint.size, checkpoint.root)
        self._check_tiles(checkpoint.size, levels[0])
        for path in (self.directory / "objects").iterdir():
            assert sha256(path.read_bytes()).hexdigest() == path.name
        return self._open(leaves, records)

    def _bundles(
        self, size: int, path: Callable[[int, int], str], unpack: Callable[[bytes], list[bytes]]
    ) -> list[bytes]:
        parts: list[bytes] = []
        for index in range((size + WIDTH - 1) // WIDTH):
            width = min(WIDTH, size - index * WIDTH)
            bundle = unpack((self.directory / path(index, width)).read_bytes())
            assert len(bundle) == width
            parts += bundle
        return parts

    def _check_tiles(self, size: int, hashes: list[bytes]) -> None:
        for tile in tiles_of(size):
            if tile.level >= 0:
                span = WIDTH**tile.level
                start = tile.index * WIDTH
                wanted = [_root(hashes[at * span : (at + 1) * span]) for at in range(start, start + tile.width)]
                path = self.directory / hashes_path(tile.level, tile.index, tile.width)
                assert path.read_bytes() == b"".join(wanted)

    def _open(self, leaves: list[bytes], records: list[bytes]) -> list[tuple[Leaf, Record]]:
        keys: dict[uuid.UUID, AESGCM] = {}
        for leaf, record in zip(leaves, records, strict=True):
            parsed = unpack_leaf(leaf)
            if parsed.kind == "opening":
                evidence = parse_canonical_json(unpack_record(record).evidence)
                private = self.period_keys[parsed.period][0]
                sealed = decode64(evidence["sealed_data_key"])
                keys[parsed.writer] = AESGCM(open_data_key(private, sealed, parsed.writer, parsed.period))
        opened = []
        for leaf, record in zip(leaves, records, strict=True):
            parsed = unpack_leaf(leaf)
            plain = record
            if parsed.kind in SEALED_KINDS:
                plain = open_record(keys[parsed.writer], leaf, parsed.counter, record)
            opened.append((parsed, unpack_record(plain)))
            opened[-1][1].check_binding(parsed.binding)
        return opened


def _root(hashes: list[bytes]) -> bytes:
    tree = CompactRange()
    for digest in hashes:
        tree.append(digest)
    return tree.root()


def evidence_of(record: Record) -> dict[str, Any]:
    return parse_canonical_json(record.evidence)


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    cluster: Cluster | None = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    made = Bench(tmp_path, "" if cluster is None else cluster.database())
    yield made
    for writer in made.writers:
        writer.close()
    for database in made.databases:
        database.dispose()
    made.locks.close()
    if cluster is not None:
        cluster.give_back(made.url)


@pytest.fixture
def evidence() -> Callable[[Record], dict[str, Any]]:
    return evidence_of
