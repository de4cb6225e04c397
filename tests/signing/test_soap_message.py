"""A message written as text is, byte by byte of what counts, the one that a tree would give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import xmlsec
from lxml import etree

from certs.profiles import Profile
from gateway.signing import soap_names as n
from gateway.signing import soap_text
from gateway.signing.soap_facts import check_signed_part
from gateway.signing.soap_sign import SignedMessage, SoapSigner
from gateway.signing.soap_verify import Expected, SoapVerifier
from gateway.signing.xml import canonical, parse
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, prove
from tests.signing.soap_messages import find

if TYPE_CHECKING:
    from collections.abc import Callable

TO, ACTION = "https://passerelle.example/x?a=1&b=<2>", "urn:x/Ask"
MESSAGE_ID = "urn:uuid:6f1c1e34-0000-4000-8000-000000000001"
ADDRESSING = {"To": TO, "Action": ACTION, "MessageID": MESSAGE_ID}
AWKWARD = "É & <b> \r\n\t \" ' ]]> \u00a0 Marie-Ève"


def payload(prefix: str | None = "m", namespace: str = "urn:x") -> etree._Element:
    made = etree.Element(f"{{{namespace}}}Ask", nsmap={prefix: namespace})  # type: ignore[dict-item]  # None: the default
    etree.SubElement(made, f"{{{namespace}}}name", kind='a"b').text = AWKWARD
    etree.SubElement(made, "{urn:y}more", nsmap={"y": "urn:y"})
    return made


def without_namespace() -> etree._Element:
    made = etree.Element("Ask")
    etree.SubElement(made, "name").text = AWKWARD
    return made


PAYLOADS: dict[str, Callable[[], etree._Element]] = {
    "a_prefix": payload,
    "the_default": lambda: payload(None),
    "no_namespace": without_namespace,
    "prefix_of_the_body": lambda: payload("wsu", n.WSU),
    "prefix_of_the_envelope": lambda: payload("soapenv", "urn:x"),
}


@pytest.fixture(scope="module")
def ours() -> Organisation:
    return Organisation("gateway", Profile.TLS_CLIENT)


def message(ours: Organisation, asked: etree._Element) -> SignedMessage:
    return SoapSigner(MemoryKeystore(ours.signing), prove, ShiftedClock()).message(ADDRESSING, asked)


@pytest.mark.parametrize("name", PAYLOADS)
def test_it_holds_for_us_and_for_xmlsec(ours: Organisation, name: str) -> None:
    made = message(ours, PAYLOADS[name]())
    verified = SoapVerifier(ours.vet, ShiftedClock()).verify(made.data, Expected(n.REQUEST_PARTS, ACTION, TO))
    assert canonical(verified.body) == canonical(PAYLOADS[name]())
    # what evidence keeps is what stands in the message
    assert replace(verified.part, key=made.part.key) == made.part
    facts = check_signed_part(made.part.signed_info, made.part.signature, made.part.headers, ours.signing.der)
    assert (facts.message_id, facts.to, facts.action) == (MESSAGE_ID, TO, ACTION)
    # and others find the same
    root = etree.fromstring(made.data)  # noqa: TID251  the other implementation, with a parser of its own
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(ours.signing.der, xmlsec.constants.KeyDataFormatCertDer)
    context.verify(find(root, n.SIGNATURE))


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_is_written_is_canonical(ours: Organisation, name: str) -> None:
    made = message(ours, PAYLOADS[name]())
    header, body = parse(made.data)
    blocks = {block.get(n.WSU_ID): block for block in (*header, *header.iter(n.TIMESTAMP))}
    assert {name: canonical(blocks[name]) for name in made.part.headers} == made.part.headers
    assert canonical(body) == made.body
    assert canonical(parse(soap_text.bare(made.body))[0]) == made.body


def test_a_prefix_that_is_declared_already_is_why_some_are_made_as_a_tree() -> None:
    text = soap_text.body(canonical(PAYLOADS["prefix_of_the_body"]()))
    assert canonical(parse(soap_text.bare(text))[0]) != text
