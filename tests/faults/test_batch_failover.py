"""The database's primary dies in the middle of a batch, and its standby takes over: each line is answered, once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.attacks.evidence import Book
from tests.faults.night import FULL, Night
from tests.faults.test_batch_hour import births
from tests.faults.test_kill import note
from tests.scenarios.test_batch import CONNECTIONS, Batch, ended, verified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres.cluster import Cluster

RECORDS, PER_SECOND = (3000, 80) if FULL else (200, 40)


@pytest.fixture
def town(pair: tuple[Cluster, Cluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    """A gateway over the pair, as libpq names both."""
    primary, standby = pair
    name = primary.empty().rpartition("/")[2]
    monkeypatch.setenv("PASSERELLE_STORAGE__DATABASE", primary.url(name, standby))
    made = Night(tmp_path / "town", CIVIL_REGISTRY__BATCH_PER_SECOND=1000)
    try:
        made.start_sandbox()
        made.start()
        yield made
    finally:
        made.close()
    made.nothing_told()
    made.audited()


def test_the_primary_dies_in_the_middle_of_a_batch(town: Night, pair: tuple[Cluster, Cluster], tmp_path: Path) -> None:
    primary, standby = pair
    batch = Batch(town, tmp_path, RECORDS)
    client = batch.spawn("verify-nirec", "--per-second", str(PER_SECOND))
    try:
        assert until(lambda: batch.done() >= RECORDS // 5, 60)
        primary.kill()
        before = batch.rows()
        standby.promote()
        said = ended(client, 0)
    finally:
        client.kill()
        client.communicate()
    assert (said["holds"], said["complete"], said["answered"]) == (True, True, RECORDS)
    rows = batch.rows()
    assert [row[1] for row in rows] == [f"d{number}" for number in range(RECORDS)]
    assert Counter(row[2] for row in rows) == births(RECORDS)
    assert rows[: len(before)] == before
    assert len(before) < RECORDS
    # every answer is in the log, those from before the primary died too; no line has two
    book = Book(town.log, town.folder / "trust")
    assert until(lambda: len(verified(book)) == RECORDS, 60)
    lines = {line["exchange_id"] for line in verified(book)}
    assert len(lines) == RECORDS
    told_again = {one.evidence["exchange_id"] for one in book.every("exchange", "batch.answer")}
    assert {row[4] for row in rows} <= lines | told_again
    assert len({row[4] for row in rows}) == RECORDS
    # asked and not recorded: at most what was under way when it died, and the first try of each worker afterwards
    again = town.counter() - RECORDS
    assert 0 <= again <= 2 * CONNECTIONS
    if FULL:
        told = len(told_again & {row[4] for row in rows})
        note(f"batch over a failover: {RECORDS} lines, {len(before)} before it, {again} asked again, {told} told again")
