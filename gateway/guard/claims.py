"""Step 4: a nonce and a salt are claimed once, over all workers and restarts."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from gateway.errors import Code, Refusal
from gateway.model import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from gateway.model import Message, Received, RequestSignature, SoapSignature
    from gateway.ports import Keystore

NONCE = "nonce"
SALT = "salt"
CLAIMS_KEY = "claims"

#: Past the window in which ``created`` is accepted, a nonce need not be remembered (S1); a salt a day (C4).
NONCE_KEPT = timedelta(minutes=10)
#: How far ahead of ours a caller's clock may be (S1): a claim that was lost can bear a time so much later.
AHEAD = timedelta(seconds=30)
SALT_KEPT = timedelta(hours=24)
#: How long after a rotation claims are made under the former key too: as long as the last ones under it are remembered.
OVERLAP = SALT_KEPT + timedelta(minutes=10)


class ClaimStore(Protocol):
    """Where claims are kept, for all workers."""

    def claim(self, rows: Sequence[tuple[str, bytes, datetime]]) -> frozenset[str]:
        """Inserts (kind, key, kept until) rows; the kinds that were there already."""
        ...

    def first_refusal(self, key: bytes, minute: str, exchange_id: UUID) -> UUID:
        """The exchange id kept for this key and minute; the given one if there was none."""
        ...

    def lost_before(self) -> datetime | None:
        """Claims made before this moment may have been lost with their machine or server (L4); None if none can be."""
        ...


class ClaimGuard:
    """ports.Guard. What is stored of a nonce or a salt is its HMAC with the party, never itself (C4)."""

    def __init__(
        self,
        store: ClaimStore,
        keystore: Keystore,
        refusals_per_minute: int,
        keys: Callable[[], Sequence[str]] = lambda: (CLAIMS_KEY,),
    ) -> None:
        """``keys`` names the key of new claims and, for OVERLAP after it was rotated, the former one behind it."""
        self._store = store
        self._keystore = keystore
        self._keys = keys
        self._most_refusals = refusals_per_minute
        self._lock = threading.Lock()
        self._minute = ""
        self._refusals: dict[str, int] = {}

    def claim(self, message: Message) -> Claim:
        """The claim; raises Refusal: replayed, salt_repeated, created_out_of_window."""
        signature = message.request.signature
        self._check_not_lost(signature)
        party = message.request.party.name.encode()
        at = message.request.received.at
        nonce = (NONCE, signature.key.sha256.encode(), signature.nonce.encode())
        rows = [(NONCE, mac, at + NONCE_KEPT) for mac in self._macs(*nonce)]
        if message.salt is not None:
            rows += [(SALT, mac, at + SALT_KEPT) for mac in self._macs(SALT, party, message.salt)]
        taken = self._store.claim(rows)
        self._check_not_lost(signature)  # the database may have been lost since, and this claim's former self with it
        if NONCE in taken:
            raise Refusal(Code.REPLAYED, component="nonce", nonce=signature.nonce)
        if SALT in taken:
            raise Refusal(Code.SALT_REPEATED, component="salt", nonce=signature.nonce)
        return Claim(message)

    def _check_not_lost(self, signature: RequestSignature | SoapSignature) -> None:
        lost = self._store.lost_before()
        if lost is not None and signature.created <= (lost + AHEAD).timestamp():
            raise Refusal(Code.CREATED_OUT_OF_WINDOW, component="created", nonce=signature.nonce)

    def claim_salt(self, party: str, salt: bytes, at: datetime) -> bool:
        """Whether the salt of this party's answer is one that it never used before; claimed like a caller's (C4)."""
        macs = self._macs(SALT, party.encode(), salt)
        return not self._store.claim([(SALT, mac, at + SALT_KEPT) for mac in macs])

    def first_refusal(self, key: str, received: Received) -> UUID:
        """The exchange id under which this minute's refusals of ``key`` are recorded."""
        minute = received.at.strftime("%Y-%m-%dT%H:%MZ")
        return self._store.first_refusal(self._macs("refusal", key.encode())[0], minute, received.exchange_id)

    def refusals_exceeded(self, party: str, at: datetime) -> bool:
        """Counts one more refusal of this party in this worker and minute."""
        minute = at.strftime("%Y-%m-%dT%H:%M")
        with self._lock:
            if minute != self._minute:
                self._minute, self._refusals = minute, {}
            count = self._refusals[party] = self._refusals.get(party, 0) + 1
        return count > self._most_refusals

    def _macs(self, *parts: str | bytes) -> list[bytes]:
        """Under the key in use, and under one that was in use when a claim still remembered may have been made.

        Both are inserted: so a worker that has not heard of the new key yet finds what one that has claimed, too.
        """
        text = length_prefixed(*parts)
        return [self._keystore.mac(key, text) for key in self._keys()]


def length_prefixed(*parts: str | bytes) -> bytes:
    """What a keyed hash is made of: each part behind its length in four bytes, so that no two lists give one text."""
    encoded = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(len(part).to_bytes(4) + part for part in encoded)
