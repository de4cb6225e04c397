"""Clients that know the served WSDL and docs/profile.md alone: zeep, the npm package soap, a bare JDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from contracts.loader import load_contracts
from tests.exchange.live import ROOT
from tests.foreign.conftest import CALLED, NOT_A_MINISTRY_S, TERMS, make_folder, run

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


def as_zeep_reads(statistics: dict[str, Any]) -> dict[str, Any]:
    """The same, but zeep gives None for an element that is absent as for one that is nil."""
    return {
        name: {"note": None, **said, "regions": [{"places": None, **region} for region in said["regions"]]}
        for name, said in statistics.items()
    }


def test_every_operation_is_among_those_that_clients_call() -> None:
    declared = {name for contract in load_contracts(ROOT / "contracts") for name in contract.operations}
    assert declared == CALLED.keys() | NOT_A_MINISTRY_S


@pytest.mark.parametrize(("language", "soap", "algorithm", "reference"), CLIENTS)
def test_a_stranger_s_soap_client_calls_every_operation(
    live: LiveGateway,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    statistics: dict[str, Any],
    language: str,
    soap: str,
    algorithm: str,
    reference: str,
) -> None:
    before, counted = live.counter(), live.counter("cooperative")
    report = call(live, request, tmp_path / "party", language, (soap, algorithm, reference))
    assert set(CALLED.values()) <= report.keys()
    # it signed each operation, and verified each answer: four of them reached the registry
    assert report["echo"]["fields"] == {"message": "d'ailleurs: été"}
    known = report["verification"]["fields"]
    assert (known["outcome"], len(bytes.fromhex(known["handle"]))) == ("confirmed", 32)
    assert report["acknowledgement"]["fields"] == {"acknowledged": report["verification"]["Exchange-Id"]}
    assert len(bytes.fromhex(report["expected"]["fields"]["handle"])) == 32
    # two files of one child, then one
    assert report["known_already"]["code"] == "merge_needed"
    assert report["merged"]["fields"]["handle"] in {known["handle"], report["expected"]["fields"]["handle"]}
    assert report["born"]["fields"] == {"outcome": "confirmed"} | report["merged"]["fields"]
    assert live.counter() == before + 4
    # a record of a batch, whose answer is given again without the registry
    told = [report[name]["fields"] for name in ("record", "again")]
    assert told[0] == told[1]
    assert told[0]["handle"] in {known["handle"], report["merged"]["fields"]["handle"]}
    assert str(report["progress"]["fields"]["answered"]) == "1"
    # a child is found, and looked up by the handle that this party has for it
    assert known["handle"] in json.dumps(report["searched"]["fields"])
    found = report["registered"]["fields"]
    assert (found["outcome"], found["handle"]) == ("found", known["handle"])
    assert "parents" not in {name for name, value in found.items() if value}
    assert "2026-10-31T23:59:59.999999" in json.dumps(report["counted"]["fields"])
    # six reached the cooperative, which speaks REST: lists, attributes and nulls are those of REST
    read = {name: said["fields"] for name, said in report["statistics"].items()}
    assert read == (as_zeep_reads(statistics) if language == "python" else statistics)
    # three more changed something there, each once: made, changed, gone
    states = [report[name]["fields"] for name in ("created", "changed", "withdrawn")]
    assert [one["outcome"] for one in states] == ["registered", "changed", "withdrawn"]
    assert [one["state_after"] for one in states[:2]] == [one["state_before"] for one in states[1:]]
    assert states[0]["state_before"] == states[2]["state_after"] == "0" * 64
    assert live.counter("cooperative") == counted + 9
    # it verified Faults: one of a request that was proven, one of a request that was not
    assert report["refused"]["code"] == "purpose_not_agreed"
    assert report["notified"]["code"] == "not_agreed"
    assert report["replayed"]["code"] == "replayed"
    assert set(report["replayed"]["covered"]) >= EARLY
    assert "SignatureConfirmation" not in report["replayed"]["covered"]
    proven = [
        "notified",
        "searched",
        "registered",
        "created",
        "changed",
        "withdrawn",
        "counted",
        "echo",
        "verification",
        "acknowledgement",
        "expected",
        "known_already",
        "merged",
        "born",
        "refused",
        "batch",
        "record",
        "again",
        "progress",
    ]
    for said in [*(report[name] for name in proven), *report["statistics"].values()]:
        assert set(said["covered"]) == ANSWERS, said
    # and it sees each change of a good answer
    assert report["notices"] == dict.fromkeys(["body", "header", "request", "wrapped"], True)
