"""A SOAP service by mapping: canonical fields to the one element of their Body, and back; no network, no key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.mapping.checking import canonical_operations, serve_all
from adapters.mapping.declaration import load_mapping, located
from adapters.mapping.declared import segments_of
from adapters.mapping.planning import planned
from adapters.mapping.values import ValueUnfitError
from adapters.mapping.wsdl import WsdlDocument
from adapters.mapping.xml_tree import XmlView, element_of
from contracts.errors import ContractError
from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lxml import etree

    from adapters.mapping.apart import Apart
    from adapters.mapping.checking import Canonical
    from adapters.mapping.declaration import MappingDocument, Served
    from adapters.mapping.planning import Planned, ReadAnswer
    from adapters.mapping.wsdl import WsdlOperation
    from contracts.declaration import Contract

_VIEW = XmlView()


@dataclass(frozen=True, slots=True)
class SoapOperation:
    """One canonical operation as this service knows it; built once, used by all threads.

    Attributes:
        action: the request's Action and SOAPAction.
        answer_action: the answer's Action; None where any will do, of a service that does not sign.
        answer_tag: Clark name of the answer's one element.
        encrypted: ways to the elements that are encrypted before signing (C5).
    """

    action: str
    answer_action: str | None
    answer_tag: str
    encrypted: tuple[tuple[str, ...], ...]
    _document: WsdlDocument
    _plan: Planned

    @property
    def secret_answer(self) -> bool:
        """Whether the answer holds personal data."""
        return self._plan.secret_answer

    @property
    def apart(self) -> Apart:
        """Which messages evidence seals apart (C5)."""
        return self._plan.apart

    def payload(self, fields: Mapping[str, object], salt: bytes | None) -> etree._Element:
        """The element that asks for this, valid under their XSD; raises Refusal (``field_invalid``)."""
        try:
            (filled,) = self._plan.request.fill(dict(fields), salt)
            payload = element_of(filled)
        except ValueError:
            # A character that XML cannot hold, a value that they do not know; the library's text may quote it.
            raise Refusal(Code.FIELD_INVALID) from None
        if not self._document.is_valid(payload):
            raise Refusal(Code.FIELD_INVALID)
        return payload

    def repeats(self, payload: etree._Element) -> tuple[str | None, ...]:
        """What the answer to this must say again (planning.Repeats)."""
        return self._plan.repeats.asked(payload)

    def read(self, payload: etree._Element) -> ReadAnswer:
        """Their answer as canonical fields; raises ValueUnfitError for one that is not as their document says."""
        if payload.tag != self.answer_tag or not self._document.is_valid(payload):
            raise ValueUnfitError
        return self._plan.answer.read(payload)


@dataclass(frozen=True, slots=True)
class SoapService:
    """A folder's mapping, read; its operations by their canonical names and versions (contracts.names.versioned)."""

    mapping: MappingDocument
    operations: Mapping[str, SoapOperation]


def soap_service(folder: Path, contracts: Iterable[Contract]) -> SoapService:
    """What the folder's mapping serves of these contracts; raises ConfigurationError with file and line."""
    mapping = load_mapping(folder)
    known = tuple(contracts)
    try:
        document = WsdlDocument(folder / mapping.document)
        made = serve_all(mapping, lambda name, served: _operations(name, served, mapping, document, known))
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
        if path == "." or path.rpartition("/")[2].startswith("@"):
            text = f"{path} is no element below their message; encrypt the element that it stands in"
            raise ContractError(text, ("encrypt", number))
    canonicals = canonical_operations(served, mapping.upstream, contracts)
    return {one.name: _operation(theirs, served, mapping, document, one) for one in canonicals}


def _operation(
    theirs: WsdlOperation, served: Served, mapping: MappingDocument, document: WsdlDocument, canonical: Canonical
) -> SoapOperation:
    def segments(path: str) -> tuple[str, ...]:
        return segments_of(path, mapping.prefixes)

    return SoapOperation(
        action=theirs.action if served.actions is None else served.actions.request,
        answer_action=None if served.actions is None else served.actions.answer,
        answer_tag=theirs.answer.name,
        encrypted=tuple(segments(path) for path in served.encrypt),
        _document=document,
        _plan=planned(theirs, served, mapping, canonical, _VIEW, segments),
    )
