"""The log's directory: immutable files, then the checkpoint (DESIGN L3, L6; C2SP tlog-tiles)."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.hashes import TileHashes
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.tiles import (
    WIDTH,
    Edge,
    Tile,
    entries_path,
    evidence_path,
    hashes_path,
    object_path,
    pack_entries,
    pack_evidence,
    partial_tiles,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from gateway.ledger.merkle import CompactRange

CHECKPOINT = "checkpoint"


class Publisher:
    """Writes the log's files, in an order that leaves a valid log after a crash at any point.

    1. Objects, then for each 256 leaves entries, evidence and tiles bottom-up, then the partial ones. Each is
       written to a temporary file outside the log, synced, and linked to its name, so that no name ever shows
       half a file. A crash here leaves files of a size that no checkpoint names yet; they hold what the database
       holds, and the next run finds them identical.
    2. The directories are synced: all that the checkpoint will speak of is on the disk (``settle``); proofs towards
       this size can be made, and witnesses are asked.
    3. ``checkpoint`` is replaced by rename, and its directory synced. A crash before it leaves the old
       checkpoint over the old files, which are all still there; after it, the new one.
    4. Partial files of the older size go. A crash before or within leaves some, which ``sweep`` removes.

    An existing file is never written again: the same bytes are fine, different ones are fatal.
    """

    def __init__(self, directory: Path, scratch: Path) -> None:
        """``scratch`` is a directory of its own beside the log, on the same file system."""
        self._directory = directory
        self._scratch = scratch
        self._edge = Edge()
        self._leaves: list[bytes] = []
        self._records: list[bytes | None] = []
        self._partials: set[Tile] = set()
        self._dirty: set[Path] = set()
        self._last: bytes | None = None

    @property
    def size(self) -> int:
        """How many leaves were handed over so far."""
        return self._edge.size

    def checkpoint(self) -> bytes | None:
        """The published checkpoint, as the directory holds it."""
        try:
            return (self._directory / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None

    @contextmanager
    def alone(self, *, anew: bool = False) -> Iterator[None]:
        """Nobody else publishes here meanwhile; raises LedgerError where somebody has since this one last did.

        A sequencer that was held up for long may come with what it signed after another one has gone further: it would
        put the older checkpoint over the newer one, and the partial files under it are gone. ``anew`` begins from what
        is there now.
        """
        self._scratch.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._scratch / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not anew and self._published() != self._last:
                raise LedgerError("another sequencer has published meanwhile")
            self._last = self._published()
            yield
            self._last = self._published()
        finally:
            os.close(lock)

    def _published(self) -> bytes | None:
        """What the checkpoint says, without its signatures: witnesses may add theirs."""
        note = self.checkpoint()
        return None if note is None else note.partition(b"\n\n")[0]

    def resume(self, size: int, bundle: Sequence[tuple[bytes, bytes | None]]) -> CompactRange:
        """Takes up a published log at ``size``; gives its tree, for the caller to check against the checkpoint.

        ``bundle`` holds the (leaf, record) pairs of the last, partial bundle. Raises LedgerError when a tile is
        missing or of another width, or when the bundle is not what the tile over it says.
        """
        widths = {tile.level: tile for tile in partial_tiles(size)}
        top = max(widths, default=-1)
        edge = Edge()
        edge.resume(size, [self._read_partial(widths.get(level)) for level in range(top + 1)])
        leaves = [leaf for leaf, _ in bundle]
        if size and [leaf_hash(leaf) for leaf in leaves] != edge.levels[0]:
            raise LedgerError("the database's last leaves are not those of the published tile")
        self._edge = edge
        self._leaves = leaves
        self._records = [record for _, record in bundle]
        self._partials = set(widths.values())
        return edge.tree()

    def objects(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Adds objects by their hex SHA-256."""
        for digest, data in objects:
            self._add(object_path(digest), data)

    def append(self, leaf: bytes, record: bytes | None) -> None:
        """Adds the next leaf and its record; writes the files that it fills.

        Raises LedgerError for a record that was purged: the directory that held it has lost it, and has to be put back.
        """
        if record is None:
            raise LedgerError("a record that was purged cannot be published again: put the log's directory back")
        self._leaves.append(leaf)
        self._records.append(record)
        filled = list(self._edge.append(leaf_hash(leaf)))
        if filled:
            self._bundles(filled[0][0].index, WIDTH)
            for tile, data in filled:
                self._add(hashes_path(tile.level, tile.index), data)
            self._leaves.clear()
            self._records.clear()

    def settle(self) -> TileHashes:
        """Writes the partial files of the present size, all durably; gives the hashes of this size for proofs."""
        if self._leaves:
            self._bundles(self.size // WIDTH, len(self._leaves))
        for tile, data in self._edge.partials():
            if tile not in self._partials:
                self._add(hashes_path(tile.level, tile.index, tile.width), data)
        self._sync_directories()
        return TileHashes(lambda path: (self._directory / path).read_bytes(), self.size)

    def finish(self, checkpoint: bytes) -> None:
        """Settles the files of the present size, puts the checkpoint over them, and removes older partials."""
        self.settle()
        self.replace_checkpoint(checkpoint)
        partials = set(partial_tiles(self.size))
        for tile in self._partials - partials:
            for path in tile.paths:
                self._remove(self._directory / path)
        self._partials = partials

    def replace_checkpoint(self, checkpoint: bytes) -> None:
        """Puts a signed checkpoint where readers look for it; of the present size, whose files are settled."""
        temporary = self._temporary(checkpoint)
        os.replace(temporary, self._directory / CHECKPOINT)  # noqa: PTH105 - as in rename(2), the step that publishes
        _sync(self._directory)

    def sweep(self) -> None:
        """Removes the partial files of older sizes that a crash left behind."""
        current = {self._directory / path for tile in partial_tiles(self.size) for path in tile.paths}
        for folder in list(self._directory.rglob("*.p")):
            for path in list(folder.iterdir()):
                if path not in current:
                    self._remove(path)
            # a crash can come between a file and its folder
            with suppress(OSError):
                folder.rmdir()

    def _bundles(self, index: int, width: int) -> None:
        self._add(entries_path(index, width), pack_entries(self._leaves))
        self._add(evidence_path(index, width), pack_evidence(self._records))

    def _read_partial(self, tile: Tile | None) -> bytes:
        if tile is None:
            return b""
        path = hashes_path(tile.level, tile.index, tile.width)
        try:
            return (self._directory / path).read_bytes()
        except FileNotFoundError as error:
            raise LedgerError(f"{path} is missing under the published checkpoint") from error

    def _add(self, name: str, data: bytes) -> None:
        path = self._directory / name
        if self._is_there(path, data):
            return
        parent = path.parent
        if not parent.is_dir():
            parent.mkdir(parents=True, exist_ok=True)
            # each new directory is an entry in the one above it
            self._dirty.update(folder for folder in parent.parents if folder.is_relative_to(self._directory))
        temporary = self._temporary(data)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            self._is_there(path, data)
        temporary.unlink()
        self._dirty.add(parent)

    def _is_there(self, path: Path, data: bytes) -> bool:
        try:
            present = path.read_bytes()
        except FileNotFoundError:
            return False
        if present != data:
            raise LedgerError(f"{path} is there with other bytes")
        # perhaps linked just before a crash, and its directory not synced
        self._dirty.add(path.parent)
        return True

    def _temporary(self, data: bytes) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        path = self._scratch / "publishing"
        # removed, never truncated: after a crash it can be a second name of a published file
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return path

    def _sync_directories(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for folder in sorted(self._dirty, reverse=True):
            _sync(folder)
        self._dirty.clear()

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:
            return  # other partials are still in it


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
