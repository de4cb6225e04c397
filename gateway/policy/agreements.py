"""Agreements held against the contracts: what could never be answered is an error at start, not at night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.loader import SALT
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contracts.loader import Contract, Operation, Schema
    from gateway.policy.bundle import Bundle

#: Whoever announces a child, or says that two are one, learns of nobody.
_UNCOUNTED = frozenset({"expect", "merge"})


def check_agreements(bundle: Bundle, contracts: Iterable[Contract]) -> None:
    """Each agreement names an operation that there is, fields that it answers, and all that an answer must have.

    Of an operation in several versions, an agreement is for each: it names what any of them must have.

    Raises ConfigurationError.
    """
    versions: dict[str, list[Operation]] = {}
    for contract in contracts:
        for name, operation in contract.operations.items():
            versions.setdefault(name, []).append(operation)
    for word, agreement in bundle.agreements.items():
        operations, fields = versions.get(agreement.operation, []), set(agreement.fields)
        if not operations:
            raise ConfigurationError("policy_invalid", where=f"agreements.{word}.operation", detail=agreement.operation)
        answers = {field for operation in operations for field in _told(operation)} - {SALT}
        required = {field for operation in operations for field in _schema(operation).get("required", ())} - {SALT}
        if wrong := (fields - answers) | (required - fields):
            raise ConfigurationError("policy_invalid", where=f"agreements.{word}.fields", detail=min(wrong))


def check_budgets(bundle: Bundle, contracts: Iterable[Contract]) -> None:
    """No budget that nobody counts: it would stand there, and hold nobody back; raises ConfigurationError."""
    counted = {
        name
        for contract in contracts
        for name, operation in contract.operations.items()
        if (rule := operation.reduction) is not None and rule.act not in _UNCOUNTED
    }
    for word, agreement in bundle.agreements.items():
        if agreement.budget is not None and agreement.operation not in counted:
            detail = f"{agreement.operation} tells of no child that a budget counts; remove it"
            raise ConfigurationError("policy_invalid", where=f"agreements.{word}.budget", detail=detail)


def _told(operation: Operation) -> Iterable[str]:
    """The fields that its party is told: by our answer, or by our own request where we tell it of our own accord."""
    return operation.sensitivity("request" if operation.outgoing else "response")


def _schema(operation: Operation) -> Schema:
    return operation.request if operation.outgoing else operation.response
