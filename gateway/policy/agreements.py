"""Agreements held against the contracts: what could never be answered is an error at start, not at night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.loader import SALT
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contracts.loader import Contract
    from gateway.policy.bundle import Bundle


def check_agreements(bundle: Bundle, contracts: Iterable[Contract]) -> None:
    """Each agreement names an operation that there is, fields that it answers, and all that an answer must have.

    Raises ConfigurationError.
    """
    operations = {name: operation for contract in contracts for name, operation in contract.operations.items()}
    for word, agreement in bundle.agreements.items():
        operation = operations.get(agreement.operation)
        fields = set(agreement.fields)
        if operation is None:
            raise ConfigurationError("policy_invalid", where=f"agreements.{word}.operation", detail=agreement.operation)
        answers = set(operation.sensitivity("response")) - {SALT}
        if wrong := (fields - answers) | (set(operation.response["required"]) - {SALT} - fields):
            raise ConfigurationError("policy_invalid", where=f"agreements.{word}.fields", detail=min(wrong))
