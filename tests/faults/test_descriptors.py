"""File descriptors run out in a live worker: who is being served goes on, and no worker ends."""

from __future__ import annotations

import http.client
import resource
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.adapters.fakes import until
from tests.exchange.live import wait
from tests.faults.night import Callers, descriptors, open_files
from tests.faults.peers import idle_connections

if TYPE_CHECKING:
    from tests.faults.night import Night

#: What a worker keeps for itself (gateway/http/worker.py), and room for fifty connections.
_ROOM = 50
_LIMIT = 200 + _ROOM
_MANY = 200
_NONE = 12


def beginners_are_done(night: Night) -> list[int]:
    """Every worker, once each has all that it reads at its start: one answers while the other still begins."""

    def ready() -> set[int]:
        try:
            return {line["pid"] for line in night.lines() if line["event"] == "ready" and "pid" in line}
        except ValueError:
            return set()  # a line was being written

    assert until(lambda: ready() >= set(night.workers()), 20)
    return night.workers()


def test_a_worker_with_too_few_descriptors_serves_whom_it_can(night: Night) -> None:
    workers = beginners_are_done(night)
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] for pid in workers}
    # and what a worker opens for itself meanwhile: a look at the policy, a database's files
    most = {pid: open_files(pid) + _ROOM + 20 for pid in workers}
    with ExitStack() as stack:
        stack.enter_context(idle_connections(night, _MANY))
        talking = stack.enter_context(idle_connections(night, 4))
        for pid in workers:
            descriptors(pid, _LIMIT)
        # those that have said nothing for longest make room
        assert until(lambda: all(open_files(pid) <= most[pid] for pid in workers), 10)
        for _ in range(5):
            assert [said(night, connection) for connection in talking].count(200) >= 1
            assert served(night)
        # hundreds more, now that there is no room: each may be closed as soon as it is there
        stack.enter_context(idle_connections(night, _MANY, speak=0))
        for _ in range(5):
            assert served(night)
        assert until(lambda: all(open_files(pid) <= most[pid] for pid in workers), 10)
    for pid, limit in limits.items():
        descriptors(pid, limit)
    assert night.tries()
    assert night.workers() == workers


def test_with_no_descriptor_left_at_all_callers_wait_and_no_worker_ends(night: Night) -> None:
    workers = beginners_are_done(night)
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] for pid in workers}
    for pid in workers:
        descriptors(pid, _NONE)
    with Callers(night, 3) as callers:
        # who comes now waits in the listener's queue
        wait(1.5)
        assert not callers.answers
        for pid, limit in limits.items():
            descriptors(pid, limit)
        assert callers.more(10)
    assert night.workers() == workers
    assert [line for line in night.lines() if "no connection can be taken" in str(line.get("event"))]
    assert night.reckon(callers.sent).lost == 0


def served(night: Night) -> bool:
    """Whether a newcomer is: it has said nothing yet, so among hundreds that come it may have to come again."""
    return any(night.tries() for _ in range(5))


def said(night: Night, connection: http.client.HTTPSConnection) -> int | None:
    """The status of an exchange over a connection that is there already; None where it was closed."""
    request = night.draft().signed()
    try:
        connection.request(request.method, request.target, request.body, dict(request.headers))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    return answer.status
