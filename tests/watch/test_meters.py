from __future__ import annotations

import threading
from typing import Any

import pytest

from gateway.watch.meters import BUCKETS, Meters


def rows(meters: Meters, kind: str) -> dict[tuple[str, ...], Any]:
    return {tuple(key): value for key, value in meters.snapshot()[kind]}  # type: ignore[arg-type]  # rows as JSON has them


@pytest.mark.parametrize(
    ("outcome", "kind", "refusals"),
    [
        ("answered", "answered", {}),
        ("replayed", "refused", {("refusals", "ministry", "replayed"): 1}),
        ("not_recorded", "not_recorded", {("refusals", "ministry", "not_recorded"): 1}),
    ],
)
def test_an_exchange_is_counted_by_what_came_of_it(
    outcome: str, kind: str, refusals: dict[tuple[str, ...], int]
) -> None:
    meters = Meters()
    meters.exchanged("ministry", "echo", outcome, seconds=0.003, sealing=0.001)
    assert rows(meters, "counts") == {("exchanges", "ministry", "echo", kind): 1} | refusals


@pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (0.002, 0), (0.0021, 1), (10.0, 11), (10.1, 12)])
def test_a_time_falls_into_the_first_bucket_that_holds_it(seconds: float, place: int) -> None:
    meters = Meters()
    meters.exchanged("ministry", "echo", "answered", seconds=seconds, sealing=0)
    row = rows(meters, "times")["exchange_seconds", "echo"]
    assert len(row) == len(BUCKETS) + 2
    assert [at for at, count in enumerate(row[:-1]) if count] == [place]
    assert row[-1] == seconds


def test_calls_in_flight_are_level_again_when_they_end() -> None:
    meters = Meters()
    meters.asking("registry")
    meters.asking("registry")
    meters.asked("registry", "answered", seconds=0.1, at=1234.0)
    levels = rows(meters, "levels")
    assert levels["in_flight", "registry"] == 1
    assert levels["last_success", "registry"] == 1234.0
    meters.asked("registry", "upstream_timeout", seconds=2, at=1240.0)
    assert rows(meters, "levels")["in_flight", "registry"] == 0
    assert rows(meters, "levels")["last_success", "registry"] == 1234.0
    assert rows(meters, "levels")["last_failure", "registry"] == 1240.0


def test_a_probe_is_asked_for_its_level_at_each_snapshot() -> None:
    meters = Meters()
    levels = iter([0.0, 1.0])
    meters.probe(("cut_off", "registry"), lambda: next(levels))
    assert [rows(meters, "levels")["cut_off", "registry"] for _ in range(2)] == [0.0, 1.0]


def test_no_count_is_lost_between_threads() -> None:
    meters = Meters()

    def count() -> None:
        for _ in range(2000):
            meters.at_the_door("not_http")
            meters.fault()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(meters, "counts") == {("doors", "not_http"): 8000, ("faults",): 8000}


def test_a_group_commit_is_counted_with_its_records() -> None:
    meters = Meters()
    meters.committed(3, 0.004)
    meters.committed(5, 0.004)
    assert rows(meters, "counts") == {("commits",): 2, ("committed_records",): 8}
    assert rows(meters, "times")["commit_seconds",][1] == 2
