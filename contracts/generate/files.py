"""Every file that is made from the contracts, by its path in the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.generate.error_pages import markdown_errors
from contracts.generate.examples import examples
from contracts.generate.openapi import openapi
from contracts.generate.pages import markdown_page
from contracts.generate.wsdl import wsdl
from contracts.generate.xsd import xsd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.declaration import Contract, Language
    from contracts.generate.error_table import ErrorEntry

_LANGUAGES: tuple[Language, ...] = ("fr", "en")


def generated(contracts: Sequence[Contract], errors: Sequence[ErrorEntry]) -> dict[str, bytes]:
    """The bytes of each file; raises ContractError for a field without the example that it needs."""
    files = {"contracts/openapi.json": openapi(contracts, errors)}
    for language in _LANGUAGES:
        files[f"docs/errors/errors.{language}.md"] = markdown_errors(errors, language).encode()
    for contract in contracts:
        beside = f"contracts/{contract.service}/v{contract.version}"
        files |= {f"{beside}/{name}": content for name, content in _of_one(contract, errors).items()}
    return files


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
