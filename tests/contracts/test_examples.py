"""Examples are what they show: valid under the schema, the XSD, and equal in both forms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml
from lxml import etree

from contracts.generate.examples import example, examples
from contracts.generate.xml import NAMESPACES
from contracts.generate.xsd import xsd
from contracts.loader import ContractError, load_contract
from contracts.plain import judging_schema
from contracts.rest import path_pattern, rest_target
from contracts.shape import shape_of
from gateway.translation.xml_form import XmlForm
from tests.contracts.rich import RICH, rich

if TYPE_CHECKING:
    from contracts.loader import Contract


def _parsed(content: bytes) -> etree._Element:
    return etree.XML(content, etree.XMLParser(resolve_entities=False, no_network=True))


def _schema(contract: Contract) -> etree.XMLSchema:
    return etree.XMLSchema(_parsed(xsd(contract)))


def test_each_example_is_valid_under_the_xsd_and_the_contract_s_own_schema(contracts: tuple[Contract, ...]) -> None:
    seen = 0
    for contract in contracts:
        schema, files = _schema(contract), examples(contract)
        for name, operation in contract.operations.items():
            for part, declared in (("request", operation.request), ("response", operation.response)):
                fields = example(declared, f"{name}.{part}")
                assert jsonschema_rs.validator_for(judging_schema(declared), validate_formats=True).is_valid(fields)
                element = _parsed(files[f"{name}.{part}.xml"])
                schema.assertValid(element)
                seen += 1
        for file, content in files.items():
            assert content.decode().strip(), file
    assert seen >= 16


def test_the_two_forms_of_an_example_are_one_message_to_the_gateway(contracts: tuple[Contract, ...]) -> None:
    for contract in contracts:
        for name, operation in contract.operations.items():
            for part, declared in (("request", operation.request), ("response", operation.response)):
                element = _parsed(examples(contract)[f"{name}.{part}.xml"])
                root = etree.QName(element)
                _unspaced(element)
                form = XmlForm(shape_of(declared, name), str(root.namespace), root.localname)
                assert form.read(element) == example(declared, f"{name}.{part}")


def _unspaced(element: etree._Element) -> None:
    """Takes the indentation out."""
    for node in element.iter():
        node.tail = None
        if len(node):
            node.text = None


def test_the_rich_example_shows_everything() -> None:
    contract = rich()
    fields = example(contract.operations["permit.file"].request, "permit.file.request")
    assert "email" not in fields
    assert fields["applicant"] == {"kind": "person", "name": "Côté & fils", "born": "2026-11-23"}
    assert fields["parts"] == [{"page": 9, "content": fields["parts"][0]["content"]}] * 2
    files = examples(contract)
    body = json.loads(files["permit.file.request.json"])
    assert body.keys() == fields.keys() - {"region", "urgent"}
    assert files["permit.count.request.txt"] == b"GET /v2/permits?since=2026-11-23&under=%C3%A0%20%26%20b\n"
    assert rest_target(contract.operations["permit.file"], fields) == "/v2/permits/06?urgent=true"
    element = _parsed(files["permit.file.request.xml"])
    assert etree.QName(element).text == "{urn:passerelle:permits:v2}Deposer"
    assert element.findtext("{*}Frais") == "12.5"


_WRONG: dict[str, tuple[str, str]] = {
    "missing": ("<Frais>12.5</Frais>", ""),
    "no_decimal": ("<Frais>12.5</Frais>", "<Frais>12,5</Frais>"),
    "unknown": ("<Frais>", "<other/><Frais>"),
    "both_of_a_choice": ("<phone>phone</phone>", "<phone>phone</phone><email>a@b.example</email>"),
    "none_of_a_choice": ("<phone>phone</phone>", ""),
    "too_long": ("<phone>phone</phone>", "<phone>phones</phone>"),
    "attribute_of_no_kind": ('genre="person"', 'genre="robot"'),
    "nil_that_is_not_allowed": ("<Frais>12.5</Frais>", f'<Frais xmlns:i="{NAMESPACES["xsi"]}" i:nil="true"/>'),
    "integer_out_of_bounds": ("<page>9</page>", "<page>10</page>"),
    "date_with_a_zone": ("<born>2026-11-23</born>", "<born>2026-11-23Z</born>"),
    "salt_too_short": ("</salt>", "</salt><!-- -->"),
    "unqualified": ("<Frais>12.5</Frais>", '<Frais xmlns="">12.5</Frais>'),
}  # fmt: skip


@pytest.mark.parametrize("case", _WRONG)
def test_the_xsd_refuses_what_the_contract_does(case: str) -> None:
    contract = rich()
    schema, content = _schema(contract), examples(contract)["permit.file.request.xml"].decode()
    old, new = _WRONG[case]
    if case == "salt_too_short":
        old = content[content.index("<salt>") : content.index("</salt>")]
        new = "<salt>AAAA"
    assert old in content
    assert schema.validate(_parsed(content.encode()))
    assert not schema.validate(_parsed(content.replace(old, new).encode()))


def _without_example(contract: Any) -> None:
    del contract["operations"]["permit.file"]["request"]["properties"]["region"]["example"]


def _wrong_example(contract: Any) -> None:
    contract["operations"]["permit.file"]["request"]["properties"]["region"]["example"] = "99"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without_example, r"permit\.file\.request\.region: a field with a pattern needs an example"),
        (_wrong_example, r"permit\.file\.request\.region: its example is not valid"),
    ],
)
def test_an_example_that_shows_nothing_is_refused(change: Any, said: str) -> None:
    contract = yaml.safe_load(RICH)
    change(contract)
    loaded = load_contract(yaml.safe_dump(contract, sort_keys=False).encode())
    with pytest.raises(ContractError, match=said):
        examples(loaded)


def test_the_paths_that_a_contract_s_path_stands_for() -> None:
    """A field's name may have digits; what is no field means itself."""
    pattern = path_pattern("/v2/permits.old/{region_2}/parts")
    assert pattern.fullmatch("/v2/permits.old/06/parts")
    assert not pattern.fullmatch("/v2/permits-old/06/parts")
    assert not pattern.fullmatch("/v2/permits.old/06/07/parts")
    assert not pattern.fullmatch("/v2/permits.old//parts")
