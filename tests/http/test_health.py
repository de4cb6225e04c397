"""The loopback listener: its pages, and that one which fails ends nothing and quotes nothing."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from gateway.http.health import HealthListener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.http.health import Page


def broken() -> Page:
    raise RuntimeError("a secret")


@pytest.fixture
def listener() -> Iterator[HealthListener]:
    pages = {"/metrics": lambda: ("text/plain", b"metrics"), "/status": broken}
    made = HealthListener(0, lambda: {"workers": True, "sequencer": False}, pages)
    made.start()
    yield made
    made.stop()


def get(listener: HealthListener, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{listener.port}{path}", timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/healthz", 200, b'{"alive": true}'),
        ("/readyz", 503, b'{"workers": true, "sequencer": false}'),
        ("/metrics", 200, b"metrics"),
        ("/status", 500, b"{}"),
        ("/nothing", 404, b"{}"),
        ("/metrics/../status", 404, b"{}"),
    ],
)
def test_each_page(listener: HealthListener, path: str, status: int, body: bytes) -> None:
    assert get(listener, path) == (status, body)
    assert get(listener, "/healthz")[0] == 200


def test_nobody_outside_this_machine_reaches_it(listener: HealthListener) -> None:
    with socket.socket() as probe:
        probe.settimeout(2)
        # every address of this machine other than loopback's own leads to nobody
        assert probe.connect_ex(("127.0.0.2", listener.port)) != 0
