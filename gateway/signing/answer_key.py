"""The key that answers are signed with: which one is in use, and which one an evidence has named."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.signing.answer import SIGNING_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.model import AnswerToSign, CertificateProof
    from gateway.ports import Keystore


class AnswerKey:
    """The gateway's P-256 signing key through the keystore, the same for answers of every form."""

    def __init__(
        self,
        keystore: Keystore,
        prove: Callable[[bytes], CertificateProof],
        key: Callable[[], str] = lambda: SIGNING_KEY,
    ) -> None:
        """One per process; raises KeystoreError where there is no key.

        Args:
            keystore: has our signing keys and certificates.
            prove: judges a certificate of ours (DER) as of now: its revocation lists are renewed while we run.
            key: names the signing key in use, anew each time: it may have been rotated.
        """
        self._keystore = keystore
        self._prove = prove
        self._key = key
        self._names: dict[str, str] = {}
        self._current()

    def proof(self) -> CertificateProof:
        """The certificate under which an answer that begins now is signed."""
        name, certificate = self._current()
        proof = self._prove(certificate)
        self._names[proof.sha256] = name
        return proof

    def of(self, answer: AnswerToSign) -> tuple[str, str]:
        """The key's name and its certificate's hex SHA-256: those that the evidence names, though others came since."""
        if answer.signer is not None:
            return self._names[answer.signer], answer.signer
        name, certificate = self._current()
        return name, sha256(certificate).hexdigest()

    def sign(self, name: str, data: bytes) -> bytes:
        """Raw r||s with low s; raises KeystoreError."""
        return self._keystore.sign(name, data)

    def certificate(self, name: str) -> bytes:
        """DER of the certificate that goes with a key of this name."""
        return self._keystore.certificate(name)

    def _current(self) -> tuple[str, bytes]:
        name = self._key()
        return name, self._keystore.certificate(name)
