"""What must hold of every mapping beside its document: the contracts that it serves, and salts (C4, C5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.declaration import SALT
from contracts.errors import ContractError
from contracts.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from adapters.mapping.declaration import MappingDocument, Served, Source
    from contracts.declaration import Contract, Operation
    from contracts.shape import Fields

_SECRET = ("identifier", "personal")


@dataclass(frozen=True, slots=True)
class Canonical:
    """One canonical operation that a mapping serves.

    Attributes:
        secret_answer: whether its answer holds personal data that comes from the upstream.
        added: fields of the answer that the gateway adds itself: the salt, a handle.
    """

    name: str
    operation: Operation
    request: Fields
    response: Fields
    secret_answer: bool
    added: frozenset[str]


def canonical_operations(served: Served, upstream: str, contracts: Iterable[Contract]) -> list[Canonical]:
    """The contracts' operations that these serve; raises ContractError for one that is not there, or not theirs."""
    known: dict[str, Operation] = {}
    versions: dict[str, set[str]] = {}
    for contract in contracts:
        known |= contract.operations
        for name in contract.operations:
            versions.setdefault(name, set()).add(contract.version)
    found = []
    for number, name in enumerate(served.serves):
        if name not in known:
            raise ContractError(f"no contract has the operation {name}", ("serves", number))
        if len(versions[name]) > 1:
            text = f"{name} is in two versions of its contract; give the newer one's operation another upstream"
            raise ContractError(text, ("serves", number))
        operation = known[name]
        if operation.upstream != upstream:
            raise ContractError(
                f"{name} asks the upstream {operation.upstream}, and this is {upstream}; correct either",
                ("serves", number),
            )
        found.append(_canonical(name, operation))
    fields = {member.name for one in found for member in one.request.members}
    if unknown := sorted(set(served.unsent) - fields):
        raise ContractError(f"no contract here has the field {unknown[0]}; remove it", ("unsent",))
    return found


def _canonical(name: str, operation: Operation) -> Canonical:
    kinds = operation.sensitivity("response")
    handles = frozenset() if operation.reduction is None else frozenset({operation.reduction.handle})
    added = handles | {SALT}
    return Canonical(
        name,
        operation,
        shape_of(operation.request, f"{name}.request"),
        shape_of(operation.response, f"{name}.response"),
        any(kind in _SECRET for field, kind in kinds.items() if field not in added),
        added,
    )


def used_fields(sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    """(path, first name) of every canonical field that a request's mapping uses at its top."""
    for path, source in sources.items():
        for word in (source.field, source.each):
            if word is not None:
                yield path, word.split("/")[0]


def check_told(served: Served, canonical: Canonical) -> None:
    """Returns if nothing of the canonical request is left out by oversight; raises ContractError."""
    used = {name for _, name in used_fields(served.request)}
    left = [member.name for member in canonical.request.members if member.name not in {SALT, *used, *served.unsent}]
    if left:
        text = f"{canonical.name}: {left[0]} is told to nobody; map it, or list it under unsent"
        raise ContractError(text, ("request",))


def check_privacy(served: Served, canonical: Canonical, mapping: MappingDocument, in_target: frozenset[str]) -> None:
    """Returns if nothing personal is shown in an address or signed without a salt; raises ContractError.

    ``in_target`` are the paths of the request that stand in an address (REST).
    """
    kinds = canonical.operation.sensitivity("request")
    used = list(used_fields(served.request))
    secret = [path for path, name in used if kinds.get(name) in _SECRET]
    if shown := sorted(in_target & set(secret)):
        raise ContractError("an identifier or personal field may not stand in an address (C4)", ("request", shown[0]))
    salted = any(source.salt is not None for source in served.request.values())
    sealed = bool(served.encrypt) and set(secret) <= set(served.encrypt)
    if secret and not (salted or sealed):
        text = "personal data is signed without a salt: give a place {salt: base64}, or encrypt every such place (C5)"
        raise ContractError(text, ("request", secret[0]))
    if canonical.secret_answer and mapping.signed and served.answer.salt is None:
        text = "their signed answer holds personal data; say where its salt stands (C4): without one it cannot be taken"
        raise ContractError(text, ("answer",))
