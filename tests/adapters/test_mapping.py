"""What a mapping cannot translate is refused when it loads, with the file, the line, and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.mapping.declaration import load_mapping
from adapters.mapping.rest_form import rest_service
from adapters.mapping.soap_form import soap_service
from contracts.loader import load_contract
from gateway.errors import ConfigurationError
from tests.adapters.conftest import CONTRACTS

if TYPE_CHECKING:
    from adapters.mapping.declaration import MappingDocument

ROOT = Path(__file__).parents[2] / "contracts"
UNSENT = "unsent: [handle, batch, line]"
FOLDERS = {
    "registry": ROOT / "civil_registry" / "v1",
    "permits": ROOT / "foreign" / "childcare_permits",
    "capacity": ROOT / "foreign" / "territorial_capacity",
    "benefits": ROOT / "foreign" / "benefits_notices",
}


def load(folder: Path, *, rest: bool) -> None:
    own = folder / "contract.yaml"
    contracts = [load_contract(own.read_bytes())] if own.exists() else list(CONTRACTS)
    (rest_service if rest else soap_service)(folder, contracts)


def spoilt(tmp_path: Path, name: str, file: str, old: str, new: str) -> tuple[str, int]:
    """The text of the refusal, and the line that it names; of the mapping with ``new`` in the place of ``old``."""
    folder = shutil.copytree(FOLDERS[name], tmp_path / name)
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(folder, rest=name == "capacity")
    said = str(caught.value)
    place, _, rest = said.partition("mapping.yaml:")
    assert place, said
    number, _, words = rest.partition(": ")
    return words, int(number)


def line_of(name: str, text: str) -> int:
    lines = (FOLDERS[name] / "mapping.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


#: which mapping, what is replaced by what, on which line the refusal is, some of its words
REFUSED = {
    "no_yaml": ("registry", "signed: true", "signed: [true", "prefixes: {", "not YAML"),
    "key_twice": ("registry", "signed: true", "signed: true\nsigned: true", "prefixes: {", "repeated"),
    "word_missing": ("registry", "signed: true", "#", "# How", "signed: is missing; add it"),
    "unknown_word": ("registry", UNSENT, "unsend: [handle]", "unsent:", "no word of a mapping"),
    "unknown_operation": ("registry", "VerifierNaissance:", "Verifier:", "VerifierNaissance:", "VerifierNaissance"),
    "unknown_contract": ("registry", "nirec.verify,", "nirec.guess,", "serves:", "nirec.guess"),
    "another_upstream": ("registry", "upstream: civil-registry", "upstream: registry", "serves:", "civil-registry"),
    "unknown_place": ("registry", "ec:prenoms:", "ec:prenom:", "ec:prenoms:", "}prenoms"),
    "unknown_prefix": ("registry", "ec:prenoms:", "x:prenoms:", "ec:prenoms:", "prefixes"),
    "unknown_field": ("registry", "prenoms: given_names", "prenoms: names", "ec:prenoms:", "no field names"),
    "place_without_value": ("registry", "      ec:nomFamille: family_name\n", "", "    request: #", "nothing is map"),
    "field_told_to_nobody": ("registry", UNSENT, "unsent: []", "    request: #", "told to nobody"),
    "unknown_unsent": ("registry", UNSENT, "unsent: [handle, batch, line, age]", "unsent:", "field age"),
    "no_salt": ("registry", "ec:salt: {salt: base64}", "ec:salt: {constant: QUFB}", "ec:nirec:", "without a salt"),
    "no_salt_in_the_answer": ("registry", 'salt: {at: "ec:salt"}', "#", "", "say where its salt"),
    "salt_nowhere": ("registry", '{at: "ec:salt"}', '{at: "ec:sel"}', '{at: "ec:salt"}', "}sel"),
    "repeats_nothing": ("benefits", "noAvis: av:entete/av:noAvis", "noAvis: av:entete/av:no", "@noAvis", "mapped to"),
    "repeats_nowhere": ("benefits", "av:accuse/@noAvis", "av:accuse/@numero", "@noAvis", "@numero does not stand"),
    "repeats_no_value": ("benefits", "av:accuse/@noAvis", "av:accuse", "@noAvis", "one value"),
    "salt_of_a_list": (
        "permits", "      fields:", "      salt: {at: per:permis/per:observation}\n      fields:", "", "say each",
    ),
    "salt_of_no_value": (
        "permits", "      fields:", "      salt: {at: per:permis/per:installation}\n      fields:", "", "one value",
    ),
    "two_sources": ("registry", "{salt: base64}", "{salt: base64, field: nirec}", "ec:salt:", "say one of"),
    "value_not_of_the_contract": ("registry", "CONFIRME: confirmed", "CONFIRME: sure", "values:", "no value sure"),
    "answer_field_unknown": ("registry", "        outcome:", "        result:", "outcome:", "no field result"),
    "answer_place_unknown": ("registry", "at: ec:resultat", "at: ec:reponse", "ec:resultat", "}reponse"),
    "encrypts_without_a_key": ("registry", UNSENT, "encrypt: [ec:nirec]", "unsent:", "encryption_cert"),
    "answer_required": ("permits", "        permit: per:permis/per:noPermis\n", "", "      fields:", "must have perm"),
    "both_branches": (
        "permits", "      per:critere/per:noPermis: permit",
        "      per:critere/per:neq: permit\n      per:critere/per:noPermis: permit", "    request:", "only one may",
    ),
    "no_branch": ("permits", "      per:critere/per:noPermis: permit", "      #", "    request:", "must be there"),
    "optional_field": ("capacity", "codeTerritoire: territory", "codeTerritoire: quarter", "codeTerritoire", "default"),
    "enum_not_covered": ("capacity", ", fourth: T4", "", "trimestre", "no value for fourth"),
    "repeats": ("permits", "{each: per:permis/per:observation}", "per:permis/per:observation", "remarks:", "say each"),
    "may_be_absent": ("capacity", '{at: provisoire, default: "false"}', "provisoire", "provisional", "give a default"),
    "default_no_value": ("capacity", 'default: "false"', 'default: "no"', "provisional", "no value"),
    "table_of_no_value": ("permits", 'N: "false"', "N: non", "subsidised", "no value of this field"),
    "no_date": ("permits", "{field: as_of,", "{field: permit,", "dateReference", "neither date nor time"),
    "holds_more": ("permits", "per:installation/per:nomUsuel", "per:installation", "        name:", "further places"),
    "salt_in_an_address": ("capacity", "query/annee: year", "query/annee: {salt: hex}", "annee", "salt there is none"),
    "status_of_success": ("capacity", "404: {found", "204: {found", "404", "400 to 499"),
    "status_without_value": ("capacity", '{found: "false"}', '{found: "non"}', "404", "no value"),
    "no_such_document": ("capacity", "document: openapi.yaml", "document: api.yaml", "document:", "cannot be read"),
    "unknown_operation_id": ("capacity", "obtenirCapacites:", "obtenir:", "obtenirCapacites", "rechercherTerritoires"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str) -> None:
    mapping, old, new, at, words = REFUSED[name]
    said, line = spoilt(tmp_path, mapping, "mapping.yaml", old, new)
    assert words in said
    assert not at or line == line_of(mapping, at), said


_ANY = '<xs:any namespace="##any" processContents="lax"/><xs:choice>'
_NUMBER = 'name="noPermis" type="NoPermisType"/>'
_MEASURE, _WHOLE = '"#/components/schemas/Mesure"', '"#/components/schemas/Capacites"'
DOCUMENTS = {
    "rpc": ("registry", "civil_registry.wsdl", 'style="document"', 'style="rpc"', "document/literal"),
    "schema_elsewhere": ("registry", "civil_registry.wsdl", '"civil_registry.xsd"', '"https://a/b.xsd"', "beside it"),
    "schema_missing": ("registry", "civil_registry.wsdl", '"civil_registry.xsd"', '"other.xsd"', "beside it"),
    "dtd": ("registry", "civil_registry.wsdl", "<wsdl:definitions", "<!DOCTYPE a><wsdl:definitions", "beside it"),
    "any_element": ("permits", "xsd/Permis.xsd", "<xs:choice>", _ANY, "any element"),
    "repeated": ("permits", "xsd/Permis.xsd", _NUMBER, _NUMBER.replace("/>", ' maxOccurs="2"/>'), "say each"),
    "another_openapi": ("capacity", "openapi.yaml", "openapi: 3.0.3", "openapi: 3.1.0", "OpenAPI 3.0"),
    "reference_elsewhere": ("capacity", "openapi.yaml", _WHOLE, '"other.yaml#/Capacites"', "elsewhere"),
    "reference_to_nothing": ("capacity", "openapi.yaml", _WHOLE, '"#/components/schemas/Rien"', "does not have"),
    "endless": ("capacity", "openapi.yaml", _MEASURE, _WHOLE, "holds itself"),
    "header": ("capacity", "openapi.yaml", "in: query\n          req", "in: header\n          req", "header"),
    "delete": ("capacity", "openapi.yaml", "    get:\n", "    delete:\n", "DELETE"),
    "list_in_the_query": (
        "capacity",
        "openapi.yaml",
        "schema: {type: integer, minimum: 2015, maximum: 2100}",
        "schema: {type: array, items: {type: integer}}",
        "say each",
    ),
    "path_of_other_characters": ("capacity", "openapi.yaml", "}/capacites:", "}/capacités:", "plain characters"),
    "path_already_encoded": ("capacity", "openapi.yaml", "}/capacites:", "}/%63apacites:", "plain characters"),
    "path_without_its_parameter": ("capacity", "openapi.yaml", "/{codeTerritoire}/", "/{code}/", "in braces"),
    "no_json": ("capacity", "openapi.yaml", "application/json", "application/xml", "application/json"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    mapping, file, old, new, words = DOCUMENTS[name]
    said, _ = spoilt(tmp_path, mapping, file, old, new)
    assert words in said


def test_what_stands_in_the_repository_loads() -> None:
    for name, folder in FOLDERS.items():
        load(folder, rest=name == "capacity")


def test_a_list_does_not_stand_in_an_address(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDERS["capacity"], tmp_path / "capacity")
    described = "description: {fr: Années., en: Years.}"
    years = f"{{type: array, sensitivity: public, items: {{type: integer, {described}}}, {described}}}"
    for file, old, new in (
        ("contract.yaml", "required: [territory, year]", "required: [territory, year, years]"),
        ("contract.yaml", "        year:", f"        years: {years}\n        year:"),
        ("contract.yaml", '{method: GET, path: "/v1/capacity/{territory}", query: [year, quarter]}',
         "{method: POST, path: /v1/c}"),
        ("openapi.yaml", "schema: {type: integer, minimum: 2015, maximum: 2100}",
         "schema: {type: array, items: {type: integer}}"),
        ("mapping.yaml", "query/annee: year", 'query/annee: {each: years, items: {".": "."}}\n    unsent: [year]'),
    ):  # fmt: skip
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    text = (folder / "mapping.yaml").read_text(encoding="utf-8")
    quarter = next(line for line in text.splitlines() if "query/trimestre" in line)
    (folder / "mapping.yaml").write_text(text.replace(quarter + "\n", "").replace("[year]", "[year, quarter]"), "utf-8")
    with pytest.raises(ConfigurationError, match="takes single values"):
        load(folder, rest=True)


def test_a_personal_field_does_not_stand_in_an_address(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDERS["capacity"], tmp_path / "capacity")
    path = folder / "contract.yaml"
    text = path.read_text(encoding="utf-8").replace("sensitivity: public", "sensitivity: personal", 1)
    salted = text.replace("required: [territory, year]", "required: [territory, year, salt]").replace(
        "        year:",
        "        salt: {type: string, sensitivity: salt, description: {fr: s, en: s}}\n        year:",
        1,
    )
    rest = '{method: GET, path: "/v1/capacity/{territory}", query: [year, quarter]}'
    called = salted.replace(rest, "{method: POST, path: /v1/c}")
    path.write_text(called, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mapping\.yaml:9: .*may not stand in an address \(C4\)"):
        load(folder, rest=True)


def test_a_mapping_is_read_whole() -> None:
    mapping: MappingDocument = load_mapping(FOLDERS["registry"])
    ((served,),) = mapping.operations.values()
    assert served.request["ec:nirec"].field == "nirec"
    assert served.answer.fields["outcome"].values["INTROUVABLE"] == "not_found"
