"""The face's last line: what leaves when not even a refusal can be signed."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import KeystoreError
from gateway.http.app import Face
from gateway.http.connection import Arrival
from gateway.http.received import Receiver
from gateway.messages.table import ErrorTable
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.model import Received, Released


class Failing:
    """An exchange that raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def handle(self, _received: Received) -> Released:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(KeystoreError("key_not_here", name="signing"), 503, "not_recorded"), (ValueError("NEEDLE"), 500, "internal")],
    ids=["no_key", "fault"],
)
def test_it_is_bare_and_says_nothing_and_somebody_is_told(
    tmp_path: Path, error: Exception, status: int, code: str
) -> None:
    alarms: list[Exception] = []
    nothing: Any = None
    face = Face(
        exchange=Failing(error),
        receiver=Receiver(SystemClock(), SystemRandomness()),
        identity=nothing,
        receipts=nothing,
        errors=ErrorTable(),
        log=tmp_path,
        published={},
        alarm=lambda _received, fault: alarms.append(fault),
    )
    arrival = Arrival("POST", "/v1/echo", [("CONTENT-LENGTH", "2")], io.BytesIO(b"{}"), b"")
    released = face.exchange(arrival)
    shown = json.loads(released.body)
    assert (released.status, shown["code"]) == (status, code)
    assert ("Content-Type", "application/problem+json") in released.headers
    assert not {"Signature", "Signature-Input", "Ledger-Leaf"} & {name for name, _ in released.headers}
    assert b"NEEDLE" not in released.body
    assert alarms == [error]
