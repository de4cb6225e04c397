"""NIREC to pseudonym: a chain of HMACs, one key per generation, so that rotation is done in place (N2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.model import Nirec
    from gateway.ports import Keystore


class PseudonymChain:
    """Walks a fresh NIREC through every generation's key, oldest first."""

    def __init__(self, keystore: Keystore, generations: Sequence[str]) -> None:
        if not generations:
            raise ValueError("a chain has one generation or more")
        self._keystore = keystore
        self._generations = tuple(generations)

    @property
    def generation(self) -> int:
        """The newest generation, counted from 0."""
        return len(self._generations) - 1

    def pseudonym(self, nirec: Nirec) -> bytes:
        """The 32 bytes under which the newest generation looks this NIREC up; raises KeystoreError."""
        value = nirec.reveal().encode("ascii")
        for key in self._generations:
            value = self._keystore.mac(key, value)
        return value
