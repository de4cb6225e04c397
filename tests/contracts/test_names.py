"""What operations are called in SOAP: from their own names, or as the contract says."""

from __future__ import annotations

from pathlib import Path

import yaml

from contracts.loader import load_contract
from contracts.names import SoapNames, pascal_case, soap_names, soap_path

ECHO = Path(__file__).parents[2] / "contracts" / "echo" / "v1" / "contract.yaml"


def test_names_come_from_the_operation() -> None:
    contract = load_contract(ECHO.read_bytes())
    assert soap_path(contract) == "/soap/echo/v1"
    assert soap_names(contract, "echo") == SoapNames(
        namespace="urn:passerelle:echo:v1",
        operation="Echo",
        request="EchoRequest",
        response="EchoResponse",
        action="urn:passerelle:echo:v1/Echo",
        answer_action="urn:passerelle:echo:v1/EchoResponse",
    )
    assert [pascal_case(name) for name in ("nirec.verify", "a_b-c.d2")] == ["NirecVerify", "ABCD2"]


def test_a_contract_may_say_them() -> None:
    declared = yaml.safe_load(ECHO.read_text(encoding="utf-8"))
    declared["operations"]["echo"]["soap"] = {"action": "urn:x:Renvoyer", "request": "Renvoyer", "response": "Renvoi"}
    names = soap_names(load_contract(yaml.safe_dump(declared).encode()), "echo")
    assert (names.request, names.response, names.action) == ("Renvoyer", "Renvoi", "urn:x:Renvoyer")
    assert names.answer_action == "urn:x:RenvoyerResponse"
