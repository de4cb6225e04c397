from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from adapters.civil_registry.sandbox.answering import SigningIdentity, signed_answer, spoil_signature
from adapters.civil_registry.sandbox.checking import CheckedRequest
from certs.profiles import Profile
from gateway.signing import soap_names as n
from gateway.signing.soap_facts import check_signed_part
from gateway.signing.soap_names import SoapSignatureError
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.soap_verify import Expected, SoapVerifier
from gateway.signing.xml import canonical, digest, parse
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, prove
from tests.signing.soap_messages import HEADERS, MESSAGE_ID, PAYLOAD, Signed, envelope, find, make_signed

if TYPE_CHECKING:
    from gateway.model import SignedPart


@pytest.fixture(scope="module")
def signed() -> Signed:
    return make_signed()


def xmlsec_verify(data: bytes, certificate: bytes) -> None:
    root = etree.fromstring(data)  # noqa: TID251  the other implementation, with a parser of its own
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(certificate, xmlsec.constants.KeyDataFormatCertDer)
    context.verify(find(root, n.SIGNATURE))


def test_xmlsec_verifies_what_we_sign(signed: Signed) -> None:
    xmlsec_verify(signed.data, signed.organisation.signing.der)
    with pytest.raises(xmlsec.Error):
        xmlsec_verify(signed.data.replace(b"who?", b"you?"), signed.organisation.signing.der)


def test_xmlsec_verifies_a_body_with_every_awkward_character() -> None:
    organisation = Organisation("ministry", Profile.TLS_CLIENT)
    root = envelope(HEADERS, "É & <b> \r\n\t \" ' ]]> \u00a0 Marie-Ève")
    SoapSigner(MemoryKeystore(organisation.signing), prove, ShiftedClock()).sign(root, list(HEADERS))
    data = etree.tostring(root, encoding="utf-8")
    xmlsec_verify(data, organisation.signing.der)
    verified = SoapVerifier(organisation.vet, ShiftedClock()).verify(data, Expected(n.REQUEST_PARTS))
    assert verified.body[0].text == "É & <b> \r\n\t \" ' ]]> \u00a0 Marie-Ève"


def test_we_verify_what_xmlsec_signs() -> None:
    registry, clock = Organisation("registry", Profile.TLS_SERVER), ShiftedClock()
    payload = etree.Element(PAYLOAD)
    payload.text = "Réponse"
    request = CheckedRequest(payload, MESSAGE_ID, "c2lnbmF0dXJl")
    identity = SigningIdentity(registry.signing.der, registry.signing.key_pem)
    data = signed_answer(payload, request, "urn:x/Answer", identity, clock.now())
    expected = Expected(n.ANSWER_PARTS, action="urn:x/Answer", relates_to=MESSAGE_ID, confirms=b"signature")
    verifier = SoapVerifier(registry.vet, clock)
    assert verifier.verify(data, expected).body.text == "Réponse"
    with pytest.raises(SoapSignatureError) as caught:
        verifier.verify(spoil_signature(data), expected)
    assert caught.value.reason == "signature_invalid"


def test_we_verify_inclusive_prefixes_as_java_stacks_write_them(signed: Signed) -> None:
    """WSS4J names prefixes in each transform and in the CanonicalizationMethod; here signed by xmlsec."""
    root = etree.fromstring(signed.data)  # noqa: TID251  the other implementation, with a parser of its own
    for tag in (n.C14N_METHOD, n.TRANSFORM):
        for method in list(root.iter(tag)):
            etree.SubElement(method, n.INCLUSIVE_NAMESPACES, PrefixList="s a x absent")
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(signed.organisation.signing.key_pem, xmlsec.constants.KeyDataFormatPem)
    context.sign(find(root, n.SIGNATURE))
    data = etree.tostring(root)
    verified = signed.verify(data)
    assert verified.part.signed_info != signed.part.signed_info
    assert b'xmlns:a="' in verified.part.headers["id-Timestamp"]
    part = verified.part
    assert check_signed_part(
        part.signed_info, part.signature, part.headers, signed.organisation.signing.der
    ).message_id == (MESSAGE_ID)
    with pytest.raises(SoapSignatureError):
        signed.verify(data.replace(b"who?", b"you?"))


@pytest.mark.parametrize(("bits", "accepted"), [(3072, True), (2048, False)])
def test_rsa_sha256_is_accepted_from_large_keys_only(*, bits: int, accepted: bool) -> None:
    signed = make_signed()
    key = rsa.generate_private_key(65537, bits)
    issued = signed.organisation.authority.issue(Profile.SIGNING, ["ministry"], key=key)

    def change(root: etree._Element) -> None:
        find(root, n.TOKEN).text = base64.b64encode(issued.der).decode()
        find(root, n.SIGNATURE_METHOD).set("Algorithm", n.RSA_SHA256)
        value = key.sign(canonical(find(root, n.SIGNED_INFO)), padding.PKCS1v15(), hashes.SHA256())
        find(root, n.SIGNATURE_VALUE).text = base64.b64encode(value).decode()

    data = signed.tampered(change)
    if accepted:
        assert signed.verify(data).facts.message_id == MESSAGE_ID
    else:
        with pytest.raises(SoapSignatureError) as caught:
            signed.verify(data)
        assert caught.value.reason == "algorithm_refused"


