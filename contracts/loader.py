"""contract.yaml: an operation is declared once, read at start (C1); what breaks a rule does not load.

Each error names the file, the line and what to do.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from contracts.declaration import (
    SALT,
    Bilingual,
    Contract,
    Deprecation,
    Language,
    Operation,
    ReductionRule,
    RestBinding,
    Schema,
    SoapBinding,
)
from contracts.errors import ContractError
from contracts.lines import line_of
from contracts.names import openapi_name
from contracts.rest import path_pattern
from contracts.rules import check_contract
from contracts.strict_yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path as FilePath

    from contracts.errors import Path

__all__ = [
    "SALT",
    "Bilingual",
    "Contract",
    "ContractError",
    "Deprecation",
    "Language",
    "Operation",
    "ReductionRule",
    "RestBinding",
    "Schema",
    "SoapBinding",
    "load_contract",
    "load_contracts",
]

FILE = "contract.yaml"
#: What is no XML 1.0 character (section 2.2).
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TO_DO = {
    "missing": "is missing; add it",
    "string_type": "is no text; put it between quotes",
    "extra_forbidden": "is no word of a contract; remove it or correct it",
}


def load_contract(content: bytes, name: str = FILE) -> Contract:
    """One contract from its bytes; raises ContractError, which begins with ``name``, a colon and the line."""
    try:
        contract = _read(content)
        check_contract(contract)
    except ContractError as error:
        line = error.line or line_of(content, error.path)
        raise ContractError(f"{name}:{line}: {error.text}", error.path, line) from None
    return contract.model_copy(update={"sha256": sha256(content).hexdigest(), "source": content})


def _read(content: bytes) -> Contract:
    try:
        document = load_yaml(content)
        _check_texts(document, ())
        return Contract.model_validate(document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ContractError(
            "the contract is not YAML, or repeats a key, or has an alias; correct this line",
            line=1 if mark is None else mark.line + 1,
        ) from None
    except yaml.YAMLError:
        raise ContractError("the contract is not YAML in UTF-8; write it so") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the contract"
        raise ContractError(f"{where}: {_TO_DO.get(first['type'], first['msg'])}", first["loc"]) from None


def _check_texts(value: object, path: Path) -> None:
    """No text, key or value, has a character that XML cannot hold, nor half of a surrogate pair."""
    if isinstance(value, dict):
        for key, below in value.items():
            _check_texts(str(key), path)
            _check_texts(below, (*path, str(key)))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            _check_texts(below, (*path, index))
    elif isinstance(value, str) and _UNWRITABLE.search(value):
        raise ContractError("a character that XML cannot hold; remove it", path)


def load_contracts(folder: FilePath) -> tuple[Contract, ...]:
    """Every ``SERVICE/vN/contract.yaml`` below a folder; raises ContractError naming the file and the line."""
    contracts: list[Contract] = []
    for path in sorted(folder.glob(f"*/v*/{FILE}")):
        name = path.relative_to(folder).as_posix()
        contract = load_contract(path.read_bytes(), name)
        if name != f"{contract.service}/v{contract.version}/{FILE}":
            raise ContractError(
                f"{name}:1: says service {contract.service}, version {contract.version}; move it to"
                f" {contract.service}/v{contract.version}/, or correct what it says"
            )
        contracts.append(contract)
    if not contracts:
        raise ContractError(f"there is no operation below {folder.name}/; add SERVICE/vN/{FILE}")
    _check_together(contracts)
    return tuple(contracts)


def _check_together(contracts: Sequence[Contract]) -> None:
    """An operation's name is its service's; versions share names, never a method and path."""
    services: dict[str, str] = {}
    paths: dict[tuple[str, str], str] = {}
    published: dict[str, str] = {}
    for contract in contracts:
        name = f"{contract.service}/v{contract.version}/{FILE}"
        for word, operation in contract.operations.items():
            at, rest = ("operations", word), operation.rest
            if services.setdefault(word, contract.service) != contract.service:
                raise _error(
                    contract, name, at, f"{word}: another service has an operation of the same name; rename it"
                )
            # by the raw path alone nobody could tell which field stands in it
            called = (rest.method, path_pattern(rest.path).pattern)
            if paths.setdefault(called, name + word) != name + word:
                raise _error(
                    contract, name, (*at, "rest"), f"{word}: another has the same method and path; choose another path"
                )
            shown = openapi_name(contract, word)
            if published.setdefault(shown, name + word) != name + word:
                raise _error(contract, name, at, f"{word}: another operation is {shown} in OpenAPI too; rename it")
        wanted = contract.deprecated.successor if contract.deprecated else None
        if wanted and not any((other.service, other.version) == (contract.service, wanted) for other in contracts):
            raise _error(
                contract, name, ("deprecated",), f"successor {wanted} is not there; add it, or leave the word out"
            )


def _error(contract: Contract, name: str, path: tuple[str, ...], text: str) -> ContractError:
    line = line_of(contract.source, path)
    return ContractError(f"{name}:{line}: {text}", path, line)
