"""Signature wrapping: the signed element is still there, another one is where it would be read (XSW1-9)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from gateway.signing import soap_names as n
from tests.signing.soap_messages import Signed, find, make_signed, reason

if TYPE_CHECKING:
    from collections.abc import Callable


_SAME = "the same"


@pytest.fixture(scope="module")
def signed() -> Signed:
    return make_signed()


def _spoil(node: etree._Element) -> None:
    """Puts something else where the last text of a request, or the registry's answer, is read."""
    leaf = [item for item in node.iter() if not len(item)][-1]
    leaf.text = "CONFIRME" if leaf.text == "NON_CONFIRME" else "mallory"


def _evil(body: etree._Element) -> etree._Element:
    copy = deepcopy(body)
    _spoil(copy)
    return copy


def _wrap_body(place: str, identifier: str | None = "other") -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        body = root[1]
        evil = _evil(body)
        if identifier is None:
            del evil.attrib[n.WSU_ID]
        elif identifier != _SAME:
            evil.set(n.WSU_ID, identifier)
        root.replace(body, evil)
        host = evil if place == n.BODY else find(root, place)
        etree.SubElement(host, "{urn:x}Wrapper").append(body)

    return change


def _wrap_in_object(root: etree._Element) -> None:
    body = root[1]
    root.replace(body, _evil(body))
    root[1].set(n.WSU_ID, "other")
    etree.SubElement(find(root, n.SIGNATURE), f"{{{n.DS}}}Object").append(body)


def _second_body(root: etree._Element) -> None:
    evil = _evil(root[1])
    evil.set(n.WSU_ID, "other")
    root.insert(1, evil)


def _wrapped_envelope(root: etree._Element) -> None:
    copy = deepcopy(root)
    _spoil(root[1])
    for node in root.iter():
        if n.WSU_ID in node.attrib:
            del node.attrib[n.WSU_ID]
    etree.SubElement(root[0], "{urn:x}Wrapper").append(copy)


def _header_wrapped(tag: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        header = root[0]
        original = find(header, tag)
        evil = deepcopy(original)
        del evil.attrib[n.WSU_ID]
        evil.text = "https://elsewhere.example"
        header.replace(original, evil)
        etree.SubElement(header, "{urn:x}Wrapper").append(original)

    return change


def _timestamp_outside(root: etree._Element) -> None:
    root[0].append(find(root, n.TIMESTAMP))


def _second_timestamp(root: etree._Element) -> None:
    timestamp = find(root, n.TIMESTAMP)
    evil = deepcopy(timestamp)
    evil.set(n.WSU_ID, "other")
    find(root, n.SECURITY).insert(0, evil)


def _second_security(root: etree._Element) -> None:
    root[0].append(deepcopy(find(root, n.SECURITY)))


def _second_signature(root: etree._Element) -> None:
    security = find(root, n.SECURITY)
    security.append(deepcopy(find(security, n.SIGNATURE)))


def _second_signed_info(root: etree._Element) -> None:
    signature = find(root, n.SIGNATURE)
    signature.insert(0, deepcopy(find(signature, n.SIGNED_INFO)))


def _hidden_signed_info(root: etree._Element) -> None:
    find(root, n.KEY_INFO).append(deepcopy(find(root, n.SIGNED_INFO)))


def _security_moved(root: etree._Element) -> None:
    etree.SubElement(root[0], "{urn:x}Wrapper").append(find(root, n.SECURITY))


#: Also for answers of the registry, through a whole gateway (tests/attacks).
SHAPES: dict[str, tuple[Callable[[etree._Element], None], str]] = {
    "xsw1-body-in-header": (_wrap_body(n.HEADER), "security_shape"),
    "xsw2-body-in-security": (_wrap_body(n.SECURITY), "security_shape"),
    "xsw3-body-in-object": (_wrap_in_object, "security_shape"),
    "xsw4-body-in-body": (_wrap_body(n.BODY), "envelope_shape"),
    "xsw5-body-without-id": (_wrap_body(n.HEADER, None), "security_shape"),
    "xsw6-body-same-id": (_wrap_body(n.HEADER, _SAME), "security_shape"),
    "xsw7-second-body": (_second_body, "envelope_shape"),
    "xsw8-whole-envelope": (_wrapped_envelope, "security_shape"),
    "xsw9-to-wrapped": (_header_wrapped(n.TO), "reference_misplaced"),
    "message-id-wrapped": (_header_wrapped(n.MESSAGE_ID), "reference_misplaced"),
    "timestamp-outside-security": (_timestamp_outside, "reference_misplaced"),
    "second-timestamp": (_second_timestamp, "security_shape"),
    "second-security": (_second_security, "header_repeated"),
    "security-not-in-header": (_security_moved, "security_shape"),
    "second-signature": (_second_signature, "security_shape"),
    "two-signed-infos": (_second_signed_info, "security_shape"),
    "signed-info-in-key-info": (_hidden_signed_info, "security_shape"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_wrapping_is_refused(signed: Signed, shape: str) -> None:
    change, expected = SHAPES[shape]
    assert reason(signed, signed.tampered(change)) == expected
