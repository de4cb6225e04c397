from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.errors import PasserelleError
from gateway.storage import Database, open_database
from gateway.watch.meters import Meters
from gateway.watch.storage import MOST_CLAIMS, DatabaseWatch, Metered, Unknown
from tests.watch.made import MovedClock

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def url(any_url: str) -> str:
    return any_url


def test_a_database_without_a_log_is_told(url: str) -> None:
    watch = DatabaseWatch(lambda: open_database(url, durable=False))
    with pytest.raises(PasserelleError):
        watch.read()
    watch.close()


def test_what_cannot_be_opened_is_tried_again_the_next_time(url: str) -> None:
    answers: list[object] = [OSError("not yet"), open_database(url, durable=False)]

    def connect() -> Database:
        answer = answers.pop(0)
        if isinstance(answer, Database):
            return answer
        raise OSError("not yet")

    watch = DatabaseWatch(connect)
    with pytest.raises(OSError, match="not yet"):
        watch.claims()
    assert watch.claims() == 0
    watch.close()


def test_claims_are_counted_up_to_a_limit(url: str) -> None:
    database = open_database(url, durable=False)
    watch = DatabaseWatch(lambda: database)
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    # as many kinds of one key: what is counted are rows
    insert = f"{series} INSERT INTO claims (kind, key, expires) SELECT CAST(i AS TEXT), ?, '2026' FROM n"  # noqa: S608
    for count, seen in ((30, 30), (MOST_CLAIMS + 5, MOST_CLAIMS)):
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM claims")
            connection.exec_driver_sql(insert, (count, b"key"))
        assert watch.claims() == seen
    watch.close()


def test_group_commits_are_counted_and_failed_ones_are_not(url: str) -> None:
    meters, clock = Meters(), MovedClock()
    database = open_database(url, durable=True, around=Metered(meters, clock))

    def write(batch: Sequence[str]) -> Sequence[Exception | None]:
        clock.move(0.25)
        if "bad" in batch:
            raise ValueError("bad")
        return [None for _ in batch]

    group = database.group(write)
    group.commit("good")
    with pytest.raises(ValueError, match="bad"):
        group.commit("bad")
    database.dispose()
    snapshot = meters.snapshot()
    assert snapshot["counts"] == [[["commits"], 1], [["committed_records"], 1]]
    assert snapshot["times"][0][1][-1] == 0.25  # type: ignore[index]  # rows as JSON has them


def test_effects_that_nobody_knows_are_counted_by_party(url: str) -> None:
    database = open_database(url, durable=True)
    watch = DatabaseWatch(lambda: open_database(url, durable=False))
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    rows = [
        ("unknown", "cooperative", "2026-11-23T11:59:59Z"),  # whoever calls it so knows that its exchange has ended
        ("unknown", "cooperative", "2026-11-20T08:00:00Z"),
        ("open", "cooperative", "2026-11-23T11:49:59Z"),  # as long ago as no exchange lasts
        ("open", "ministry", "2026-11-23T11:50:00Z"),
        ("settled", "ministry", "2026-11-20T08:00:00Z"),
    ]
    with database.writing() as connection:
        for number, (state, party, at) in enumerate(rows):
            values = (number.to_bytes(16), b"k" * 32, party, at, state)
            connection.exec_driver_sql(
                "INSERT INTO intents (exchange_id, key, party, at, state) VALUES (?, ?, ?, ?, ?)", values
            )
    found = watch.effects(noon - timedelta(minutes=10))
    assert found == (Unknown("cooperative", 3, datetime(2026, 11, 20, 8, tzinfo=UTC)),)
    watch.close()
    database.dispose()
