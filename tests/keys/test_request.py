"""Certificate requests: signed through the port, so that openssl believes them, and no way out for the key."""

from __future__ import annotations

import copy
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.profiles import Profile
from gateway.errors import ConfigurationError, KeystoreError
from gateway.keys.certificates import spki
from gateway.keys.files import FileKeystore
from gateway.keys.make import FileKeyMaker
from gateway.keys.names import KeyNames
from gateway.keys.pkcs11 import TokenKeystore
from gateway.keys.request import BehindThePort, certificate_request
from tests.adapters.fakes import SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.keys.stores import OpenKeystore
    from gateway.keys.token import Token

SUBJECT = "CN=passerelle,O=Coopérative,C=CA"


def asked(store: OpenKeystore, profile: Profile) -> bytes:
    names = ["gateway.example", "localhost"]
    return certificate_request(
        store, "signing", store.public_key("signing"), profile=profile, subject=SUBJECT, names=names
    )


@pytest.fixture(params=["files", "pkcs11"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenKeystore:
    if request.param == "files":
        FileKeyMaker(tmp_path, SystemRandomness()).make_p256("signing")
        return FileKeystore(tmp_path, signing=["signing"])
    token: Token = request.getfixturevalue("token")
    return TokenKeystore(token, KeyNames(frozenset(("signing",))), tmp_path)


@pytest.mark.parametrize("profile", list(Profile))
def test_a_request_asks_for_the_profile(store: OpenKeystore, profile: Profile) -> None:
    request = x509.load_pem_x509_csr(asked(store, profile))
    assert request.is_signature_valid
    assert spki(request) == store.public_key("signing")
    assert request.subject.rfc4514_string() == SUBJECT
    extensions = request.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [profile.value]
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment) == (True, profile is Profile.SIGNING)
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gateway.example", "localhost"]


def test_openssl_believes_it(store: OpenKeystore, tmp_path: Path) -> None:
    (tmp_path / "csr.pem").write_bytes(asked(store, Profile.SIGNING))
    command = ["openssl", "req", "-verify", "-noout", "-in", str(tmp_path / "csr.pem")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, "verify OK" in done.stdout + done.stderr) == (0, True)


@pytest.mark.parametrize(("subject", "name"), [("no name", "a.example"), (SUBJECT, "é.example")])
def test_a_request_of_no_valid_form(store: OpenKeystore, subject: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="csr_invalid"):
        certificate_request(
            store, "signing", store.public_key("signing"), profile=Profile.SIGNING, subject=subject, names=[name]
        )


def test_the_key_behind_the_port_has_no_way_out(store: OpenKeystore) -> None:
    behind = BehindThePort(store, "signing", store.public_key("signing"))
    assert (behind.curve.name, behind.key_size) == ("secp256r1", 256)
    peer = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(KeystoreError):
        behind.private_numbers()
    with pytest.raises(KeystoreError):
        behind.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeystoreError):
        behind.exchange(ec.ECDH(), peer)
    with pytest.raises(KeystoreError):
        behind.sign(b"", ec.ECDSA(hashes.SHA384()))
    assert copy.copy(behind) is behind
    assert copy.deepcopy(behind) is behind


def test_only_p256_keys_are_certified(tmp_path: Path) -> None:
    public = FileKeyMaker(tmp_path, SystemRandomness()).make_ed25519("log")
    with pytest.raises(KeystoreError, match="key_not_p256"):
        BehindThePort(FileKeystore(tmp_path, signing=["log"]), "log", public)
