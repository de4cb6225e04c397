"""Attacks on the SOAP face, each named, as a change of a request that is right; and what each must be refused with.

In process they meet the verifier alone (test_soap_face.py); some go through sockets (test_soap_face_live.py).
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lxml import etree

from gateway.signing import soap_names as n
from tests.signing.soap_drafts import DS, ID, PX, SIGNED, WSA, WSSE, SoapDraft, canonical, find, resign
from tests.signing.test_soap_wrapping import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.signing.soap_drafts import SignedSoap

    Change = Callable[[etree._Element], None]
    Attack = Callable[[SoapDraft], SignedSoap]

_SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_BOMB = b'<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>'


def after(change: Change, *, resigned: bool = False) -> Attack:
    """The message changed once it is signed; ``resigned``: SignedInfo is signed anew by the true key."""

    def attack(draft: SoapDraft) -> SignedSoap:
        def both(root: etree._Element) -> None:
            change(root)
            if resigned:
                resign(root, draft.key)

        return draft.but(after=both).signed()

    return attack


def before(change: Change, *parts: str, without: str = "") -> Attack:
    """The message changed before it is signed; ``parts`` are signed too, ``without`` is not."""
    signed = tuple(part for part in (*SIGNED, *parts) if part != without)
    return lambda draft: draft.but(before=change, parts=signed).signed()


def but(**changes: object) -> Attack:
    return lambda draft: draft.but(**changes).signed()


def in_bytes(old: bytes, new: bytes) -> Attack:
    def attack(draft: SoapDraft) -> SignedSoap:
        request = draft.signed()
        assert old in request.body
        return replace(request, body=request.body.replace(old, new, 1))

    return attack


def whole(change: Callable[[bytes], bytes]) -> Attack:
    def attack(draft: SoapDraft) -> SignedSoap:
        request = draft.signed()
        return replace(request, body=change(request.body))

    return attack


def http(**headers: str) -> Attack:
    def attack(draft: SoapDraft) -> SignedSoap:
        request = draft.signed()
        return replace(request, headers=request.headers | {name.replace("_", "-"): v for name, v in headers.items()})

    return attack


def _nothing(_: etree._Element) -> None:
    pass


def _remove(local_name: str) -> Change:
    def change(root: etree._Element) -> None:
        node = find(root, local_name)
        parent = node.getparent()
        assert parent is not None
        parent.remove(node)

    return change


def _add(parent: str, tag: str, text: str = "", **attributes: str) -> Change:
    def change(root: etree._Element) -> None:
        node = etree.SubElement(find(root, parent), tag)
        node.text = text
        for name, value in attributes.items():
            node.set(name.replace("env_", f"{{{n.SOAP}}}"), value)

    return change


def _set(local_name: str, attribute: str, value: str) -> Change:
    return lambda root: find(root, local_name).set(attribute, value)


def _text(local_name: str, text: str) -> Change:
    def change(root: etree._Element) -> None:
        find(root, local_name).text = text

    return change


def _tail(local_name: str, text: str) -> Change:
    def change(root: etree._Element) -> None:
        find(root, local_name).tail = text

    return change


def _times(created: str, expires: str) -> Change:
    def change(root: etree._Element) -> None:
        _text("Created", created)(root)
        _text("Expires", expires)(root)

    return change


def _in_info(local_name: str, algorithm: str) -> Change:
    return lambda root: find(find(root, "SignedInfo"), local_name).set("Algorithm", algorithm)


def _hmac_with_the_public_key(draft: SoapDraft) -> SignedSoap:
    def change(root: etree._Element) -> None:
        _in_info("SignatureMethod", f"{_MORE}hmac-sha256")(root)
        value = hmac.digest(draft.key.der, canonical(find(root, "SignedInfo")), "sha256")
        find(root, "SignatureValue").text = b64encode(value).decode()

    return draft.but(after=change).signed()


def _hmac_length(root: etree._Element) -> None:
    etree.SubElement(find(root, "SignatureMethod"), f"{{{DS}}}HMACOutputLength").text = "8"


def _second_transform(root: etree._Element) -> None:
    etree.SubElement(find(root, "Transforms"), f"{{{DS}}}Transform", Algorithm=_XPATH)


def _reference_twice(root: etree._Element) -> None:
    info = find(root, "SignedInfo")
    info.append(deepcopy(info[2]))


def _two_payloads(root: etree._Element) -> None:
    body = find(root, "Body")
    body.append(deepcopy(body[0]))


def _second_token(root: etree._Element) -> None:
    security = find(root, "Security")
    security.append(deepcopy(find(security, "BinarySecurityToken")))
    security[-1].set(ID, "X509-2")


def reply_to(address: str, block: str = "ReplyTo") -> Change:
    def change(root: etree._Element) -> None:
        reply = etree.SubElement(find(root, "Header"), f"{{{WSA}}}{block}")
        etree.SubElement(reply, f"{{{WSA}}}Address").text = address

    return change


def _deep(levels: int) -> bytes:
    return b"<d>" * levels + b"</d>" * levels


OWN_HEADER = _add("Header", "{urn:x}Own", "words")
_WIDE = b"<d " + b" ".join(b'a%d="1"' % number for number in range(17)) + b"/>"
_KEY = "6f1c1e34-0000-4000-8000-00000000000a"
_USERNAME = f"{{{WSSE}}}UsernameToken"

#: Attack -> how it is made, and the code, component and reason of its refusal ("-": none).
ATTACKS: dict[str, tuple[Attack, str]] = {
    # signature wrapping: what was signed is still there, and something else is where it would be read
    **{name: (after(change), f"* * {reason}") for name, (change, reason) in SHAPES.items()},
    "body_signed_but_moved": (after(SHAPES["xsw1-body-in-header"][0]), "signature_malformed Security security_shape"),
    "two_payloads_in_the_body": (before(_two_payloads), "body_malformed Envelope envelope_shape"),
    "two_payloads_after_signing": (after(_two_payloads), "body_malformed Envelope envelope_shape"),
    # what is signed, changed
    "body_changed": (after(_text("message", "Bonsoir")), "digest_mismatch Reference digest_mismatch"),
    "to_changed": (after(_text("To", "https://elsewhere.example")), "digest_mismatch Reference digest_mismatch"),
    "purpose_changed": (after(_text("Exchange-Purpose", "autre")), "digest_mismatch Reference digest_mismatch"),
    "signature_value_changed": (
        after(_text("SignatureValue", b64encode(bytes(64)).decode())),
        "signature_invalid SignatureValue signature_invalid",
    ),
    "signature_value_not_base64": (after(_text("SignatureValue", "AB=")), "signature_malformed base64 *"),
    "header_repeated": (after(_add("Header", f"{{{PX}}}Exchange-Purpose", "autre")), "signature_malformed Header *"),
    # the key of an effect, which enters evidence
    "key_not_signed": (
        before(_add("Header", f"{{{PX}}}Idempotency-Key", _KEY)), "component_not_covered Idempotency-Key -",
    ),
    "key_of_words": (
        before(_add("Header", f"{{{PX}}}Idempotency-Key", "Tremblay"), "Idempotency-Key"),
        "signature_malformed Idempotency-Key -",
    ),
    # XML
    "comment_in_the_text": (in_bytes(b"Bonjour", b"Bon<!---->jour"), "body_malformed - xml_comment"),
    "comment_in_a_digest": (in_bytes(b"DigestValue>", b"DigestValue><!---->"), "body_malformed - xml_comment"),
    "comment_in_the_message_id": (in_bytes(b"urn:uuid:", b"urn:uuid:<!---->"), "body_malformed - xml_comment"),
    "processing_instruction": (in_bytes(b"Bonjour", b"<?p i?>Bonjour"), "body_malformed - xml_comment"),
    "dtd": (whole(lambda data: b"<!DOCTYPE x>" + data), "body_malformed - xml_dtd"),
    "external_dtd": (
        whole(lambda data: b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + data), "body_malformed - xml_dtd",
    ),
    "entity_bomb": (whole(lambda data: _BOMB + data.replace(b"Bonjour", b"&c;")), "body_malformed - xml_dtd"),
    "entity": (in_bytes(b"Bonjour", b"&bonjour;"), "body_malformed - xml_malformed"),
    "xinclude": (
        but(payload=b'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'),
        "body_malformed - xml_include",
    ),
    "external_schema": (
        after(_set("Body", "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation", "u file:///etc/passwd")),
        "body_malformed - xml_external_schema",
    ),
    "depth_bomb": (but(payload=_deep(40)), "body_malformed - xml_too_deep"),
    "attribute_bomb": (but(payload=_WIDE), "body_malformed - xml_too_wide"),
    "element_bomb": (but(payload=b"<d>" + b"<d/>" * 6000 + b"</d>"), "body_malformed - xml_too_wide"),
    "byte_order_mark": (whole(lambda data: b"\xef\xbb\xbf" + data), "body_malformed - xml_encoding"),
    "utf_16": (whole(lambda data: data.decode().encode("utf-16")), "body_malformed - xml_encoding"),
    "not_xml": (whole(lambda _: b'{"message":"bonjour"}'), "body_malformed - xml_malformed"),
    "empty": (whole(lambda _: b""), "body_malformed - xml_malformed"),
    "duplicate_id": (after(_set("EchoRequest", ID, "part-Body")), "signature_malformed Id id_repeated"),
    "duplicate_id_of_another_spelling": (
        after(_set("EchoRequest", "Id", "part-Body")), "signature_malformed Id id_repeated",
    ),
    "encrypted_data": (
        before(_add("Body", f"{{{n.XENC}}}EncryptedData")), "body_malformed Envelope envelope_shape",
    ),
    "encrypted_header": (
        before(_add("Header", f"{{{n.XENC}}}EncryptedData")), "body_malformed EncryptedData encrypted",
    ),
    # algorithms
    "sha1_digest": (
        after(_in_info("DigestMethod", _SHA1), resigned=True), "key_refused Algorithm algorithm_refused",
    ),
    "sha1_signature": (
        after(_in_info("SignatureMethod", f"{_MORE}ecdsa-sha1"), resigned=True),
        "key_refused Algorithm algorithm_refused",
    ),
    "hmac_with_the_public_key": (_hmac_with_the_public_key, "key_refused Algorithm algorithm_refused"),
    "truncated_hmac": (after(_hmac_length, resigned=True), "key_refused Algorithm algorithm_refused"),
    "algorithm_of_another_key": (
        after(_in_info("SignatureMethod", f"{_MORE}rsa-sha256"), resigned=True),
        "key_refused Algorithm algorithm_refused",
    ),
    "inclusive_canonicalisation": (
        after(_in_info("Transform", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"), resigned=True),
        "signature_malformed Transform transform_refused",
    ),
    "canonicalised_with_comments": (
        after(_in_info("CanonicalizationMethod", f"{n.EXCLUSIVE_C14N}WithComments"), resigned=True),
        "signature_malformed Transform transform_refused",
    ),
    "xpath_transform": (
        after(_second_transform, resigned=True), "signature_malformed Transform transform_refused",
    ),
    "reference_to_the_whole_document": (
        after(_set("Reference", "URI", ""), resigned=True), "signature_malformed Reference reference_refused",
    ),
    "reference_to_elsewhere": (
        after(_set("Reference", "URI", "https://elsewhere.example/#x"), resigned=True),
        "signature_malformed Reference reference_refused",
    ),
    "reference_to_nothing": (
        after(_set("Reference", "URI", "#nothing"), resigned=True), "signature_malformed Reference reference_dangling",
    ),
    "reference_twice": (
        after(_reference_twice, resigned=True), "signature_malformed Reference reference_repeated",
    ),
    # coverage
    **{
        f"{part}_not_covered": (before(_nothing, without=part), f"component_not_covered {part} *")
        for part in SIGNED
    },
    # the Security header
    "security_missing": (after(_remove("Security")), "signature_missing Signature -"),
    "signature_missing": (after(_remove("Signature")), "signature_missing Signature -"),
    "timestamp_absent": (
        before(_remove("Timestamp"), without="Timestamp"), "signature_malformed Security security_shape",
    ),
    "username_token": (before(_add("Security", _USERNAME)), "signature_malformed Security security_shape"),
    "two_tokens": (after(_second_token), "signature_malformed Security security_shape"),
    "token_of_another_type": (
        after(_set("BinarySecurityToken", "ValueType", "#X509PKIPathv1")),
        "signature_malformed SecurityTokenReference token_refused",
    ),
    "token_not_the_one_named": (
        after(lambda root: find(find(root, "KeyInfo"), "Reference").set("URI", "#part-Body")),
        "signature_malformed SecurityTokenReference token_refused",
    ),
    # time
    "timestamp_stale": (
        lambda draft: draft.but(created=draft.created - timedelta(seconds=95)).signed(),
        "created_out_of_window Timestamp timestamp_stale",
    ),
    "timestamp_older_than_five_minutes": (
        lambda draft: draft.but(created=draft.created - timedelta(seconds=310), lifetime=timedelta(minutes=5)).signed(),
        "created_out_of_window Timestamp -",
    ),
    "timestamp_far_ahead": (
        lambda draft: draft.but(created=draft.created + timedelta(seconds=40)).signed(),
        "created_out_of_window Timestamp timestamp_stale",
    ),
    "timestamp_spans_too_long": (
        but(lifetime=timedelta(seconds=301)), "created_out_of_window Timestamp timestamp_stale",
    ),
    "timestamp_ends_before_it_begins": (
        but(lifetime=timedelta(seconds=-1)), "created_out_of_window Timestamp timestamp_stale",
    ),
    "timestamp_at_the_end_of_time": (
        before(_times("9999-12-31T23:59:58Z", "9999-12-31T23:59:59Z")),
        "created_out_of_window Timestamp timestamp_stale",
    ),
    "timestamp_of_no_time": (before(_text("Created", "today")), "signature_malformed Timestamp timestamp_malformed"),
    # whom it is for, and what it asks
    "to_of_another_endpoint": (but(to="https://elsewhere.example/soap/echo/v1"), "addressed_elsewhere To -"),
    "to_of_another_service": (
        lambda draft: replace(draft.signed(), target="/soap/nirec/v1"), "addressed_elsewhere To -",
    ),
    "soap_action_of_another_operation": (but(http_action="urn:x/Other"), "operation_unknown SOAPAction -"),
    "soap_action_missing": (http(soapaction=""), "operation_unknown SOAPAction -"),
    "soap_action_without_quotes": (http(soapaction="urn:passerelle:echo:v1/Echo"), "operation_unknown SOAPAction -"),
    "message_id_of_words": (but(message_id="NIREC 1234567890123"), "nonce_invalid MessageID -"),
    "message_id_missing": (
        before(_remove("MessageID"), without="MessageID"), "component_not_covered MessageID -",
    ),
    "agreement_of_words": (but(agreement="deux mots"), "field_invalid Exchange-Agreement -"),
    "purpose_empty": (but(purpose=""), "signature_malformed Header block_malformed"),
    "header_to_be_understood": (
        before(_add("Header", "{urn:x}Must", env_mustUnderstand="1")), "header_not_understood - -",
    ),
    "header_to_be_understood_in_words": (
        before(_add("Header", "{urn:x}Must", env_mustUnderstand="true")), "header_not_understood - -",
    ),
    "answer_to_somebody_else": (before(reply_to("https://elsewhere.example")), "header_not_understood ReplyTo -"),
    "fault_to_somebody_else": (
        before(reply_to("https://elsewhere.example", "FaultTo")), "header_not_understood FaultTo -",
    ),
    # what evidence may not keep, though a true key signs it
    "header_of_ones_own_signed": (before(OWN_HEADER, "Own"), "signature_malformed Reference -"),
    "attribute_of_ones_own_signed": (before(_set("To", "note", "words")), "signature_malformed To -"),
    "id_of_words": (before(_set("To", ID, "Jean Tremblay")), "signature_malformed To -"),
    "body_id_of_words": (before(_set("Body", ID, "Jean Tremblay")), "signature_malformed Body -"),
    "words_in_signed_info": (
        after(_text("SignedInfo", "Jean Tremblay"), resigned=True),
        "signature_malformed SignedInfo signed_info_malformed",
    ),
    "words_behind_a_transform": (
        after(_tail("Transform", "Jean Tremblay"), resigned=True),
        "signature_malformed SignedInfo signed_info_malformed",
    ),
    "attribute_of_a_transform": (
        after(_set("Transform", "note", "Jean Tremblay"), resigned=True),
        "signature_malformed SignedInfo signed_info_malformed",
    ),
    "reference_s_id_of_words": (
        after(_set("Reference", "Id", "Jean Tremblay"), resigned=True),
        "signature_malformed Reference reference_refused",
    ),
    "message_id_with_a_space_of_no_xml": (
        but(message_id="\u00a0urn:uuid:0a1b2c3d-0000-4000-8000-000000000001"), "nonce_invalid MessageID -",
    ),
    "words_in_the_timestamp": (before(_text("Timestamp", "words")), "signature_malformed Timestamp -"),
    "element_in_the_action": (
        before(_add("Action", "{urn:x}Own")), "signature_malformed Header block_malformed",
    ),
    # HTTP
    "mtom": (
        http(content_type='multipart/related; type="application/xop+xml"'), "media_type_unsupported content-type -",
    ),
    "json": (http(content_type="application/json"), "media_type_unsupported content-type -"),
    "another_charset": (http(content_type="text/xml; charset=utf-16"), "media_type_unsupported charset -"),
    "charset_twice": (
        http(content_type="text/xml; charset=utf-8; charset=utf-8"), "media_type_unsupported content-type -",
    ),
    "gzip": (http(content_encoding="gzip"), "media_type_unsupported content-encoding -"),
    "bearer_token": (http(authorization="Bearer x"), "authorization_refused authorization -"),
    "soap_12_said_to_be_11": (
        lambda draft: replace(draft.but(form="soap12").signed(), headers=draft.http_headers()),
        "body_malformed Envelope envelope_shape",
    ),
    "another_method": (lambda draft: replace(draft.signed(), method="PUT"), "method_not_allowed - -"),
}  # fmt: skip
