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


@pytest.fixture(scope="module")
def signed() -> Signed:
    return make_signed()


def _evil(body: etree._Element) -> etree._Element:
    copy = deepcopy(body)
    find(copy, "{urn:x}name").text = "mallory"
    return copy


def _wrap_body(place: str, identifier: str | None) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        body = root[1]
        evil = _evil(body)
        if identifier is None:
            del evil.attrib[n.WSU_ID]
        else:
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
    find(root, "{urn:x}name").text = "mallory"
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


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(_wrap_body(n.HEADER, "other"), "security_shape", id="xsw1-body-in-header"),
        pytest.param(_wrap_body(n.SECURITY, "other"), "security_shape", id="xsw2-body-in-security"),
        pytest.param(_wrap_in_object, "security_shape", id="xsw3-body-in-object"),
        pytest.param(_wrap_body(n.BODY, "other"), "envelope_shape", id="xsw4-body-in-body"),
        pytest.param(_wrap_body(n.HEADER, None), "security_shape", id="xsw5-body-without-id"),
        pytest.param(_wrap_body(n.HEADER, "id-Body"), "security_shape", id="xsw6-body-same-id"),
        pytest.param(_second_body, "envelope_shape", id="xsw7-second-body"),
        pytest.param(_wrapped_envelope, "security_shape", id="xsw8-whole-envelope"),
        pytest.param(_header_wrapped(n.TO), "reference_misplaced", id="xsw9-to-wrapped"),
        pytest.param(_header_wrapped(n.MESSAGE_ID), "reference_misplaced", id="message-id-wrapped"),
        pytest.param(_timestamp_outside, "reference_misplaced", id="timestamp-outside-security"),
        pytest.param(_second_timestamp, "security_shape", id="second-timestamp"),
        pytest.param(_second_security, "header_repeated", id="second-security"),
        pytest.param(_security_moved, "security_shape", id="security-not-in-header"),
        pytest.param(_second_signature, "security_shape", id="second-signature"),
        pytest.param(_second_signed_info, "security_shape", id="two-signed-infos"),
        pytest.param(_hidden_signed_info, "security_shape", id="signed-info-in-key-info"),
    ],
)
def test_wrapping_is_refused(signed: Signed, change: Callable[[etree._Element], None], expected: str) -> None:
    assert reason(signed, signed.tampered(change)) == expected
