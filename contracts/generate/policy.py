"""WS-SecurityPolicy 1.2 of every endpoint: what is signed by whom, and that the connection is mutual TLS (S4).

The algorithm suite is the nearest that the standard names: it knows none whose signatures use SHA-256, while we accept
nothing else (ecdsa-sha256, rsa-sha256). The WSDL's documentation says so, since a policy cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.generate import xml
from contracts.generate.exchange_xsd import ANSWER_BLOCKS, KEY_BLOCKS, REQUEST_BLOCKS
from contracts.names import EXCHANGE_NAMESPACE

if TYPE_CHECKING:
    from lxml.etree import _Element

BINDING: Final = "MessageSignature"
PORT: Final = "MutualTls"
REQUEST: Final = "SignedRequest"
ANSWER: Final = "SignedAnswer"
_TOKENS: Final = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702/IncludeToken/"
_ADDRESSING: Final = {REQUEST: ("To", "Action", "MessageID"), ANSWER: ("Action", "MessageID", "RelatesTo")}


def add_policies(definitions: _Element) -> None:
    """The four policies, each with the wsu:Id by which bindings, ports and messages refer to it."""
    _signature(definitions)
    _mutual_tls(definitions)
    _signed_parts(definitions, REQUEST, (*REQUEST_BLOCKS, *KEY_BLOCKS))
    _signed_parts(definitions, ANSWER, tuple(ANSWER_BLOCKS))


def refer(parent: _Element, policy: str) -> None:
    """Attaches a policy to a part of the WSDL."""
    xml.add(parent, "wsp:PolicyReference", {"URI": f"#{policy}"})


def _policy(definitions: _Element, name: str) -> _Element:
    return _nested(xml.add(definitions, "wsp:Policy", {"wsu:Id": name}), "wsp:ExactlyOne", "wsp:All")


def _nested(parent: _Element, *names: str) -> _Element:
    for name in names:
        parent = xml.add(parent, name)
    return parent


def _signature(definitions: _Element) -> None:
    everything = _policy(definitions, BINDING)
    _nested(everything, "wsam:Addressing", "wsp:Policy", "wsam:AnonymousResponses")
    binding = _nested(everything, "sp:AsymmetricBinding", "wsp:Policy")
    for role, included in (("Initiator", "AlwaysToRecipient"), ("Recipient", "AlwaysToInitiator")):
        token = _nested(binding, f"sp:{role}Token", "wsp:Policy")
        x509 = xml.add(token, "sp:X509Token", {"sp:IncludeToken": f"{_TOKENS}{included}"})
        _nested(x509, "wsp:Policy", "sp:WssX509V3Token10")
    _nested(binding, "sp:AlgorithmSuite", "wsp:Policy", "sp:Basic256Sha256")
    _nested(binding, "sp:Layout", "wsp:Policy", "sp:Lax")
    xml.add(binding, "sp:IncludeTimestamp")
    xml.add(binding, "sp:OnlySignEntireHeadersAndBody")
    wss11 = _nested(everything, "sp:Wss11", "wsp:Policy")
    for support in ("KeyIdentifier", "IssuerSerial", "Thumbprint"):
        xml.add(wss11, f"sp:MustSupportRef{support}")
    xml.add(wss11, "sp:RequireSignatureConfirmation")


def _mutual_tls(definitions: _Element) -> None:
    binding = _nested(_policy(definitions, PORT), "sp:TransportBinding", "wsp:Policy")
    _nested(binding, "sp:TransportToken", "wsp:Policy", "sp:HttpsToken", "wsp:Policy", "sp:RequireClientCertificate")
    _nested(binding, "sp:AlgorithmSuite", "wsp:Policy", "sp:Basic256Sha256")


def _signed_parts(definitions: _Element, name: str, own: tuple[str, ...]) -> None:
    parts = xml.add(_policy(definitions, name), "sp:SignedParts")
    xml.add(parts, "sp:Body")
    for block in _ADDRESSING[name]:
        xml.add(parts, "sp:Header", {"Name": block, "Namespace": xml.NAMESPACES["wsa"]})
    for block in own:
        xml.add(parts, "sp:Header", {"Name": block, "Namespace": EXCHANGE_NAMESPACE})
