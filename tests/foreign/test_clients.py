"""Clients that know docs/profile.md and nothing else of us, over real mutual TLS, against a real gateway."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from gateway.client.proof import check_proof, load_log_key
from tests.foreign.conftest import ALGORITHMS, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.exchange.live import LiveGateway

#: Section 5 of the page: what an answer covers of itself, and of a request that was proven.
ITSELF = {'"@status"', '"content-digest"', '"exchange-id"', '"ledger-leaf"', '"ledger-by"', '"@method";req'}
REQUEST = {
    '"@target-uri";req',
    '"signature";req;key="sig1"',
    '"signature-input";req;key="sig1"',
}
#: And where it had a body.
BODY = {'"content-digest";req'}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("language", ["python", "node", "java"])
def test_a_stranger_s_client(
    live: LiveGateway,
    folders: Mapping[str, Path],
    request: pytest.FixtureRequest,
    statistics: dict[str, Any],
    language: str,
    algorithm: str,
) -> None:
    command: list[str] = request.getfixturevalue(f"{language}_client")
    before = live.counter()
    report: dict[str, Any] = json.loads(run([*command, str(folders[algorithm])], folders[algorithm]))
    # it signed, and verified what came: an echo, and a verification that reached the registry
    assert (report["echo"]["status"], report["echo"]["body"]) == (200, {"message": "d'ailleurs: été"})
    verification = report["verification"]
    assert (verification["status"], verification["body"]["outcome"]) == (200, "confirmed")
    assert len(bytes.fromhex(verification["body"]["handle"])) == 32
    assert live.counter() == before + 1
    for name in ("echo", "verification"):
        assert set(report[name]["covered"]) == ITSELF | REQUEST | BODY
    # a GET has no body that could be covered
    asked = report["statistics"]
    assert (asked["status"], asked["body"]) == (200, statistics["one"])
    assert set(asked["covered"]) == ITSELF | REQUEST
    # it verified refusals: one of a proven request, and one of a request that was not (C6)
    refused, replayed = report["refused"], report["replayed"]
    assert (refused["status"], refused["body"]["code"]) == (403, "purpose_not_agreed")
    assert set(refused["covered"]) == ITSELF | REQUEST | BODY
    assert (replayed["status"], replayed["body"]["code"]) == (409, "replayed")
    assert set(replayed["covered"]) == ITSELF | {'"signature-input";req;key="sig1"'}
    # it acknowledged the verification's answer: a signed exchange of its own
    acknowledged = report["acknowledgement"]
    assert (acknowledged["status"], acknowledged["body"]) == (200, {"acknowledged": verification["exchange-id"]})
    assert set(acknowledged["covered"]) == ITSELF | REQUEST | BODY
    # it sees each change of a good answer
    seen = ["body", "status", "header", "request"] + (["leaf", "log"] if language == "node" else [])
    assert report["notices"] == dict.fromkeys(seen, True)
    # and the receipt that it fetched proves its exchange's place in the log
    claims = jwt.decode(report["receipt"], options={"verify_signature": False})
    assert claims["exchange_id"] == verification["exchange-id"]
    key = load_log_key(live.party("ministry") / "log.vkey")
    assert check_proof(claims["proof"], b64decode(verification["ledger-leaf"]), key) == claims["index"]
    if language == "node":
        # which one of them checked by itself, down to the log's key
        assert report["index"] == claims["index"]


def test_the_same_child_has_the_same_handle_whatever_the_client_and_the_key(
    folders: Mapping[str, Path], python_client: list[str], java_client: list[str]
) -> None:
    handles = {
        json.loads(run([*client, str(folders[algorithm])], folders[algorithm]))["verification"]["body"]["handle"]
        for client, algorithm in ((python_client, "ed25519"), (java_client, "rsa-pss-sha512"))
    }
    assert len(handles) == 1
