"""A worker and a sequencer that can be struck at any operation: what a crash, a full disk or a lost answer leaves.

As a program (`python -m tests.ledger.crashing TEMPLATE WORK EVERY`) it lets children run into kill -9, each at another
operation.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

import pytest

from gateway.errors import NotRecordedError, PasserelleError
from gateway.ledger.encoding import parse_canonical_json
from tests.ledger.conftest import Bench, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.ledger.leaf import Leaf
    from gateway.ledger.record import Record
    from gateway.ledger.writer import Writer

_FILE_CALLS = ("fsync", "link", "replace", "unlink", "mkdir", "rmdir")
#: So many leaves before anything is struck: the scenario fills the first tile and begins the second.
BEFORE = 253


@dataclass
class Operations:
    """The operations of one run, counted; ``strike`` is called at the one that is to fail, with what would do it."""

    at: int = -1
    strike: Callable[[Callable[[], Any]], Any] = lambda act: act()
    done: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, kind: str, what: object, act: Callable[[], Any]) -> Any:
        number = len(self.done)
        self.done.append((kind, str(what)))
        return self.strike(act) if number == self.at else act()


def full(_act: Callable[[], Any]) -> Any:
    """The disk takes nothing more at this moment."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def broken(_act: Callable[[], Any]) -> Any:
    """The database does not do it, and says so."""
    raise sqlite3.OperationalError("disk I/O error")


def unknown(act: Callable[[], Any]) -> Any:
    """The database does it, and says that it did not."""
    act()
    raise sqlite3.OperationalError("disk I/O error")


def kill(_act: Callable[[], Any]) -> Any:
    """The process is no more."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def watched(operations: Operations) -> Iterator[None]:
    """Every file operation that changes something, and everything that is asked of the database, goes through here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _FILE_CALLS:
            patch.setattr(os, name, _through(operations, name, getattr(os, name)))
        patch.setattr(os, "open", _opening(operations, os.open))
        patch.setattr(io, "open", _writing(operations, io.open))
        connect = sqlite3.connect
        factory = _connections(operations)
        for module in (sqlite3, sqlite3.dbapi2):
            patch.setattr(module, "connect", lambda *given, **how: connect(*given, **how, factory=factory))
        yield


