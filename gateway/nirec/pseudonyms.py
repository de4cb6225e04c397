"""NIREC to pseudonym: a chain of HMACs, one key per generation, so that rotation is done in place (N2)."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from gateway.errors import KeystoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.model import Nirec
    from gateway.ports import Keystore

#: What a generation's proof is the HMAC of: neither the length of a NIREC nor that of a pseudonym.
_PROOF_TEXT = b"passerelle: the key of a generation of pseudonyms"


class PseudonymChain:
    """Walks a NIREC through the generations' keys, oldest first; raises KeystoreError where one is absent."""

    def __init__(self, keystore: Keystore, key_of: Callable[[int], str]) -> None:
        """``key_of`` names the key of a generation, counted from 0."""
        self._keystore = keystore
        self._key_of = key_of

    def values(self, nirec: Nirec, newest: int) -> tuple[bytes, ...]:
        """The 32 bytes under which each generation up to ``newest`` looks this NIREC up, oldest first."""
        return self.extended((self.next(nirec.reveal().encode("ascii"), 0),), newest)

    def extended(self, values: tuple[bytes, ...], newest: int) -> tuple[bytes, ...]:
        """The same chain, walked on to ``newest``."""
        while len(values) <= newest:
            values = (*values, self.next(values[-1], len(values)))
        return values

    def next(self, value: bytes, generation: int) -> bytes:
        """One step of the chain: the pseudonym of this generation for that of the one before it."""
        return self._keystore.mac(self._key_of(generation), value)

    def proof(self, generation: int) -> bytes:
        """What shows which key a generation has, and nothing of it: HMAC of a fixed text."""
        return self._keystore.mac(self._key_of(generation), _PROOF_TEXT)

    def check(self, generation: int, proof: bytes) -> None:
        """Raises KeystoreError (nirec_key_differs) where the keystore has another key for this generation.

        Under another key every NIREC would be unknown, and each child would get a second subject.
        """
        if not compare_digest(self.proof(generation), proof):
            raise KeystoreError("nirec_key_differs", name=self._key_of(generation))
