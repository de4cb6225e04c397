"""What breaks a privacy rule does not load (C1, C4, C7)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from contracts.loader import ContractError, load_contract, load_contracts
from contracts.strict_yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[2] / "contracts"
NIREC = FOLDER / "nirec" / "v1" / "contract.yaml"
Contract = dict[str, Any]


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
    return lambda contract: _operation(contract)[part]["properties"].pop("salt")


def _optional_salt(contract: Contract) -> None:
    _operation(contract)["request"]["required"].remove("salt")


def _set(*path: str, value: object) -> Callable[[Contract], None]:
    def change(contract: Contract) -> None:
        at = _operation(contract)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


_BROKEN: dict[str, tuple[Callable[[Contract], None], str]] = {
    "no_salt_in_the_request": (_drop_salt("request"), "required salt"),
    "no_salt_in_the_answer": (_drop_salt("response"), "required salt"),
    "optional_salt": (_optional_salt, "required salt"),
    "identifier_in_the_path": (_set("rest", "path", value="/v1/verifications/{nirec}"), "path or a query"),
    "personal_field_in_the_query": (_set("rest", "query", value=["family_name"]), "path or a query"),
    "unknown_field_in_the_path": (_set("rest", "path", value="/v1/{other}"), "path or a query"),
    "unknown_fields_allowed": (_set("request", "additionalProperties", value=True), "additionalProperties"),
    "no_object": (_set("response", "type", value="array"), "must be an object"),
    "no_sensitivity": (_set("request", "properties", "nirec", "sensitivity", value=None), "sensitivity"),
    "one_language_only": (_set("request", "properties", "nirec", "description", value={"fr": "x"}), "description"),
    "handle_that_is_personal": (
        _set("response", "properties", "handle", "sensitivity", value="personal"),
        "a handle in the answer",
    ),
    "handles_that_a_verification_has_not": (_set("reduction", "given", value=["birth_date"]), "needs 0 required"),
    "reason_without_a_merge": (_set("reduction", "reason", value="birth_date"), "and nothing else"),
    "disclosed_whatever_the_answer": (_set("reduction", "confirmed", value=None), "does not have"),
    "merge_of_identifiers": (
        lambda contract: _operation(contract)["reduction"].update(
            act="merge", given=["nirec", "birth_date"], reason="birth_date"
        ),
        "needs 2 required public",
    ),
    "birth_of_nobody_expected": (_set("reduction", "act", value="attach"), "needs 1 required"),
    "reduction_without_identifier": (_set("reduction", "identifier", value="family_name"), "needs an identifier"),
    "reduction_of_an_unknown_field": (_set("reduction", "field", value="other"), "does not have"),
    "unknown_key": (_set("surprise", value=1), "surprise"),
    "no_deadline": (_set("limits", "deadline_seconds", value=0), "deadline_seconds"),
    "method_that_is_none": (_set("rest", "method", value="PUT"), "method"),
}


@pytest.mark.parametrize("case", _BROKEN)
def test_a_contract_that_breaks_a_rule_does_not_load(case: str) -> None:
    change, said = _BROKEN[case]
    contract = yaml.safe_load(NIREC.read_text(encoding="utf-8"))
    load_contract(yaml.safe_dump(contract).encode())
    change(contract)
    with pytest.raises(ContractError, match=said):
        load_contract(yaml.safe_dump(contract).encode())


@pytest.mark.parametrize("content", [b"a: 1\na: 2\n", b"[", b"a: !!python/object:os.system {}\n", b"\xff"])
def test_yaml_is_read_strictly(content: bytes) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(content)
    with pytest.raises(ContractError):
        load_contract(content)


def test_repeated_keys_below_are_found_too() -> None:
    assert load_yaml(b"a: {b: 1, c: 2}\n") == {"a": {"b": 1, "c": 2}}
    with pytest.raises(yaml.YAMLError):
        load_yaml(b"a: {b: 1, b: 2}\n")


def test_two_operations_of_one_name_and_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no operation"):
        load_contracts(tmp_path)
    for version in ("v1", "v2"):
        (tmp_path / "nirec" / version).mkdir(parents=True)
        (tmp_path / "nirec" / version / "contract.yaml").write_bytes(NIREC.read_bytes())
    with pytest.raises(ContractError, match="same name"):
        load_contracts(tmp_path)


def test_the_file_at_fault_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad" / "v1").mkdir(parents=True)
    (tmp_path / "bad" / "v1" / "contract.yaml").write_text("service: x\n")
    with pytest.raises(ContractError, match=r"bad/v1/contract\.yaml"):
        load_contracts(tmp_path)
