"""Two services that were not made for us, each a document and a mapping, against servers that know nothing of ours."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.mapped import mapped_system
from adapters.resilience import ResilienceSettings
from certs.paths import fingerprint
from contracts.loader import load_contract
from gateway.errors import Code, Refusal
from gateway.model import RestPart, SignedPart, TlsPart, UpstreamRefusal
from gateway.signing.digest import content_digest
from gateway.signing.soap_facts import check_signed_part
from gateway.translation.schema import validator_of
from tests.adapters.fakes import SystemRandomness
from tests.adapters.others import Said, grant_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.system import OutsideSystem
    from tests.adapters.others import Other

FOREIGN = Path(__file__).parents[2] / "contracts" / "foreign"
PERMITS, CAPACITY = FOREIGN / "childcare_permits", FOREIGN / "territorial_capacity"
LOOKUP: dict[str, object] = {"permit": "3041-7782", "as_of": "2026-10-31"}
TERRITORY: dict[str, object] = {"territory": "061", "year": 2026, "quarter": "third"}
PERMIT = """<?xml version="1.0" encoding="UTF-8"?>
<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>
<obtenirPermisReponse xmlns="http://schemas.example.gouv.qc.ca/accreditation/permis/v2"
  xmlns:c="http://schemas.example.gouv.qc.ca/commun/v1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <c:resultat code="0"><c:horodatage>2026-11-01T08:15:00-04:00</c:horodatage></c:resultat>
 <permis etat="V"><noPermis>3041-7782</noPermis>
  <installation><nomUsuel>Les Bouts de chou</nomUsuel>
   <adresse><voie xmlns="">12, rue de l’Église</voie>
    <municipalite xmlns="" codeGeo="66023"><nom>Montréal</nom></municipalite></adresse></installation>
  <capacite groupeAge="POUPON">10</capacite><capacite groupeAge="18M-5A">60</capacite>
  <tarifJournalier>9.10</tarifJournalier><dateEcheance xsi:nil="true"/><subventionne>O</subventionne>
  <observation>Agrandissement prévu</observation><observation>Été</observation></permis>
