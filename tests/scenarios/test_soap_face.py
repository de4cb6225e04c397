"""A ministry with a SOAP stack: every operation that REST has, in both versions, with the same answers (C3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import audit
from gateway.signing import soap_names as n
from tests.adapters.fakes import until
from tests.scenarios.soap_party import (
    ANSWERED,
    body_digest,
    draft,
    exchanged,
    leaf_of,
    payload,
    send,
    verification,
    verified,
)
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from gateway.model import Form
    from tests.exchange.live import LiveGateway
    from tests.scenarios.soap_party import SoapAnswer

FORMS = pytest.mark.parametrize("form", ["soap11", "soap12"])


def by_rest(live: LiveGateway, kind: str) -> dict[str, str]:
    fields: dict[str, str] = json.loads(live.verified(live.verification(kind).signed()).body)
    return fields


def asked(live: LiveGateway, operation: str, form: Form, **fields: str) -> SoapAnswer:
    return exchanged(live, draft(live, operation, form=form, payload=payload(operation, fields)))


@FORMS
@pytest.mark.parametrize("key", ["ecdsa", "rsa"])
@pytest.mark.parametrize("token", ["token", "issuer_serial", "thumbprint", "subject_key"])
def test_echo(live: LiveGateway, form: Form, key: str, token: str) -> None:
    signing = live.signing() if key == "ecdsa" else live.more["rsa-pss-sha512"]
    answer = exchanged(live, draft(live, form=form, key=signing, token=token))
    assert (answer.status, answer.fields) == (200, {"message": "Bonjour, ça va?"})
    assert answer.facts.action == "urn:passerelle:echo:v1/EchoResponse"
    assert answer.facts.message_id == f"urn:uuid:{answer.facts.own['Exchange-Id']}"


@FORMS
@pytest.mark.parametrize("kind", ["confirmed", "wrong_name", "unknown"])
def test_the_same_question_has_the_same_answer_by_rest_and_by_soap(live: LiveGateway, form: Form, kind: str) -> None:
    soap = exchanged(live, verification(live, kind, form=form)).fields
    rest = by_rest(live, kind)
    assert soap.pop("salt") != rest.pop("salt")
    assert soap == rest


@FORMS
def test_a_child_from_before_birth_on(live: LiveGateway, form: Form) -> None:
    birth = json.loads((live.party("ministry") / "requests" / "confirmed.json").read_text())
    expected = asked(live, "subject.expect", form, reference="2026-118", salt=fresh_salt()).fields["handle"]
    assert expected is not None
    second = asked(live, "subject.expect", form, reference="2026-118", salt=fresh_salt()).fields["handle"]
    assert second is not None
    assert second != expected
    known = by_rest(live, "confirmed")["handle"]
    merged = asked(live, "subject.merge", form, handle=expected, other_handle=second, reason="duplicate_file").fields
    assert merged["handle"] in (expected, second)
    order = ("nirec", "family_name", "given_names", "birth_date")
    named = {name: birth[name] for name in order}
    born = payload("subject.birth", {"handle": expected, **named, "salt": fresh_salt()})
    request = draft(live, "subject.birth", form=form, payload=born).signed()
    shown = send(live, request)
    answer = verified(live, form, request, shown, ANSWERED, confirms=request.signature)
    assert known
    assert answer.fields["code"] == "merge_needed"
    assert answer.facts.action == n.FAULT_ACTION


@FORMS
def test_an_answer_is_acknowledged_and_its_receipt_fetched(live: LiveGateway, form: Form) -> None:
    answer = exchanged(live, verification(live, form=form))
    exchange_id, handle = answer.facts.own["Exchange-Id"], answer.fields["handle"]
    assert handle is not None
    names = ("exchange_id", "ledger_leaf", "answer_digest", "handle")
    values = (exchange_id, leaf_of(answer), body_digest(answer), handle)
    body = payload("exchange.acknowledge", dict(zip(names, values, strict=True)))
    told = exchanged(live, draft(live, "exchange.acknowledge", form=form, payload=body))
    assert told.fields == {"acknowledged": exchange_id}
    assert until(lambda: live.get(f"/v1/exchanges/{exchange_id}/receipt").status == 200, 10)


@FORMS
def test_a_refusal_is_a_signed_fault_in_the_caller_s_language(live: LiveGateway, form: Form) -> None:
    made = draft(live, form=form, agreement="NONE", headers={"accept-language": "en-CA"})
    request = made.signed()
    shown = send(live, request)
    answer = verified(live, form, request, shown, ANSWERED, confirms=request.signature)
    assert shown.status == (500 if form == "soap11" else 400)
    assert shown.headers["content-language"] == "en, fr"
    assert (answer.fields["code"], answer.fields["component"]) == ("not_agreed", "exchange-agreement")
    assert answer.payload.xpath("string(.//*[local-name()='title'])") == "No agreement allows this exchange"


def test_the_log_holds_with_all_of_it(live: LiveGateway) -> None:
    """The last of this file; the log may grow while it is audited."""
    answer = exchanged(live, verification(live))
    assert until(lambda: live.get(f"/v1/exchanges/{answer.facts.own['Exchange-Id']}/receipt").status == 200, 10)
    verdict = audit(live.folder / "gateway" / "log", live.folder / "trust")
    assert (verdict.holds, verdict.findings) == (True, ())
