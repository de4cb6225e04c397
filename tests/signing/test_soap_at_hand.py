"""A SignedInfo, or a block, at hand says what its canonical bytes say, to the letter and to the refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xmlsec
from lxml import etree

from certs.profiles import Profile
from gateway.signing import soap_names as n
from gateway.signing.soap_facts import check_signed_part
from gateway.signing.soap_info import parse_signed_info, signed_info_at_hand, signed_info_form
from gateway.signing.soap_open import open_soap, proven
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.xml import parse
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, prove
from tests.signing.soap_messages import HEADERS, envelope, find, make_signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.signing.soap_facts import SignedPartFacts

    Change = Callable[[etree._Element], object]


def by_others() -> etree._Element:
    """SignedInfo as xmlsec writes it: each element on a line of its own."""
    root = etree.Element("{urn:x}Root", nsmap={"x": "urn:x"})
    signature = xmlsec.template.create(
        root, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256, ns="ds"
    )
    root.append(signature)
    for name in ("a", "b"):
        reference = xmlsec.template.add_reference(signature, xmlsec.constants.TransformSha256, uri=f"#{name}")
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        find(reference, n.DIGEST_VALUE).text = "AAAA\r\nAAAA"
    return parse(etree.tostring(root))


def prefixed(info: etree._Element) -> None:
    etree.SubElement(info[0], n.INCLUSIVE_NAMESPACES, PrefixList="x absent")


def many(info: etree._Element) -> None:
    for number in range(200):
        reference = etree.fromstring(etree.tostring(info[2]))  # noqa: TID251  a copy
        reference.set("URI", f"#{number}")
        info.append(reference)


CHANGES: dict[str, Change] = {
    "as_it_is": lambda _info: None,
    "prefixes": prefixed,
    "prefixes_of_a_reference": lambda info: etree.SubElement(
        find(info, n.TRANSFORM), n.INCLUSIVE_NAMESPACES, PrefixList="x"
    ),
    "two_hundred_references": many,
    "no_method": lambda info: info.remove(info[0]),
    "inclusive_c14n": lambda info: info[0].set("Algorithm", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
    "truncated": lambda info: etree.SubElement(info[1], f"{{{n.DS}}}HMACOutputLength"),
    "another_method": lambda info: info[1].set("Algorithm", "urn:x"),
    "the_whole_document": lambda info: info[2].set("URI", ""),
    "xpointer": lambda info: info[2].set("URI", "#xpointer(/)"),
    "a_type": lambda info: info[2].set("Type", "urn:x"),
    "twice_the_same": lambda info: info[3].set("URI", info[2].get("URI", "")),
    "two_transforms": lambda info: etree.SubElement(find(info, n.TRANSFORMS), n.TRANSFORM, Algorithm=n.EXCLUSIVE_C14N),
    "no_transform": lambda info: find(info, n.TRANSFORMS).clear(),
    "sha1": lambda info: find(info, n.DIGEST_METHOD).set("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"),
    "no_digest": lambda info: find(info, n.DIGEST_VALUE).clear(),
    "an_element_in_the_digest": lambda info: etree.SubElement(find(info, n.DIGEST_VALUE), "{urn:x}y"),
    "another_element": lambda info: etree.SubElement(info, "{urn:x}y"),
    "too_much_text": lambda info: setattr(info[0], "tail", " " * 70_000),
    "text_between": lambda info: setattr(info[0], "tail", "text"),
    "text_at_the_end": lambda info: setattr(info[-1], "tail", "text"),
    "text_behind_it": lambda info: setattr(info, "tail", "text"),
    "an_attribute": lambda info: info.set("note", "text"),
    "an_id": lambda info: info.set("Id", "SI-1"),
    "an_id_of_a_reference": lambda info: info[2].set("Id", "R-1"),
    "a_list_that_says_more": lambda info: etree.SubElement(
        info[0], n.INCLUSIVE_NAMESPACES, PrefixList="x", note="text"
    ),
    "a_list_with_text": lambda info: setattr(
        etree.SubElement(info[0], n.INCLUSIVE_NAMESPACES, PrefixList="x"), "text", "text"
    ),
}


def outcome(read: Callable[[], object]) -> object:
    """What was read, or the reason why not."""
    try:
        return read()
    except n.SoapSignatureError as refused:
        return refused.reason


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("writer", ["ours", "xmlsec"])
def test_at_hand_and_from_evidence(writer: str, name: str) -> None:
    root = parse(make_signed().data) if writer == "ours" else by_others()
    CHANGES[name](find(root, n.SIGNED_INFO))
    info = find(parse(etree.tostring(root)), n.SIGNED_INFO)
    found = outcome(lambda: signed_info_at_hand(info))
    assert found == outcome(lambda: parse_signed_info(signed_info_form(info)))
    assert isinstance(found, str) == (
        name not in {"as_it_is", "prefixes", "prefixes_of_a_reference", "another_method", "text_behind_it"}
    )


#: What stands in a signed RelatesTo, and what the message then relates to.
BLOCKS: dict[str, tuple[str, str | None]] = {
    "text": ("urn:uuid:1", "urn:uuid:1"),
    "spaces_and_lines": (" a&#13;&#10;b\t", "a\r\nb"),
    "references_and_cdata": ("a&#38;<![CDATA[<b>]]>&lt;", "a&<b><"),
    "long": ("a" * 2000, "a" * 2000),
    "empty": ("", None),
    "an_element": ("<x:y>z</x:y>", None),
    "elements_in_an_element": ("<x:y><x:z>z</x:z></x:y>", None),
    "deep": ("<x:y>" * 12 + "</x:y>" * 12, None),
    "hundreds": ("<x:y/>" * 600, None),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_at_hand_and_from_evidence(name: str) -> None:
    inside, relates_to = BLOCKS[name]
    signer = Organisation("ministry", Profile.TLS_CLIENT)
    root = envelope(HEADERS)
    root[0].append(parse(f'<a:RelatesTo xmlns:a="{n.WSA}" xmlns:x="urn:x">{inside}</a:RelatesTo>'.encode()))
    SoapSigner(MemoryKeystore(signer.signing), prove, ShiftedClock()).sign(root, [*HEADERS, n.RELATES_TO])
    opened = open_soap(parse(etree.tostring(root)))

    def at_hand() -> SignedPartFacts:
        return proven(opened, opened.token.value)

    def from_evidence() -> SignedPartFacts:
        return check_signed_part(opened.info.data, opened.signature, opened.headers, opened.token.value)

    assert outcome(at_hand) == outcome(from_evidence)
    if relates_to is None:
        assert isinstance(outcome(at_hand), str)
    else:
        assert at_hand().relates_to == relates_to
