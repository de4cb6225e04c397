"""Signed messages to verify and to tamper with."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from certs.profiles import Profile
from gateway.signing import soap_names as n
from gateway.signing.soap_names import SoapSignatureError
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.soap_verify import Expected, SoapVerifier, VerifiedSoap
from gateway.signing.xml import canonical, digest, parse
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, prove

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.model import SignedPart

ADDRESS, ACTION, MESSAGE_ID = "https://here.example/soap", "urn:x/Ask", "urn:uuid:6f1c1e34-0000-4000-8000-000000000001"
HEADERS = {n.TO: ADDRESS, n.ACTION: ACTION, n.MESSAGE_ID: MESSAGE_ID}
EXPECTED = Expected(n.REQUEST_PARTS, action=ACTION, to=ADDRESS)
PAYLOAD = "{urn:x}Ask"


def envelope(headers: dict[str, str], text: str = "who?") -> etree._Element:
    root = etree.Element(n.ENVELOPE, nsmap={"s": n.SOAP, "a": n.WSA, "u": n.WSU, "x": "urn:x"})
    header = etree.SubElement(root, n.HEADER)
    for tag, value in headers.items():
        etree.SubElement(header, tag).text = value
    etree.SubElement(etree.SubElement(etree.SubElement(root, n.BODY), PAYLOAD), "{urn:x}name").text = text
    return root


@dataclass
class Signed:
    """A signed request, its signer and its verifier."""

    organisation: Organisation
    clock: ShiftedClock
    data: bytes
    part: SignedPart

    def verify(self, data: bytes | None = None, expected: Expected = EXPECTED) -> VerifiedSoap:
        return SoapVerifier(self.organisation.vet, self.clock).verify(self.data if data is None else data, expected)

    def tampered(self, change: Callable[[etree._Element], None], *, resign: bool = False) -> bytes:
        """The message changed in memory and, on request, SignedInfo signed anew by the true key."""
        root = parse(self.data)
        change(root)
        if resign:
            self.resign(root)
        return etree.tostring(root)

    def resign(self, root: etree._Element) -> None:
        info, value = find(root, n.SIGNED_INFO), find(root, n.SIGNATURE_VALUE)
        keystore = MemoryKeystore(self.organisation.signing)
        value.text = base64.b64encode(keystore.sign("signing", canonical(info))).decode()


def make_signed(clock: ShiftedClock | None = None) -> Signed:
    clock = clock or ShiftedClock()
    organisation = Organisation("ministry", Profile.TLS_CLIENT)
    root = envelope(HEADERS)
    signer = SoapSigner(MemoryKeystore(organisation.signing), prove, clock)
    part = signer.sign(root, list(HEADERS))
    return Signed(organisation, clock, etree.tostring(root), part)


def find(root: etree._Element, tag: str) -> etree._Element:
    found = root.find(f".//{tag}")
    assert found is not None
    return found


def redigest(root: etree._Element, identifier: str) -> None:
    """Makes a reference's digest that of the element which now has its Id."""
    for reference in root.iter(n.REFERENCE):
        if reference.get("URI") == f"#{identifier}":
            (node,) = [node for node in root.iter() if node.get(n.WSU_ID) == identifier]
            find(reference, n.DIGEST_VALUE).text = base64.b64encode(digest(canonical(node))).decode()


def reason(signed: Signed, data: bytes) -> str:
    """The reason for which the message is refused; fails when it is not."""
    with pytest.raises(SoapSignatureError) as caught:
        signed.verify(data)
    return caught.value.reason