</obtenirPermisReponse></S:Body></S:Envelope>"""
CAPACITIES: dict[str, Any] = {
    "territoire": {"code": "061", "nom": "Île-de-Montréal", "bureau": None},
    "majLe": "2026-09-30T10:00:00-04:00",
    "remarque": None,
    "mesures": [
        {"categorie": "POUPON", "places": 1200, "tauxOccupation": 0.935, "provisoire": True},
        {"categorie": "SCOLAIRE", "places": 0, "tauxOccupation": None, "inconnuDeNous": [1]},
    ],
    "lien": "https://donnees.example.gouv.qc.ca/",
}


def system(folder: Path, other: Other) -> OutsideSystem:
    contract = load_contract((folder / "contract.yaml").read_bytes())
    once = ResilienceSettings(attempts=1)
    return mapped_system(
        folder, [contract], other.endpoint(), other.trust(), clock=other.clock, randomness=SystemRandomness(),
        resilience=once,
    )  # fmt: skip


@pytest.fixture(scope="module")
def soap_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    with running(tmp_path_factory.mktemp("permits"), "/services/ConsultationPermis") as other:
        yield other


@pytest.fixture(scope="module")
def rest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    with running(tmp_path_factory.mktemp("capacity"), "/capacite/v1") as other:
        yield other


@pytest.fixture
def permits(soap_server: Other) -> Other:
    soap_server.asked, soap_server.unsigned = [], True
    soap_server.answer = lambda _asked: Said(PERMIT, content_type="text/xml; charset=utf-8")
    return soap_server


@pytest.fixture
def capacity(rest_server: Other) -> Other:
    rest_server.asked, rest_server.unsigned = [], True
    rest_server.answer = lambda _asked: Said(json.dumps(CAPACITIES))
    return rest_server


def test_a_soap_service_by_its_wsdl_answers_in_canonical_fields(permits: Other) -> None:
    reply = system(PERMITS, permits).call(grant_of("permit.lookup", LOOKUP))
    assert reply.upstream == "accreditation"
    assert reply.fields == {
        "permit": "3041-7782",
        "state": "valid",
        "name": "Les Bouts de chou",
        "municipality": {"name": "Montréal", "code": "66023"},
        "capacities": [{"age": "infant", "places": 10}, {"age": "child", "places": 60}],
        "daily_rate": "9.1",
        "expires": None,
        "subsidised": True,
        "remarks": ["Agrandissement prévu", "Été"],
        "answered_at": "2026-11-01T12:15:00Z",
    }
    contract = load_contract((PERMITS / "contract.yaml").read_bytes())
    assert validator_of(contract.operations["permit.lookup"].response).is_valid(reply.fields)


def test_a_long_list_is_bounded_by_its_bytes(permits: Other, tmp_path: Path) -> None:
    folder = shutil.copytree(PERMITS, tmp_path / "permits")
    xsd = (folder / "xsd" / "Permis.xsd").read_text(encoding="utf-8")
    (folder / "xsd" / "Permis.xsd").write_text(xsd.replace('maxOccurs="5"', 'maxOccurs="unbounded"'), encoding="utf-8")
    one = "<observation>Été</observation>"
    for number, fits in ((6_000, True), (40_000, False)):
        many = PERMIT.replace(one, one * number)
        permits.answer = lambda _asked, said=many: Said(said, content_type="text/xml; charset=utf-8")  # type: ignore[misc]  # its default is for now
        if fits:
            remarks = system(folder, permits).call(grant_of("permit.lookup", LOOKUP)).fields["remarks"]
            assert isinstance(remarks, list)
            assert len(remarks) == number + 1
        else:
            with pytest.raises(UpstreamRefusal) as caught:
                system(folder, permits).call(grant_of("permit.lookup", LOOKUP))
            assert caught.value.code is Code.UPSTREAM_MALFORMED


def test_a_soap_service_that_does_not_sign_is_sent_a_plain_envelope(permits: Other) -> None:
    call = system(PERMITS, permits).call
    reply = call(grant_of("permit.lookup", LOOKUP))
    call(grant_of("permit.lookup", LOOKUP))
    first, second = permits.asked
    assert first.headers["soapaction"] == (
        '"http://services.example.gouv.qc.ca/accreditation/consultation/v2/obtenirPermis"'
    )
    assert "Security" not in first.body
    assert "Header" not in first.body
    assert re.search(r"<\w+:noPermis>3041-7782</\w+:noPermis><\w+:dateReference>20261031</", first.body)
    numbers = [re.findall(r"noTransaction>([0-9a-f]{64})<", asked.body) for asked in (first, second)]
    assert len(numbers[0]) == 1
    assert numbers[0] != numbers[1]
    (attempt,) = reply.attempts
    assert isinstance(attempt.request, SignedPart)
    # evidence has our own signature over the very Body that was sent, though they would not have understood it
    asked = attempt.request
    facts = check_signed_part(asked.signed_info, asked.signature, asked.headers, permits.gateway.signing.der)
    assert facts.to == permits.endpoint().url
    assert isinstance(attempt.answer, TlsPart)
    assert attempt.answer.content_digest == content_digest(PERMIT.encode())
    assert attempt.answer.key.sha256 == fingerprint(permits.them.tls.der)


def test_a_rest_service_by_its_openapi_answers_in_canonical_fields(capacity: Other) -> None:
    reply = system(CAPACITY, capacity).call(grant_of("capacity.territory", TERRITORY))
    assert reply.fields == {
        "found": True,
        "name": "Île-de-Montréal",
        "measured_at": "2026-09-30T14:00:00Z",
        "remark": None,
        "measures": [
            {"age": "infant", "places": 1200, "occupancy": "0.935", "provisional": True},
            {"age": "school", "places": 0, "occupancy": None, "provisional": False},
        ],
    }
    contract = load_contract((CAPACITY / "contract.yaml").read_bytes())
    assert validator_of(contract.operations["capacity.territory"].response).is_valid(reply.fields)
    (asked,) = capacity.asked
    assert (asked.method, asked.path) == ("GET", "/capacite/v1/territoires/061/capacites?annee=2026&trimestre=T3")
    assert asked.body == ""
    (attempt,) = reply.attempts
    assert isinstance(attempt.request, RestPart)
    assert b'"@target-uri": https://localhost' in attempt.request.base
    assert isinstance(attempt.answer, TlsPart)


def test_what_is_absent_stays_out_of_their_query(capacity: Other) -> None:
    system(CAPACITY, capacity).call(grant_of("capacity.territory", {"territory": "061", "year": 2026}))
    assert capacity.asked[0].path.endswith("?annee=2026")


def test_a_status_that_the_mapping_knows_is_an_answer(capacity: Other) -> None:
    capacity.answer = lambda _asked: Said('{"code": "T-404"}', 404)
    reply = system(CAPACITY, capacity).call(grant_of("capacity.territory", TERRITORY))
    assert reply.fields == {"found": False}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda said: said.replace('"majLe"', '"majle"'), Code.UPSTREAM_MALFORMED),
        (lambda said: said.replace("POUPON", "AINES"), Code.UPSTREAM_MALFORMED),
        (lambda said: said.replace("1200", '"1200"'), Code.UPSTREAM_MALFORMED),
        (lambda said: said.replace("-04:00", ""), Code.UPSTREAM_MALFORMED),
        (lambda said: said[:-1], Code.UPSTREAM_MALFORMED),
        (lambda said: said.replace("{", '{"majLe": "2026-01-01T00:00:00Z", ', 1), Code.UPSTREAM_MALFORMED),
    ],
    ids=["missing", "unknown_value", "wrong_type", "time_without_zone", "cut_off", "key_twice"],
)
def test_an_answer_that_their_document_does_not_have(capacity: Other, change: Any, code: Code) -> None:
    capacity.answer = lambda _asked: Said(change(json.dumps(CAPACITIES)))
    with pytest.raises(UpstreamRefusal) as caught:
        system(CAPACITY, capacity).call(grant_of("capacity.territory", TERRITORY))
    assert caught.value.code is code
    assert [attempt.answer for attempt in caught.value.attempts] == [None]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('etat="V"', 'etat="X"'),
        ("<noPermis>3041-7782</noPermis>", ""),
        ('groupeAge="POUPON"', 'groupeAge="AINES"'),
        ("<S:Body>", "<S:Body><a/>"),
        ("S:Envelope", "S:Enveloppe"),
        ("<S:Body>", "<!DOCTYPE a><S:Body>"),
        ("obtenirPermisReponse", "defaut"),
    ],
)
def test_an_answer_that_their_xsd_does_not_have(permits: Other, old: str, new: str) -> None:
    permits.answer = lambda _asked: Said(PERMIT.replace(old, new), content_type="text/xml")
    with pytest.raises(UpstreamRefusal) as caught:
        system(PERMITS, permits).call(grant_of("permit.lookup", LOOKUP))
    assert caught.value.code is Code.UPSTREAM_MALFORMED


def test_an_unsigned_answer_of_a_party_that_signs_is_not_taken(permits: Other, capacity: Other) -> None:
    for folder, other, operation, fields in (
        (PERMITS, permits, "permit.lookup", LOOKUP),
        (CAPACITY, capacity, "capacity.territory", TERRITORY),
    ):
        other.unsigned = False
        with pytest.raises(UpstreamRefusal) as caught:
            system(folder, other).call(grant_of(operation, fields))
        assert caught.value.code is Code.UPSTREAM_UNTRUSTED


def test_a_fault_or_a_failure_is_no_answer(permits: Other, capacity: Other) -> None:
    fault = Said("<defaut/>", 500, "text/xml")
    permits.answer = lambda _asked: fault
    capacity.answer = lambda _asked: Said("{}", 500)
    for folder, other, operation, fields in (
        (PERMITS, permits, "permit.lookup", LOOKUP),
        (CAPACITY, capacity, "capacity.territory", TERRITORY),
    ):
        with pytest.raises(UpstreamRefusal) as caught:
            system(folder, other).call(grant_of(operation, fields))
        assert caught.value.code is Code.UPSTREAM_UNAVAILABLE


@pytest.mark.parametrize("fields", [TERRITORY | {"year": 1999}, TERRITORY | {"territory": "a/b"}])
def test_what_their_document_does_not_take_is_never_sent(capacity: Other, fields: dict[str, object]) -> None:
    with pytest.raises(Refusal) as caught:
        system(CAPACITY, capacity).call(grant_of("capacity.territory", fields))
    assert caught.value.code is Code.FIELD_INVALID
    assert capacity.asked == []


def test_both_are_a_document_and_a_mapping_of_a_few_dozen_lines() -> None:
    for folder in (PERMITS, CAPACITY):
        assert not list(folder.rglob("*.py"))
        assert len((folder / "mapping.yaml").read_text(encoding="utf-8").splitlines()) < 60
