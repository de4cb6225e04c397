"""What a party keeps of a batch beside its file, so that it can be taken up again after a kill -9; no NIREC in it.

    FILE.resultats.csv     line, reference, outcome, handle, exchange: in the file's order, so their number says how far
    FILE.rejets.csv        the records that could not be asked about, as they stood, each with its line and reason
    FILE.lot/lot.json      the batch: its id, how many records, the commitment
    FILE.lot/cle           a random key: without it neither commitment nor receipts say anything of the file
    FILE.lot/recus.jsonl   a receipt per answer
    FILE.lot/pause         somebody asks that it stop

All are for the party's eyes only (0600). Rows reach the files in groups: what a kill takes with it, the gateway has,
and gives again without asking the registry.
"""

from __future__ import annotations

import csv
import fcntl
import hmac
import io
import json
import os
import threading
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import IO, TYPE_CHECKING
from uuid import UUID

from certs.files import UnsafeFileError, read_private, write_private
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from gateway.client.batch_file import FileRecord, Reject

_VERSION = 1
_KEY_BYTES = 32
_FLUSH_SECONDS = 0.25
_SALT_BYTES = 16
_UUID_BYTES = 16
RESULTS_HEADER = ("ligne", "reference", "issue", "identifiant", "echange")
_REJECTS_HEADER = ("ligne", "raison", "reason", "enregistrement")
#: The outcome of a record that the gateway itself refused: it stands among the rejects as well.
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch as its party has opened it."""

    batch: str
    records: int
    rejected: int
    commitment: str
    per_second: int
    v: int = _VERSION


@dataclass(frozen=True, slots=True)
class Row:
    """One record's result; ``receipt`` is its line of recus.jsonl, None where there is no answer."""

    line: int
    reference: str
    outcome: str
    handle: str
    exchange: str
    receipt: str | None


