"""A notice at rest: sealed under a key of its own, which only a keystore's MAC gives (L2, L3)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import KeystoreError
from gateway.notices import Notice
from gateway.subject import DisclosedSubject

if TYPE_CHECKING:
    from gateway.ports import Keystore, Randomness

OUTBOX_KEY = "outbox"
#: The problem of a row that does not open.
SEALED_OTHERWISE = "outbox_sealed_otherwise"
_SEALED = b"passerelle/v1/outbox/sealed\n"
_LINE = b"passerelle/v1/outbox/line\n"
_NONCE = 12


class Sealing:
    """Seals notices, and opens them; AES-256-GCM, the delivery's id as associated data."""

    def __init__(self, keystore: Keystore, randomness: Randomness) -> None:
        self._keystore = keystore
        self._randomness = randomness

    def seal(self, notice: Notice) -> bytes:
        """Nonce, ciphertext and tag; raises KeystoreError."""
        nonce = self._randomness.bytes(_NONCE)
        return nonce + self._key(notice.delivery).encrypt(nonce, _packed(notice), notice.delivery.bytes)

    def open(self, delivery: UUID, sealed: bytes) -> Notice:
        """The notice; raises KeystoreError where it was sealed under another key, or changed since."""
        try:
            plain = self._key(delivery).decrypt(sealed[:_NONCE], sealed[_NONCE:], delivery.bytes)
        except InvalidTag:
            raise KeystoreError(SEALED_OTHERWISE, delivery=delivery) from None
        return _unpacked(delivery, plain)

    def line(self, addressee: str, subject: str) -> bytes:
        """Which deliveries wait for each other: one child's, to one party; tells neither to whoever has no key."""
        return self._keystore.mac(OUTBOX_KEY, _LINE + f"{addressee}\0{subject}".encode())

    def _key(self, delivery: UUID) -> AESGCM:
        return AESGCM(self._keystore.mac(OUTBOX_KEY, _SEALED + delivery.bytes))


def _packed(notice: Notice) -> bytes:
    told = {
        "exchange": str(notice.exchange),
        "addressee": notice.addressee,
        "subject": [notice.subject.ledger, notice.subject.handle],
        "fields": dict(notice.fields),
        "accepted": notice.accepted.isoformat(),
        "expires": notice.expires.isoformat(),
        "secrets": [secret.hex() for secret in notice.secrets],
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _unpacked(delivery: UUID, plain: bytes) -> Notice:
    told = json.loads(plain)
    return Notice(
        delivery=delivery,
        exchange=UUID(told["exchange"]),
        addressee=told["addressee"],
        subject=DisclosedSubject(*told["subject"]),
        fields=told["fields"],
        accepted=datetime.fromisoformat(told["accepted"]),
        expires=datetime.fromisoformat(told["expires"]),
        secrets=tuple(map(bytes.fromhex, told["secrets"])),
    )
