"""What breaks a privacy rule does not load (C1, C4, C7)."""

from __future__ import annotations

import copy
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from contracts.deprecation import deprecation_headers
from contracts.loader import ContractError, load_contract, load_contracts
from contracts.strict_yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[2] / "contracts"
NIREC = FOLDER / "nirec" / "v1" / "contract.yaml"
Contract = dict[str, Any]
_WORDS = {"fr": "x", "en": "x"}


def test_the_contracts_in_the_repository_load() -> None:
    contracts = {contract.service: contract for contract in load_contracts(FOLDER)}
    assert {"echo", "nirec"} <= contracts.keys()
    assert contracts["nirec"].sha256 == sha256(NIREC.read_bytes()).hexdigest()
    operation = contracts["nirec"].operations["nirec.verify"]
    assert operation.sensitivity("request")["nirec"] == "identifier"
    assert operation.sensitivity("response")["handle"] == "public"


def _operation(contract: Contract) -> Contract:
    found: Contract = contract["operations"]["nirec.verify"]
    return found


def _drop_salt(part: str) -> Callable[[Contract], None]:
    def change(contract: Contract) -> None:
        schema = _operation(contract)[part]
        schema["required"].remove("salt")
        del schema["properties"]["salt"]

    return change


def _optional_salt(contract: Contract) -> None:
    _operation(contract)["request"]["required"].remove("salt")


def _set(*path: str, value: object) -> Callable[[Contract], None]:
    def change(contract: Contract) -> None:
        at = _operation(contract)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def _nested(**words: object) -> Callable[[Contract], None]:
    """A list of objects with one field, of which the words are said too."""
    value = {"type": "string", "description": dict(_WORDS), **words}
    item = {"type": "object", "additionalProperties": False, "properties": {"value": value}}
    several = {"type": "array", "items": item, "sensitivity": "public", "description": dict(_WORDS)}
    return _set("request", "properties", "reference", value=several)


def _in_query(*again: str, **words: object) -> Callable[[Contract], None]:
    """A public field of the request that stands in the query."""

    def change(contract: Contract) -> None:
        other = {"sensitivity": "public", "description": _WORDS, **words}
        _operation(contract)["request"]["properties"]["other"] = other
        _operation(contract)["rest"]["query"] = ["other", *again]

    return change


def _twice(contract: Contract) -> None:
    again = copy.deepcopy(_operation(contract))
    again["rest"]["path"] += "/again"
    contract["operations"]["nirec_verify"] = again


def _renamed(name: str) -> Callable[[Contract], None]:
    def change(contract: Contract) -> None:
        contract["operations"][name] = contract["operations"].pop("nirec.verify")

    return change


