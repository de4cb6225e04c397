"""Payloads filled without zeep are those that zeep would have built; what is not flat stays zeep's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import zeep
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.civil_registry.adapter import contract_directory
from adapters.payload import PayloadTemplate, template_of
from gateway.signing import soap_names as n
from gateway.signing.xml import canonical
from tests.adapters.conftest import grant_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adapters.conftest import World

OPERATION = "VerifierNaissance"
VALUES = {
    "salt": bytes(range(32)),
    "nirec": "1" * 13,
    "nomFamille": "Tremblay",
    "prenoms": "Zoé",
    "dateNaissance": "2021-05-01",
}
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=40)


def client_of(folder: Path) -> Any:
    return zeep.Client(str(folder / "civil_registry.wsdl"))  # type: ignore[no-untyped-call]  # zeep publishes no types


@pytest.fixture(scope="module")
def client() -> Any:
    return client_of(contract_directory())


@pytest.fixture(scope="module")
def template(client: Any) -> PayloadTemplate:
    made = template_of(client, OPERATION)
    assert made is not None
    return made


def by_zeep(client: Any, values: dict[str, Any]) -> bytes:
    return canonical(client.create_message(client.service, OPERATION, **values).find(n.BODY)[0])


@given(names=st.tuples(TEXT, TEXT), salt=st.binary(min_size=16, max_size=64))
def test_what_is_filled_is_what_zeep_builds(
    client: Any, template: PayloadTemplate, names: tuple[str, str], salt: bytes
) -> None:
    values = VALUES | {"nomFamille": names[0], "prenoms": names[1], "salt": salt}
    assert canonical(template.fill(values)) == by_zeep(client, values)


def test_markup_in_a_value_is_text(template: PayloadTemplate) -> None:
    payload = template.fill(VALUES | {"prenoms": "</ns0:prenoms><x/>&amp;"})
    assert payload.xpath("count(//*)") == len(VALUES) + 1
    assert [child.text for child in payload if child.tag.endswith("prenoms")] == ["</ns0:prenoms><x/>&amp;"]


@pytest.mark.parametrize(
    "values",
    [
        {name: value for name, value in VALUES.items() if name != "nirec"},
        VALUES | {"another": "x"},
        VALUES | {"prenoms": None},
        VALUES | {"prenoms": "a\x00b"},
        VALUES | {"prenoms": "a\x08b"},
    ],
    ids=["missing", "one_too_many", "none", "nul", "control"],
)
def test_values_that_are_not_the_operation_s(template: PayloadTemplate, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        template.fill(values)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name="prenoms" type="ec:Nom"', 'name="prenoms" type="ec:Nom" minOccurs="0"'),
        ('name="prenoms" type="ec:Nom"', 'name="prenoms" type="ec:Nom" maxOccurs="2"'),
        ('name="prenoms" type="ec:Nom"', 'name="prenoms" type="ec:Nom" nillable="true"'),
        ('name="prenoms" type="ec:Nom"', 'name="prenoms" type="ec:Nom" default="x"'),
        ('<xsd:element name="prenoms" type="ec:Nom"/>', '<xsd:element ref="ec:VerifierNaissanceReponse"/>'),
    ],
    ids=["optional", "repeated", "nil", "default", "nested"],
)
def test_what_is_not_flat_is_left_to_zeep(tmp_path: Path, old: str, new: str) -> None:
    for file in contract_directory().glob("civil_registry.*"):
        text = file.read_text(encoding="utf-8")
        (tmp_path / file.name).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert old in (contract_directory() / "civil_registry.xsd").read_text(encoding="utf-8")
    etree.XMLSchema(etree.parse(tmp_path / "civil_registry.xsd"))
    assert template_of(client_of(tmp_path), OPERATION) is None


def test_what_zeep_builds_is_sent_too(world: World) -> None:
    adapter = world.adapter()
    adapter._soap._templates[OPERATION] = None
    assert adapter.call(grant_for(world.examples.confirmed)).fields == {"outcome": "confirmed"}
