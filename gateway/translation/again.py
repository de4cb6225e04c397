"""A contract's version re-run on bytes that somebody kept (L12): what they say, without a gateway, a key or a clock.

Pure: the same reading as step 3's and step 7's, for those who judge later what a gateway made of a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import Code, Refusal
from gateway.model import Nirec
from gateway.translation.json import JsonError, parse_object
from gateway.translation.operations import compile_operation
from gateway.translation.rest import RestForm
from gateway.translation.soap import payload_fields
from gateway.translation.xml_error import XmlFormError

if TYPE_CHECKING:
    from lxml import etree

    from contracts.loader import Contract
    from gateway.translation.operations import CompiledOperation


def canonical_request(
    contract: Contract, operation: str, content: bytes | etree._Element, target: str = ""
) -> dict[str, object]:
    """What a request says, by field: identifiers as ``Nirec``, the salt among them where the contract has one.

    ``content`` is the JSON body of a REST request, whose raw ``target`` is needed too, or the one element of a SOAP
    request's Body. Raises Refusal as the gateway would, but for the NIREC's pattern, which is a setting of its own.
    """
    compiled = compile_operation(contract, operation)
    if isinstance(content, bytes):
        fields = RestForm([compiled]).fields(compiled.operation.rest.method, target, content)
    else:
        fields = payload_fields(compiled, content)
    return {name: Nirec(value) if name in compiled.identifiers else value for name, value in fields.items()}


def canonical_answer(contract: Contract, operation: str, content: bytes | etree._Element) -> dict[str, object]:
    """What an answer says, by field; ``content`` as above. Raises Refusal where it breaks the contract."""
    compiled = compile_operation(contract, operation)
    fields = _json(content) if isinstance(content, bytes) else _xml(compiled, content)
    if not compiled.answer.judge.is_valid(fields):
        raise Refusal(Code.FIELD_INVALID, component=compiled.answer.judge.at_fault(fields))
    return fields


def _json(content: bytes) -> dict[str, Any]:
    try:
        return parse_object(content)
    except JsonError:
        raise Refusal(Code.BODY_MALFORMED) from None


def _xml(compiled: CompiledOperation, payload: etree._Element) -> dict[str, Any]:
    try:
        return compiled.answer.xml.read(payload)
    except XmlFormError as error:
        raise Refusal(Code.FIELD_INVALID, component=error.component or compiled.names.response) from None
