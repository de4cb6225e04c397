"""WSDL 1.1 of a service: document/literal bare, SOAP 1.1 and 1.2, one file that needs no other (WS-I Basic Profile)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.generate import policy, xml
from contracts.generate.exchange_xsd import (
    ANSWER_BLOCKS,
    KEY_BLOCKS,
    PROBLEM,
    REQUEST_BLOCKS,
    exchange_schema,
)
from contracts.generate.xsd import schema_element
from contracts.names import EXCHANGE_NAMESPACE, pascal_case, soap_names, soap_namespace, soap_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from lxml.etree import _Element

    from contracts.declaration import Contract
    from contracts.names import SoapNames

#: Where the examples have the gateway stand; what is served names the true origin.
ORIGIN: Final = "https://passerelle.example"
_FAULT_ACTION: Final = "http://www.w3.org/2005/08/addressing/fault"
_HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
_PREFIXES: Final = ("wsdl", "soap", "soap12", "xs", "wsam", "wsp", "sp", "wsu")
#: Each binding: its name's end, its WSDL extension.
_BINDINGS: Final = (("Soap11", "soap"), ("Soap12", "soap12"))
_REQUEST_HEADERS: Final = "RequestHeaders"
_ANSWER_HEADERS: Final = "AnswerHeaders"
_SAID: Final = {
    "fr": (
        "La requête signe Body, Timestamp (au plus 5 minutes), To, Action, MessageID, Exchange-Agreement et"
        " Exchange-Purpose, ainsi qu'Idempotency-Key où l'opération a un effet: profil X.509 de WS-Security, C14N"
        " exclusive, SHA-256, ecdsa-sha256 (P-256) ou rsa-sha256."
        " Rien d'autre n'est admis, quoi que dise la suite d'algorithmes de la politique: la norme n'en nomme aucune"
        " qui signe avec SHA-256."
    ),
    "en": (
        "A request signs Body, Timestamp (5 minutes at most), To, Action, MessageID, Exchange-Agreement and"
        " Exchange-Purpose, and Idempotency-Key where the operation has an effect: WS-Security's X.509 profile,"
        " exclusive C14N, SHA-256, ecdsa-sha256 (P-256) or rsa-sha256."
        " Nothing else is accepted, whatever the policy's algorithm suite says: the standard names none that signs"
        " with SHA-256."
    ),
}


def wsdl(contract: Contract, origin: str = ORIGIN) -> bytes:
    """The document; ``origin`` (scheme, host, port) is where its addresses point."""
    namespace, name = soap_namespace(contract), pascal_case(contract.service)
    attributes = {"targetNamespace": namespace, "name": name}
    definitions = xml.root("wsdl:definitions", _PREFIXES, attributes, {"tns": namespace, "x": EXCHANGE_NAMESPACE})
    _document(definitions, *(f"{contract.title[language]}. {_SAID[language]}" for language in ("fr", "en")))
    policy.add_policies(definitions)
    types = xml.add(definitions, "wsdl:types")
    types.extend([exchange_schema(), schema_element(contract)])
    operations = [soap_names(contract, operation) for operation in contract.operations]
    keyed = {soap_names(contract, word).operation for word, one in contract.operations.items() if not one.idempotent}
    _messages(definitions, operations)
    _port_type(definitions, contract, name)
    for ending, prefix in _BINDINGS:
        _binding(definitions, f"{name}{ending}", prefix, operations, keyed)
    service = xml.add(definitions, "wsdl:service", {"name": name})
    for ending, prefix in _BINDINGS:
        attributes = {"name": f"{name}{ending}", "binding": f"tns:{name}{ending}"}
        port = xml.add(service, "wsdl:port", attributes)
        policy.refer(port, policy.PORT)
        xml.add(port, f"{prefix}:address", {"location": f"{origin}{soap_path(contract)}"})
    return xml.document(definitions)


def _document(parent: _Element, *texts: str) -> None:
    xml.add(parent, "wsdl:documentation", text="\n".join(texts))


def _messages(definitions: _Element, operations: list[SoapNames]) -> None:
    for names in operations:
        for element in (names.request, names.response):
            message = xml.add(definitions, "wsdl:message", {"name": element})
            xml.add(message, "wsdl:part", {"name": "body", "element": f"tns:{element}"})
    for name, blocks in ((_REQUEST_HEADERS, REQUEST_BLOCKS | KEY_BLOCKS), (_ANSWER_HEADERS, ANSWER_BLOCKS)):
        message = xml.add(definitions, "wsdl:message", {"name": name})
        for block in blocks:
            xml.add(message, "wsdl:part", {"name": block, "element": f"x:{block}"})
    message = xml.add(definitions, "wsdl:message", {"name": PROBLEM})
    xml.add(message, "wsdl:part", {"name": "problem", "element": f"x:{PROBLEM}"})


def _port_type(definitions: _Element, contract: Contract, name: str) -> None:
    port_type = xml.add(definitions, "wsdl:portType", {"name": name})
    for word, operation in contract.operations.items():
        names = soap_names(contract, word)
        declared = xml.add(port_type, "wsdl:operation", {"name": names.operation})
        _document(declared, operation.description.fr, operation.description.en)
        xml.add(declared, "wsdl:input", {"message": f"tns:{names.request}", "wsam:Action": names.action})
        xml.add(declared, "wsdl:output", {"message": f"tns:{names.response}", "wsam:Action": names.answer_action})
        fault = {"name": PROBLEM, "message": f"tns:{PROBLEM}", "wsam:Action": _FAULT_ACTION}
        xml.add(declared, "wsdl:fault", fault)


def _binding(
    definitions: _Element, name: str, prefix: str, operations: list[SoapNames], keyed: AbstractSet[str]
) -> None:
    """``keyed``: the operations that have an effect, whose requests have its key."""
    port_type = f"tns:{definitions.get('name')}"
    binding = xml.add(definitions, "wsdl:binding", {"name": name, "type": port_type})
    policy.refer(binding, policy.BINDING)
    xml.add(binding, f"{prefix}:binding", {"style": "document", "transport": _HTTP})
    for names in operations:
        bound = xml.add(binding, "wsdl:operation", {"name": names.operation})
        xml.add(bound, f"{prefix}:operation", {"soapAction": names.action, "style": "document"})
        blocks = REQUEST_BLOCKS | KEY_BLOCKS if names.operation in keyed else REQUEST_BLOCKS
        _parts(xml.add(bound, "wsdl:input"), prefix, policy.REQUEST, _REQUEST_HEADERS, blocks)
        _parts(xml.add(bound, "wsdl:output"), prefix, policy.ANSWER, _ANSWER_HEADERS, ANSWER_BLOCKS)
        xml.add(xml.add(bound, "wsdl:fault", {"name": PROBLEM}), f"{prefix}:fault", {"name": PROBLEM, "use": "literal"})


def _parts(parent: _Element, prefix: str, signed: str, message: str, blocks: Mapping[str, str]) -> None:
    policy.refer(parent, signed)
    xml.add(parent, f"{prefix}:body", {"use": "literal"})
    for block in blocks:
        xml.add(parent, f"{prefix}:header", {"message": f"tns:{message}", "part": block, "use": "literal"})
