"""Payloads filled by a mapping are those that zeep would have built; answers are read as their XSD has them."""

from __future__ import annotations

from typing import Any

import pytest
import zeep
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.civil_registry.adapter import contract_directory
from adapters.mapping.soap_form import soap_service
from adapters.mapping.values import ValueUnfitError
from gateway.errors import Code, Refusal
from gateway.model import Nirec
from gateway.signing import soap_names as n
from gateway.signing.xml import canonical
from tests.adapters.conftest import CONTRACTS

NAMESPACE = "{urn:passerelle:civil-registry:v1}"
OPERATION = soap_service(contract_directory(), CONTRACTS).operations["nirec.verify/v1"]
FIELDS: dict[str, object] = {
    "nirec": Nirec("1" * 13),
    "family_name": "Tremblay",
    "given_names": "Zoé",
    "birth_date": "2021-05-01",
}
SALT = bytes(range(32))
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def client() -> Any:
    wsdl = contract_directory() / "civil_registry.wsdl"
    return zeep.Client(str(wsdl))  # type: ignore[no-untyped-call]  # zeep publishes no types


@given(names=st.tuples(TEXT, TEXT), salt=st.binary(min_size=16, max_size=64))
def test_what_is_filled_is_what_zeep_builds(client: Any, names: tuple[str, str], salt: bytes) -> None:
    made = OPERATION.payload(FIELDS | {"family_name": names[0], "given_names": names[1]}, salt)
    values = {"salt": salt, "nirec": "1" * 13, "nomFamille": names[0], "prenoms": names[1]}
    built = client.create_message(client.service, "VerifierNaissance", **values, dateNaissance="2021-05-01")
    assert canonical(made) == canonical(built.find(n.BODY)[0])


def test_markup_in_a_value_is_text() -> None:
    payload = OPERATION.payload(FIELDS | {"given_names": "</ns0:prenoms><x/>&amp;"}, SALT)
    assert payload.xpath("count(//*)") == 6
    assert payload.findtext(f"{NAMESPACE}prenoms") == "</ns0:prenoms><x/>&amp;"


@pytest.mark.parametrize(
    "fields",
    [
        {name: value for name, value in FIELDS.items() if name != "nirec"},
        FIELDS | {"given_names": None},
        FIELDS | {"given_names": "a\x00b"},
        FIELDS | {"given_names": "a\x08b"},
        FIELDS | {"given_names": ["Zoé"]},
        FIELDS | {"birth_date": "2021-13-01"},
        FIELDS | {"nirec": Nirec("12")},
    ],
    ids=["missing", "none", "nul", "control", "list", "no_such_day", "too_short"],
)
def test_values_that_they_do_not_take_are_refused_without_being_told(fields: dict[str, object]) -> None:
    with pytest.raises(Refusal) as caught:
        OPERATION.payload(fields, SALT)
    assert caught.value.code is Code.FIELD_INVALID
    assert str(caught.value) == "field_invalid"


def answer(inner: str, name: str = "VerifierNaissanceReponse") -> etree._Element:
    xml = f'<e:{name} xmlns:e="{NAMESPACE[1:-1]}">{inner}</e:{name}>'
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False))  # noqa: TID251  a test's own text


def test_an_answer_is_read_with_its_salt() -> None:
    read = OPERATION.read(answer("<e:salt>c2VsIGRlIGNlbGxlIHF1aSByZXBvbmQ=</e:salt><e:resultat>CONFIRME</e:resultat>"))
    assert read.fields == {"outcome": "confirmed"}
    assert read.salt == b"sel de celle qui repond"


@pytest.mark.parametrize(
    ("inner", "name"),
    [
        ("<e:salt>c2VsIGRlIGNlbGxlIHF1aSByZXBvbmQ=</e:salt><e:resultat>PEUT_ETRE</e:resultat>", ""),
        ("<e:resultat>CONFIRME</e:resultat>", ""),
        ("<e:salt>c2VsIGRlIGNlbGxlIHF1aSByZXBvbmQ=</e:salt>", ""),
        ("<e:salt/>", "VerifierNaissance"),
    ],
    ids=["unknown_value", "no_salt", "no_result", "another_element"],
)
def test_an_answer_that_is_not_theirs_is_none(inner: str, name: str) -> None:
    with pytest.raises(ValueUnfitError):
        OPERATION.read(answer(inner, name or "VerifierNaissanceReponse"))
