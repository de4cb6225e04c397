"""What an operation is called in SOAP, in one place: namespace, elements, actions, path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.loader import Contract

#: Header blocks of ours: Exchange-Agreement and Exchange-Purpose asked; Exchange-Id, Ledger-Leaf, Ledger-By answered.
EXCHANGE_NAMESPACE = "urn:passerelle:exchange:v1"
_WORDS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class SoapNames:
    """An operation's names in SOAP.

    Attributes:
        namespace: of the elements, qualified; the WSDL's and the schema's target namespace.
        operation: in the WSDL.
        request, response: local names of the Body's one element, asked and answered.
        action: WS-Addressing's Action and SOAPAction of the request.
        answer_action: the answer's Action.
    """

    namespace: str
    operation: str
    request: str
    response: str
    action: str
    answer_action: str


def versioned(operation: str, version: str) -> str:
    """``nirec.verify/v1``: an operation of one version of its contract, since versions share operations' names."""
    return f"{operation}/v{version}"


def soap_namespace(contract: Contract) -> str:
    """``urn:passerelle:SERVICE:vVERSION``."""
    return f"urn:passerelle:{contract.service}:v{contract.version}"


def soap_path(contract: Contract) -> str:
    """Where the service's SOAP endpoint stands; ``?wsdl`` and ``?xsd=1`` give its description."""
    return f"/soap/{contract.service}/v{contract.version}"


def soap_names(contract: Contract, operation: str) -> SoapNames:
    """The names of an operation of the contract: by default from its own name, else as the contract says."""
    namespace, pascal = soap_namespace(contract), pascal_case(operation)
    said = contract.operations[operation].soap
    action = said.action if said else f"{namespace}/{pascal}"
    return SoapNames(
        namespace=namespace,
        operation=pascal,
        request=said.request if said else f"{pascal}Request",
        response=said.response if said else f"{pascal}Response",
        action=action,
        answer_action=f"{action}Response",
    )


def openapi_name(contract: Contract, operation: str) -> str:
    """What OpenAPI calls an operation, over services and versions: ``NirecVerify``, ``NirecVerifyV2``."""
    return pascal_case(operation) + ("" if contract.version == "1" else f"V{contract.version}")


def pascal_case(operation: str) -> str:
    """``nirec.verify`` as ``NirecVerify``."""
    return "".join(word.capitalize() for word in _WORDS.findall(operation.lower()))
