r"""The index at rest: each period's part under a key that only its private key gives, so that it expires with it.

HKDF-SHA-256 (RFC 5869) of the period's raw private key, info "passerelle/v1/index\n" || uint32 period, gives 64 bytes:
an AES-256-GCM key and a key for HMAC-SHA-256 over the index's head.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.ledger.encoding import FormatError

_KEY = 32
NONCE = 12


class PartSeal:
    """Seals what an auditor keeps of one period."""

    def __init__(self, private: bytes, period: int, origin: str) -> None:
        """``private``: the period's raw private key; ``origin``: the log's."""
        info = b"passerelle/v1/index\n" + period.to_bytes(4, "big")
        keys = HKDF(SHA256(), 2 * _KEY, None, info).derive(private)
        self._cipher = AESGCM(keys[:_KEY])
        self._mac = keys[_KEY:]
        self._bound = f"{origin}\n{period}\n".encode()

    def seal(self, nonce: bytes, plain: bytes) -> bytes:
        """Gives nonce (12) || ciphertext || tag (16); ``nonce`` is random, and fresh for each."""
        return nonce + self._cipher.encrypt(nonce, plain, self._bound)

    def open(self, sealed: bytes) -> bytes:
        """What ``seal`` took; raises FormatError."""
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], self._bound)
        except (InvalidTag, ValueError) as error:
            raise FormatError("a part of the index does not open") from error

    def mac(self, head: bytes) -> str:
        """Hex HMAC-SHA-256 over the index's head."""
        return hmac.digest(self._mac, head, "sha256").hex()
