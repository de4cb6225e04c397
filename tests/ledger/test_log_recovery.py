from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import LedgerError, NotRecordedError
from gateway.ledger.publish import Publisher
from gateway.ledger.storage import Log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ledger.record import Record

    from .conftest import Bench

    EvidenceOf = Callable[[Record], dict[str, Any]]


class CrashingPublisher(Publisher):
    """Dies at the named step, as the process would."""

    def __init__(self, bench: Bench, at: str, after: int) -> None:
        super().__init__(bench.directory, bench.folder / "log.tmp")
        self.at, self.left = at, after

    def _crash(self, step: str) -> None:
        if step == self.at:
            self.left -= 1
            if self.left < 0:
                raise OSError("crash")

    def _add(self, name: str, data: bytes) -> None:
        self._crash("add")
        super()._add(name, data)

    def _temporary(self, data: bytes) -> Path:
        path = super()._temporary(data)
        self._crash("temporary")
        return path

    def _sync_directories(self) -> None:
        super()._sync_directories()
        self._crash("sync")

    def _remove(self, path: Path) -> None:
        self._crash("remove")
        super()._remove(path)


CRASHES = [("add", 0), ("add", 1), ("add", 2), ("temporary", 0), ("temporary", 2), ("temporary", 3), ("sync", 0)]


@pytest.mark.parametrize(("at", "after"), [*CRASHES, ("remove", 0), ("remove", 2)])
def test_after_a_crash_while_publishing_the_next_start_completes_the_log(bench: Bench, at: str, after: int) -> None:
    bench.begin()
    writer = bench.writer()
    bench.exchange(writer)
    first = bench.sequencer()
    first.start()
    first.step()
    before = (bench.directory / "checkpoint").read_bytes()
    size = len(bench.whole_log())
    crashing = bench.sequencer(CrashingPublisher(bench, at, after))
    crashing.start()
    bench.exchange(writer)
    with pytest.raises(OSError, match="crash"):
        crashing.step()
    if at != "remove":
        assert (bench.directory / "checkpoint").read_bytes() == before
    with pytest.raises(LedgerError, match="start again"):
        crashing.step()
    bench.sequencer().start()
    assert len(bench.whole_log()) > size


def test_nothing_is_signed_twice_at_one_size_when_signing_fails(bench: Bench) -> None:
    bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()

    def fail(key_id: str, data: bytes) -> bytes:
        raise OSError("no key")

    sequencer._keystore = type("Broken", (), {"sign": staticmethod(fail)})()
    with pytest.raises(OSError, match="no key"):
        sequencer.step()
    assert Log(bench.database()).state().size == 0
    again = bench.sequencer()
    again.start()
    again.step()
    assert bench.whole_log()[0][0].kind == "genesis"


@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)
def test_database_behind_the_published_checkpoint_is_refused(bench: Bench) -> None:
    bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    _dispose(bench)
    shutil.copy(bench.folder / "db.sqlite", bench.folder / "backup")
    writer = bench.writer()
    bench.exchange(writer)
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    _dispose(bench)
    shutil.copy(bench.folder / "backup", bench.folder / "db.sqlite")
    for name in ("db.sqlite-wal", "db.sqlite-shm"):
        (bench.folder / name).unlink(missing_ok=True)
    with pytest.raises(LedgerError, match="database_behind"):
        bench.sequencer().start()


@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)
def test_a_restored_database_that_grew_again_is_refused(bench: Bench) -> None:
    bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    _dispose(bench)
    shutil.copytree(bench.folder, bench.folder.parent / "fork")
    fork = type(bench)(bench.folder.parent / "fork", period_keys=bench.period_keys)
    for one in (bench, fork):
        writer = one.writer()
        bench.exchange(writer)
        one.exchange(writer)
        sequencer = one.sequencer()
        sequencer.start()
        sequencer.step()
        _dispose(one)
    shutil.rmtree(bench.directory)
    shutil.copytree(fork.directory, bench.directory)
    with pytest.raises(LedgerError, match="not those of the published tile"):
        bench.sequencer().start()


def test_a_lost_directory_is_written_again_as_it_was(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    for _ in range(3):
        bench.exchange(writer)
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    before = {path: path.read_bytes() for path in bench.directory.rglob("*") if path.is_file()}
    shutil.rmtree(bench.directory)
    bench.sequencer().start()
    assert {path: path.read_bytes() for path in bench.directory.rglob("*") if path.is_file()} == before


def test_a_published_file_that_differs_is_fatal(bench: Bench) -> None:
    bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()
    (bench.directory / "tile" / "0" / "000.p").mkdir(parents=True)
    for width in range(1, 4):
        (bench.directory / "tile" / "0" / "000.p" / str(width)).write_bytes(b"junk")
    with pytest.raises(LedgerError, match="other bytes"):
        sequencer.step()


def test_a_dead_writer_is_closed_with_what_it_left(bench: Bench, evidence: EvidenceOf) -> None:
    bench.begin()
    writer = bench.writer()
    bench.exchange(writer)
    lost = writer.draft("exchange", uuid.uuid4(), bench.clock.now(), b"{}")
    bench.exchange(writer)
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    closed = [evidence(record) for leaf, record in bench.whole_log() if leaf.kind == "closing"]
    assert str(lost.life.writer) not in {one["writer"] for one in closed}  # alive: its lock is held
    lost.life.lock.release()  # what the kernel does for a killed process
    sequencer.step()
    sequencer.step()
    closed = [evidence(record) for leaf, record in bench.whole_log() if leaf.kind == "closing"]
    assert {"v": 1, "kind": "closing", "writer": str(lost.life.writer), "highest": 3, "missing": [2]} in closed
    with pytest.raises(NotRecordedError):
        writer.commit(lost)
    bench.exchange(writer)  # a new life
    sequencer.step()
    assert len([leaf for leaf, _ in bench.whole_log() if leaf.kind == "opening"]) == 2


def test_a_writer_without_leaves_is_closed_without_leaf(bench: Bench) -> None:
    bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    sequencer.step()
    size = Log(bench.database()).state().size
    idle = bench.writer(seals=False)
    idle.open(bench.clock.now())
    idle.close()
    assert len(Log(bench.database()).open_writers()) == 2
    sequencer.step()
    assert len(Log(bench.database()).open_writers()) == 1
    assert Log(bench.database()).state().size == size


def test_another_sequencer_is_found_out(bench: Bench) -> None:
    bench.begin()
    one, other = bench.sequencer(), bench.sequencer()
    one.start()
    other.start()
    one.step()
    bench.exchange(bench.writer())
    with pytest.raises(LedgerError, match="another sequencer"):
        other.step()


def _dispose(bench: Bench) -> None:
    for writer in bench.writers:
        writer.close()
    for database in bench.databases:
        database.dispose()
    bench.writers.clear()
    bench.databases.clear()


def test_a_folder_that_a_crash_left_empty_goes(bench: Bench) -> None:
    """Between the last partial file and its folder, or between a new folder and its first file."""
    bench.begin()
    writer = bench.writer()
    bench.exchange(writer)
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    empty = bench.directory / "tile" / "0" / "001.p"
    empty.mkdir()
    bench.sequencer().start()
    assert not empty.exists()
    assert list((bench.directory / "tile" / "0" / "000.p").iterdir())
