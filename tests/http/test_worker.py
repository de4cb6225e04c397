"""Whose connection a worker ends: decided when the loop comes to it, and not before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic
from typing import Any

import gevent
import pytest

from gateway.http.worker import _end, _is_idle, _is_late


@dataclass
class Waiting:
    """A connection, as far as the worker looks at it."""

    idle: bool
    deadline: float
    greenlet: Any = None
    busy: bool = False
    proven: bool = True


@pytest.mark.parametrize("how", [_is_idle, _is_late], ids=["idle", "late"])
def test_a_request_that_has_begun_meanwhile_is_finished(how: Any) -> None:
    begun, idle = (Waiting(idle=True, deadline=monotonic() - 1, greenlet=gevent.spawn(gevent.sleep, 9)) for _ in "ab")
    gevent.sleep(0)
    _end([begun, idle], how)  # type: ignore[list-item]  # doubles
    # its first bytes were there before the loop came to end it
    begun.idle, begun.deadline, begun.busy = False, math.inf, True
    gevent.sleep(0.01)
    assert (begun.greenlet.dead, idle.greenlet.dead) == (False, True)
    begun.greenlet.kill()


def test_an_exchange_that_runs_is_never_late() -> None:
    running = Waiting(idle=False, deadline=monotonic() - 1, greenlet=gevent.spawn(gevent.sleep, 9), busy=True)
    gevent.sleep(0)
    _end([running], _is_late)  # type: ignore[list-item]  # a double
    gevent.sleep(0.01)
    assert not running.greenlet.dead
    running.greenlet.kill()
