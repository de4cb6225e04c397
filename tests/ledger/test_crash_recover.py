"""A database put back from a backup, and what the published log gives it back (DESIGN L7)."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import RecoveryError
from gateway.guard.storage import DatabaseClaims
from gateway.ledger.encoding import parse_canonical_json
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import verify_note
from gateway.ledger.record import unpack_record
from gateway.ledger.recover import Recovered, check_not_behind, recover
from gateway.ledger.recovered import ON_ITS_WAY, RecoveryFacts, read_recovery
from gateway.ledger.storage import Log
from gateway.ledger.storage.recovery import Recovery
from gateway.ledger.tiles import (
    WIDTH,
    Edge,
    entries_path,
    hashes_path,
    pack_evidence,
    unpack_entries,
    unpack_evidence,
)
from gateway.storage import migrate
from gateway.storage.copy import copy_database
from tests.ledger.conftest import Bench
from tests.ledger.crashing import end, files, sequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.ledger.leaf import Leaf
    from gateway.ledger.record import Record
    from tests.postgres.cluster import Cluster

_ROWS = (
    "SELECT exchange_id, kind, time, leaf, writer, counter, idx, record FROM records WHERE idx IS NOT NULL ORDER BY idx"
)
_WAITING = "SELECT leaf, record FROM records WHERE idx IS NULL"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """On SQLite: what of it is put back is a file."""
    made = Bench(tmp_path)
    yield made
    end(made)


@pytest.fixture
def grown(bench: Bench) -> Bench:
    """A log of 260 and some entries, its writers closed, and nobody running; a backup of its beginning beside it."""
    bench.begin()
    _exchanges(bench, 2)
    bench.exchange(bench.writer())  # a record that the backup holds without its place
    copy_database(bench.folder / "db.sqlite", bench.folder / "backup")
    _exchanges(bench, 256)
    return bench


def _exchanges(bench: Bench, count: int) -> None:
    records = bench.records()
    writer = bench.writer(records)
    drafts = [
        writer.draft("exchange", bench.randomness.uuid(), bench.clock.now(), b'{"kind":"exchange"}')
        for _ in range(count)
    ]
    records.add([writer.row(draft) for draft in drafts])
    for draft in drafts:
        writer.settled(draft)
    writer.close()
    sequence(bench, 2)
    end(bench)


def _put_back(bench: Bench) -> None:
    for name in ("db.sqlite", "db.sqlite-wal", "db.sqlite-shm"):
        (bench.folder / name).unlink(missing_ok=True)
    shutil.copy(bench.folder / "backup", bench.folder / "db.sqlite")


def _recovered(bench: Bench) -> Recovered:
    try:
        return recover(
            bench.directory, bench.key, Recovery(bench.database()), clock=bench.clock, randomness=bench.randomness
        )
    finally:
        end(bench)


def _rows(bench: Bench, query: str = _ROWS) -> list[Any]:
    with closing(sqlite3.connect(bench.folder / "db.sqlite")) as connection:
        return connection.execute(query).fetchall()


def test_a_restored_database_has_all_that_was_published_and_serves_on(grown: Bench) -> None:
    rows, published = _rows(grown), files(grown.directory)
    _put_back(grown)
    with pytest.raises(RecoveryError, match="database_behind"):
        grown.sequencer().start()
    end(grown)
    found = _recovered(grown)
    assert _rows(grown) == rows
    assert (found.size, found.before + found.added + found.found) == (len(rows), len(rows))
    assert found.found == 2  # with its writer's opening
    assert files(grown.directory) == published
    _exchanges(grown, 1)
    log = grown.whole_log()
    assert len(log) > found.size
    # a writer that nobody closed was closed as dead ones are
    assert len({leaf.writer for leaf, _ in log}) - 1 == len([leaf for leaf, _ in log if leaf.kind == "closing"])
    again = _recovered(grown)
    assert (again.added, again.found) == (0, 0)


def test_without_any_backup_the_ledger_comes_from_the_log_alone(grown: Bench) -> None:
    rows, objects = _rows(grown), _rows(grown, "SELECT sha256, bytes FROM objects ORDER BY sha256")
    (grown.folder / "db.sqlite").unlink()
    migrate(grown.url)
    assert _recovered(grown).added == len(rows)
    assert _rows(grown) == rows
    assert _rows(grown, "SELECT sha256, bytes FROM objects ORDER BY sha256") == objects
    _exchanges(grown, 1)
    assert len(grown.whole_log()) > len(rows)


def test_a_ledger_comes_from_the_log_on_a_server_too(grown: Bench, postgresql: Cluster) -> None:
    size = len(_rows(grown))
    served = Bench(grown.folder, postgresql.database(), period_keys=grown.period_keys)
    try:
        migrate(served.url)
        assert _recovered(served).added == size
        assert _recovered(served).added == 0
        served.exchange(served.writer())
        sequence(served, 2)
        assert len(served.whole_log()) > size
    finally:
        end(served)
        served.locks.close()
        postgresql.give_back(served.url)


def test_a_record_that_was_purged_from_the_log_is_purged_in_the_database(grown: Bench) -> None:
    bundle = grown.directory / "evidence" / "000"
    records: list[bytes | None] = list(unpack_evidence(bundle.read_bytes()))
    sealed = next(index for index, row in enumerate(_rows(grown)) if row[1] == 1)
    records[sealed] = None
    bundle.write_bytes(pack_evidence(records))
    _put_back(grown)
    with closing(sqlite3.connect(grown.folder / "db.sqlite")) as connection:
        held = connection.execute("SELECT count(*) FROM records WHERE idx = ?", (sealed,)).fetchone()[0]
    _recovered(grown)
    if not held:
        assert _rows(grown)[sealed][-1] is None
    assert len([row for row in _rows(grown) if row[-1] is None]) == (0 if held else 1)


def test_a_record_that_was_not_published_yet_is_kept_and_will_be(grown: Bench) -> None:
    _put_back(grown)
    writer = grown.writer()
    exchange = grown.exchange(writer)  # nobody may do so: but what was answered is not thrown away
    end(grown)
    found = _recovered(grown)
    assert found.waiting == 2  # with its writer's opening
    sequence(grown, 1)
    assert exchange in {leaf.exchange_id for leaf, _ in grown.whole_log()}


def test_a_database_that_served_after_it_was_put_back_is_refused(grown: Bench) -> None:
    before = files(grown.directory)
    shutil.move(grown.directory, grown.folder / "kept")
    _put_back(grown)
    _exchanges(grown, 3)
    shutil.rmtree(grown.directory)
    shutil.move(grown.folder / "kept", grown.directory)
    rows = _rows(grown)
    with pytest.raises(RecoveryError, match="recover_forked"):
        _recovered(grown)
    assert _rows(grown) == rows
    assert files(grown.directory) == before


def test_a_database_ahead_of_the_log_or_of_another_log_is_left_alone(grown: Bench, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(grown.directory, older)
    _exchanges(grown, 1)
    size = len(_rows(grown))
    shutil.rmtree(grown.directory)
    shutil.copytree(older, grown.directory)
    with pytest.raises(RecoveryError, match="recover_not_behind"):
        _recovered(grown)
    assert len(_rows(grown)) == size
    with closing(sqlite3.connect(grown.folder / "db.sqlite")) as connection:
        connection.execute("UPDATE log_state SET origin = 'another.log', size = 0")
        connection.commit()
    with pytest.raises(RecoveryError, match="recover_another_log"):
        _recovered(grown)
    assert len(_rows(grown)) == size


@pytest.mark.parametrize(
    "name",
    ["checkpoint", "tile/entries/000", "tile/0/000", "tile/0/001.p/*", "tile/1/000.p/1", "evidence/000", "objects/*"],
)
def test_a_log_that_is_not_intact_gives_nothing_back(grown: Bench, name: str) -> None:
    path = next(iter(grown.directory.glob(name)))
    content = path.read_bytes()
    # of the entries the last one's binding, which only the root shows: its record is sealed
    at = {"evidence/000": content.find(b"policy"), "tile/entries/000": len(content) - 1}.get(name, len(content) // 2)
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    _put_back(grown)
    rows = _rows(grown)
    with pytest.raises(RecoveryError, match="recover_log_broken"):
        _recovered(grown)
    assert _rows(grown) == rows
    path.unlink()
    with pytest.raises(RecoveryError, match="recover_no_log") if name == "checkpoint" else _broken_or_less(name):
        _recovered(grown)


def _broken_or_less(name: str) -> Any:
    return pytest.raises(RecoveryError, match="recover_log_broken") if "objects" not in name else _Passes()


class _Passes:
    """An object that is missing is not looked for here: the sequencer publishes what the database has of it."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_a_log_that_is_another_one_in_itself_gives_nothing_back(grown: Bench) -> None:
    """An entry and all hashes over it are changed alike: only the root that the log's key has signed tells."""
    width = len(_rows(grown)) - WIDTH
    names = ["tile/entries/000", entries_path(1, width)]
    first, second = ((grown.directory / name).read_bytes() for name in names)
    first = first[:-1] + bytes([first[-1] ^ 1])  # a sealed record's binding: what it binds, nobody here can open
    (grown.directory / names[0]).write_bytes(first)
    edge = Edge()
    full = [tile for leaf in unpack_entries(first) + unpack_entries(second) for tile in edge.append(leaf_hash(leaf))]
    for tile, hashes in chain(full, edge.partials()):
        (grown.directory / hashes_path(tile.level, tile.index, tile.width)).write_bytes(hashes)
    _put_back(grown)
    rows = _rows(grown)
    with pytest.raises(RecoveryError, match="recover_log_broken") as told:
        _recovered(grown)
    assert told.value.values == {"file": "checkpoint"}
    assert _rows(grown) == rows


