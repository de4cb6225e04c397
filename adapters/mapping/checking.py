"""What must hold of every mapping beside its document: the contracts that it serves, and salts (C4, C5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from adapters.mapping.apart import Apart
from contracts.declaration import SALT
from contracts.errors import ContractError
from contracts.names import versioned
from contracts.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from adapters.mapping.declaration import MappingDocument, Served, Source
    from contracts.declaration import Contract, Operation
    from contracts.shape import Fields

_Made = TypeVar("_Made")
_SECRET = ("identifier", "personal")


@dataclass(frozen=True, slots=True)
class Canonical:
    """One canonical operation that a mapping serves.

    Attributes:
        name: with its contract's version.
        secret_answer: whether its answer holds personal data that comes from the upstream.
        added: fields of the answer that the gateway adds itself: the salt, a handle.
    """

    name: str
    operation: Operation
    request: Fields
    response: Fields
    secret_answer: bool
    added: frozenset[str]


def serve_all(mapping: MappingDocument, make: Callable[[str, Served], Mapping[str, _Made]]) -> dict[str, _Made]:
    """What ``make`` gives of all entries, by the canonical operation; raises ContractError with its whole path."""
    made: dict[str, _Made] = {}
    for name, served, path in mapping.entries():
        try:
            found = make(name, served)
            _check_new(found.keys(), made)
        except ContractError as error:
            raise error.below(*path) from None
        made |= found
    return made


def _check_new(found: Collection[str], made: Mapping[str, object]) -> None:
    if twice := sorted(name for name in found if name in made):
        raise ContractError(f"{twice[0]} is served by another entry too; let one of them serve it", ("serves",))


def canonical_operations(served: Served, upstream: str, contracts: Iterable[Contract]) -> list[Canonical]:
    """The contracts' operations that these serve; raises ContractError for one that is not there, or not theirs."""
    known: dict[str, list[tuple[str, Operation]]] = {}
    for contract in contracts:
        for name, operation in contract.operations.items():
            for said in (name, versioned(name, contract.version)):
                known.setdefault(said, []).append((versioned(name, contract.version), operation))
    found: list[Canonical] = []
    for number, name in enumerate(served.serves):
        if name not in known:
            raise ContractError(f"no contract has the operation {name}", ("serves", number))
        theirs = [_canonical(said, operation) for said, operation in known[name] if operation.upstream == upstream]
        if not theirs:
            asked = known[name][0][1].upstream
            text = f"{name} asks the upstream {asked}, and this is {upstream}; correct either"
            raise ContractError(text, ("serves", number))
        found += theirs
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


def check_privacy(served: Served, canonical: Canonical, mapping: MappingDocument, in_target: frozenset[str]) -> Apart:
    """Which messages hold personal data that is signed without a salt, where the mapping says what becomes of them.

    ``in_target`` are the paths of the request that stand in an address (REST). Raises ContractError where something
    personal is shown in one, or would be signed without a salt and kept in evidence as it is.
    """
    kinds = canonical.operation.sensitivity("request")
    used = list(used_fields(served.request))
    secret = [path for path, name in used if kinds.get(name) in _SECRET]
    if shown := sorted(in_target & set(secret)):
        raise ContractError("an identifier or personal field may not stand in an address (C4)", ("request", shown[0]))
    salted = any(source.salt is not None for source in served.request.values())
    sealed = bool(served.encrypt) and set(secret) <= set(served.encrypt)
    apart = Apart(
        request=bool(secret) and not (salted or sealed),
        answer=canonical.secret_answer and mapping.signed and served.answer.salt is None,
    )
    if apart.request and not mapping.sealed_apart:
        text = "personal data is signed without a salt: give a place {salt: base64}, or encrypt every such place (C5)"
        raise ContractError(text, ("request", secret[0]))
    if apart.answer and not mapping.sealed_apart:
        text = "their signed answer holds personal data; say where its salt stands (C4): without one it cannot be taken"
        raise ContractError(text, ("answer",))
    return apart
