"""A database's ledger, rebuilt from the published log, which is verified first (DESIGN L7)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.errors import RecoveryError
from gateway.ledger.encoding import FormatError, parse_canonical_json
from gateway.ledger.leaf import SEALED_KINDS, unpack_leaf
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import verify_note
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.record import unpack_record
from gateway.ledger.tiles import WIDTH, entries_path, evidence_path, unpack_entries, unpack_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.ledger.leaf import Leaf
    from gateway.ledger.note import Checkpoint, LogKey
    from gateway.ledger.storage.recovery import Putting, Recovery


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did.

    Attributes:
        size: of the published log, and now of the database.
        before: of the database until now.
        added: leaves that the database lacked.
        found: records that it held without their place in the log.
        waiting: records that it holds and the log does not: the sequencer will add them.
        objects: certificates, policies and the like that it lacked.
    """

    size: int
    before: int
    added: int
    found: int
    waiting: int
    objects: int


def recover(
    directory: Path, key: LogKey, recovery: Recovery, progress: Callable[[int, int], object] = lambda _done, _all: None
) -> Recovered:
    """Puts into the database what the published log has and it lacks, in one transaction.

    Every leaf must lead to the root that the log's key has signed, every plain record to its leaf, every object to its
    name: otherwise nothing is changed. Raises RecoveryError, or FormatError for files in no form of ours.
    """
    note, checkpoint = _checkpoint(directory, key)
    with recovery.begun() as putting:
        before = _before(putting, checkpoint)
        tree, closed = CompactRange(), list[UUID]()
        for start, leaves in _bundles(directory, checkpoint.size):
            for packed, leaf, record in leaves:
                tree.append(leaf_hash(packed))
                closed += _closed(leaf, record)
            putting.leaves(start, leaves)
            progress(tree.size, checkpoint.size)
        if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
            raise RecoveryError("recover_log_broken", file=CHECKPOINT)
        putting.close(closed)
        for name, data in _objects(directory):
            putting.objects({name: data})
        putting.finish(key.name, checkpoint.size, note)
        return Recovered(
            size=checkpoint.size,
            before=before,
            added=putting.counts["added"],
            found=putting.counts["found"],
            waiting=putting.waiting,
            objects=putting.counts["objects"],
        )


def check_not_behind(directory: Path, key: LogKey, size: Callable[[], int]) -> None:
    """Raises RecoveryError where the database's log is smaller than the published one: it was put back (L7).

    ``size`` gives the database's, and is asked after the checkpoint was read: no sound database is ever behind it.
    """
    try:
        published = verify_note((directory / CHECKPOINT).read_bytes(), key).size
    except FileNotFoundError:
        return
    if (held := size()) < published:
        raise RecoveryError("database_behind", database=held, published=published)


def _checkpoint(directory: Path, key: LogKey) -> tuple[bytes, Checkpoint]:
    try:
        note = (directory / CHECKPOINT).read_bytes()
    except FileNotFoundError:
        raise RecoveryError("recover_no_log", folder=directory) from None
    try:
        return note, verify_note(note, key)
    except FormatError:
        raise RecoveryError("recover_log_broken", file=CHECKPOINT) from None


def _before(putting: Putting, checkpoint: Checkpoint) -> int:
    state = putting.state()
    if state is None:
        return 0
    if state.origin != checkpoint.origin:
        raise RecoveryError("recover_another_log", database=state.origin, published=checkpoint.origin)
    if state.size > checkpoint.size:
        raise RecoveryError("recover_not_behind", database=state.size, published=checkpoint.size)
    return state.size


def _bundles(directory: Path, size: int) -> Iterator[tuple[int, list[tuple[bytes, Leaf, bytes | None]]]]:
    for start in range(0, size, WIDTH):
        width, index = min(WIDTH, size - start), start // WIDTH
        name = entries_path(index, width)
        try:
            entries = unpack_entries((directory / name).read_bytes())
            name = evidence_path(index, width)
            records = unpack_evidence((directory / name).read_bytes())
            leaves = [
                (packed, _checked(packed, record), record or None)
                for packed, record in zip(entries, records, strict=True)
            ]
        except (FormatError, ValueError, FileNotFoundError):
            raise RecoveryError("recover_log_broken", file=name) from None
        if len(leaves) != width:
            raise RecoveryError("recover_log_broken", file=name)
        yield start, leaves


def _checked(packed: bytes, record: bytes) -> Leaf:
    """The leaf's fields; a plain record must be the one that it binds, a sealed one nobody here can open."""
    leaf = unpack_leaf(packed)
    if leaf.kind not in SEALED_KINDS:
        unpack_record(record).check_binding(leaf.binding)
    return leaf


def _closed(leaf: Leaf, record: bytes | None) -> list[UUID]:
    if leaf.kind != "closing" or record is None:
        return []
    return [UUID(parse_canonical_json(unpack_record(record).evidence)["writer"])]


def _objects(directory: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((directory / "objects").iterdir()):
        data = path.read_bytes()
        if sha256(data).hexdigest() != path.name:
            raise RecoveryError("recover_log_broken", file=f"objects/{path.name}")
        yield path.name, data
