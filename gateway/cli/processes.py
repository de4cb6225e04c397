"""The demo's children: sandbox and gateway as real processes on free ports, stopped whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

import requests

from gateway.cli.supervisor import PARENT
from gateway.development import Ports
from gateway.errors import ShownError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: As long as a busy machine may need; a child that has ended is not waited for.
_PATIENCE = 120.0
_LOOK = 0.05


class NotStartedError(ShownError):
    """A child did not start; the text says which, and where its log is."""


def free_ports() -> Ports:
    """Ports that nobody listens on, held together until all are known."""
    sockets = [socket.socket() for _ in fields(Ports)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return Ports(*(int(item.getsockname()[1]) for item in sockets))
    finally:
        for item in sockets:
            item.close()


@contextmanager
def child(name: str, arguments: list[str], log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `passerelle` child that is ready once the URL answers 200; raises NotStartedError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=os.environ | {PARENT: str(os.getpid())},
        )
    try:
        _await(name, process, log, ready)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _await(name: str, process: subprocess.Popen[bytes], log: Path, url: str) -> None:
    session = requests.Session()
    session.trust_env = False
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            if session.get(url, timeout=1).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(_LOOK)
    raise NotStartedError("not_started", name=name, path=log)


def switch_registry(control_port: int, mode: str) -> None:
    """Turns a switch of the sandbox registry: normal, down, slow, wrong_signature, ..."""
    session = requests.Session()
    session.trust_env = False
    url = f"http://127.0.0.1:{control_port}/behaviour"
    session.post(url, json={"mode": mode, "delay_ms": 0}, timeout=5).raise_for_status()
