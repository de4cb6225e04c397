"""A verification with the civil registry as zeep and xmlsec alone do it: what benchmarks/translation.py compares with.

Not how the gateway works; the same job for the same registry: JSON in, a signed SOAP request, a verified SOAP answer,
JSON out. zeep is used as its manual has it, with its own signatures (zeep.wsse), which are xmlsec's. They cover Body
and Timestamp where ours cover To, Action and MessageID too, and accept what S4 refuses: both are to its advantage.
"""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import xmlsec
import zeep
from lxml import etree
from zeep.plugins import Plugin
from zeep.transports import Transport
from zeep.wsse.signature import BinarySignature, Signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ports import Clock

_WSA = "http://www.w3.org/2005/08/addressing"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_WSSE, _WSU = f"{_OASIS}-wssecurity-secext-1.0.xsd", f"{_OASIS}-wssecurity-utility-1.0.xsd"
_OUTCOMES = {"CONFIRME": "confirmed", "NON_CONFIRME": "not_confirmed", "INTROUVABLE": "not_found"}


class PlainZeep:
    """The registry's client: ``post`` takes a request's bytes and gives its answer's."""

    def __init__(self, wsdl: Path, keys: Path, clock: Clock, post: Callable[[bytes], bytes]) -> None:
        """``keys`` holds ``signing.key``, ``signing.pem`` and the registry's ``registry.pem``."""
        transport, settings = _Loopback(post), zeep.Settings(forbid_dtd=True)
        plugins = [_Addressing()]
        self._client = zeep.Client(str(wsdl), _Security(keys, clock), transport, plugins=plugins, settings=settings)

    def verify_birth(self, body: bytes, salt: bytes) -> bytes:
        """The JSON answer to a JSON request; ``salt`` is the registry's, and ours towards our caller."""
        asked = json.loads(body)
        found = self._client.service.VerifierNaissance(
            salt=salt,
            nirec=asked["nirec"],
            nomFamille=asked["family_name"],
            prenoms=asked["given_names"],
            dateNaissance=asked["birth_date"],
        )
        answer = {"outcome": _OUTCOMES[found.resultat], "salt": base64.b64encode(salt).decode()}
        return json.dumps(answer).encode()


class _Loopback(Transport):
    """zeep's transport without a network."""

    def __init__(self, post: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._post = post

    def post_xml(self, _address: str, envelope: etree._Element, _headers: Any) -> Any:
        """The answer to an envelope."""
        return _Response(self._post(etree.tostring(envelope, encoding="utf-8")))


class _Response:
    """As much of an HTTP response as zeep reads."""

    status_code = 200
    encoding = "utf-8"

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.headers = {"Content-Type": "text/xml; charset=utf-8"}


class _Addressing(Plugin):
    """Of a WSDL with an Action for the request and one for the answer, zeep itself takes the answer's."""

    def egress(self, envelope: Any, http_headers: Any, operation: Any, _options: Any) -> Any:
        """With the Action that the binding names."""
        envelope.find(f".//{{{_WSA}}}Action").text = operation.soapaction
        return envelope, http_headers


class _Security:
    """zeep's signatures, with the algorithms that the registry accepts and the Timestamp that it asks for."""

    def __init__(self, keys: Path, clock: Clock) -> None:
        key, own, theirs = (str(keys / name) for name in ("signing.key", "signing.pem", "registry.pem"))
        ecdsa, sha256 = xmlsec.constants.TransformEcdsaSha256, xmlsec.constants.TransformSha256
        self._own = BinarySignature(key, own, signature_method=ecdsa, digest_method=sha256)
        self._theirs = Signature(key, theirs)
        self._clock = clock

    def apply(self, envelope: Any, headers: Any) -> Any:
        """Signs."""
        security = etree.SubElement(envelope[0], f"{{{_WSSE}}}Security")
        timestamp = etree.SubElement(security, f"{{{_WSU}}}Timestamp")
        now = self._clock.now()
        for name, instant in (("Created", now), ("Expires", now + timedelta(minutes=1))):
            etree.SubElement(timestamp, f"{{{_WSU}}}{name}").text = f"{instant:%Y-%m-%dT%H:%M:%SZ}"
        return self._own.apply(envelope, headers)

    def verify(self, envelope: Any) -> None:
        """Raises SignatureVerificationFailed unless the registry signed it."""
        self._theirs.verify(envelope)
