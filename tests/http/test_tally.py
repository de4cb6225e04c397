"""The workers' shares of connections, and the one way that a POST takes."""

from __future__ import annotations

import multiprocessing

from gateway.http.tally import Tally


def test_a_tally_is_shared_by_processes_and_knows_the_least_busy() -> None:
    tally = Tally(2)
    tally.set(0, 7)
    child = multiprocessing.get_context("fork").Process(target=tally.set, args=(1, 3))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert tally.fewest() == 3


def test_a_place_is_given_once_while_there_are_any() -> None:
    tally = Tally(1)
    first = tally.free([])
    second = tally.free([first])
    assert first != second
    assert tally.free([first, second]) in (first, second)


def test_a_place_without_a_worker_is_never_the_least_busy() -> None:
    tally = Tally(2)
    tally.set(0, 5)
    assert tally.fewest() == 5


def test_a_count_past_what_fits_is_the_most_that_does() -> None:
    tally = Tally(1)
    tally.set(0, 10**9)
    tally.set(1, 10**9)
    assert tally.fewest() == 0xFFFF
