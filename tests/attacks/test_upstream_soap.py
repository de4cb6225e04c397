"""The SOAP upstream's answers (section 10): whoever sits at the registry's port is believed nothing unproven."""

from __future__ import annotations

import gzip
import hmac
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.signing import soap_names as n
from gateway.signing.xml import canonical, parse
from tests.adapters.fakes import until
from tests.attacks.arena import DAY, NOW
from tests.attacks.upstream import SALT, Asked, Http, shifted
from tests.signing.soap_messages import find
from tests.signing.test_soap_wrapping import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.authority import Issued
    from tests.attacks.besieged import Besieged
    from tests.attacks.upstream import Craft

    Change = Callable[[etree._Element], object]

UNTRUSTED, MALFORMED, UNAVAILABLE = "502 upstream_untrusted", "502 upstream_malformed", "503 upstream_unavailable"
REGISTRY = "civil-registry"
_HOSTS = ["civil-registry.passerelle.test", "localhost"]


def _changed(change: Change) -> Craft:
    return lambda asked: asked.changed(change)


def _resigned(change: Change) -> Craft:
    """Changed, and signed anew by the registry's true key: what is left to refuse is the form."""
    return lambda asked: asked.changed(change, resign=True)


def _before(text: bytes) -> Craft:
    return lambda asked: text + asked.answer()


def _in(element: bytes, text: bytes) -> Craft:
    """The good answer with this at the beginning of an element."""
    return lambda asked: asked.text(element + b">", element + b">" + text)


def _extra(make: Change) -> Craft:
    """The good answer with one more header block, which nobody signed."""

    def change(root: etree._Element) -> None:
        make(etree.SubElement(root[0], "{urn:x}Extra"))

    return _changed(change)


def _method(tag: str, algorithm: str) -> Change:
    return lambda root: find(find(root, n.SIGNED_INFO), tag).set("Algorithm", algorithm)


def _uri(uri: str) -> Change:
    return lambda root: find(root, n.REFERENCE).set("URI", uri)


def _not_signed(tag: str) -> Change:
    """The part stays, its reference goes."""

    def change(root: etree._Element) -> None:
        info, part = find(root, n.SIGNED_INFO), find(root, tag)
        for reference in info.findall(n.REFERENCE):
            if reference.get("URI") == f"#{part.get(n.WSU_ID)}":
                info.remove(reference)

    return change


def _removed(tag: str) -> Change:
    def change(root: etree._Element) -> None:
        _not_signed(tag)(root)
        part = find(root, tag)
        parent = part.getparent()
        assert parent is not None
        parent.remove(part)

    return change


def _deep(node: etree._Element) -> None:
    for _ in range(100):
        node = etree.SubElement(node, "{urn:x}d")


def _wide(node: etree._Element) -> None:
    for _ in range(51_000):
        etree.SubElement(node, "{urn:x}w")


def _attributes(node: etree._Element) -> None:
    for number in range(500):
        node.set(f"a{number}", "1")


def _large(node: etree._Element) -> None:
    node.text = "a" * 1_100_000


def _hmac_with_the_public_key(asked: Asked) -> bytes:
    root = parse(asked.answer())
    find(root, n.SIGNATURE_METHOD).set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    value = hmac.digest(asked.key.der, canonical(find(root, n.SIGNED_INFO)), "sha256")
    find(root, n.SIGNATURE_VALUE).text = b64encode(value).decode()
    return etree.tostring(root)


def _hmac_length(root: etree._Element) -> None:
    etree.SubElement(find(root, n.SIGNATURE_METHOD), f"{{{n.DS}}}HMACOutputLength").text = "8"


