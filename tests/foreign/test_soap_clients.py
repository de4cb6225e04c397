"""Clients that know the served WSDL and docs/profile.md alone: zeep, the npm package soap, a bare JDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.foreign.conftest import TERMS, make_folder, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange.live import LiveGateway

#: What an answer's signature covers, and what the one to a request that was not proven does (C6).
EARLY = {"Body", "Timestamp", "Action", "MessageID", "Exchange-Id", "Ledger-Leaf", "Ledger-By"}
ANSWERS = EARLY | {"RelatesTo", "SignatureConfirmation"}
#: Which client, which SOAP, which key, and how it names its certificate.
CLIENTS = [
    ("python", "1.1", "ecdsa-sha256", "token"),
    ("python", "1.2", "rsa-sha256", "thumbprint"),
    ("node", "1.1", "rsa-sha256", "token"),
    ("node", "1.2", "rsa-sha256", "token"),
    ("java", "1.1", "rsa-sha256", "token"),
    ("java", "1.2", "ecdsa-sha256", "issuer-serial"),
]


def call(
    live: LiveGateway, request: pytest.FixtureRequest, folder: Path, language: str, settings: tuple[str, str, str]
) -> dict[str, Any]:
    """What a client reports of the whole conversation."""
    soap, algorithm, reference = settings
    make_folder(live, folder, algorithm, TERMS | {"soap": soap, "reference": reference})
    command: list[str] = request.getfixturevalue(f"{language}_soap_client")
    report: dict[str, Any] = json.loads(run([*command, str(folder)], folder))
    return report


@pytest.mark.parametrize(("language", "soap", "algorithm", "reference"), CLIENTS)
def test_a_stranger_s_soap_client_calls_every_operation(
    live: LiveGateway,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    language: str,
    soap: str,
    algorithm: str,
    reference: str,
) -> None:
    before = live.counter()
    report = call(live, request, tmp_path / "party", language, (soap, algorithm, reference))
    # it signed each operation, and verified each answer: three of them reached the registry
    assert report["echo"]["fields"] == {"message": "d'ailleurs: été"}
    known = report["verification"]["fields"]
    assert (known["outcome"], len(bytes.fromhex(known["handle"]))) == ("confirmed", 32)
    assert report["acknowledgement"]["fields"] == {"acknowledged": report["verification"]["Exchange-Id"]}
    assert len(bytes.fromhex(report["expected"]["fields"]["handle"])) == 32
    # two files of one child, then one
    assert report["known_already"]["code"] == "merge_needed"
    assert report["merged"]["fields"]["handle"] in {known["handle"], report["expected"]["fields"]["handle"]}
    assert report["born"]["fields"] == {"outcome": "confirmed"} | report["merged"]["fields"]
    assert live.counter() == before + 3
    # it verified Faults: one of a request that was proven, one of a request that was not
    assert report["refused"]["code"] == "purpose_not_agreed"
    assert report["replayed"]["code"] == "replayed"
    assert set(report["replayed"]["covered"]) >= EARLY
    assert "SignatureConfirmation" not in report["replayed"]["covered"]
    proven = ["echo", "verification", "acknowledgement", "expected", "known_already", "merged", "born", "refused"]
    for name in proven:
        assert set(report[name]["covered"]) == ANSWERS, name
    # and it sees each change of a good answer
    assert report["notices"] == dict.fromkeys(["body", "header", "request", "wrapped"], True)
