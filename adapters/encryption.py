"""An element encrypted to another system's key before anything is signed (C5): XML Encryption 1.1.

AES-256-GCM under a fresh key, which RSA-OAEP with SHA-256 wraps. What is then signed is the ciphertext: as random as a
salt, so that nobody finds the number behind its digest.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from contracts.errors import ContractError
from gateway.signing import soap_names as n
from gateway.signing.xml import canonical

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ports import Randomness

ENCRYPTED_DATA = f"{{{n.XENC}}}EncryptedData"
_ELEMENT = f"{n.XENC}Element"
_AES_GCM = f"{n.XENC11}aes256-gcm"
_RSA_OAEP = f"{n.XENC11}rsa-oaep"
_MGF1_SHA256 = f"{n.XENC11}mgf1sha256"
_PREFIXES = {"xenc": n.XENC, "xenc11": n.XENC11, "ds": n.DS}
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_KEY_BYTES, _NONCE_BYTES = 32, 12
_SMALLEST = 3072


class Encryption:
    """Encrypts to one RSA key; used by all threads."""

    def __init__(self, key: rsa.RSAPublicKey, randomness: Randomness) -> None:
        self._key = key
        self._randomness = randomness

    def conceal(self, payload: etree._Element, ways: tuple[tuple[str, ...], ...]) -> None:
        """Puts EncryptedData in the place of every element at the end of these ways, of a list each of its items."""
        conceal(payload, ways, self._encrypted)

    def _encrypted(self, element: etree._Element) -> etree._Element:
        key, nonce = self._randomness.bytes(_KEY_BYTES), self._randomness.bytes(_NONCE_BYTES)
        hidden = nonce + AESGCM(key).encrypt(nonce, canonical(element), None)
        data = etree.Element(ENCRYPTED_DATA, nsmap=_PREFIXES, Type=_ELEMENT)
        etree.SubElement(data, f"{{{n.XENC}}}EncryptionMethod", Algorithm=_AES_GCM)
        wrapped = etree.SubElement(etree.SubElement(data, f"{{{n.DS}}}KeyInfo"), f"{{{n.XENC}}}EncryptedKey")
        method = etree.SubElement(wrapped, f"{{{n.XENC}}}EncryptionMethod", Algorithm=_RSA_OAEP)
        etree.SubElement(method, f"{{{n.DS}}}DigestMethod", Algorithm=n.SHA256)
        etree.SubElement(method, f"{{{n.XENC11}}}MGF", Algorithm=_MGF1_SHA256)
        _add_value(wrapped, self._key.encrypt(key, _OAEP))
        _add_value(data, hidden)
        return data


def conceal(
    payload: etree._Element, ways: tuple[tuple[str, ...], ...], instead: Callable[[etree._Element], etree._Element]
) -> None:
    """Puts something else in the place of every element at the end of these ways, of a list each of its items."""
    for way in ways:
        for found in payload.findall("/".join(way)):
            parent = found.getparent()
            if parent is not None:
                parent.replace(found, instead(found))


def encryption_to(certificate: Path, randomness: Randomness) -> Encryption:
    """Encryption to the key of a certificate (PEM); raises ContractError unless it is RSA of 3,072 bits or more."""
    at = ("encryption_certificate",)
    try:
        key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except (OSError, ValueError):
        raise ContractError(f"{certificate.name} is no certificate in PEM; put it beside the mapping", at) from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _SMALLEST:
        raise ContractError(f"{certificate.name} is not RSA of {_SMALLEST} bits or more; ask for another", at)
    return Encryption(key, randomness)


def _add_value(parent: etree._Element, value: bytes) -> None:
    cipher = etree.SubElement(parent, f"{{{n.XENC}}}CipherData")
    etree.SubElement(cipher, f"{{{n.XENC}}}CipherValue").text = b64encode(value).decode()
