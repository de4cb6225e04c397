"""Commits that take too long are given up, cut, and not tried again for a while; without a server."""

from __future__ import annotations

import threading

import pytest

from gateway.errors import StorageUnavailableError
from gateway.storage.limit import GivenUpError, Limit
from gateway.storage.standbys import Standbys, needed, standbys
from tests.adapters.fakes import until


class Server:
    """A connection whose commit ends as soon as the server is told to give up, or only when it is cut."""

    def __init__(self, *, listens: bool = True) -> None:
        self.told: list[str] = []
        self.ended = threading.Event()
        self._listens = listens

    def give_up(self) -> None:
        self.told.append("give up")
        if self._listens:
            self.ended.set()

    def sever(self) -> None:
        self.told.append("sever")
        self.ended.set()


def committed(limit: Limit, server: Server) -> None:
    with limit.over(server):
        assert server.ended.wait(20)


def test_a_commit_in_time_is_left_alone() -> None:
    limit, server = Limit(patience=60), Server()
    server.ended.set()
    committed(limit, server)
    limit.check()
    assert server.told == []
    limit.close()


def test_a_commit_that_takes_too_long_is_given_up_and_nobody_waits_again_for_a_while() -> None:
    limit, server = Limit(patience=0.05, trouble=60), Server()
    with pytest.raises(GivenUpError):
        committed(limit, server)
    assert server.told[0] == "give up"
    with pytest.raises(StorageUnavailableError):
        limit.check()
    limit.close()


def test_after_a_while_it_is_tried_again() -> None:
    limit, server = Limit(patience=0.05, trouble=0.05), Server()
    with pytest.raises(GivenUpError):
        committed(limit, server)

    def again() -> bool:
        try:
            limit.check()
        except StorageUnavailableError:
            return False
        return True

    assert until(again, 20)
    limit.close()


def test_a_server_that_does_not_hear_is_cut_off() -> None:
    limit, server = Limit(patience=0.05), Server(listens=False)
    with pytest.raises(GivenUpError):
        committed(limit, server)
    assert server.told[:2] == ["give up", "sever"]
    limit.close()


def test_what_the_connection_says_itself_is_what_is_raised() -> None:
    limit, server = Limit(patience=0.05), Server()

    def cut() -> None:
        with limit.over(server):
            assert server.ended.wait(20)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        cut()
    limit.close()


@pytest.mark.parametrize(
    ("names", "number"),
    [("", 0), ("  ", 0), ("a", 1), ("*", 1), ("a, b", 1), ("2 (a, b)", 2), ("FIRST 1 (a)", 1), ("any 3(a, b, c)", 3)],
)
def test_how_many_standbys_a_server_demands(names: str, number: int) -> None:
    assert needed(names) == number


def test_who_may_not_look_does_not_know() -> None:
    assert standbys("a", 1, 0) == Standbys(1, None)
    assert standbys("a", 0, 0) == Standbys(1, 0)
