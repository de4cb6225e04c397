"""A caller's Idempotency-Key: what it stands for, and under which key of ours the other system is asked.

Neither the key nor the message is kept: HMACs of both are, under a key of the keystore. The message is compared without
its salt, nonce and signature, so that a repeat, which has others, is known as one.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from gateway.effect import Effect
from gateway.subject import Nirec

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from gateway.change import Change
    from gateway.model import Grant, Message
    from gateway.ports import Keystore

#: How long a key stands for its message; longer where what became of it is not known.
KEPT = timedelta(hours=48)
_UUID_BYTES = 16
#: No party's name begins so: what is derived here is never the look-up of a handle, which has the same key.
_DOMAIN = "\0idempotency"


class EffectStore(Protocol):
    """What is written of effects, as statements."""

    def begun(self, key: bytes, message: bytes, expires: datetime) -> Change:
        """The key stands for this message, as it did; a conflict where it stands for another."""
        ...

    def intended(self, key: bytes, exchange_id: UUID, party: str, at: datetime) -> Change:
        """This exchange is about to have an effect under the key."""
        ...

    def settled(self, key: bytes) -> Change:
        """Of every exchange under the key it is known what became."""
        ...

    def undone(self, exchange_id: UUID) -> Change:
        """This exchange had no effect; it says nothing of others under its key."""
        ...


class EffectKeys:
    """ports.Effects. ``mac_key`` names the key of the keystore; it must not be rotated while keys are kept."""

    def __init__(self, store: EffectStore, keystore: Keystore, mac_key: str, ours: AbstractSet[str]) -> None:
        """``ours``: the upstreams that are rooms of the gateway, whose effects come with the record itself."""
        self._store = store
        self._keystore = keystore
        self._mac_key = mac_key
        self._ours = ours

    def effect(self, grant: Grant) -> Effect | None:
        """The effect that this exchange will have; None of an operation without any. Raises KeystoreError."""
        message = grant.message
        if message.key is None:
            return None
        request = message.request
        party, received = request.party.name, request.received
        key = self._mac("key", party, message.key)
        said = _canonical(message)
        begun = self._store.begun(key, self._mac("message", party, said), received.at + KEPT)
        outside = message.upstream not in self._ours
        if outside:
            begun = begun.then(self._store.intended(key, received.exchange_id, party, received.at))
        return Effect(
            key=key,
            upstream=str(
                UUID(bytes=self._mac("upstream", message.upstream, party, message.key)[:_UUID_BYTES], version=4)
            ),
            # of the message too: a key that comes again once it is forgotten, for another child, makes another one
            seed=self._mac("seed", party, message.key, said)[:_UUID_BYTES],
            outside=outside,
            begun=begun,
            settled=self._store.settled(key),
            undone=self._store.undone(received.exchange_id),
        )

    def _mac(self, *parts: str) -> bytes:
        encoded = [part.encode() for part in (_DOMAIN, *parts)]
        return self._keystore.mac(self._mac_key, b"".join(len(part).to_bytes(4) + part for part in encoded))


def _canonical(message: Message) -> str:
    """The message as both forms have it: what is asked, under which agreement, for which purpose."""
    operation = message.operation
    fields = {name: value.reveal() if isinstance(value, Nirec) else value for name, value in message.fields.items()}
    said = [operation.name, operation.version, message.agreement, message.purpose, fields]
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
