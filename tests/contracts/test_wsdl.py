"""The WSDL, read by zeep without a network, and held to WS-I's rules and to what the gateway asks."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import zeep
from lxml import etree

from contracts.generate.examples import example, xml_element
from contracts.generate.exchange_xsd import exchange_schema
from contracts.generate.wsdl import wsdl
from contracts.generate.xml import NAMESPACES
from contracts.names import soap_names, soap_path
from contracts.shape import Fields, Many, Text, shape_of
from gateway.errors import Code, Refusal
from gateway.messages.faults import fault
from gateway.messages.table import load_table
from gateway.signing import soap_names as n

if TYPE_CHECKING:
    from pathlib import Path

    from contracts.loader import Contract
    from contracts.shape import Shape

_N = {prefix: NAMESPACES[prefix] for prefix in ("wsdl", "soap", "soap12", "xs", "wsam", "wsp", "sp", "wsu")}
_SOAP = {"Soap11": (n.SOAP, "soap"), "Soap12": (n.SOAP12, "soap12")}


class _NoNetwork(zeep.Transport):
    def _load_remote_data(self, url: str) -> bytes:
        raise AssertionError(url)


def _client(contract: Contract, folder: Path) -> Any:
    path = folder / f"{contract.service}.wsdl"
    path.write_bytes(wsdl(contract))
    return zeep.Client(str(path), transport=_NoNetwork())  # type: ignore[no-untyped-call]  # zeep publishes no types


def _definitions(contract: Contract) -> etree._Element:
    return etree.XML(wsdl(contract), etree.XMLParser(resolve_entities=False, no_network=True))


def _for_zeep(value: Any, shape: Shape) -> Any:
    """A canonical value as zeep takes it: XML names, bytes, an item's name around a list, xsi:nil said aloud."""
    if isinstance(shape, Fields):
        return {
            member.tag: zeep.xsd.Nil if value[member.name] is None else _for_zeep(value[member.name], member.shape)
            for member in shape.members
            if member.name in value
        }
    if isinstance(shape, Many):
        return {shape.item_name: [_for_zeep(item, shape.item) for item in value]}
    return base64.b64decode(value) if isinstance(shape, Text) and shape.kind == "base64" else value


def _canonical(element: etree._Element) -> bytes:
    for node in element.iter():
        node.tail = None
        node.text = None if len(node) else node.text
    return etree.tostring(element, method="c14n2")


@pytest.mark.parametrize("ending", ["Soap11", "Soap12"])
def test_zeep_reads_each_wsdl_and_builds_each_example(
    contracts: tuple[Contract, ...], tmp_path: Path, ending: str
) -> None:
    built = 0
    for contract in contracts:
        client = _client(contract, tmp_path)
        port = f"{next(iter(client.wsdl.services))}{ending}"
        service = client.bind(next(iter(client.wsdl.services)), port)
        for name, operation in contract.operations.items():
            names, shape = soap_names(contract, name), shape_of(operation.request, name)
            fields = example(operation.request, f"{name}.request")
            envelope = client.create_message(service, names.operation, **_for_zeep(fields, shape))
            (body,) = envelope.findall(f"{{{_SOAP[ending][0]}}}Body")
            (payload,) = body
            expected = xml_element(contract, name, "request", fields)
            assert _canonical(_respelled(payload)) == _canonical(_respelled(expected))
            built += 1
    assert built >= 8


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _respelled(element: etree._Element) -> etree._Element:
    """The same element under prefixes of one making."""
    copy = etree.Element(element.tag, _attributes(element))
    copy.text = element.text
    copy.extend(_respelled(child) for child in element)
    return copy


def test_the_bindings_follow_the_basic_profile(contracts: tuple[Contract, ...]) -> None:
    for contract in contracts:
        root = _definitions(contract)
        order = [etree.QName(child).localname for child in root if etree.QName(child).namespace == _N["wsdl"]]
        kinds = ["documentation", "types", "message", "portType", "binding", "service"]
        assert order == sorted(order, key=kinds.index)
        # R2204, R2210: literal parts are elements, one for the Body.
        for message in root.findall("wsdl:message", _N):
            assert all(part.get("element") and part.get("type") is None for part in message)
        for ending, (_, prefix) in _SOAP.items():
            (binding,) = [item for item in root.findall("wsdl:binding", _N) if str(item.get("name")).endswith(ending)]
            (style,) = binding.findall(f"{prefix}:binding", _N)
            assert (style.get("style"), style.get("transport")) == ("document", "http://schemas.xmlsoap.org/soap/http")
            for body in binding.iter(f"{{{_N[prefix]}}}body"):  # R2707, R2716
                assert _attributes(body) == {"use": "literal"}
            for outer in binding.findall("wsdl:operation/wsdl:fault", _N):  # R2721, R2723
                assert [_attributes(inner) for inner in outer] == [{"name": outer.get("name"), "use": "literal"}]
            bound = [item.get("name") for item in binding.findall("wsdl:operation", _N)]
            declared = [item.get("name") for item in root.findall("wsdl:portType/wsdl:operation", _N)]
            assert bound == declared  # R2718
            assert len(set(bound)) == len(contract.operations)
        signatures = {part.get("element") for part in root.findall("wsdl:message/wsdl:part[@name='body']", _N)}
        assert len(signatures) == 2 * len(contract.operations)  # R2710


