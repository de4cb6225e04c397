"""A SOAP service by mapping: canonical fields to the one element of their Body, and back; no network, no key."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.mapping.checking import canonical_operations, check_privacy, check_told
from adapters.mapping.declaration import load_mapping, located
from adapters.mapping.declared import segments_of
from adapters.mapping.filling import Planner
from adapters.mapping.reading import AnswerPlanner
from adapters.mapping.values import ValueUnfitError
from adapters.mapping.wsdl import WsdlDocument
from adapters.mapping.xml_tree import XmlView, element_of
from contracts.errors import ContractError
from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lxml import etree

    from adapters.mapping.checking import Canonical
    from adapters.mapping.declaration import AnswerSalt, MappingDocument, Served
    from adapters.mapping.filling import Plan
    from adapters.mapping.reading import AnswerPlan
    from adapters.mapping.wsdl import WsdlOperation
    from contracts.declaration import Contract

_VIEW = XmlView()


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """Canonical fields of an answer, and its salt; None where their document has none."""

    fields: Mapping[str, object] = field(repr=False)
    salt: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SoapOperation:
    """One canonical operation as this service knows it; built once, used by all threads.

    Attributes:
        action: the request's Action and SOAPAction.
        answer_action: the answer's Action; None where any will do, of a service that does not sign.
        answer_tag: Clark name of the answer's one element.
        encrypted: ways to the elements that are encrypted before signing (C5).
        secret_answer: whether the answer holds personal data.
    """

    action: str
    answer_action: str | None
    answer_tag: str
    encrypted: tuple[tuple[str, ...], ...]
    secret_answer: bool
    _document: WsdlDocument
    _request: Plan
    _answer: AnswerPlan
    _salt: tuple[AnswerSalt, tuple[str, ...]] | None

    def payload(self, fields: Mapping[str, object], salt: bytes | None) -> etree._Element:
        """The element that asks for this, valid under their XSD; raises Refusal (``field_invalid``)."""
        try:
            (filled,) = self._request.fill(dict(fields), salt)
            payload = element_of(filled)
        except ValueError:
            # A character that XML cannot hold, a value that they do not know; the library's text may quote it.
            raise Refusal(Code.FIELD_INVALID) from None
        if not self._document.is_valid(payload):
            raise Refusal(Code.FIELD_INVALID)
        return payload

    def read(self, payload: etree._Element) -> ReadAnswer:
        """Their answer as canonical fields; raises ValueUnfitError for one that is not as their document says."""
        if payload.tag != self.answer_tag or not self._document.is_valid(payload):
            raise ValueUnfitError
        return ReadAnswer(self._answer.read(payload), self._read_salt(payload))

    def _read_salt(self, payload: etree._Element) -> bytes | None:
        if self._salt is None:
            return None
        said, way = self._salt
        found = _VIEW.find(payload, way)
        return decode_salt(_VIEW.text(found[0]) if found else None, said)


def decode_salt(text: str | None, said: AnswerSalt) -> bytes:
    """A salt's bytes; raises ValueUnfitError."""
    try:
        plain = "".join((text or "").split())
        return bytes.fromhex(plain) if said.form == "hex" else b64decode(plain, validate=True)
    except ValueError:
        raise ValueUnfitError from None


@dataclass(frozen=True, slots=True)
class SoapService:
    """A folder's mapping, read; its operations by their canonical names."""

    mapping: MappingDocument
    operations: Mapping[str, SoapOperation]


def soap_service(folder: Path, contracts: Iterable[Contract]) -> SoapService:
    """What the folder's mapping serves of these contracts; raises ConfigurationError with file and line."""
    mapping = load_mapping(folder)
    known = tuple(contracts)
    made: dict[str, SoapOperation] = {}
    try:
        document = WsdlDocument(folder / mapping.document)
        for name, served in mapping.operations.items():
            try:
                made |= _operations(name, served, mapping, document, known)
            except ContractError as error:
                raise error.below("operations", name) from None
    except ContractError as error:
        raise located(folder, error) from None
    return SoapService(mapping, made)


def _operations(
    name: str, served: Served, mapping: MappingDocument, document: WsdlDocument, contracts: tuple[Contract, ...]
) -> dict[str, SoapOperation]:
    if served.answer.statuses:
        raise ContractError("statuses are for REST; a SOAP service answers with a Fault", ("answer", "statuses"))
    if mapping.signed and served.actions is None:
        raise ContractError("a service that signs has Actions; say actions: {request, answer}")
    if served.encrypt and (mapping.encryption_certificate is None or not mapping.signed):
        raise ContractError("encrypt needs signed: true and an encryption_certificate", ("encrypt",))
    theirs = document.operation(name)
    for number, path in enumerate(served.encrypt):
        if path not in served.request:
            raise ContractError(f"nothing is mapped to {path}; encrypt what is", ("encrypt", number))
    canonicals = canonical_operations(served, mapping.upstream, contracts)
    return {one.name: _operation(theirs, served, mapping, document, one) for one in canonicals}


def _operation(
    theirs: WsdlOperation, served: Served, mapping: MappingDocument, document: WsdlDocument, canonical: Canonical
) -> SoapOperation:
    def segments(path: str) -> tuple[str, ...]:
        return segments_of(path, mapping.prefixes)

    check_privacy(served, canonical, mapping, frozenset())
    try:
        request = Planner(segments).plan(theirs.request, served.request, canonical.request)
    except ContractError as error:
        raise error.below("request") from None
    check_told(served, canonical)
    said = served.answer
    try:
        answer = AnswerPlanner(_VIEW, segments).plan(theirs.answer, said.fields, canonical.response, canonical.added)
    except ContractError as error:
        raise error.below("answer", "fields") from None
    try:
        salt = None if said.salt is None else (said.salt, segments(said.salt.at))
        if salt is not None:
            theirs.answer.way(salt[1])
    except ContractError as error:
        raise error.below("answer", "salt") from None
    return SoapOperation(
        action=theirs.action if served.actions is None else served.actions.request,
        answer_action=None if served.actions is None else served.actions.answer,
        answer_tag=theirs.answer.name,
        encrypted=tuple(segments(path) for path in served.encrypt),
        secret_answer=canonical.secret_answer,
        _document=document,
        _request=request,
        _answer=answer,
        _salt=salt,
    )
