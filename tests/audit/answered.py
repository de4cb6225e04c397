"""A party at the gateway of gateway_run: keeps its receipts and bodies as `call` does, and acknowledges."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.client.party import PartyFolder
from gateway.client.receipts import keep
from gateway.client.signer import RequestSigner
from gateway.client.verifier import AnswerVerifier, VerifiedAnswer
from gateway.ledger.encoding import decode64
from gateway.ledger.leaf import KINDS
from gateway.ledger.reader import LogReader
from tests.audit.gateway_run import NIREC_TARGET, keystore

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from gateway.client.signer import SignedRequest
    from gateway.model import Released
    from tests.audit.gateway_run import Gateway

TERMS = {"cooperative": ("ESSAI-COOP", "essai"), "ministry": ("ENT-2026-02", "admissibilite")}


@dataclass(frozen=True)
class Exchanged:
    request: SignedRequest
    answer: VerifiedAnswer
    receipt: Path

    @property
    def exchange_id(self) -> str:
        return self.answer.exchange_id


class KeepingParty:
    """One party, its receipts in a folder of its own."""

    def __init__(self, gateway: Gateway, name: str, receipts: Path) -> None:
        self.gateway, self.name, self.receipts = gateway, name, receipts
        self.folder = PartyFolder.load(gateway.party(name))
        self._certificate = self.folder.gateway_certificate()
        self._signer = RequestSigner(
            keystore(self.folder.folder), gateway.clock, gateway.randomness, self.folder.origin
        )

    @property
    def bodies(self) -> Path:
        return self.folder.folder / "bodies"

    def ask(
        self, target: str, body: bytes, agreement: str = "", purpose: str = "", key: str | None = None
    ) -> Exchanged:
        """``key``: the Idempotency-Key of what has an effect."""
        terms = TERMS[self.name]
        under = {"agreement": agreement or terms[0], "purpose": purpose or terms[1]}
        return self.sent(self._signer.sign("POST", target, body, **under, idempotency_key=key))

    def sent(self, request: SignedRequest) -> Exchanged:
        answer = self._verified(request, self.gateway.send(self.name, request))
        return Exchanged(request, answer, keep(self.folder, request, answer, self.receipts))

    def _verified(self, request: SignedRequest, released: Released) -> VerifiedAnswer:
        headers = {name.lower(): value for name, value in released.headers}
        verifier = AnswerVerifier(self._certificate, self.folder.origin)
        return verifier.verify(request, released.status, headers, released.body)

    def read(self, target: str, agreement: str, purpose: str) -> Exchanged:
        """By GET, without a body."""
        return self.sent(self._signer.sign("GET", target, b"", agreement=agreement, purpose=purpose))

    def echo(self, **how: str) -> Exchanged:
        return self.ask("/v1/echo", b'{"message":"bonjour"}', **how)

    def verify(self, salt: str) -> Exchanged:
        fields = {"nirec": "1" * 13, "family_name": "Fictif", "given_names": "Camille", "birth_date": "2024-02-29"}
        return self.ask(NIREC_TARGET, json.dumps(fields | {"salt": salt}).encode())

    def acknowledge(self, exchanged: Exchanged, *, agreement: str = "", purpose: str = "", **changes: Any) -> Exchanged:
        answer = exchanged.answer
        said = {
            "answer_digest": answer.headers["content-digest"],
            "handle": json.loads(answer.body).get("handle"),
            "ledger_leaf": answer.ledger_leaf,
        } | changes
        body = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        return self.ask(f"/v1/exchanges/{exchanged.exchange_id}/acknowledgement", body, agreement, purpose)


def write_proof(gateway: Gateway, exchanged: Exchanged, exchange_id: UUID) -> Path:
    """The receipt's JWS as far as an audit reads it: a payload with the proof."""
    found = gateway.worker._lookup.find(KINDS["exchange"], exchange_id)
    assert found is not None
    assert found.index is not None
    reader = LogReader(gateway.settings.folders.log, gateway.composition.log_key())
    inclusion = reader.inclusion(found.index, decode64(exchanged.answer.ledger_leaf or ""))
    assert inclusion is not None
    return write_jws(exchanged.receipt.with_suffix(".jws"), inclusion.text())


def write_jws(path: Path, proof: str) -> Path:
    payload = urlsafe_b64encode(json.dumps({"proof": proof}).encode()).decode().rstrip("=")
    path.write_text(f"e30.{payload}.AAAA", encoding="ascii")
    return path
