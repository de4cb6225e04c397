"""The contracts that a gateway has: those that come with it, and those of the systems that its settings name (C2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.loader import ContractError, load_contract, load_contracts
from gateway.errors import Code, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from contracts.loader import Contract

_FILE = "contract.yaml"


def known_contracts(ours: Path, theirs: Iterable[Path]) -> tuple[Contract, ...]:
    """Every contract below ``ours``, and one in each folder of ``theirs`` that has its own.

    Raises ConfigurationError for one that cannot be used, or that is there twice.
    """
    files = [folder / _FILE for folder in theirs if (folder / _FILE).exists()]
    try:
        found = (*load_contracts(ours), *(load_contract(path.read_bytes(), str(path)) for path in files))
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=error.filename, detail=error.strerror) from None
    except ContractError as error:
        raise ConfigurationError("contract_invalid", detail=error) from None
    names = [f"{one.service} v{one.version}" for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError("contract_invalid", detail=f"{twice}: two contracts of this name; rename one")
    known = {code.value for code in Code}
    for name, code in _refusals(found):
        if code not in known:
            raise ConfigurationError(
                "contract_invalid", detail=f"{name}: reduction.refuse: no refusal has the code {code}"
            )
    return found


def _refusals(contracts: Iterable[Contract]) -> Iterator[tuple[str, str]]:
    """Each operation's name with a code by which it refuses what an upstream answers."""
    for contract in contracts:
        for name, operation in contract.operations.items():
            yield from ((name, item.code) for item in (operation.reduction.refuse if operation.reduction else ()))
