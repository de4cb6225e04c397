"""The data key of docs/formats.md opened by its words alone: RFC 9180 and X-Wing written out, no HPKE library."""

from __future__ import annotations

import hmac
import struct
from base64 import b64decode
from hashlib import sha3_256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
VECTORS = dict(line.split(": ", 1) for line in PAGE.partition("```vectors\n")[2].partition("```")[0].splitlines())
KEM, KDF, AEAD = 0x647A, 0x0001, 0x0002


def _shared_secret(private: bytes, encapsulated: bytes) -> bytes:
    lattice = MLKEM768PrivateKey.from_seed_bytes(private[:64])
    curve = X25519PrivateKey.from_private_bytes(private[64:])
    theirs = encapsulated[1088:]
    secrets = lattice.decapsulate(encapsulated[:1088]), curve.exchange(X25519PublicKey.from_public_bytes(theirs))
    label = bytes.fromhex("5c2e2f2f5e5c")
    return sha3_256(b"".join(secrets) + theirs + curve.public_key().public_bytes_raw() + label).digest()


def _open(kem: int, info: bytes) -> bytes:
    """RFC 9180, section 5.1, mode base, with HKDF-SHA-256 (outputs of one block only)."""
    sealed = b64decode(VECTORS["sealed-data-key"])
    suite = b"HPKE" + struct.pack(">HHH", kem, KDF, AEAD)

    def extract(salt: bytes, label: bytes, data: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + data, "sha256")

    def expand(key: bytes, label: bytes, context: bytes, length: int) -> bytes:
        whole = struct.pack(">H", length) + b"HPKE-v1" + suite + label + context
        return hmac.digest(key, whole + b"\x01", "sha256")[:length]

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    shared = _shared_secret(bytes.fromhex(VECTORS["period-private"]), sealed[:1120])
    secret = extract(shared, b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed[1120:], b"")


def test_the_data_key_opens_by_the_page_s_words() -> None:
    for word in ("KEM 0x647a", "KDF 0x0001", "AEAD 0x0002", "`5c2e2f2f5e5c`", "SHA3-256"):
        assert word in PAGE
    writer = bytes.fromhex("22222222222242228222222222222222")
    info = b"passerelle/v1/data-key\n" + writer + struct.pack(">I", 202611)
    assert _open(KEM, info).hex() == VECTORS["data-key"]
    for kem, other in ((0x0020, info), (KEM, info[:-1])):
        with pytest.raises(InvalidTag):
            _open(kem, other)


@pytest.mark.parametrize(
    "path", ["log.vkey", "genesis", "roots/<party>.pem", "periods/<period>.key", "remembered-checkpoint"]
)
def test_every_anchor_has_its_line(path: str) -> None:
    assert f"| `{path}` |" in PAGE
