"""A party with a SOAP stack: sends signed messages to a real gateway, and believes only what it has verified."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lxml import etree

from contracts.loader import load_contracts
from contracts.names import soap_names, soap_path
from gateway.signing import soap_names as n
from gateway.signing.soap_verify import Expected, SoapVerifier
from tests.adapters.fakes import ShiftedClock, prove
from tests.exchange.live import ROOT, read_issued
from tests.signing.drafts import fresh_salt
from tests.signing.soap_drafts import SignedSoap, SoapDraft

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from contracts.loader import Contract
    from gateway.model import Form
    from gateway.signing.soap_facts import SignedPartFacts
    from tests.exchange.live import LiveGateway, Shown

ANSWERED = n.ANSWER_PARTS | {n.EXCHANGE_ID, n.LEDGER_LEAF, n.LEDGER_BY}
VERSIONS: Mapping[Form, n.Soap] = {"soap11": n.SOAP_11, "soap12": n.SOAP_12}


@dataclass(frozen=True)
class SoapAnswer:
    """A verified answer; ``payload`` is the very element that was signed."""

    status: int
    payload: etree._Element
    facts: SignedPartFacts

    @property
    def fields(self) -> dict[str, str | None]:
        """The payload's leaves by local name."""
        return {etree.QName(node).localname: node.text for node in self.payload.iter() if not len(node)}


def draft(live: LiveGateway, operation: str = "echo", party: str = "ministry", **changes: Any) -> SoapDraft:
    """A SOAP request of the sandbox's examples, under the agreement that its party has for it."""
    contract = contract_of(operation)
    agreement, purpose = _TERMS[party, operation]
    made = SoapDraft(
        live.signing(party),
        live.origin,
        target=soap_path(contract),
        action=soap_names(contract, operation).action,
        agreement=agreement,
        purpose=purpose,
        idempotency_key=None if contract.operations[operation].idempotent else str(uuid.uuid4()),
    )
    return made.but(**changes)


@cache
def contract_of(operation: str) -> Contract:
    """The first version of the contract that declares it."""
    return next(one for one in load_contracts(ROOT / "contracts") if operation in one.operations)


def payload(operation: str, fields: Mapping[str, str]) -> bytes:
    """The Body's one element: the fields in the order given."""
    names = soap_names(contract_of(operation), operation)
    root = etree.Element(f"{{{names.namespace}}}{names.request}", nsmap={"q": names.namespace})
    for name, value in fields.items():
        etree.SubElement(root, f"{{{names.namespace}}}{name}").text = value
    return etree.tostring(root)


def verification(live: LiveGateway, kind: str = "confirmed", party: str = "ministry", **changes: Any) -> SoapDraft:
    """``nirec.verify`` of one of the sandbox's examples."""
    data = json.loads((live.party(party) / "requests" / f"{kind}.json").read_text())
    order = ("nirec", "family_name", "given_names", "birth_date")
    body = payload("nirec.verify", {name: data[name] for name in order} | {"salt": fresh_salt()})
    return draft(live, "nirec.verify", party, payload=body).but(**changes)


_TERMS = {
    ("ministry", "echo"): ("ESSAI-MIN", "essai"),
    ("ministry", "nirec.verify"): ("ENT-2026-02", "admissibilite"),
    ("ministry", "subject.expect"): ("ENT-2026-06", "admissibilite"),
    ("ministry", "subject.birth"): ("ENT-2026-07", "admissibilite"),
    ("ministry", "subject.merge"): ("ENT-2026-08", "admissibilite"),
    ("ministry", "exchange.acknowledge"): ("ENT-2026-02", "admissibilite"),
    ("ministry", "waitlist.statistics"): ("ENT-2026-09", "planification"),
    ("ministry", "waitlist.counts"): ("ENT-2026-19", "planification"),
    ("ministry", "registration.get"): ("ENT-2026-10", "admissibilite"),
    ("ministry", "registration.search"): ("ENT-2026-11", "admissibilite"),
    ("cooperative", "echo"): ("ESSAI-COOP", "essai"),
    ("cooperative", "nirec.verify"): ("ENT-2026-01", "inscription"),
    ("cooperative", "family.view"): ("ENT-2026-17", "acces_famille"),
}


def exchanged(live: LiveGateway, made: SoapDraft, tls: Path | None = None) -> SoapAnswer:
    """The answer, verified as bound to this request."""
    request = made.signed()
    shown = send(live, request, tls)
    return verified(live, made.form, request, shown, ANSWERED, confirms=request.signature)


def send(live: LiveGateway, request: SignedSoap, tls: Path | None = None) -> Shown:
    return live.exchange(request, tls)  # type: ignore[arg-type]  # it has what the wire needs


def verified(
    live: LiveGateway,
    form: Form,
    request: SignedSoap,
    shown: Shown,
    parts: frozenset[str],
    confirms: bytes | None = None,
) -> SoapAnswer:
    gateway = read_issued(live.keys / "signing").der

    def ours(der: bytes) -> Any:
        assert der == gateway, "signed under another key"
        return prove(der)

    asked = request.message_id if n.RELATES_TO in parts else None
    expected = Expected(parts, relates_to=asked, confirms=confirms, soap=VERSIONS[form])
    found = SoapVerifier(ours, ShiftedClock()).verify(shown.body, expected)
    return SoapAnswer(shown.status, found.body, found.facts)


def leaf_of(answer: SoapAnswer) -> str:
    return answer.facts.own["Ledger-Leaf"]


def body_digest(answer: SoapAnswer) -> str:
    """As evidence has it."""
    return f"sha-256=:{b64encode(answer.facts.body_digest).decode()}:"