def _recovery(bench: Bench) -> RecoveryFacts:
    """What the leaf says that a recovery leaves, and that has no place yet."""
    told = []
    for leaf, record in _rows(bench, _WAITING):
        said = parse_canonical_json(unpack_record(record).evidence) if unpack_leaf(leaf).kind == "policy" else {}
        if said.get("act") == "recovered":
            unpack_record(record).check_binding(unpack_leaf(leaf).binding)
            told.append(read_recovery(said["document"].encode()))
    (facts,) = told
    return facts


def _ended(log: list[tuple[Leaf, Record]]) -> set[str]:
    """The writers that closing leaves name."""
    return {parse_canonical_json(record.evidence)["writer"] for leaf, record in log if leaf.kind == "closing"}


def test_a_recovery_leaves_a_leaf_that_says_what_may_be_lost(grown: Bench) -> None:
    published = grown.whole_log()
    closed = _ended(published)
    checkpoint = verify_note((grown.directory / "checkpoint").read_bytes(), grown.key)
    _put_back(grown)
    writer = grown.writer()
    grown.exchange(writer)  # nobody may do so; its writer and the log's last one are open
    end(grown)
    before = Log(grown.database()).state().size
    _recovered(grown)
    facts = _recovery(grown)
    assert (facts.origin, facts.size, facts.root) == (grown.key.name, checkpoint.size, checkpoint.root.hex())
    assert (facts.database, facts.waiting) == (before, 2)
    newest = max(leaf.time for leaf, _ in published)
    assert (facts.since, facts.until) == (newest - ON_ITS_WAY, grown.clock.at)
    assert closed.isdisjoint(str(one.writer) for one in facts.writers)
    assert [(one.published, one.kept) for one in facts.writers if one.kept] == [(0, 2)]
    highest = {leaf.writer: leaf.counter for leaf, _ in published}
    assert all(one.published == highest[one.writer] + 1 for one in facts.writers if not one.kept)
    # it is sequenced as any other, and its writer closed
    sequence(grown, 2)
    log = grown.whole_log()
    (own,) = (leaf for leaf, record in log if b'"act":"recovered"' in record.evidence)
    assert own.time == facts.until
    assert {str(own.writer), *(str(one.writer) for one in facts.writers)} <= _ended(log)
    assert _recovered(grown).changed is False
    assert b'"act":"recovered"' not in b"".join(row[1] for row in _rows(grown, _WAITING))


def test_after_a_recovery_nothing_is_accepted_that_was_signed_before(grown: Bench) -> None:
    claims = DatabaseClaims(grown.database(), grown.clock)
    assert claims.lost_before() is None
    claims.refuse_earlier()
    now = grown.clock.now().replace(microsecond=0)
    assert claims.lost_before() == now
    assert DatabaseClaims(grown.database(), grown.clock).lost_before() == now


def test_whoever_starts_is_told_that_the_database_is_behind(grown: Bench) -> None:
    size = Log(grown.database()).state().size
    check_not_behind(grown.directory, grown.key, lambda: size)
    with pytest.raises(RecoveryError, match="database_behind") as told:
        check_not_behind(grown.directory, grown.key, lambda: size - 1)
    assert told.value.values == {"database": size - 1, "published": size}
    check_not_behind(grown.folder / "nowhere", grown.key, lambda: 0)
