"""An identifier encrypted to the upstream's key before anything is signed (C5); opened again by xmlsec, not by us."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import xmlsec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.civil_registry.adapter import contract_directory
from adapters.encryption import encryption_to
from adapters.mapped import mapped_system
from adapters.mapping.soap_form import soap_service
from adapters.soap import SoapDialogue
from certs.authority import DevAuthority
from certs.profiles import Profile
from contracts.errors import ContractError
from gateway.audit.places import differing, hidden, places_of
from gateway.cli.translate import retold
from gateway.errors import ConfigurationError
from gateway.model import Nirec, SignedPart
from gateway.signing import soap_names as n
from gateway.signing.soap_facts import check_signed_part
from gateway.signing.xml import canonical, digest, parse
from tests.adapters.conftest import CONTRACTS
from tests.adapters.fakes import ShiftedClock, SystemRandomness
from tests.adapters.others import grant_of, running

if TYPE_CHECKING:
    from pathlib import Path

    from lxml import etree

NIREC = "1234567890123"
FIELDS: dict[str, object] = {
    "nirec": Nirec(NIREC),
    "family_name": "Côté",
    "given_names": "Zoé",
    "birth_date": "2021-05-01",
}
SALTED = "      ec:salt: {salt: base64}\n"
PERSONAL = "[ec:nirec, ec:nomFamille, ec:prenoms, ec:dateNaissance]"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 3072)


@pytest.fixture
def folder(tmp_path: Path, key: rsa.RSAPrivateKey) -> Path:
    """A registry whose WSDL has no salt in its request, and which gave us a key to encrypt to."""
    made = shutil.copytree(contract_directory(), tmp_path / "registry")
    xsd = (made / "civil_registry.xsd").read_text(encoding="utf-8")
    (made / "civil_registry.xsd").write_text(
        xsd.replace('<xsd:element name="salt" type="ec:Salt"/>', "", 1), encoding="utf-8"
    )
    mapping = (made / "mapping.yaml").read_text(encoding="utf-8")
    assert SALTED in mapping
    mapping = mapping.replace(SALTED, "").replace("    unsent:", f"    encrypt: {PERSONAL}\n    unsent:")
    mapping = mapping.replace("signed: true", "signed: true\nencryption_certificate: their-key.pem")
    (made / "mapping.yaml").write_text(mapping, encoding="utf-8")
    certificate = DevAuthority("registry", ShiftedClock().now()).issue(Profile.SIGNING, ["registry"], key=key)
    (made / "their-key.pem").write_bytes(certificate.pem)
    return made


def opened(payload: etree._Element, key: rsa.RSAPrivateKey) -> etree._Element:
    """The payload with every EncryptedData decrypted, by xmlsec."""
    root = parse(canonical(payload))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    while (hidden := root.find(f".//{{{n.XENC}}}EncryptedData")) is not None:
        manager = xmlsec.KeysManager()
        manager.add_key(xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem))
        xmlsec.EncryptionContext(manager).decrypt(hidden)
    return root


def test_another_library_decrypts_what_we_encrypted(folder: Path, key: rsa.RSAPrivateKey) -> None:
    operation = soap_service(folder, CONTRACTS).operations["nirec.verify/v1"]
    payload = operation.payload(FIELDS, None)
    plain = canonical(payload)
    encryption_to(folder / "their-key.pem", SystemRandomness()).conceal(payload, operation.encrypted)
    assert NIREC.encode() not in canonical(payload)
    assert len(payload.findall(f"{{{n.XENC}}}EncryptedData")) == 4
    assert canonical(opened(payload, key)) == plain


def test_each_item_of_a_list_is_encrypted(folder: Path, key: rsa.RSAPrivateKey) -> None:
    payload = parse(b'<a xmlns="urn:x"><b><c>1</c><d>2</d><c>3</c></b><b><c><e>4</e></c></b></a>')
    plain = canonical(payload)
    encryption_to(folder / "their-key.pem", SystemRandomness()).conceal(payload, (("{urn:x}b", "{urn:x}c"),))
    assert payload.find(".//{urn:x}c") is None
    assert canonical(opened(payload, key)) == plain


def test_an_audit_leaves_what_is_encrypted_to_its_reader_and_compares_all_else(folder: Path) -> None:
    service, system = soap_service(folder, CONTRACTS), retold([], [], [folder]).systems["civil-registry"]
    operation = service.operations["nirec.verify/v1"]
    payload = operation.payload(FIELDS, None)
    encryption_to(folder / "their-key.pem", SystemRandomness()).conceal(payload, operation.encrypted)
    due = places_of(system.sent("nirec.verify/v1", FIELDS, bytes(16)))
    assert differing(places_of(payload), due, due) == ()
    assert hidden(due)
    assert not hidden(places_of(operation.payload(FIELDS, None)))
    payload.append(parse(b"<note xmlns='urn:x'/>"))
    assert differing(places_of(payload), due, due) == ("/VerifierNaissance/note",)


@pytest.mark.parametrize("place", ["ec:nirec/@note", "@note", "."])
def test_what_is_no_element_cannot_be_encrypted(folder: Path, place: str) -> None:
    mapping = (folder / "mapping.yaml").read_text(encoding="utf-8")
    mapping = mapping.replace(PERSONAL, f'["{place}"]').replace("request: #", f'request:\n      "{place}": nirec #')
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"is no element below"):
        soap_service(folder, CONTRACTS)


def test_the_same_message_is_never_encrypted_to_the_same_bytes(folder: Path) -> None:
    operation = soap_service(folder, CONTRACTS).operations["nirec.verify/v1"]
    encryption = encryption_to(folder / "their-key.pem", SystemRandomness())
    digests = set()
    for _ in range(3):
        payload = operation.payload(FIELDS, None)
        encryption.conceal(payload, operation.encrypted)
        digests.add(digest(canonical(payload)))
    assert len(digests) == 3


def test_what_is_signed_is_the_ciphertext(folder: Path, tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    with running(tmp_path / "their") as other:
        system = mapped_system(
            folder, CONTRACTS, other.endpoint(), other.trust(), clock=other.clock, randomness=SystemRandomness()
        )
        dialogue = system._dialogues["nirec.verify/v1"]
        assert isinstance(dialogue, SoapDialogue)
        sent: list[bytes] = []
        prepare = dialogue._client.prepare
        dialogue._client.prepare = lambda payload, action: sent.append(canonical(payload)) or prepare(payload, action)  # type: ignore[method-assign,func-returns-value]  # it looks on
        part = dialogue.question(grant_of("nirec.verify", FIELDS)).part
        assert isinstance(part, SignedPart)
        facts = check_signed_part(part.signed_info, part.signature, part.headers, other.gateway.signing.der)
    assert NIREC.encode() not in sent[0]
    assert facts.body_digest
    assert opened(parse(sent[0]), key).findtext("{urn:passerelle:civil-registry:v1}nirec") == NIREC


@pytest.mark.parametrize(
    "left", ["[ec:nomFamille, ec:prenoms, ec:dateNaissance]", "[ec:nirec]"], ids=["number_left", "names_left"]
)
def test_a_personal_field_that_is_not_encrypted_is_refused_at_load(folder: Path, left: str) -> None:
    mapping = (folder / "mapping.yaml").read_text(encoding="utf-8")
    (folder / "mapping.yaml").write_text(mapping.replace(PERSONAL, left), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"without a salt"):
        soap_service(folder, CONTRACTS)


@pytest.mark.parametrize("kind", ["p256", "rsa2048", "no_certificate"])
def test_a_key_that_cannot_be_encrypted_to_is_refused(tmp_path: Path, kind: str) -> None:
    authority = DevAuthority("registry", ShiftedClock().now())
    weak = ec.generate_private_key(ec.SECP256R1()) if kind == "p256" else rsa.generate_private_key(65537, 2048)
    path = tmp_path / "key.pem"
    path.write_bytes(b"" if kind == "no_certificate" else authority.issue(Profile.SIGNING, ["a"], key=weak).pem)
    with pytest.raises(ContractError, match=r"key\.pem is no"):
        encryption_to(path, SystemRandomness())
