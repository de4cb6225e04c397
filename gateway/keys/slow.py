"""A keystore whose keys are far away: whoever uses it waits as its worker does, and others are served meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.keys.stores import OpenKeystore
    from gateway.ports import Waiting


class SlowKeystore:
    """Another keystore, used through ports.Waiting (docs/decisions/0009)."""

    def __init__(self, store: OpenKeystore, waiting: Waiting) -> None:
        self._store = store
        self._waiting = waiting

    def sign(self, key_id: str, data: bytes) -> bytes:
        """As the other gives or raises."""
        return self._waiting.blocking(lambda: self._store.sign(key_id, data))

    def mac(self, key_id: str, data: bytes) -> bytes:
        """As the other gives or raises."""
        return self._waiting.blocking(lambda: self._store.mac(key_id, data))

    def certificate(self, key_id: str) -> bytes:
        """As the other gives or raises; a file, read once."""
        return self._store.certificate(key_id)

    def public_key(self, key_id: str) -> bytes:
        """As the other gives or raises."""
        return self._waiting.blocking(lambda: self._store.public_key(key_id))

    def close(self) -> None:
        """Ends the other's session."""
        self._store.close()
