"""A REST service by mapping: canonical fields to a request by its OpenAPI document, and back; no network, no key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.mapping.checking import canonical_operations, serve_all
from adapters.mapping.declaration import load_mapping, located
from adapters.mapping.declared import segments_of
from adapters.mapping.json_tree import JsonView, object_of
from adapters.mapping.openapi import OpenApiDocument
from adapters.mapping.planning import ReadAnswer, planned
from adapters.mapping.rest_call import RestCall
from adapters.mapping.values import ValueUnfitError, reader
from contracts.errors import ContractError
from contracts.shape import Text
from gateway.errors import Code, Refusal
from gateway.translation.address import address
from gateway.translation.json import JsonError, parse_object
from gateway.translation.xml_error import LexicalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from adapters.mapping.apart import Apart
    from adapters.mapping.checking import Canonical
    from adapters.mapping.declaration import MappingDocument, Served
    from adapters.mapping.openapi import OpenApiOperation
    from adapters.mapping.planning import Planned
    from contracts.declaration import Contract

_VIEW = JsonView()
_OK = 200
_ADDRESS = ("path/", "query/")
#: The names that lead to a value in an address: path or query, and the parameter's.
_IN_ADDRESS = 2
_REFUSALS = range(400, 500)


@dataclass(frozen=True, slots=True)
class MappedRestOperation:
    """rest_call.RestOperation by mapping; built once, used by all threads."""

    _theirs: OpenApiOperation
    _plan: Planned
    _said_by_status: Mapping[int, Mapping[str, object]]

    @property
    def secret_answer(self) -> bool:
        """Whether the answer holds personal data."""
        return self._plan.secret_answer

    @property
    def apart(self) -> Apart:
        """Which messages evidence seals apart (C5)."""
        return self._plan.apart

    @property
    def statuses(self) -> frozenset[int]:
        """200, and those to which the mapping gives a meaning."""
        return frozenset({_OK, *self._said_by_status})

    def request(self, fields: Mapping[str, object], salt: bytes) -> RestCall:
        """The request that asks for this, valid under their document; raises Refusal (``field_invalid``)."""
        theirs = self._theirs
        try:
            (filled,) = self._plan.request.fill(dict(fields), salt)
            asked = object_of(filled.parts)
        except ValueUnfitError:
            raise Refusal(Code.FIELD_INVALID) from None
        if not theirs.asks.is_valid(asked):
            raise Refusal(Code.FIELD_INVALID)
        in_path, in_query = asked.get("path", {}), asked.get("query", {})
        try:
            target, _ = address(theirs.path, theirs.query, {**_texts(in_path), **_texts(in_query)})
        except (LexicalError, KeyError, ValueUnfitError):
            raise Refusal(Code.FIELD_INVALID) from None
        body = json.dumps(asked["body"], ensure_ascii=False, separators=(",", ":")).encode() if "body" in asked else b""
        return RestCall(theirs.method, target, body, self._plan.repeats.asked(asked))

    def read(self, status: int, body: bytes) -> ReadAnswer:
        """Their answer as canonical fields; raises ValueUnfitError for one that is not as their document says."""
        if status in self._said_by_status:
            return ReadAnswer(dict(self._said_by_status[status]), None)
        try:
            answer = parse_object(body)
        except JsonError:
            raise ValueUnfitError from None
        if status != _OK or not self._theirs.answers.is_valid(answer):
            raise ValueUnfitError
        return self._plan.answer.read(answer)


@dataclass(frozen=True, slots=True)
class RestService:
    """A folder's mapping, read; its operations by their canonical names and versions (contracts.names.versioned)."""

    mapping: MappingDocument
    operations: Mapping[str, MappedRestOperation]


def rest_service(folder: Path, contracts: Iterable[Contract]) -> RestService:
    """What the folder's mapping serves of these contracts; raises ConfigurationError with file and line."""
    mapping = load_mapping(folder)
    known = tuple(contracts)

    def operations(name: str, served: Served) -> dict[str, MappedRestOperation]:
        theirs = document.operation(name)
        canonicals = canonical_operations(served, mapping.upstream, known)
        return {one.name: _operation(theirs, served, mapping, one) for one in canonicals}

    try:
        document = OpenApiDocument(folder / mapping.document)
        made = serve_all(mapping, operations)
    except ContractError as error:
        raise located(folder, error) from None
    return RestService(mapping, made)


def _operation(
    theirs: OpenApiOperation, served: Served, mapping: MappingDocument, canonical: Canonical
) -> MappedRestOperation:
    def segments(path: str) -> tuple[str, ...]:
        return segments_of(path, {})

    if served.actions is not None or served.encrypt:
        raise ContractError("actions and encrypt are for SOAP; remove them")
    shown = frozenset(path for path in served.request if path.startswith(_ADDRESS))
    if salted := [path for path in shown if served.request[path].salt is not None]:
        raise ContractError("evidence keeps the address, so a salt there is none (C4)", ("request", salted[0]))
    plan = planned(theirs, served, mapping, canonical, _VIEW, segments, shown)
    try:
        _check_single(theirs, {path: segments(path) for path in sorted(shown)})
    except ContractError as error:
        raise error.below("request") from None
    meanings = {
        status: _meaning(status, fields, mapping, canonical) for status, fields in served.answer.statuses.items()
    }
    return MappedRestOperation(theirs, plan, meanings)


def _check_single(theirs: OpenApiOperation, shown: Mapping[str, tuple[str, ...]]) -> None:
    """Returns if each place in an address holds one value, which alone has one spelling there; raises ContractError."""
    for path, segments in shown.items():
        if len(segments) > _IN_ADDRESS or any(place.many for place in theirs.request.way(segments)):
            raise ContractError("a path or a query takes single values here, no list and no object", (path,))


def _meaning(
    status: int, fields: Mapping[str, str], mapping: MappingDocument, canonical: Canonical
) -> dict[str, object]:
    """The canonical fields that a status alone stands for."""
    at = ("answer", "statuses", str(status))
    if status not in _REFUSALS or mapping.signed:
        raise ContractError("only a status from 400 to 499 can mean something, of a service that does not sign", at)
    leaves = {member.name: member.shape for member in canonical.response.members if member.name not in canonical.added}
    meaning: dict[str, object] = {}
    for name, text in fields.items():
        leaf = leaves.get(name)
        if not isinstance(leaf, Text) or (leaf.enum and text not in leaf.enum):
            raise ContractError(f"{name} is no single value of the contract's answer, or not this one", (*at, name))
        try:
            meaning[name] = reader({}, None, leaf)(text)
        except ValueUnfitError:
            raise ContractError(f"{text!r} is no value of {name}", (*at, name)) from None
    return meaning


def _texts(values: object) -> dict[str, object]:
    return {name: _VIEW.text(value) for name, value in values.items()} if isinstance(values, dict) else {}
