"""The family's view through real processes, by REST and SOAP alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contracts.names import soap_names
from contracts.shape import shape_of
from gateway.translation.xml_form import XmlForm
from tests.scenarios.soap_party import contract_of, draft, exchanged, payload

if TYPE_CHECKING:
    from gateway.client.verifier import VerifiedAnswer
    from tests.exchange.live import LiveGateway

VIEW = "family.view"


def asked(live: LiveGateway, party: str, operation: str, fields: dict[str, str]) -> VerifiedAnswer:
    client = live.client(party)
    return client.send(client.prepare(operation, fields, salted=operation != VIEW))


def test_by_both_forms_alike_and_what_was_refused_is_not_in_it(live: LiveGateway) -> None:
    child = json.loads((live.party("cooperative") / "requests" / "confirmed.json").read_text())
    ours = json.loads(asked(live, "cooperative", "nirec.verify", child).body)["handle"]
    released = asked(live, "ministry", "nirec.verify", child)
    refused = asked(live, "ministry", "nirec.verify", child | {"birth_date": "not a day"})
    assert (released.status, refused.status) == (200, 422)
    said: dict[str, Any] = json.loads(asked(live, "cooperative", VIEW, {"handle": ours}).body)
    newest = said["disclosures"][0]
    assert (newest["exchange_id"], newest["party"], newest["fields"]) == (
        released.exchange_id, "ministry", ["handle", "outcome"],
    )  # fmt: skip
    assert newest["fields_fr"] == ["Identifiant de l'enfant propre au demandeur, stable", "Ce que dit le registre"]
    assert newest["fields_en"] == ["The child's handle for this caller, stable", "What the registry says"]
    assert refused.exchange_id not in {one["exchange_id"] for one in said["disclosures"]}
    asked_by_soap = draft(live, VIEW, "cooperative", payload=payload(VIEW, {"handle": ours}))
    contract, names = contract_of(VIEW), soap_names(contract_of(VIEW), VIEW)
    form = XmlForm(shape_of(contract.operations[VIEW].response, VIEW), names.namespace, names.response)
    read = form.read(exchanged(live, asked_by_soap, live.tls("cooperative")).payload)
    # the former view is in this one, and that alone is new
    assert read["disclosures"][0]["operation"] == VIEW
    assert read["disclosures"][1:] == said["disclosures"]
    # what is older than the newest one of then
    older = json.loads(asked(live, "cooperative", VIEW, {"handle": ours, "before": newest["at"]}).body)
    assert older["disclosures"] == said["disclosures"][1:]
