"""The contracts' operations, compiled once for both forms: nothing of a schema or a shape is looked at per message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from contracts.deprecation import deprecation_headers
from contracts.loader import SALT
from contracts.names import soap_names
from contracts.shape import shape_of
from gateway.errors import Code, Refusal
from gateway.model import OperationRef, Reduction
from gateway.translation.schema import Judge
from gateway.translation.xml_form import XmlForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.loader import Contract, Operation, ReductionRule
    from contracts.names import SoapNames
    from contracts.shape import Fields
    from gateway.model import Acknowledged


@dataclass(frozen=True, slots=True)
class Side:
    """One message of an operation, its request or its answer: what judges it, and its form in XML."""

    judge: Judge
    shape: Fields
    xml: XmlForm
    salted: bool


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """All that can be prepared of an operation before a request comes.

    Attributes:
        identifiers: the request's fields that hold a NIREC.
        disclosable: the names of the answer's fields, without the salt.
        headers: that its answers carry, where the version is on its way out.
        states: the answer's fields that say what state an effect found and left.
    """

    ref: OperationRef
    operation: Operation
    names: SoapNames
    request: Side
    answer: Side
    identifiers: frozenset[str]
    disclosable: frozenset[str]
    reduction: Reduction | None
    headers: tuple[tuple[str, str], ...]
    states: tuple[str, str] | None

    def check(self, fields: Mapping[str, Any]) -> None:
        """Returns if these are the request's fields as the contract has them; raises Refusal naming one."""
        if self.request.salted and not isinstance(fields.get(SALT), str):
            raise Refusal(Code.SALT_INVALID, component=SALT)
        if not self.request.judge.is_valid(fields):
            raise Refusal(Code.FIELD_INVALID, component=self.request.judge.at_fault(fields))
        criteria = self.operation.criteria
        if criteria is not None and sum(fields.get(name) is not None for name in criteria.of) < criteria.least:
            raise Refusal(Code.TOO_FEW_CRITERIA)


class Asked(NamedTuple):
    """What a request asks for, read out of its form and valid under its contract; the salt is still in ``fields``.

    A tuple, because one is made per request: a frozen dataclass costs three times as much.
    """

    compiled: CompiledOperation
    fields: dict[str, Any]
    agreement: str
    purpose: str
    acknowledges: Acknowledged | None
    key: str | None


def compile_operation(contract: Contract, name: str) -> CompiledOperation:
    """One operation of a loaded contract."""
    operation = contract.operations[name]
    names = soap_names(contract, name)
    asked, answered = operation.sensitivity("request"), operation.sensitivity("response")
    return CompiledOperation(
        ref=OperationRef(name, contract.service, contract.version, contract.sha256),
        operation=operation,
        names=names,
        request=_side(operation.request, names.namespace, names.request),
        answer=_side(operation.response, names.namespace, names.response),
        identifiers=frozenset(field for field, kind in asked.items() if kind == "identifier"),
        disclosable=frozenset(answered) - {SALT},
        reduction=_reduction(operation, operation.reduction),
        headers=deprecation_headers(contract),
        states=None if operation.effect is None else (operation.effect.before, operation.effect.after),
    )


def _side(schema: dict[str, Any], namespace: str, element: str) -> Side:
    shape = shape_of(schema, element)
    return Side(Judge(schema), shape, XmlForm(shape, namespace, element), SALT in schema.get("properties", {}))


def _reduction(operation: Operation, rule: ReductionRule | None) -> Reduction | None:
    if rule is None:
        return None
    asked = operation.sensitivity("request") if rule.identifier is not None else {}
    listed = {} if rule.listed is None else operation.response["properties"][rule.listed]
    conceal = tuple((item.field, item.value, item.said) for item in rule.conceal)
    return Reduction(
        identifier=rule.identifier,
        handle=rule.handle,
        field=rule.field,
        confirmed=rule.confirmed,
        conceal=conceal,
        act=rule.act,
        given=rule.given,
        reason=rule.reason,
        listed=rule.listed,
        refuse=tuple((item.field, item.value, Code(item.code)) for item in rule.refuse),
        most=listed.get("maxItems", 0),
        tried=tuple(sorted(name for name, kind in asked.items() if kind == "personal")),
    )
