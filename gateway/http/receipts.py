"""Receipts for the parties that ask: looked up, proven from the published log, signed."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from gateway.ports import ProofReader, RecordFinder
    from gateway.signing.receipt import ReceiptIssuer


class Receipts:
    """What ``GET /v1/exchanges/{id}/receipt`` gives."""

    def __init__(
        self,
        find: RecordFinder,
        proofs: ProofReader,
        issuer: ReceiptIssuer,
        leaf_hash: Callable[[bytes], bytes],
        certificates: Callable[[], bytes],
    ) -> None:
        """``certificates`` gives our signing certificates with what leads to their root, in PEM."""
        self._find = find
        self._proofs = proofs
        self._issuer = issuer
        self._leaf_hash = leaf_hash
        self._certificates = certificates

    def jwks(self) -> bytes:
        """The key set that verifies receipts."""
        return self._issuer.jwks()

    def certificates(self) -> bytes:
        """The certificates that verify answers: in use, next and former, and the authorities between; PEM."""
        return self._certificates()

    def receipt(self, exchange_id: UUID, party: str) -> bytes | None:
        """The JWS, or None until the log shows the exchange; raises Refusal(receipt_unknown) for another's."""
        found = self._find(exchange_id)
        if found is None or found.party != party:
            raise Refusal(Code.RECEIPT_UNKNOWN)
        if found.index is None:
            return None
        digest = self._leaf_hash(found.leaf)
        inclusion = self._proofs.inclusion(found.index, digest)
        if inclusion is None:
            return None
        return self._issuer.issue(
            party=party,
            exchange_id=str(exchange_id),
            leaf_hash=b64encode(digest).decode(),
            index=found.index,
            proof=inclusion.text(),
        )
