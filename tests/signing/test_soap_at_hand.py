"""A SignedInfo at hand says what its canonical bytes say, to the letter and to the refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xmlsec
from lxml import etree

from gateway.signing import soap_names as n
from gateway.signing.soap_info import parse_signed_info, signed_info_at_hand, signed_info_form
from gateway.signing.xml import parse
from tests.signing.soap_messages import find, make_signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.signing.soap_info import SignedInfo

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
}


def outcome(read: Callable[[], SignedInfo]) -> object:
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
        name not in {"as_it_is", "prefixes", "prefixes_of_a_reference", "another_method", "text_between"}
    )
