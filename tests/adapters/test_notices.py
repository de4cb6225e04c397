"""A notice over SOAP, as another ministry's own WSDL wants it: what we tell of our own accord needs no caller."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from adapters.mapping.rest_form import rest_service
from contracts.loader import load_contract
from gateway.addressees import offered, takers
from gateway.errors import Code, ConfigurationError, Refusal
from gateway.model import OperationRef, SignedPart, TlsPart, UpstreamRefusal
from gateway.notices import Telling, ToldMessage
from gateway.places import notices_folder
from tests.adapters.others import Said, running
from tests.adapters.test_foreign import FOREIGN, system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.adapters.others import Other

BENEFITS = FOREIGN / "benefits_notices"
NUMBER = "5f0c6d2a-6f0e-4c1d-9a53-0d5c7d0b3f11"
FIELDS: dict[str, object] = {
    "delivery": NUMBER,
    "handle": "ab" * 32,
    "event": "begun",
    "date": "2026-11-23",
    "permit": "1234-5678",
    "region": "06",
    "expires": "2026-11-30T14:30:00Z",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    with running(tmp_path_factory.mktemp("benefits"), "/services/ReceptionAvis") as other:
        yield other


def says(server: Other, state: str, number: str = NUMBER) -> None:
    server.asked = []
    body = (
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>'
        '<deposerAvisReponse xmlns="http://schemas.example.gouv.qc.ca/prestations/avis/v1">'
        f'<accuse noAvis="{number}" etat="{state}"/></deposerAvisReponse></S:Body></S:Envelope>'
    )
    server.answer = lambda _asked: Said(body, content_type="text/xml; charset=utf-8")


def telling(**fields: object) -> Telling:
    return Telling(
        ToldMessage(OperationRef("benefits.notice", "b", "1", "00"), FIELDS | fields), "E", "placement", "00"
    )


@pytest.mark.parametrize(("state", "outcome"), [("NOUVEAU", "received"), ("DOUBLON", "known")])
def test_a_notice_over_soap_is_told_and_acknowledged(server: Other, state: str, outcome: str) -> None:
    says(server, state)
    reply = system(BENEFITS, server).call(telling())
    assert (reply.upstream, reply.fields) == ("benefits", {"outcome": outcome})
    [attempt] = reply.attempts
    assert (attempt.outcome, type(attempt.request), type(attempt.answer)) == ("answered", SignedPart, TlsPart)
    told = server.asked[0].body
    for text in (NUMBER, "ab" * 32, 'nature="DEB"', ">20261123<", ">1234-5678<", ">06<", "2026-11-30T14:30:00Z"):
        assert text in told
    salts = re.findall(r"reference>([0-9a-f]{64})<", told)
    system(BENEFITS, server).call(telling())
    assert re.findall(r"reference>([0-9a-f]{64})<", server.asked[1].body) != salts


def test_an_acknowledgement_that_is_none_is_not_taken(server: Other) -> None:
    says(server, "PEUT-ETRE")
    with pytest.raises(UpstreamRefusal) as refused:
        system(BENEFITS, server).call(telling())
    assert (refused.value.code, len(refused.value.attempts)) == (Code.UPSTREAM_MALFORMED, 1)


def test_an_acknowledgement_of_another_notice_is_not_taken(server: Other) -> None:
    says(server, "NOUVEAU", "a1b2c3d4-0000-4000-8000-000000000000")
    with pytest.raises(UpstreamRefusal) as refused:
        system(BENEFITS, server).call(telling())
    assert (refused.value.code, len(server.asked)) == (Code.UPSTREAM_UNTRUSTED, 1)


def test_a_rest_answer_says_again_which_notice_it_is_about() -> None:
    folder = notices_folder("ministry")
    service = rest_service(folder, [load_contract((folder / "contract.yaml").read_bytes())])
    operation = service.operations["ministry.notice/v1"]
    call = operation.request(FIELDS, bytes(32))
    for number, expected in ((NUMBER, True), ("another", False)):
        read = operation.read(200, json.dumps({"numeroAvis": number, "accuse": {"etat": "RECU"}}).encode())
        assert (read.fields, read.is_answer_to(call.repeats)) == ({"outcome": "received"}, expected)


def test_what_their_document_does_not_take_is_refused_before_it_is_sent(server: Other) -> None:
    says(server, "NOUVEAU")
    with pytest.raises(Refusal, match="field_invalid"):
        system(BENEFITS, server).call(telling(permit="x" * 129))
    assert server.asked == []


def test_what_is_outgoing_is_offered_to_nobody() -> None:
    told = [load_contract((folder / "contract.yaml").read_bytes()) for folder in (BENEFITS, notices_folder("ministry"))]
    assert offered(told) == ()
    found = takers(told)
    assert {party: operation.name for party, (operation, _) in found.items()} == {
        "benefits": "benefits.notice",
        "ministry": "ministry.notice",
    }
    assert {fields for _, fields in found.values()} == {frozenset(FIELDS)}
    with pytest.raises(ConfigurationError, match="contract_invalid"):
        takers([*told, *told])