class Journal:
    """The files of one batch."""

    def __init__(self, file: Path, monotonic: Callable[[], float]) -> None:
        self.file = file
        self.folder = file.with_name(f"{file.name}.lot")
        self.results = file.with_name(f"{file.name}.resultats.csv")
        self.rejects = file.with_name(f"{file.name}.rejets.csv")
        self.receipts = self.folder / "recus.jsonl"
        self._pause = self.folder / "pause"
        self._monotonic = monotonic

    def state(self) -> BatchState | None:
        """What was opened; None where nothing was. Raises ConfigurationError for what cannot be read."""
        path = self.folder / "lot.json"
        try:
            return BatchState(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
        except (ValueError, TypeError):
            raise ConfigurationError("batch_journal", path=path) from None

    def key(self, make: Callable[[int], bytes] | None = None) -> bytes:
        """The batch's key, 32 bytes; made where there is none and ``make`` is given.

        Raises ConfigurationError where it cannot be read, or others may.
        """
        path = self.folder / "cle"
        if make is not None and not path.exists():
            write_private(path, make(_KEY_BYTES).hex().encode())
        try:
            return bytes.fromhex(read_private(path).decode())
        except (OSError, UnsafeFileError, ValueError):
            raise ConfigurationError("batch_journal", path=path) from None

    def begin(self, state: BatchState) -> None:
        """Notes the batch, durably: from now on there is one to take up."""
        temporary = self.folder / "lot.json.new"
        temporary.unlink(missing_ok=True)
        write_private(temporary, json.dumps(asdict(state)).encode())
        _sync(temporary)
        temporary.replace(self.folder / "lot.json")
        _sync(self.folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the batch for this process; raises ConfigurationError where another one has it."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with _append(self.folder / "verrou") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigurationError("batch_in_hand", path=self.file) from None
            self._pause.unlink(missing_ok=True)
            yield

    def in_hand(self) -> bool:
        """Whether a process works at it now."""
        try:
            with (self.folder / "verrou").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def ask_pause(self) -> None:
        """Asks whoever works at it to stop."""
        self._pause.touch(mode=0o600)

    def pause_asked(self) -> bool:
        """Whether somebody asks that it stop."""
        return self._pause.exists()

    def write_rejects(self, rejects: Iterable[tuple[Reject, str, str]]) -> None:
        """The rejects of the file, each with its reason in both languages, in place of what was there."""
        self.rejects.unlink(missing_ok=True)
        with _append(self.rejects) as file:
            writer = csv.writer(file)
            writer.writerow(_REJECTS_HEADER)
            writer.writerows((one.line, french, english, one.text) for one, french, english in rejects)

    def counts(self) -> dict[str, int]:
        """How many results there are by outcome; a torn last row, as a kill leaves it, does not count."""
        found: dict[str, int] = {}
        for row in _rows(self.results):
            found[row[2]] = found.get(row[2], 0) + 1
        return found

    def mend(self) -> None:
        """Takes out what a kill left half written."""
        for path in (self.results, self.receipts, self.rejects):
            _mend(path)

    @contextmanager
    def writer(self, first: int) -> Iterator[JournalWriter]:
        """Writes results from the ``first`` record on, counted from 0; what is in order is kept when the block ends."""
        fresh = not self.results.exists()
        with _append(self.results) as results, _append(self.receipts) as receipts, _append(self.rejects) as rejects:
            if fresh:
                csv.writer(results).writerow(RESULTS_HEADER)
            writer = JournalWriter((results, receipts, rejects), first, self._monotonic)
            try:
                yield writer
            finally:
                writer.flush(sync=True)


class JournalWriter:
    """Puts results in the file's order, whoever is first; ``place`` is how many are written, of all runs together."""

    def __init__(self, files: tuple[IO[str], IO[str], IO[str]], first: int, monotonic: Callable[[], float]) -> None:
        self._results, self._receipts, self._rejects = files
        self.place = first
        self._monotonic = monotonic
        self._waiting: dict[int, tuple[Row, tuple[str, str, str] | None]] = {}
        self._lock = threading.Lock()
        self._flushed = monotonic()

    def add(self, place: int, row: Row, reject: tuple[str, str, str] | None = None) -> int:
        """A record's result; gives how many rows could be written now.

        ``reject``: why the gateway refused it, in both languages, and the record as it stands in the file.
        """
        with self._lock:
            self._waiting[place] = (row, reject)
            written = 0
            while (found := self._waiting.pop(self.place, None)) is not None:
                self._write(*found)
                self.place += 1
                written += 1
            if self._monotonic() - self._flushed > _FLUSH_SECONDS:
                self._flush(sync=False)
        return written

    def flush(self, *, sync: bool) -> None:
        """Brings what was written to the files; with ``sync``, to the disk."""
        with self._lock:
            self._flush(sync=sync)

    def _write(self, row: Row, reject: tuple[str, str, str] | None) -> None:
        if reject is not None:
            csv.writer(self._rejects).writerow((row.line, *reject))
        if row.receipt is not None:
            self._receipts.write(row.receipt + "\n")
        csv.writer(self._results).writerow((row.line, row.reference, row.outcome, row.handle, row.exchange))

    def _flush(self, *, sync: bool) -> None:
        # the results last: they say how far it is
        for file in (self._rejects, self._receipts, self._results):
            file.flush()
            if sync:
                os.fsync(file.fileno())
        self._flushed = self._monotonic()


def opening_key(key: bytes, code: str, rejected: int) -> str:
    """The Idempotency-Key under which a file's batch is opened: of its commitment, which tells the records' number."""
    digest = hmac.digest(key, f"open {code} {rejected}".encode(), sha256)
    return str(UUID(bytes=digest[:_UUID_BYTES], version=4))


def commitment(key: bytes, records: Iterable[FileRecord]) -> tuple[str, int]:
    """HMAC-SHA-256 (hex) of the records in their order, and how many they are; one at a time in memory."""
    code, count = hmac.new(key, digestmod=sha256), 0
    for record in records:
        code.update(record.canonical())
        count += 1
    return code.hexdigest(), count


def salt(key: bytes, line: int, drawn: bytes) -> str:
    """A record's salt, base64: with the key, the file and ``drawn`` (in the receipt) the request can be made again.

    So the receipt proves what was asked, to whoever has the file, and holds nothing that would lead to it.
    """
    code = hmac.digest(key, b"salt\0" + line.to_bytes(8) + drawn, sha256)
    return b64encode(code[:_SALT_BYTES]).decode()


def _append(path: Path) -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8", newline="")


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            whole = (line for line in file if line.endswith("\n"))
            next(whole, None)
            for line in whole:
                yield next(csv.reader(io.StringIO(line)))
    except FileNotFoundError:
        return


def _mend(path: Path) -> None:
    try:
        with path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            at = end
            while at and (back := min(at, 65536)):
                file.seek(at - back)
                newline = file.read(back).rfind(b"\n")
                if newline >= 0:
                    at = at - back + newline + 1
                    break
                at -= back
            file.truncate(at)
    except FileNotFoundError:
        return


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