def _through(operations: Operations, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def through(*given: Any, **how: Any) -> Any:
        if name == "fsync":
            what = str(Path(f"/proc/self/fd/{given[0]}").readlink())
        else:
            # of a link and of a replacement the new name, which comes last
            what = str(next(each for each in reversed(given) if isinstance(each, str | os.PathLike)))
        if _is_nothing(name, what):
            return call(*given, **how)
        return operations(name, what, lambda: call(*given, **how))

    return through


def _is_nothing(name: str, what: str) -> bool:
    """What would change nothing, and is asked for again and again."""
    if name == "rmdir":
        return any(Path(what).iterdir())
    return (name == "mkdir" and Path(what).is_dir()) or (name == "unlink" and not Path(what).exists())


def _opening(operations: Operations, call: Callable[..., int]) -> Callable[..., int]:
    def opening(path: Any, flags: int, *more: Any, **how: Any) -> int:
        if not flags & os.O_CREAT:
            return call(path, flags, *more, **how)
        return int(operations("open", path, lambda: call(path, flags, *more, **how)))

    return opening


def _writing(operations: Operations, call: Callable[..., Any]) -> Callable[..., Any]:
    def opened(path: Any, mode: str = "r", *more: Any, **how: Any) -> Any:
        if "x" not in mode and "w" not in mode:
            return call(path, mode, *more, **how)
        file = operations("open", path, lambda: call(path, mode, *more, **how))
        write = file.write

        def writing(data: bytes) -> Any:
            write(data[: len(data) // 2])
            file.flush()  # half of it is there when the rest cannot be
            return operations("write", path, lambda: write(data[len(data) // 2 :]))

        wrapped = io.BytesIO() if file is None else file
        return _Written(wrapped, writing)

    return opened


class _Written:
    """A file whose writes are an operation."""

    def __init__(self, file: Any, write: Callable[[bytes], Any]) -> None:
        self._file = file
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _connections(operations: Operations) -> type[sqlite3.Connection]:
    class WatchedCursor(sqlite3.Cursor):
        def execute(self, statement: str, *more: Any) -> Any:
            # a statement outside a transaction is a commit too
            writes = not statement.startswith(("BEGIN", "SELECT", "PRAGMA"))
            kind = "commit" if writes and not self.connection.in_transaction else "execute"
            if statement == "BEGIN" or statement.startswith("PRAGMA"):
                return super().execute(statement, *more)
            return operations(kind, statement[:60], lambda: super(WatchedCursor, self).execute(statement, *more))

        def executemany(self, statement: str, *more: Any) -> Any:
            act = lambda: super(WatchedCursor, self).executemany(statement, *more)  # noqa: E731  as in ``execute``
            return operations("execute", statement[:60], act)

    class WatchedConnection(sqlite3.Connection):
        _changes = 0

        def cursor(self, *_: Any) -> Any:
            return super().cursor(WatchedCursor)

        def execute(self, *given: Any) -> Any:
            return self.cursor().execute(*given)

        def commit(self) -> None:
            before, self._changes = self._changes, self.total_changes
            if before == self._changes:
                super().commit()  # of a transaction that has only read
            else:
                operations("commit", "COMMIT", super().commit)

    return WatchedConnection


# what is struck -------------------------------------------------------------------------------------------------------


class Moments:
    """A stop that is set after so many of a sequencer's steps; nobody waits."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def set(self) -> None:
        self._left = 0

    def is_set(self) -> bool:
        return self._left <= 0

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  nobody waits
        self._left -= 1
        return self.is_set()


class Repeated(SystemRandomness):
    """Ids that are the same in each run: by them the sequencer goes, and so the order of its operations."""

    def __init__(self) -> None:
        self._count = 0

    def uuid(self) -> UUID:
        self._count += 1
        return UUID(bytes=sha256(b"run %d" % self._count).digest()[:16], version=4)


def prepare(folder: Path) -> Bench:
    """A log of BEFORE leaves, published, nobody running; its period key is its own."""
    folder.mkdir()
    bench = Bench(folder)
    bench.begin()
    records = bench.records()
    writer = bench.writer(records)
    drafts = [writer.draft("exchange", uuid4(), bench.clock.now(), b'{"kind":"exchange"}') for _ in range(BEFORE - 3)]
    records.add([writer.row(draft) for draft in drafts])
    for draft in drafts:
        writer.settled(draft)
    sequence(bench, 1)
    end(bench)
    return bench


def twin(bench: Bench, folder: Path) -> Bench:
    """The same log in another folder, with the same keys."""
    shutil.copytree(bench.folder, folder)
    return Bench(folder, randomness=Repeated(), period_keys=bench.period_keys)


def run(bench: Bench, answered: Callable[[str], object], refused: Callable[[str], object]) -> None:
    """A worker and a sequencer, then another worker when the first has ended; each goes on after what strikes it.

    Whatever a caller would have been answered is told to ``answered`` at that moment, and what was said to be not
    recorded to ``refused``.
    """
    certificate = b"a certificate"
    bench.objects[sha256(certificate).hexdigest()] = certificate
    first = _worker(bench)
    _exchange(bench, first, answered, refused, objects=frozenset(bench.objects))
    _exchange(bench, first, answered, refused)
    sequence(bench, 1)
    first.close()
    _exchange(bench, _worker(bench), answered, refused)
    sequence(bench, 1)


def _worker(bench: Bench) -> Writer:
    """A worker's process, and another if it cannot begin."""
    try:
        return bench.writer()
    except OSError as error:
        bench.alarms.append(error)
        return bench.writer()


def sequence(bench: Bench, steps: int) -> None:
    """A sequencer's process, and another if it ends with an error, as a supervisor starts it."""
    for _ in range(3):
        try:
            bench.sequencer().run(Moments(steps))
        except (PasserelleError, OSError) as error:
            bench.alarms.append(error)
        else:
            return


def _exchange(
    bench: Bench,
    writer: Writer,
    answered: Callable[[str], object],
    refused: Callable[[str], object],
    objects: frozenset[str] = frozenset(),
) -> None:
    exchange = bench.randomness.uuid()
    try:
        draft = writer.draft("exchange", exchange, bench.clock.now(), b'{"kind":"exchange"}')
        writer.commit(draft, party="ministry", answer_base=b"base", answer_signature=b"signature", objects=objects)
    except NotRecordedError:
        refused(str(exchange))
    else:
        answered(f"{exchange} {draft.leaf_hash.hex()}")


def end(bench: Bench) -> None:
    """The processes have ended: the kernel has let go of what was theirs."""
    for writer in bench.writers:
        writer.close()
    for database in bench.databases:
        database.dispose()
    bench.writers.clear()
    bench.databases.clear()


# the reckoning --------------------------------------------------------------------------------------------------------


def reckon(bench: Bench, answered: list[str], refused: list[str]) -> list[tuple[Leaf, Record]]:
    """Fresh processes begin from the disk: what was answered is there once, what was refused is not, all else holds."""
    end(bench)
    bench.randomness = SystemRandomness()
    sequence(bench, 2)
    log = bench.whole_log()
    found = Counter(str(leaf.exchange_id) for leaf, _ in log)
    hashes = {f"{leaf.exchange_id} {_hash(leaf)}" for leaf, _ in log}
    assert not [name for name, count in found.items() if count > 1]
    assert set(answered) <= hashes, "answered, and not in the log"
    assert not set(refused) & found.keys(), "told not_recorded, and recorded"
    _every_counter_is_there_or_named(log)
    assert [path.name for path in bench.folder.glob("log.tmp/*")] == ["lock"]
    return log


def begins_again(bench: Bench) -> None:
    """Another start adds the former sequencer's closing leaf, and publishes nothing different."""
    before = files(bench.directory)
    end(bench)
    sequence(bench, 1)
    again = files(bench.directory)
    bench.whole_log()
    assert not [name for name in before.keys() & again.keys() if name != "checkpoint" and before[name] != again[name]]


def _hash(leaf: Leaf) -> str:
    return sha256(b"\x00" + leaf.pack()).hexdigest()


def _every_counter_is_there_or_named(log: list[tuple[Leaf, Record]]) -> None:
    counters: dict[UUID, set[int]] = {}
    named: dict[str, set[int]] = {}
    for leaf, record in log:
        counters.setdefault(leaf.writer, set()).add(leaf.counter)
        if leaf.kind == "closing":
            said = parse_canonical_json(record.evidence)
            named[said["writer"]] = set(said["missing"])
    for writer, present in counters.items():
        assert set(range(max(present) + 1)) - present == named.get(str(writer), set())


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# kill -9 at each operation, by a program of one thread --------------------------------------------------------------


def main(template: Path, work: Path, every: int) -> None:
    given = json.loads(sys.stdin.read()).items()
    keys = {int(period): (bytes.fromhex(private), bytes.fromhex(public)) for period, (private, public) in given}
    bench = Bench(template, period_keys=keys)
    killed, number = True, 0
    while killed:
        folder = work / str(number)
        copy = twin(bench, folder)
        child = os.fork()
        if not child:
            with (folder / "told").open("ab", buffering=0) as told, watched(Operations(number, kill)):
                run(copy, *(lambda text, sort=sort: told.write(f"{sort} {text}\n".encode()) for sort in "+-"))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and os.waitstatus_to_exitcode(status):
            raise SystemExit(1)
        number += every
    sys.stdout.write(f"{number - every}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
