"""A log in memory and a witness over a folder, for the tests of both sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.cosignature import WitnessKey
from gateway.ledger.merkle import consistency_proof, leaf_hash, root_of
from gateway.ledger.note import Checkpoint, LogKey, sign_checkpoint
from gateway.witness.memory import Memory
from gateway.witness.request import write_request
from gateway.witness.witness import Witness

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "log.test/passerelle"
NOW = datetime(2026, 11, 23, 2, 40, tzinfo=UTC)


class StillClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


@dataclass
class MemoryLog:
    """A log's leaves and its key; ``private`` alone signs."""

    name: str = ORIGIN
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    hashes: list[bytes] = field(default_factory=list)

    @property
    def key(self) -> LogKey:
        return LogKey(self.name, self.private.public_key().public_bytes_raw())

    def grow(self, count: int, salt: bytes = b"") -> MemoryLog:
        self.hashes += [leaf_hash(salt + bytes([at % 251])) for at in range(len(self.hashes), len(self.hashes) + count)]
        return self

    def branch(self, at: int) -> MemoryLog:
        """Another history from this size on, signed by the same key."""
        return MemoryLog(self.name, self.private, self.hashes[:at])

    def read(self, height: int, index: int) -> bytes:
        return root_of(self.hashes[index << height : (index + 1) << height])

    def note(self, size: int | None = None) -> bytes:
        size = len(self.hashes) if size is None else size
        return sign_checkpoint(Checkpoint(self.name, size, root_of(self.hashes[:size])), self.key, self)

    def request(self, old: int, size: int | None = None) -> bytes:
        size = len(self.hashes) if size is None else size
        return write_request(old, tuple(consistency_proof(old, size, self.read)), self.note(size))

    def sign(self, _key_id: str, data: bytes) -> bytes:
        return self.private.sign(data)

    def mac(self, _key_id: str, _data: bytes) -> bytes:
        raise NotImplementedError

    def certificate(self, _key_id: str) -> bytes:
        raise NotImplementedError


class MadeWitness:
    """A witness of its own key over a folder, which can be opened again as after a crash."""

    def __init__(self, folder: Path, *logs: MemoryLog, name: str = "witness.test/1") -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = WitnessKey(name, self.private.public_key().public_bytes_raw())
        self.folder = folder
        self.logs = logs
        self.memory = Memory(folder)
        self.witness = self._made()

    def again(self) -> MadeWitness:
        """As a new process: nothing but the folder is left."""
        self.memory.close()
        self.memory = Memory(self.folder)
        self.witness = self._made()
        return self

    def _made(self) -> Witness:
        return Witness(self.key, self.private.sign, [log.key for log in self.logs], self.memory, StillClock())
