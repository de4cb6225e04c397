"""Sealed records are destroyed in files and rows, whole bundles at a time; everything else stays as it was (L9)."""

from __future__ import annotations

import fcntl
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.errors import LedgerError, StorageUnavailableError
from gateway.ledger.destruction_files import Destroyer, remaining
from gateway.ledger.leaf import SEALED_KINDS, unpack_leaf
from gateway.ledger.storage import Log, Purging
from gateway.ledger.tiles import WIDTH, entries_path, evidence_path, unpack_entries, unpack_evidence
from tests.ledger.test_purge import fill, publish

if TYPE_CHECKING:
    from collections.abc import Collection

    from .conftest import Bench

NOVEMBER, DECEMBER = 202611, 202612


@pytest.fixture
def two_months(bench: Bench) -> Bench:
    """Three full bundles: November, both, December."""
    bench.begin()
    fill(bench, WIDTH + 100)
    bench.clock.at += timedelta(days=20)
    fill(bench, 2 * WIDTH)
    return bench


def destroyer(bench: Bench) -> Destroyer:
    return Destroyer(bench.directory, bench.folder / "log.tmp", Purging(bench.database()))


def gone(bench: Bench) -> set[int]:
    """The places in the first three bundles that hold no record; files and rows say the same."""
    found = set()
    for index in range(3):
        records = unpack_evidence((bench.directory / evidence_path(index)).read_bytes())
        assert len(records) == WIDTH
        found |= {index * WIDTH + at for at, record in enumerate(records) if not record}
    rows = Log(bench.database()).rows(0, 3 * WIDTH)
    assert {row.index for row in rows if row.record is None} == found
    return found


def sealed_of(bench: Bench, period: int) -> set[int]:
    leaves = [
        unpack_leaf(leaf)
        for index in range(3)
        for leaf in unpack_entries((bench.directory / entries_path(index)).read_bytes())
    ]
    return {at for at, leaf in enumerate(leaves) if leaf.period == period and leaf.kind in SEALED_KINDS}


def files(bench: Bench) -> dict[str, bytes]:
    """All of the directory but the evidence."""
    return {
        str(path.relative_to(bench.directory)): path.read_bytes()
        for path in bench.directory.rglob("*")
        if path.is_file() and "evidence" not in path.parts
    }


def test_a_period_goes_and_nothing_else(two_months: Bench) -> None:
    before = files(two_months)
    november = sealed_of(two_months, NOVEMBER)
    assert len(november) == WIDTH + 100
    assert remaining(two_months.directory, NOVEMBER, 0, 2 * WIDTH) == len(november)
    assert destroyer(two_months).destroy(NOVEMBER, 0, 2 * WIDTH) == len(november)
    assert gone(two_months) == november
    assert remaining(two_months.directory, NOVEMBER, 0, 2 * WIDTH) == 0
    assert remaining(two_months.directory, DECEMBER, 0, 3 * WIDTH) > 0
    assert files(two_months) == before
    assert destroyer(two_months).destroy(NOVEMBER, 0, 2 * WIDTH) == 0
    publish(two_months)
    assert gone(two_months) == november


def test_only_the_bundles_that_are_named(two_months: Bench) -> None:
    destroyer(two_months).destroy(NOVEMBER, 0, WIDTH)
    assert gone(two_months) == {at for at in sealed_of(two_months, NOVEMBER) if at < WIDTH}
    destroyer(two_months).destroy(DECEMBER, 0, WIDTH)
    assert gone(two_months) == {at for at in sealed_of(two_months, NOVEMBER) if at < WIDTH}


class Failing(Purging):
    """A database that goes away at the second bundle."""

    calls = 0

    def forget(self, indices: Collection[int]) -> int:
        self.calls += 1
        if self.calls == 2:
            raise StorageUnavailableError("gone")
        return super().forget(indices)


def test_another_node_waits_while_one_is_at_a_bundle(two_months: Bench) -> None:
    """All write to one temporary file: who did not wait would rename what another one is writing."""
    scratch = two_months.folder / "log.tmp"
    waits: list[bool] = []

    class Looking(Purging):
        def forget(self, indices: Collection[int]) -> int:
            with (scratch / "destroying.lock").open("w") as another:
                try:
                    fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    waits.append(True)
                else:
                    waits.append(False)
            return super().forget(indices)

    Destroyer(two_months.directory, scratch, Looking(two_months.database())).destroy(NOVEMBER, 0, 2 * WIDTH)
    assert waits == [True, True]


def test_what_a_crash_leaves_is_done_the_next_time(two_months: Bench) -> None:
    failing = Destroyer(two_months.directory, two_months.folder / "log.tmp", Failing(two_months.database()))
    with pytest.raises(StorageUnavailableError):
        failing.destroy(NOVEMBER, 0, 2 * WIDTH)
    (two_months.folder / "log.tmp" / "destroying").write_bytes(b"half")
    destroyer(two_months).destroy(NOVEMBER, 0, 2 * WIDTH)
    assert gone(two_months) == sealed_of(two_months, NOVEMBER)


def test_a_bundle_that_is_not_full_or_not_there_is_left_alone(two_months: Bench) -> None:
    with pytest.raises(LedgerError, match="cannot be read"):
        destroyer(two_months).destroy(DECEMBER, 2 * WIDTH, 4 * WIDTH)
    path = two_months.directory / evidence_path(1)
    path.write_bytes(path.read_bytes()[: -len(unpack_evidence(path.read_bytes())[-1]) - 4])
    with pytest.raises(LedgerError, match="not whole"):
        destroyer(two_months).destroy(NOVEMBER, WIDTH, 2 * WIDTH)


def test_the_period_s_span_is_that_of_its_sealed_leaves(two_months: Bench) -> None:
    rows = Purging(two_months.database())
    november = sealed_of(two_months, NOVEMBER)
    assert rows.span(NOVEMBER) == (min(november), max(november))
    assert rows.span(202501) is None