def test_actions_and_addresses_are_the_gateway_s(contracts: tuple[Contract, ...]) -> None:
    for contract in contracts:
        root = _definitions(contract)
        for name in contract.operations:
            names = soap_names(contract, name)
            operation = f"wsdl:operation[@name='{names.operation}']"
            actions = [
                [
                    element.get(f"{{{_N['wsam']}}}Action")
                    for element in root.findall(f"wsdl:portType/{operation}/{part}", _N)
                ]
                for part in ("wsdl:input", "wsdl:output", "wsdl:fault")
            ]
            assert actions == [[names.action], [names.answer_action], [n.FAULT_ACTION]]
            for prefix in ("soap", "soap12"):
                (soap,) = root.findall(f"wsdl:binding/{operation}/{prefix}:operation", _N)
                assert soap.get("soapAction") == names.action
        places = [
            item.get("location") for prefix in ("soap", "soap12") for item in root.iter(f"{{{_N[prefix]}}}address")
        ]
        assert places == [f"https://passerelle.example{soap_path(contract)}"] * 2
        assert b"https://gateway.test:8443" + soap_path(contract).encode() in wsdl(
            contract, "https://gateway.test:8443"
        )


def test_the_policy_asks_for_what_the_gateway_asks(contracts: tuple[Contract, ...]) -> None:
    root = _definitions(contracts[0])
    policies = {str(item.get(f"{{{_N['wsu']}}}Id")): item for item in root.findall("wsp:Policy", _N)}
    signed = {
        name: {f"{{{header.get('Namespace')}}}{header.get('Name')}" for header in policy.iter(f"{{{_N['sp']}}}Header")}
        for name, policy in policies.items()
    }
    # what is listed is signed where it is there: the key stands in requests of operations with an effect
    assert signed["SignedRequest"] == n.CALLER_PARTS - {n.TIMESTAMP} | {n.IDEMPOTENCY_KEY}
    assert signed["SignedAnswer"] == (n.ANSWER_PARTS - {n.TIMESTAMP, n.CONFIRMATION}) | {
        n.EXCHANGE_ID, n.LEDGER_LEAF, n.LEDGER_BY,
    }  # fmt: skip
    for name in ("SignedRequest", "SignedAnswer"):
        assert policies[name].find(".//sp:SignedParts/sp:Body", _N) is not None
    message = policies["MessageSignature"]
    asked = ("InitiatorToken", "RecipientToken", "IncludeTimestamp", "OnlySignEntireHeadersAndBody")
    assert all(message.find(f".//sp:AsymmetricBinding/wsp:Policy/sp:{name}", _N) is not None for name in asked)
    assert len(message.findall(".//sp:X509Token/wsp:Policy/sp:WssX509V3Token10", _N)) == 2
    assert message.find(".//sp:Wss11/wsp:Policy/sp:RequireSignatureConfirmation", _N) is not None
    https = policies["MutualTls"].find(".//sp:HttpsToken/wsp:Policy/sp:RequireClientCertificate", _N)
    assert https is not None
    bound = _definitions(next(one for one in contracts if one.service == "subjects"))
    for operation in bound.findall("wsdl:binding/wsdl:operation", _N):
        headers = {str(one.get("part")) for one in operation.iterfind("wsdl:input/*", _N) if one.get("part")}
        assert ("Idempotency-Key" in headers) == (operation.get("name") == "SubjectExpect")
    named = {str(item.get("URI")).removeprefix("#") for item in root.iter(f"{{{_N['wsp']}}}PolicyReference")}
    assert named == policies.keys()


@pytest.mark.parametrize("code", list(Code))
def test_a_fault_s_detail_is_what_the_wsdl_declares(code: Code) -> None:
    row = load_table()[code]
    refusal = Refusal(code, component="salt", reason="expired")
    written = fault(row, refusal, "3f0c9a52-6d1b-4e8a-9c47-2b5d8e1f0a36", ("en", "fr"), 5, "soap11")
    envelope = etree.XML(f'<soap:Body xmlns:soap="{n.SOAP}">'.encode() + written + b"</soap:Body>")
    (detail,) = envelope.iter("detail")
    schema = etree.XMLSchema(etree.ElementTree(exchange_schema()))
    schema.assertValid(detail[0])
    detail[0].remove(detail[0][0])
    assert not schema.validate(detail[0])
