"""What a party keeps of an exchange: the receipt, which holds no request body, and both bodies, for its eyes only."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from certs.files import write_private
from gateway.client.signer import LABEL
from gateway.ledger.encoding import encode64

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.client.party import PartyFolder
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer

VERSION = 1
BODIES = "bodies"


def keep(party: PartyFolder, request: SignedRequest, answer: VerifiedAnswer, receipts: Path) -> Path:
    """Writes the receipt into ``receipts`` and the bodies (0600) into the party's folder; gives the receipt's path.

    With the gateway's certificate, under which the answer was verified, the receipt holds all that an auditor needs to
    verify the answer's signature again, offline (docs/guides/receipts.md).
    """
    receipts.mkdir(parents=True, exist_ok=True)
    path = receipts / f"{answer.exchange_id}.json"
    kept = receipt_of(party, request, answer)
    path.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
    if answer.ledger_leaf is None:
        return path  # it says itself that nothing was recorded: there is nothing to hold its bodies against
    # A refusal can be answered again under the same id within its minute: the log's leaf is that of the first.
    for part, body in (("request", request.body), ("answer", answer.body)):
        with suppress(FileExistsError):
            write_private(party.folder / BODIES / f"{answer.exchange_id}.{part}.json", body)
    return path


def receipt_of(party: PartyFolder, request: SignedRequest, answer: VerifiedAnswer) -> dict[str, object]:
    """A receipt's content (docs/guides/receipts.md); of the request its digest and signature, never its body."""
    return {
        "v": VERSION,
        "party": party.name,
        "status": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body.decode(),
        "request": {
            "method": request.method,
            "target_uri": party.origin + request.target,
            "content_digest": request.headers.get("content-digest"),
            "label": LABEL,
            "signature_input": request.parameters,
            "signature": encode64(request.signature),
        },
        "signer": encode64(answer.signer),
    }
