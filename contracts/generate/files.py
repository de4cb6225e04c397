"""Every file that is made from the contracts, by its path in the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.errors import ContractError
from contracts.generate.client import client_modules
from contracts.generate.error_pages import markdown_errors
from contracts.generate.examples import examples
from contracts.generate.openapi import openapi
from contracts.generate.pages import markdown_page
from contracts.generate.wsdl import wsdl
from contracts.generate.xsd import xsd
from contracts.lines import line_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.declaration import Contract, Language
    from contracts.generate.error_table import ErrorEntry

_LANGUAGES: tuple[Language, ...] = ("fr", "en")


def generated(contracts: Sequence[Contract], errors: Sequence[ErrorEntry]) -> dict[str, bytes]:
    """The bytes of each file; raises ContractError for a field without its example, or a code that is none."""
    for contract in contracts:
        _check_codes(contract, {entry.code for entry in errors})
    files = {"contracts/openapi.json": openapi(contracts, errors), **client_modules(contracts)}
    for language in _LANGUAGES:
        files[f"docs/errors/errors.{language}.md"] = markdown_errors(errors, language).encode()
    for contract in contracts:
        beside = f"contracts/{contract.service}/v{contract.version}"
        files |= {f"{beside}/{name}": content for name, content in _of_one(contract, errors).items()}
    return files


def _check_codes(contract: Contract, known: set[str]) -> None:
    """The pages would leave out a code that the gateway does not have, and nobody would notice."""
    for name, operation in contract.operations.items():
        for place, code in enumerate(operation.errors):
            if code not in known:
                line = line_of(contract.source, ("operations", name, "errors", place))
                file = f"{contract.service}/v{contract.version}/contract.yaml"
                raise ContractError(f"{file}:{line}: {name}: there is no error {code}; correct it")


def _of_one(contract: Contract, errors: Sequence[ErrorEntry]) -> dict[str, bytes]:
    files = {
        f"{contract.service}.wsdl": wsdl(contract),
        f"{contract.service}.xsd": xsd(contract),
        "openapi.json": openapi([contract], errors),
    }
    files |= {f"examples/{name}": content for name, content in examples(contract).items()}
    for language in _LANGUAGES:
        files[f"reference.{language}.md"] = markdown_page(contract, language, errors).encode()
    return files
