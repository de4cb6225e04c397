"""Records leave the database once the directory holds them for good, and never before (L6)."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.errors import LedgerError
from gateway.ledger.purge import BUNDLES, Purge
from gateway.ledger.reader import LogReader
from gateway.ledger.storage import Log, Purging
from gateway.ledger.tiles import WIDTH, evidence_path, pack_evidence, unpack_evidence

if TYPE_CHECKING:
    from .conftest import Bench

DAY = timedelta(hours=24)


def fill(bench: Bench, count: int) -> None:
    """So many sealed records of one writer, in few commits; then sequenced and published."""
    records = bench.records()
    writer = bench.writer(records)
    drafts = [writer.draft("exchange", bench.randomness.uuid(), bench.clock.now(), b"{}") for _ in range(count)]
    assert records.add([writer.row(draft, answer_base=b"base") for draft in drafts]) == [None] * count
    for draft in drafts:
        writer.settled(draft)
    publish(bench)


def publish(bench: Bench) -> None:
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()


def purge(bench: Bench, after: timedelta = DAY) -> Purge:
    return Purge(Purging(bench.database()), bench.directory, LogReader(bench.directory, bench.key), after)


def empty(bench: Bench, size: int) -> list[int]:
    """The indices of the rows without a record."""
    return [row.index for row in Log(bench.database()).rows(0, size) if row.record is None and row.index is not None]


def test_what_is_full_published_and_a_day_old_leaves_the_database_and_nothing_else(bench: Bench) -> None:
    bench.begin()
    fill(bench, 2 * WIDTH + 10)
    size = len(bench.whole_log())
    pace = purge(bench)
    assert pace.step(bench.clock.now() + DAY - timedelta(minutes=1)) == 0
    assert empty(bench, size) == []
    # genesis and opening are plain, and the last bundle is not full
    assert pace.step(bench.clock.now() + DAY) == 2 * WIDTH - 2
    assert empty(bench, size) == list(range(2, 2 * WIDTH))
    assert pace.step(bench.clock.now() + DAY) == 0
    fill(bench, WIDTH)
    assert len(bench.whole_log()) == size + WIDTH + 1
    assert pace.step(bench.clock.now() + 2 * DAY) > 0
    assert len(bench.whole_log()) == size + WIDTH + 1


def test_a_step_is_short(bench: Bench) -> None:
    bench.begin()
    fill(bench, (BUNDLES + 1) * WIDTH)
    later = bench.clock.now() + DAY
    pace = purge(bench)
    assert pace.step(later) == BUNDLES * WIDTH - 2
    assert pace.step(later) == WIDTH
    assert purge(bench).step(later) == 0


def test_without_an_age_everything_stays(bench: Bench) -> None:
    bench.begin()
    fill(bench, WIDTH)
    assert purge(bench, timedelta()).step(bench.clock.now() + 365 * DAY) == 0
    assert empty(bench, WIDTH) == []


@pytest.mark.parametrize("spoil", ["changed", "gone", "cut", "without_a_record"])
def test_what_the_directory_does_not_hold_stays(bench: Bench, spoil: str) -> None:
    bench.begin()
    fill(bench, WIDTH)
    path = bench.directory / evidence_path(0)
    records = unpack_evidence(path.read_bytes())
    if spoil == "gone":
        path.unlink()
    elif spoil == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        records[77] = b"" if spoil == "without_a_record" else records[77][:-1] + bytes([records[77][-1] ^ 1])
        path.write_bytes(pack_evidence(records))
    with pytest.raises(LedgerError, match="nothing of it is purged"):
        purge(bench).step(bench.clock.now() + DAY)
    assert empty(bench, WIDTH) == []


def test_a_damaged_bundle_keeps_its_records_and_stops_no_other_and_goes_once_it_is_mended(bench: Bench) -> None:
    bench.begin()
    fill(bench, 3 * WIDTH)
    later, pace, path = bench.clock.now() + DAY, purge(bench), bench.directory / evidence_path(1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    for _ in range(2):
        with pytest.raises(LedgerError, match="evidence/001"):
            pace.step(later)
        assert empty(bench, 3 * WIDTH) == [*range(2, WIDTH), *range(2 * WIDTH, 3 * WIDTH)]
    path.write_bytes(whole)
    assert pace.step(later) == WIDTH
    assert empty(bench, 3 * WIDTH) == list(range(2, 3 * WIDTH))


def test_a_directory_put_back_behind_the_purge_is_not_published_without_its_records(bench: Bench) -> None:
    bench.begin()
    publish(bench)
    old = shutil.copytree(bench.directory, bench.folder / "old")
    fill(bench, WIDTH)
    good = shutil.copytree(bench.directory, bench.folder / "good")
    purge(bench).step(bench.clock.now() + DAY)
    shutil.rmtree(bench.directory)
    shutil.copytree(old, bench.directory)
    with pytest.raises(LedgerError, match="put the log's directory back"):
        bench.sequencer().start()
    shutil.rmtree(bench.directory)
    shutil.copytree(good, bench.directory)
    publish(bench)
    assert len(bench.whole_log()) > WIDTH + 2