#: What is changed, what is said of it, and how the line begins that is named (keys are sorted in the dump).
_BROKEN: dict[str, tuple[Callable[[Contract], None], str, str]] = {
    "no_salt_in_the_request": (_drop_salt("request"), "required salt", "properties:"),
    "no_salt_in_the_answer": (_drop_salt("response"), "required salt", "properties:"),
    "optional_salt": (_optional_salt, "salt: is one required text", "salt:"),
    "salt_of_another_name": (
        _set("request", "properties", "other", value={"type": "string", "sensitivity": "salt", "description": _WORDS}),
        "and no other",
        "other:",
    ),
    "salt_that_is_no_salt": (
        _set("request", "properties", "salt", "sensitivity", value="public"),
        "and no other",
        "salt:",
    ),
    "identifier_that_may_be_null": (
        _set("request", "properties", "nirec", "type", value=["string", "null"]),
        "is one required text",
        "nirec:",
    ),
    "identifier_in_the_path": (_set("rest", "path", value="/v1/verifications/{nirec}"), "path or a query", "rest:"),
    "personal_field_in_the_query": (_set("rest", "query", value=["family_name"]), "path or a query", "rest:"),
    "unknown_field_in_the_path": (_set("rest", "path", value="/v1/{other}"), "path or a query", "rest:"),
    "field_of_the_path_written_twice": (_set("rest", "path", value="/v1/{}"), "path or a query", "rest:"),
    "path_that_clients_rewrite": (_set("rest", "path", value="/v1/../children"), "none of them empty, . or", "path:"),
    "path_with_an_empty_segment": (_set("rest", "path", value="/v1//children"), "none of them empty", "path:"),
    "brace_without_its_pair": (_set("rest", "path", value="/v1/children}"), "braces are pairs", "path:"),
    "path_of_the_log": (_set("rest", "path", value="/log/checkpoint"), "at this path itself", "path:"),
    "path_of_receipts": (_set("rest", "path", value="/v1/exchanges/x/receipt"), "at this path itself", "path:"),
    "get_with_a_body": (_set("rest", "method", value="GET"), "GET has no body", "rest:"),
    "list_in_the_query": (_in_query(type="array", items={"type": "boolean"}), "single values", "rest:"),
    "null_in_the_query": (_in_query(type=["boolean", "null"]), "single values", "rest:"),
    "twice_in_the_query": (_in_query("other", type="boolean"), "each once", "rest:"),
    "unknown_fields_allowed": (_set("request", "additionalProperties", value=True), "closed object", "request:"),
    "no_object": (_set("response", "type", value="string"), "cannot be said of string", "additionalProperties"),
    "no_type": (_set("response", "type", value=None), "type is one of", "type:"),
    "no_sensitivity": (_set("request", "properties", "nirec", "sensitivity", value=None), "sensitivity is", "nirec:"),
    "sensitivity_below": (_nested(sensitivity="public"), "holds for all below", "reference:"),
    "one_language_only": (
        _set("request", "properties", "nirec", "description", value={"fr": "x"}),
        "needs fr and en",
        "nirec:",
    ),
    "one_language_only_below": (_nested(description={"fr": "x"}), r"reference\[\].value: description", "value:"),
    "handle_that_is_personal": (
        _set("response", "properties", "handle", "sensitivity", value="personal"),
        "a public handle in the answer",
        "reduction:",
    ),
    "handles_that_a_verification_has_not": (
        _set("reduction", "given", value=["birth_date"]),
        "needs 0 required",
        "reduction:",
    ),
    "reason_without_a_merge": (_set("reduction", "reason", value="birth_date"), "and nothing else", "reduction:"),
    "disclosed_whatever_the_answer": (_set("reduction", "confirmed", value=None), "does not have", "reduction:"),
    "merge_of_identifiers": (
        lambda contract: _operation(contract)["reduction"].update(
            act="merge", given=["nirec", "birth_date"], reason="birth_date"
        ),
        "needs 2 required public",
        "reduction:",
    ),
    "birth_of_nobody_expected": (_set("reduction", "act", value="attach"), "needs 1 required", "reduction:"),
    "reduction_without_identifier": (
        _set("reduction", "identifier", value="family_name"),
        "needs an identifier",
        "reduction:",
    ),
    "reduction_of_an_unknown_field": (_set("reduction", "field", value="other"), "does not have", "reduction:"),
    "unknown_key": (_set("surprise", value=1), "surprise: is no word of a contract; remove", "surprise:"),
    "missing_key": (lambda contract: _operation(contract).pop("title"), "title: is missing; add it", "nirec.verify:"),
    "version_that_is_a_number": (
        lambda contract: contract.update(version=1),
        "version: is no text; put it between quotes",
        "version:",
    ),
    "no_deadline": (_set("limits", "deadline_seconds", value=0), "deadline_seconds", "deadline_seconds:"),
    "method_that_is_none": (_set("rest", "method", value="PUT"), "method", "method:"),
    "half_a_surrogate_pair": (_set("title", "fr", value="\ud800"), "XML cannot hold", "fr:"),
    "control_character": (
        _set("response", "properties", "outcome", "enum", value=["a", "b\x01"]),
        "XML cannot hold",
        "- ",
    ),
    "key_that_xml_cannot_hold": (_set("upstream\ufffe", value=1), "XML cannot hold", "nirec.verify:"),
    "operation_named_by_no_word": (_renamed("../nirec"), "a letter, then letters", "../nirec:"),
    "operation_that_begins_with_a_digit": (_renamed("1.verify"), "a letter, then letters", "1.verify:"),
    "operation_without_a_name": (_renamed(""), "a letter, then letters", "? ''"),
    "two_actions_of_one_name": (_twice, "SOAP name of something else too", "nirec_verify:"),
    "soap_action_that_is_no_uri": (
        _set("soap", value={"action": "verify", "request": "A", "response": "B"}),
        "action: String should",
        "action:",
    ),
    "soap_request_and_answer_alike": (
        _set("soap", value={"action": "urn:a", "request": "A", "response": "A"}),
        "something else too",
        "nirec.verify:",
    ),
    "sunset_that_is_no_day": (
        lambda contract: contract.update(deprecated={"since": "2026-01-01", "sunset": "soon"}),
        "sunset",
        "sunset:",
    ),
    "sunset_before_it_is_deprecated": (
        lambda contract: contract.update(deprecated={"since": "2026-01-02", "sunset": "2026-01-01"}),
        "sunset is after since",
        "deprecated:",
    ),
}


@pytest.mark.parametrize("case", _BROKEN)
def test_a_contract_that_breaks_a_rule_does_not_load_and_the_line_is_named(case: str) -> None:
    change, said, begins = _BROKEN[case]
    contract = yaml.safe_load(NIREC.read_text(encoding="utf-8"))
    load_contract(yaml.safe_dump(contract).encode())
    change(contract)
    content = yaml.safe_dump(contract)
    with pytest.raises(ContractError, match=said) as raised:
        load_contract(content.encode(), "nirec/v1/contract.yaml")
    place = re.match(r"nirec/v1/contract\.yaml:(\d+): ", str(raised.value))
    assert place is not None
    assert content.splitlines()[int(place[1]) - 1].strip().startswith(begins)


