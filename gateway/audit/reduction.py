"""Step 7 again, from evidence and policy alone: what of another system's answer the caller was to get (N4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.loader import Operation
    from gateway.audit.evidence_schema import Exchange
    from gateway.policy.bundle import Agreement


def reduced(
    told: Mapping[str, object], evidence: Exchange, operation: Operation, agreement: Agreement
) -> dict[str, object]:
    """The answer's fields, without the salt; the handle is the one that evidence tells of."""
    fields = dict(told)
    rule = operation.reduction
    if rule is not None:
        if rule.listed is not None:
            fields[rule.listed] = _listed(fields.get(rule.listed), rule.handle, evidence)
        elif evidence.subjects and (rule.field is None or fields.get(rule.field) == rule.confirmed):
            fields[rule.handle] = evidence.subjects[0].handle
        if not agreement.tells_not_found:
            for item in rule.conceal:
                if fields.get(item.field) == item.value:
                    fields[item.field] = item.said
    # an acknowledgement's answer is the contract's own, under whichever agreement (L12)
    return (
        fields
        if evidence.acknowledges is not None
        else {name: value for name, value in fields.items() if name in agreement.fields}
    )


def _listed(items: object, handle: str, evidence: Exchange) -> object:
    """The items under the handles that evidence tells of, in its order; as they stand where there are not as many."""
    if not isinstance(items, list):
        return items
    theirs = list(dict.fromkeys(item[handle] for item in items))
    if len(theirs) != len(evidence.subjects):
        return items
    ours = {name: subject.handle for name, subject in zip(theirs, evidence.subjects, strict=True)}
    return [{**item, handle: ours[item[handle]]} for item in items]
