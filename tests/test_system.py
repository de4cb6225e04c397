"""How a process learns that it is to end: at any instant, and however often it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from gateway.system import SystemStop, stop_on_signal
from tests.exchange.live import ROOT

#: A signal each 0.1 ms, for as long as the main thread waits again and again: one of them comes at the worst instant.
_TOLD_WITHOUT_END = """
import signal
from gateway.system import stop_on_signal
stop = stop_on_signal()
signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGTERM))
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
for _ in range(60_000):
    stop.wait(0.001)
signal.setitimer(signal.ITIMER_REAL, 0)
print("ended", stop.is_set())
"""


def test_whoever_is_told_twice_to_end_does_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_WITHOUT_END], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "ended True\n"


def test_a_stop_is_seen_by_every_thread_that_waits() -> None:
    stop, seen = SystemStop(), []
    assert stop.wait(0.01) is False
    threads = [threading.Thread(target=lambda: seen.append(stop.wait())) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(40)
    assert seen == [True, True, True]
    assert stop.is_set()
    assert stop.wait(0)


def test_a_stop_told_more_often_than_a_pipe_holds_keeps_nobody_waiting() -> None:
    stop = SystemStop()
    for _ in range(70_000):
        stop.set()
    assert stop.wait()


def test_sigterm_tells_it() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        stop = stop_on_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(40)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