def test_an_answer_confirms_the_requests_signature() -> None:
    organisation, clock = Organisation("ministry", Profile.TLS_CLIENT), ShiftedClock()
    headers = {n.ACTION: "urn:x/Answer", n.MESSAGE_ID: "urn:uuid:1", n.RELATES_TO: MESSAGE_ID, "{urn:x}Ledger": "k"}
    root = envelope(headers)
    SoapSigner(MemoryKeystore(organisation.signing), prove, clock).sign(root, list(headers), confirms=b"theirs")
    expected = Expected(n.ANSWER_PARTS | {"{urn:x}Ledger"}, relates_to=MESSAGE_ID, confirms=b"theirs")
    verified = SoapVerifier(organisation.vet, clock).verify(etree.tostring(root), expected)
    assert verified.facts.confirmation == b"theirs"


def test_a_missing_header_is_not_signed_over(signed: Signed) -> None:
    signer = SoapSigner(MemoryKeystore(signed.organisation.signing), prove, signed.clock)
    with pytest.raises(SoapSignatureError) as caught:
        signer.sign(envelope({n.TO: "x"}), [n.TO, n.ACTION])
    assert caught.value.reason == "header_missing"


def check(part: SignedPart, signed: Signed, **changes: object) -> str:
    values: dict[str, object] = {"signed_info": part.signed_info, "signature": part.signature, "headers": part.headers}
    values |= {"certificate_der": signed.organisation.signing.der, **changes}
    try:
        check_signed_part(**values)  # type: ignore[arg-type]  # a test's shorthand
    except SoapSignatureError as refused:
        return refused.reason
    return "holds"


def test_a_kept_part_proves_itself_without_its_body(signed: Signed) -> None:
    part = signed.part
    facts = check_signed_part(part.signed_info, part.signature, part.headers, signed.organisation.signing.der)
    assert facts.message_id == MESSAGE_ID
    assert facts.parts == n.REQUEST_PARTS
    assert facts.created is not None
    assert facts.expires is not None
    assert (facts.expires - facts.created).total_seconds() == 60
    assert facts.body_digest == signed.verify().facts.body_digest
    assert len(facts.body_digest) == len(digest(b""))


def test_a_kept_part_that_was_tampered_with_is_refused(signed: Signed) -> None:
    part = signed.part
    headers = dict(part.headers)
    to = headers["id-To"]
    assert check(part, signed) == "holds"
    assert check(part, signed, headers={**headers, "id-To": to.replace(b"here", b"away")}) == "digest_mismatch"
    assert check(part, signed, headers={**headers, "id-Else": to}) == "coverage_differs"
    without = {name: block for name, block in headers.items() if name != "id-To"}
    assert check(part, signed, headers=without) == "coverage_differs"
    swapped = {**headers, "id-To": headers["id-Action"], "id-Action": to}
    assert check(part, signed, headers=swapped) == "digest_mismatch"
    assert check(part, signed, signature=bytes(64)) == "signature_invalid"
    assert check(part, signed, signed_info=part.signed_info + b"\n") == "signed_info_not_canonical"
    other = part.signed_info.replace(b"#id-To", b"#id-Tu")
    assert check(part, signed, signed_info=other) == "signature_invalid"
    assert check(part, signed, certificate_der=Organisation("x", Profile.TLS_CLIENT).signing.der) == (
        "signature_invalid"
    )
    assert check(part, signed, certificate_der=b"junk") == "certificate_malformed"


def test_a_kept_block_is_one_of_its_kind_and_bears_its_id(signed: Signed) -> None:
    """Signed by the true key each time: what is wrong is which blocks it signed."""
    part, keystore = signed.part, MemoryKeystore(signed.organisation.signing)

    def resigned(old: bytes, name: str, block: bytes) -> str:
        root = parse(part.signed_info)
        for reference in root.findall(n.REFERENCE):
            if reference.get("URI") == f"#{name}":
                find(reference, n.DIGEST_VALUE).text = base64.b64encode(digest(block)).decode()
        info = canonical(root)
        assert (info == part.signed_info) is (block == old)
        headers = {**part.headers, name: block}
        return check(part, signed, signed_info=info, signature=keystore.sign("signing", info), headers=headers)

    action, to = part.headers["id-Action"], part.headers["id-To"]
    assert resigned(action, "id-Action", action) == "holds"
    assert resigned(action, "id-Action", to.replace(b"id-To", b"id-Action")) == "block_repeated"
    assert resigned(action, "id-Action", to) == "block_malformed"
    body = canonical(parse(b'<s:Body xmlns:s="%b" xmlns:u="%b" u:Id="id-Action"/>' % (n.SOAP.encode(), n.WSU.encode())))
    assert resigned(action, "id-Action", body) == "block_malformed"
    timestamp = part.headers["id-Timestamp"]
    assert resigned(timestamp, "id-Timestamp", timestamp.replace(b"Z<", b"<", 1)) == "timestamp_malformed"