def _xpath(root: etree._Element) -> None:
    etree.SubElement(find(root, n.TRANSFORMS), n.TRANSFORM, Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116")


def _value_changed(asked: Asked) -> bytes:
    root = parse(asked.answer())
    value = find(root, n.SIGNATURE_VALUE)
    raw = bytearray(b64decode(value.text or ""))
    raw[-1] ^= 1
    value.text = b64encode(raw).decode()
    return etree.tostring(root)


def _span(root: etree._Element) -> None:
    find(root, n.EXPIRES).text = (NOW() + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fault(asked: Asked) -> Http:
    return Http(asked.answer(), 500)


def _encoded(text: bytes, encoding: str) -> bytes:
    return f'<?xml version="1.0" encoding="{encoding}"?>{text.decode()}'.encode(encoding)


_LAUGHS = b'<!DOCTYPE s [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
_XML = ("Content-Type", "text/xml; charset=utf-8")
_EXTERNAL = b'<!DOCTYPE s [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"

#: attack -> how the answer is made, and what the caller is told
ATTACKS: dict[str, tuple[Craft, str]] = {
    # what is signed is still there, something else stands where it would be read
    **{
        shape: (_changed(change), MALFORMED if reason == "envelope_shape" else UNTRUSTED)
        for shape, (change, reason) in SHAPES.items()
        if shape != "xsw9-to-wrapped"  # an answer has no To; its MessageID is wrapped beside
    },
    "duplicate_ids": (_extra(lambda node: node.set("Id", "part-0")), UNTRUSTED),
    "result_changed": (lambda asked: asked.text(b">NON_CONFIRME<", b">CONFIRME<"), UNTRUSTED),
    "signature_changed": (_value_changed, UNTRUSTED),
    # what the true key signs, and is refused all the same
    "sha1_digest": (_resigned(_method(n.DIGEST_METHOD, "http://www.w3.org/2000/09/xmldsig#sha1")), UNTRUSTED),
    "sha1_signature": (
        _resigned(_method(n.SIGNATURE_METHOD, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1")),
        UNTRUSTED,
    ),
    "hmac_with_the_public_key": (_hmac_with_the_public_key, UNTRUSTED),
    "truncated_hmac": (_resigned(_hmac_length), UNTRUSTED),
    "inclusive_c14n": (
        _resigned(_method(n.TRANSFORM, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
        UNTRUSTED,
    ),
    "c14n_with_comments": (_resigned(_method(n.C14N_METHOD, f"{n.EXCLUSIVE_C14N}WithComments")), UNTRUSTED),
    "xpath_transform": (_resigned(_xpath), UNTRUSTED),
    "reference_to_the_whole_document": (_resigned(_uri("")), UNTRUSTED),
    "reference_to_elsewhere": (_resigned(_uri("https://elsewhere.test/#part-0")), UNTRUSTED),
    "encrypted_data": (_extra(lambda node: etree.SubElement(node, f"{{{n.XENC}}}EncryptedData")), UNTRUSTED),
    # what must be signed and is not
    "body_not_signed": (_resigned(_not_signed(n.BODY)), UNTRUSTED),
    "timestamp_not_signed": (_resigned(_not_signed(n.TIMESTAMP)), UNTRUSTED),
    "action_not_signed": (_resigned(_not_signed(n.ACTION)), UNTRUSTED),
    "message_id_not_signed": (_resigned(_not_signed(n.MESSAGE_ID)), UNTRUSTED),
    "relates_to_not_signed": (_resigned(_not_signed(n.RELATES_TO)), UNTRUSTED),
    "signature_confirmation_not_signed": (_resigned(_not_signed(n.CONFIRMATION)), UNTRUSTED),
    "no_signature_confirmation": (_resigned(_removed(n.CONFIRMATION)), UNTRUSTED),
    "no_signature": (_changed(lambda root: root[0].remove(find(root, n.SECURITY))), UNTRUSTED),
    # what was signed for somebody, sometime or something else
    "answer_to_another_message": (lambda asked: asked.answer(relates_to="urn:uuid:0"), UNTRUSTED),
    "answer_to_another_signature": (
        lambda asked: asked.answer(confirms=b64encode(b"another").decode()),
        UNTRUSTED,
    ),
    "answer_to_an_earlier_request": (lambda asked: asked.last or b"", UNTRUSTED),
    "answer_of_another_action": (lambda asked: asked.answer(action="urn:other"), UNTRUSTED),
    "our_own_request_sent_back": (lambda asked: asked.data, UNTRUSTED),
    "timestamp_long_ago": (shifted(timedelta(minutes=-10)), UNTRUSTED),
    "timestamp_in_the_future": (shifted(timedelta(minutes=10)), UNTRUSTED),
    "timestamp_that_spans_too_much": (_resigned(_span), UNTRUSTED),
    # privacy
    "salt_missing": (_resigned(lambda root: find(root, n.BODY)[0].remove(find(root, SALT))), MALFORMED),
    "salt_short": (lambda asked: asked.answer(salt=b64encode(b"s" * 15).decode()), MALFORMED),
    "salt_is_our_own": (lambda asked: asked.answer(salt=asked.salt), UNTRUSTED),
    "salt_is_the_message_id": (
        lambda asked: asked.answer(salt=b64encode(bytes.fromhex(asked.message_id[9:].replace("-", ""))).decode()),
        UNTRUSTED,
    ),
    "salt_of_an_earlier_answer": (lambda asked: asked.answer(salt=_salt_of(asked.last)), UNTRUSTED),
    # XML that nobody should read
    "dtd": (_before(b"<!DOCTYPE s>"), MALFORMED),
    "entities": (lambda asked: _LAUGHS + asked.text(b">NON_CONFIRME<", b">&c;<"), MALFORMED),
    "external_entity": (lambda asked: _EXTERNAL + asked.text(b">NON_CONFIRME<", b">&e;<"), MALFORMED),
    "external_schema": (_extra(lambda node: node.set(_SCHEMA, "urn:x file:///etc/passwd")), MALFORMED),
    "xinclude": (
        _extra(lambda node: etree.SubElement(node, "{http://www.w3.org/2001/XInclude}include", href="/etc/passwd")),
        MALFORMED,
    ),
    # at the end of a text, where canonicalisation and whoever reads the text do not see it
    "comment_in_a_digest": (lambda asked: asked.text(b"</ds:DigestValue>", b"<!-- --></ds:DigestValue>"), MALFORMED),
    "comment_in_the_result": (lambda asked: asked.text(b"</ec:resultat>", b"<!-- --></ec:resultat>"), MALFORMED),
    "processing_instruction": (lambda asked: asked.text(b"</ec:resultat>", b"<?p i?></ec:resultat>"), MALFORMED),
    "depth_bomb": (_extra(_deep), MALFORMED),
    "element_bomb": (_extra(_wide), MALFORMED),
    "attribute_bomb": (_extra(_attributes), MALFORMED),
    "more_than_a_mebibyte": (_extra(_large), MALFORMED),
    "compression_bomb": (
        lambda asked: Http(gzip.compress(asked.answer() + b" " * 900_000), 200, (_XML, ("Content-Encoding", "gzip"))),
        MALFORMED,
    ),
    "mtom": (
        lambda asked: Http(asked.answer(), 200, (("Content-Type", 'multipart/related; type="application/xop+xml"'),)),
        MALFORMED,
    ),
    "byte_order_mark": (_before(b"\xef\xbb\xbf"), MALFORMED),
    "utf16": (lambda asked: _encoded(asked.answer(), "utf-16"), MALFORMED),
    "another_encoding": (_before(b'<?xml version="1.0" encoding="ISO-8859-1"?>'), MALFORMED),
    "invalid_utf8": (_in(b"ec:resultat", b"\xff"), MALFORMED),
    "null_byte": (_in(b"ec:resultat", b"\x00"), MALFORMED),
    "no_xml": (lambda _: b"<html>", MALFORMED),
    "cut_off": (lambda asked: asked.answer()[:-9], MALFORMED),
    "result_that_their_schema_does_not_have": (lambda asked: asked.answer(result="PEUT_ETRE"), MALFORMED),
    # HTTP around it
    "html": (lambda asked: Http(asked.answer(), 200, (("Content-Type", "text/html"),)), MALFORMED),
    "rightly_signed_answer_with_status_500": (_fault, UNAVAILABLE),
    "redirect": (
        lambda asked: Http(asked.answer(), 302, (_XML, ("Location", "https://elsewhere.test/"))),
        UNAVAILABLE,
    ),
}


def _salt_of(answer: bytes | None) -> str:
    return str(find(parse(answer or b""), SALT).text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(besieged: Besieged, attack: str) -> None:
    craft, expected = ATTACKS[attack]
    shown = besieged.disbelieves(craft, expected)
    assert b"CONFIRME" not in shown.body


def _signed_by(make: Callable[[DevAuthority], Issued]) -> Callable[[Besieged], Issued]:
    return lambda besieged: make(besieged.authorities[REGISTRY])


#: attack -> the certificate, and its key, that signs the answer
SIGNERS: dict[str, Callable[[Besieged], Issued]] = {
    "signer_expired": _signed_by(
        lambda ca: ca.issue(Profile.SIGNING, _HOSTS, not_before=NOW() - 2 * DAY, not_after=NOW() - DAY)
    ),
    "signer_not_yet_valid": _signed_by(lambda ca: ca.issue(Profile.SIGNING, _HOSTS, not_before=NOW() + DAY)),
    "signer_revoked": lambda besieged: besieged.made.revoked_signer,
    "signer_with_a_tls_certificate": _signed_by(lambda ca: ca.issue(Profile.TLS_SERVER, _HOSTS)),
    "signer_of_an_unknown_authority": lambda _: DevAuthority(REGISTRY, NOW()).issue(Profile.SIGNING, _HOSTS),
    "signer_is_another_party": lambda besieged: besieged.signing("ministry"),
    "signer_of_another_partys_authority": lambda besieged: besieged.authorities["ministry"].issue(
        Profile.SIGNING, _HOSTS
    ),
    "signer_of_another_name": _signed_by(lambda ca: ca.issue(Profile.SIGNING, ["elsewhere.test"])),
}


@pytest.mark.parametrize("attack", SIGNERS)
def test_refused_by_its_signing_certificate(besieged: Besieged, attack: str) -> None:
    key = SIGNERS[attack](besieged)
    besieged.disbelieves(lambda asked: asked.answer(key=key), UNTRUSTED)


def _server(**how: object) -> Callable[[Besieged], Path]:
    profile = how.pop("profile", Profile.TLS_SERVER)
    names = how.pop("names", _HOSTS)
    return lambda besieged: besieged.issue(REGISTRY, profile, names, **how)  # type: ignore[arg-type]  # a shorthand


def _stranger(besieged: Besieged) -> Path:
    stranger = DevAuthority(REGISTRY, NOW())
    return besieged.write(stranger.issue(Profile.TLS_SERVER, _HOSTS), stranger)


#: attack -> the TLS certificate at the registry's port
SERVERS: dict[str, Callable[[Besieged], Path]] = {
    "server_expired": _server(not_before=NOW() - 2 * DAY, not_after=NOW() - DAY),
    "server_not_yet_valid": _server(not_before=NOW() + DAY),
    "server_revoked": lambda besieged: besieged.write(besieged.made.revoked_server, besieged.authorities[REGISTRY]),
    "server_of_an_unknown_authority": _stranger,
    "server_of_another_partys_authority": lambda besieged: besieged.issue("ministry", Profile.TLS_SERVER, _HOSTS),
    "server_of_another_name": _server(names=["civil-registry.passerelle.test"]),
    "server_of_no_name_of_the_party": _server(names=["localhost"]),
    "server_with_a_client_certificate": _server(profile=Profile.TLS_CLIENT),
    "server_with_a_signing_certificate": _server(profile=Profile.SIGNING),
    "server_rsa_2048": _server(key=rsa.generate_private_key(65537, 2048)),
}


@pytest.mark.parametrize("attack", SERVERS)
def test_refused_before_anything_is_sent(besieged: Besieged, attack: str) -> None:
    root = besieged.folder / "sandbox" / REGISTRY / "caller-root.pem"
    with besieged.hostile.presenting(SERVERS[attack](besieged), root):
        besieged.disbelieves(Asked.answer, UNTRUSTED, asked=0)


def test_refused_under_a_stale_list(besieged: Besieged) -> None:
    """Fail closed: when the registry's revocation list is stale, nothing of it is believed, and nothing sent."""
    authority = besieged.authorities[REGISTRY]
    good = (besieged.keys / "revocation" / f"{REGISTRY}.issuing.crl").read_bytes()
    _, stale = authority.revocation_lists(at=NOW() - 40 * DAY)
    try:
        besieged.list_of_the_registry(stale)
        assert until(lambda: _every_status(besieged) == {502}, 30)
        besieged.disbelieves(Asked.answer, UNTRUSTED, asked=0)
    finally:
        besieged.list_of_the_registry(good)
        assert until(lambda: _every_status(besieged) == {200}, 30)


def _every_status(besieged: Besieged) -> set[int]:
    """Of as many exchanges as it takes for each worker to have had some."""
    return {besieged.exchange(besieged.verification().signed()).status for _ in range(16)}
