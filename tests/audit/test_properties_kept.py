"""Receipts as anybody may hand them in: a receipt whose signature holds, or our Problem, and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.kept_answer import read_kept_answer, read_proof
from gateway.audit.verdict import Fault, Problem
from gateway.development import Development, Ports
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import LogKey
from gateway.ledger.proof import verify_proof
from gateway.system import SystemClock, SystemRandomness
from tests.exchange.live import read_issued

if TYPE_CHECKING:
    from pathlib import Path

_SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.floats()
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=12), inner))
_FAULTS = {Fault.RECEIPT_UNREADABLE, Fault.RECEIPT_NOT_OURS}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A receipt of the right shape, signed by nobody."""
    folder = tmp_path_factory.mktemp("made")
    Development(folder, Ports(), SystemClock(), SystemRandomness()).create(births=300)
    signer = read_issued(folder / "gateway" / "keys" / "signing").der
    return {
        "v": 1,
        "party": "ministry",
        "status": 200,
        "headers": {
            "exchange-id": "11111111-1111-4111-8111-111111111111",
            "content-digest": "sha-256=:AAAA:",
            "ledger-leaf": "A" * 43 + "=",
            "ledger-by": "2026-11-22T20:00:00Z",
            "signature-input": 'answer=("@status" "content-digest" "exchange-id" "ledger-leaf" "ledger-by");'
            'created=1;keyid="x";tag="passerelle"',
            "signature": "answer=:AAAA:",
        },
        "body": "{}",
        "request": {
            "method": "POST",
            "target_uri": "https://a/v1/echo",
            "content_digest": None,
            "label": "sig1",
            "signature_input": "()",
            "signature": "AAAA",
        },
        "signer": b64encode(signer).decode(),
    }


def refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Problem) as problem:
        read_kept_answer(path)
    assert problem.value.fault in _FAULTS


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_file_is_refused_as_no_receipt(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path / "receipt.json", content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_its_place_is_refused(tmp_path: Path, right: dict[str, Any], data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(["", "headers", "request"]))
    changed = json.loads(json.dumps(right))
    target = changed[part] if part else changed
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(_SCALARS | _JSON)
    refused(tmp_path / "receipt.json", json.dumps(changed).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), text=st.text(max_size=200))
def test_any_proof_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "receipt.jws"
    path.write_bytes(b"a." + content)
    with pytest.raises(Problem):
        read_proof(path)
    with pytest.raises(FormatError):
        verify_proof(text, bytes(32), LogKey("test.log", bytes(32)))
    with pytest.raises(FormatError):
        verify_proof(f"c2sp.org/tlog-proof@v1\nindex 0\n{text}\n\n{text}", bytes(32), LogKey("test.log", bytes(32)))
