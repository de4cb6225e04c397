"""Any form in, any form upstream (C3): the same question by REST and by SOAP, of a REST and of a SOAP registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from contracts.names import soap_names
from contracts.shape import shape_of
from gateway.translation.xml_form import XmlForm
from tests.scenarios.soap_party import contract_of, draft, exchanged, payload, verification

if TYPE_CHECKING:
    from gateway.client.verifier import VerifiedAnswer
    from gateway.model import Form
    from tests.exchange.live import LiveGateway

STATISTICS, COUNTS = "waitlist.statistics", "waitlist.counts"


def by_rest(live: LiveGateway, operation: str, fields: dict[str, str], *, salted: bool) -> VerifiedAnswer:
    client = live.client("ministry")
    return client.send(client.prepare(operation, fields, salted=salted))


@pytest.mark.parametrize("form", ["soap11", "soap12"])
@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        (STATISTICS, {"as_of": "2026-10-31"}),
        (STATISTICS, {"as_of": "2027-06-01", "region": "13"}),
        (COUNTS, {"as_of": "2026-10-31"}),
    ],
)
def test_a_rest_registry_answers_both_forms_alike(
    cooperative: LiveGateway, form: Form, operation: str, fields: dict[str, str]
) -> None:
    before = cooperative.counter("cooperative")
    rest = by_rest(cooperative, operation, fields, salted=False)
    assert rest.status == 200, rest.body
    soap = exchanged(cooperative, draft(cooperative, operation, form=form, payload=payload(operation, fields)))
    contract = contract_of(operation)
    names = soap_names(contract, operation)
    shape = shape_of(contract.operations[operation].response, operation)
    read = XmlForm(shape, names.namespace, names.response).read(soap.payload)
    assert read == json.loads(rest.body)
    assert read["regions" if operation == STATISTICS else "by_region"]
    assert cooperative.counter("cooperative") == before + 2


def test_a_soap_registry_answers_both_forms_alike(live: LiveGateway) -> None:
    fields = json.loads((live.party("ministry") / "requests" / "confirmed.json").read_text())
    rest = json.loads(by_rest(live, "nirec.verify", fields, salted=True).body)
    soap = exchanged(live, verification(live)).fields
    assert rest["outcome"] == "confirmed"
    assert {name: value for name, value in soap.items() if name != "salt"} == {
        name: value for name, value in rest.items() if name != "salt"
    }


def test_a_rest_registry_that_is_away_is_unavailable(cooperative: LiveGateway) -> None:
    cooperative.behave("down", sandbox="cooperative")
    try:
        answer = by_rest(cooperative, STATISTICS, {"as_of": "2026-10-31"}, salted=False)
    finally:
        cooperative.behave("normal", sandbox="cooperative")
    assert answer.status == 503
    assert json.loads(answer.body)["code"] == "upstream_unavailable"
    assert int(answer.headers["retry-after"]) >= 1
