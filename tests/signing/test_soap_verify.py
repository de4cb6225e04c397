from __future__ import annotations

import base64
import hmac
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from certs.profiles import CertificateRefusedError, Profile
from gateway.signing import soap_names as n
from gateway.signing.soap_names import SoapSignatureError
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.xml import canonical, parse
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, prove
from tests.signing.soap_messages import (
    ACTION,
    ADDRESS,
    EXPECTED,
    HEADERS,
    MESSAGE_ID,
    PAYLOAD,
    Signed,
    envelope,
    find,
    make_signed,
    reason,
    redigest,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def signed() -> Signed:
    return make_signed()


def test_what_is_handed_on_is_the_verified_node(signed: Signed) -> None:
    verified = signed.verify()
    assert verified.body.tag == PAYLOAD
    parent = verified.body.getparent()
    assert parent is not None
    assert parent.get(n.WSU_ID) == verified.facts.body_id
    assert (verified.facts.to, verified.facts.action, verified.facts.message_id) == (ADDRESS, ACTION, MESSAGE_ID)
    assert verified.part.signed_info == signed.part.signed_info
    assert verified.part.headers == signed.part.headers
    assert verified.part.key.chain


def test_an_id_twice_is_refused_in_any_spelling(signed: Signed) -> None:
    for name in (n.WSU_ID, "Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id"):
        data = signed.tampered(lambda root, name=name: etree.SubElement(root[0], "{urn:x}Y").set(name, "id-Body"))  # type: ignore[misc]  # a lambda's default
        assert reason(signed, data) == "id_repeated"


def test_a_repeated_header_is_refused(signed: Signed) -> None:
    def change(root: etree._Element) -> None:
        etree.SubElement(root[0], n.ACTION).text = "urn:x/Other"

    assert reason(signed, signed.tampered(change)) == "header_repeated"


# --- content ---------------------------------------------------------------------------------------------


def _body_text(root: etree._Element) -> None:
    find(root, "{urn:x}name").text = "mallory"


def _to_text(root: etree._Element) -> None:
    find(root, n.TO).text = "https://elsewhere.example"


def _drop_to(root: etree._Element) -> None:
    root[0].remove(find(root, n.TO))


@pytest.mark.parametrize(
    ("change", "expected"),
    [(_body_text, "digest_mismatch"), (_to_text, "digest_mismatch"), (_drop_to, "reference_dangling")],
)
def test_changed_content_is_refused(signed: Signed, change: Callable[[etree._Element], None], expected: str) -> None:
    assert reason(signed, signed.tampered(change)) == expected


def test_a_comment_in_signed_text_is_refused(signed: Signed) -> None:
    assert reason(signed, signed.data.replace(b"who?", b"wh<!-- -->o?")) == "xml_comment"
    assert reason(signed, signed.data.replace(b"who?", b"wh<?p i?>o?")) == "xml_comment"


def test_a_comment_in_a_digest_is_refused(signed: Signed) -> None:
    start = signed.data.index(b"DigestValue>") + len(b"DigestValue>")
    assert reason(signed, signed.data[:start] + b"<!--x-->" + signed.data[start:]) == "xml_comment"


def test_what_has_no_canonical_form_is_refused(signed: Signed) -> None:
    def change(root: etree._Element) -> None:
        etree.SubElement(root[1][0], "{relative}a")

    assert reason(signed, signed.tampered(change)) == "xml_not_canonical"


def test_dtd_and_entities_are_refused(signed: Signed) -> None:
    for dtd in (b"<!DOCTYPE x>", b'<!DOCTYPE x [<!ENTITY e "who?">]>', b'<!DOCTYPE x SYSTEM "file:///etc/passwd">'):
        assert reason(signed, dtd + signed.data.replace(b"who?", b"&e;")) == "xml_dtd"
    assert reason(signed, signed.data.replace(b"who?", b"&e;")) == "xml_malformed"


def test_encrypted_data_is_refused(signed: Signed) -> None:
    def change(root: etree._Element) -> None:
        etree.SubElement(root[0], f"{{{n.XENC}}}EncryptedData")

    assert reason(signed, signed.tampered(change)) == "encrypted"


# --- what a true key signs, and is refused all the same ---------------------------------------------------


def _set(tag: str, algorithm: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        find(find(root, n.SIGNED_INFO), tag).set("Algorithm", algorithm)

    return change


def _drop_reference(identifier: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        info = find(root, n.SIGNED_INFO)
        for reference in info.findall(n.REFERENCE):
            if reference.get("URI") == f"#{identifier}":
                info.remove(reference)

    return change


def _uri(uri: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        find(root, n.REFERENCE).set("URI", uri)

    return change


def _second_transform(root: etree._Element) -> None:
    transforms = find(root, n.TRANSFORMS)
    etree.SubElement(transforms, n.TRANSFORM, Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116")


def _hmac_length(root: etree._Element) -> None:
    etree.SubElement(find(root, n.SIGNATURE_METHOD), f"{{{n.DS}}}HMACOutputLength").text = "8"


def _repeat_reference(root: etree._Element) -> None:
    info = find(root, n.SIGNED_INFO)
    info.append(deepcopy(info[2]))


_SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(_set(n.DIGEST_METHOD, _SHA1), "algorithm_refused", id="sha1-digest"),
        pytest.param(
            _set(n.SIGNATURE_METHOD, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"),
            "algorithm_refused",
            id="sha1-signature",
        ),
        pytest.param(_set(n.SIGNATURE_METHOD, n.RSA_SHA256), "algorithm_refused", id="algorithm-of-another-key"),
        pytest.param(_hmac_length, "algorithm_refused", id="truncated-hmac"),
        pytest.param(_set(n.TRANSFORM, _C14N), "transform_refused", id="inclusive-c14n"),
        pytest.param(_set(n.C14N_METHOD, n.EXCLUSIVE_C14N + "WithComments"), "transform_refused", id="comments"),
        pytest.param(_second_transform, "transform_refused", id="xpath"),
        pytest.param(_uri(""), "reference_refused", id="whole-document"),
        pytest.param(_uri("https://elsewhere.example/#id"), "reference_refused", id="external"),
        pytest.param(_uri("#xpointer(id('id-Body'))"), "reference_refused", id="xpointer"),
        pytest.param(_repeat_reference, "reference_repeated", id="reference-twice"),
        pytest.param(_drop_reference("id-Body"), "not_covered", id="body-not-covered"),
        pytest.param(_drop_reference("id-Timestamp"), "not_covered", id="timestamp-not-covered"),
        pytest.param(_drop_reference("id-To"), "not_covered", id="to-not-covered"),
        pytest.param(_drop_reference("id-Action"), "not_covered", id="action-not-covered"),
        pytest.param(_drop_reference("id-MessageID"), "not_covered", id="message-id-not-covered"),
    ],
)
def test_a_weak_signature_is_refused_though_it_holds(
    signed: Signed, change: Callable[[etree._Element], None], expected: str
) -> None:
    assert reason(signed, signed.tampered(change, resign=True)) == expected


def test_an_hmac_with_the_public_key_is_refused(signed: Signed) -> None:
    root = parse(signed.data)
    find(root, n.SIGNATURE_METHOD).set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    value = hmac.digest(signed.organisation.signing.der, canonical(find(root, n.SIGNED_INFO)), "sha256")
    find(root, n.SIGNATURE_VALUE).text = base64.b64encode(value).decode()
    assert reason(signed, etree.tostring(root)) == "algorithm_refused"


def test_a_signature_by_another_key_is_refused(signed: Signed) -> None:
    other = Signed(Organisation("other", Profile.TLS_CLIENT), signed.clock, signed.data, signed.part)
    assert reason(signed, other.tampered(lambda _: None, resign=True)) == "signature_invalid"


@pytest.mark.parametrize("which", ["tls", "stranger"])
def test_a_certificate_that_is_not_the_partys_signing_certificate_is_refused(signed: Signed, which: str) -> None:
    stranger = Organisation("stranger", Profile.TLS_CLIENT)
    key = signed.organisation.tls if which == "tls" else stranger.signing
    root = envelope(HEADERS)
    SoapSigner(MemoryKeystore(key), prove, signed.clock).sign(root, list(HEADERS))
    with pytest.raises(CertificateRefusedError) as caught:
        signed.verify(etree.tostring(root))
    assert caught.value.reason == ("wrong_eku" if which == "tls" else "wrong_authority")


@pytest.mark.parametrize(
    ("tag", "name", "value"),
    [
        (n.TOKEN_URI, "URI", "#id-Body"),
        (n.TOKEN, "ValueType", "#X509PKIPathv1"),
        (n.TOKEN, "EncodingType", "#HexBinary"),
    ],
)
def test_a_token_that_is_not_the_one_named_is_refused(signed: Signed, tag: str, name: str, value: str) -> None:
    assert reason(signed, signed.tampered(lambda root: find(root, tag).set(name, value))) == "token_refused"


def test_base64_has_one_form(signed: Signed) -> None:
    def spoil(root: etree._Element) -> None:
        value = find(root, n.SIGNATURE_VALUE)
        text = value.text or ""
        assert text.endswith("==")
        value.text = text[:-3] + chr(ord(text[-3]) + 1) + "=="

    assert reason(signed, signed.tampered(spoil)) == "base64_malformed"


# --- time and purpose --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "fresh"), [(85, True), (95, False), (-25, True), (-35, False)])
def test_a_timestamp_is_fresh_within_its_life_and_a_skew(*, seconds: int, fresh: bool) -> None:
    signed = make_signed()
    signed.clock = ShiftedClock(timedelta(seconds=seconds))
    if fresh:
        assert signed.verify().facts.message_id == MESSAGE_ID
    else:
        assert reason(signed, signed.data) == "timestamp_stale"


@pytest.mark.parametrize(
    ("expires", "expected"),
    [("+301", "timestamp_stale"), ("-1", "timestamp_stale"), ("words", "timestamp_malformed")],
)
def test_a_timestamp_that_spans_too_much_or_nothing_is_refused(signed: Signed, expires: str, expected: str) -> None:
    def change(root: etree._Element) -> None:
        created = signed.clock.now()
        end = created + timedelta(seconds=int(expires)) if expires != "words" else None
        find(root, n.CREATED).text = created.strftime("%Y-%m-%dT%H:%M:%SZ")
        find(root, n.EXPIRES).text = end.strftime("%Y-%m-%dT%H:%M:%SZ") if end else "tomorrow"
        redigest(root, "id-Timestamp")

    assert reason(signed, signed.tampered(change, resign=True)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"action": "urn:x/Other"}, "action_differs"),
        ({"to": "https://elsewhere.example"}, "to_differs"),
        ({"relates_to": MESSAGE_ID}, "relates_to_differs"),
        ({"confirms": b"signature"}, "confirmation_differs"),
        ({"required": n.ANSWER_PARTS}, "not_covered"),
    ],
)
def test_a_message_for_another_purpose_is_refused(signed: Signed, change: dict[str, object], expected: str) -> None:
    with pytest.raises(SoapSignatureError) as caught:
        signed.verify(expected=replace(EXPECTED, **change))  # type: ignore[arg-type]  # a test's shorthand
    assert caught.value.reason == expected


def test_no_byte_of_what_was_signed_can_change(signed: Signed) -> None:
    """Every 5th byte, flipped: refused by a stable reason, or outside of what is signed."""
    body = canonical(parse(signed.data)[1])
    refused = 0
    for position in range(0, len(signed.data), 5):
        data = bytearray(signed.data)
        data[position] ^= 1
        try:
            verified = signed.verify(bytes(data))
        except (SoapSignatureError, CertificateRefusedError):
            refused += 1
            continue
        parent = verified.body.getparent()
        assert parent is not None
        assert canonical(parent) == body
        assert verified.part.headers == signed.part.headers
    assert refused > len(signed.data) // 5 * 0.9