@pytest.mark.parametrize("content", [b"a: 1\na: 2\n", b"[", b"a: !!python/object:os.system {}\n", b"\xff"])
def test_yaml_is_read_strictly(content: bytes) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(content)
    with pytest.raises(ContractError):
        load_contract(content)


def test_whoever_changes_what_was_read_changes_it_for_himself_alone() -> None:
    content = b"a: {b: [1]}\n"
    read = load_yaml(content)
    assert isinstance(read, dict)
    read["a"]["b"].append(2)
    assert load_yaml(content) == {"a": {"b": [1]}}


def test_repeated_keys_below_are_found_too() -> None:
    assert load_yaml(b"a: {b: 1, c: 2}\n") == {"a": {"b": 1, "c": 2}}
    with pytest.raises(yaml.YAMLError):
        load_yaml(b"a: {b: 1, b: 2}\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"service: x\nservice: y\n", 2),
        (b"service: x\ntitle: [\n", 3),
        (b"a: &b 1\nc:\n  - *b\n", 3),
        (b"service: x\n", 1),
        (b"\xff", 1),
        (b"", 1),
    ],
)
def test_what_is_no_contract_at_all_has_its_line_too(content: bytes, line: int) -> None:
    with pytest.raises(ContractError, match=rf"^contract\.yaml:{line}: "):
        load_contract(content)


def _folder(root: Path, *contracts: tuple[str, str, Callable[[Contract], object]]) -> Path:
    """A folder of contracts made from the NIREC's: (service, version, a further change)."""
    for service, version, change in contracts:
        contract = yaml.safe_load(NIREC.read_text(encoding="utf-8"))
        contract |= {"service": service, "version": version}
        _operation(contract)["rest"]["path"] = f"/v{version}/{service}"
        change(contract)
        place = root / service / f"v{version}"
        place.mkdir(parents=True)
        (place / "contract.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    return root


def _same(_: Contract) -> None:
    return None


def _deprecated(contract: Contract) -> None:
    contract["deprecated"] = {"since": "2026-01-01", "sunset": "2027-01-01", "successor": "2"}


def test_versions_stand_side_by_side_and_one_says_that_it_is_on_its_way_out(tmp_path: Path) -> None:
    first, second = load_contracts(_folder(tmp_path, ("nirec", "1", _deprecated), ("nirec", "2", _same)))
    assert first.operations.keys() == second.operations.keys()
    assert deprecation_headers(first) == (
        ("Deprecation", "@1767225600"),
        ("Sunset", "Fri, 01 Jan 2027 00:00:00 GMT"),
    )
    assert deprecation_headers(second) == ()


def _below(field: str) -> Callable[[Contract], None]:
    """A public field stands in the path."""

    def change(contract: Contract) -> None:
        operation = _operation(contract)
        words = {"type": "string", "sensitivity": "public", "description": _WORDS}
        operation["request"]["properties"][field] = words
        operation["request"]["required"].append(field)
        operation["rest"]["path"] = f"/v1/verifications/{{{field}}}"

    return change


_TOGETHER: dict[str, tuple[tuple[tuple[str, str, Callable[[Contract], object]], ...], str]] = {
    "no_contract": ((), "there is no operation"),
    "another_service_has_the_name": (
        (("births", "1", _same), ("nirec", "1", _same)),
        r"^nirec/v1/contract\.yaml:\d+: nirec.verify: another service",
    ),
    "one_path_for_two_versions": (
        (("nirec", "1", _same), ("nirec", "2", _set("rest", "path", value="/v1/nirec"))),
        r"^nirec/v2/contract\.yaml:\d+: nirec.verify: another has the same method and path",
    ),
    "one_path_but_for_its_field": (
        (("nirec", "1", _below("child")), ("nirec", "2", _below("person"))),
        r"^nirec/v2/contract\.yaml:\d+: nirec.verify: another has the same method and path",
    ),
    "one_name_in_openapi": (
        (("births", "1", _renamed("nirec-verify")), ("nirec", "1", _same)),
        r"^nirec/v1/contract\.yaml:\d+: nirec.verify: another operation is NirecVerify in OpenAPI too",
    ),
    "no_such_successor": ((("nirec", "1", _deprecated),), r"^nirec/v1/contract\.yaml:1: successor 2 is not there"),
    "folder_of_another_version": (
        (("nirec", "1", lambda contract: contract.update(version="3")),),
        r"^nirec/v1/contract\.yaml:1: says service nirec, version 3; move it to nirec/v3/",
    ),
    "broken": (
        (("nirec", "1", lambda contract: contract.pop("title")),),
        r"^nirec/v1/contract\.yaml:1: title: is missing",
    ),
}


@pytest.mark.parametrize("case", _TOGETHER)
def test_contracts_that_do_not_go_together_do_not_load(case: str, tmp_path: Path) -> None:
    made, said = _TOGETHER[case]
    with pytest.raises(ContractError, match=said):
        load_contracts(_folder(tmp_path, *made))
