"""Which key is in use, told by a table that every process reads for itself."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.errors import KeystoreError
from gateway.keys.generations import TABLE, Generations
from tests.adapters.fakes import ShiftedClock

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def table(tmp_path: Path, clock: ShiftedClock) -> Generations:
    return Generations(tmp_path, clock)


def test_without_a_table_there_is_one_generation(table: Generations) -> None:
    assert table.name("signing") == "signing"
    assert [one.name for one in table.all("signing")] == ["signing"]
    assert [one.name for one in table.within("claims", HOUR)] == ["claims"]


def test_a_new_generation_is_known_before_it_is_used(table: Generations, clock: ShiftedClock) -> None:
    made = table.add("signing")
    assert (made.name, made.since) == ("signing-1", None)
    assert [one.name for one in table.all("signing")] == ["signing", "signing-1"]
    assert table.name("signing") == "signing"
    table.activate("signing", 1, clock.now() + HOUR)
    assert table.name("signing") == "signing"
    clock.shift += HOUR
    assert table.name("signing") == "signing-1"
    assert table.name("receipts") == "receipts"


def test_another_process_hears_of_it_within_a_second(table: Generations, tmp_path: Path, clock: ShiftedClock) -> None:
    other = Generations(tmp_path, clock)
    assert other.name("receipts") == "receipts"
    table.add("receipts")
    table.activate("receipts", 1, clock.now())
    clock.shift += timedelta(seconds=1)
    assert other.name("receipts") == "receipts-1"


def test_a_former_generation_can_be_used_again(table: Generations, clock: ShiftedClock) -> None:
    table.add("signing")
    table.activate("signing", 1, clock.now())
    clock.shift += HOUR
    table.activate("signing", 0, clock.now())
    assert table.name("signing") == "signing"


def test_the_former_counts_for_as_long_as_was_said(table: Generations, clock: ShiftedClock) -> None:
    table.add("claims")
    table.activate("claims", 1, clock.now())
    assert [one.name for one in table.within("claims", HOUR)] == ["claims-1", "claims"]
    clock.shift += HOUR - timedelta(minutes=1)
    assert [one.name for one in table.within("claims", HOUR)] == ["claims-1", "claims"]
    table.add("claims")
    table.activate("claims", 2, clock.now())
    assert [one.name for one in table.within("claims", HOUR)] == ["claims-2", "claims-1", "claims"]
    clock.shift += timedelta(minutes=2)
    assert [one.name for one in table.within("claims", HOUR)] == ["claims-2", "claims-1"]
    clock.shift += HOUR
    assert [one.name for one in table.within("claims", HOUR)] == ["claims-2"]


def test_what_is_withdrawn_is_neither_used_nor_published(table: Generations, clock: ShiftedClock) -> None:
    table.add("receipts")
    with pytest.raises(KeystoreError, match="generation_in_use"):
        table.withdraw("receipts", 0)
    table.activate("receipts", 1, clock.now())
    table.withdraw("receipts", 0)
    assert [one.name for one in table.all("receipts")] == ["receipts-1"]
    assert table.add("receipts").name == "receipts-2"
    for number in (0, 7):
        with pytest.raises(KeystoreError, match="generation_unknown"):
            table.withdraw("receipts", number)
        with pytest.raises(KeystoreError, match="generation_unknown"):
            table.activate("receipts", number, clock.now())


def test_times_are_utc_and_the_table_is_read_as_it_was_written(
    table: Generations, tmp_path: Path, clock: ShiftedClock
) -> None:
    table.add("signing")
    table.activate("signing", 1, clock.now() + HOUR)
    kept = json.loads((tmp_path / TABLE).read_text())
    assert kept["signing"]["1"].endswith("Z")
    assert Generations(tmp_path, clock).all("signing") == table.all("signing")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"signing": 1}', b'{"signing": {"x": null}}', b"\xff"])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, clock: ShiftedClock, content: bytes) -> None:
    (tmp_path / TABLE).write_bytes(content)
    with pytest.raises(KeystoreError, match=TABLE):
        Generations(tmp_path, clock).name("signing")


def test_a_table_that_breaks_while_it_is_read_changes_nothing_but_says_so(
    table: Generations, tmp_path: Path, clock: ShiftedClock
) -> None:
    table.add("signing")
    (tmp_path / TABLE).write_bytes(b"{")
    clock.shift += timedelta(seconds=1)
    with pytest.raises(KeystoreError, match=TABLE):
        table.name("signing")
