"""A request as SOAP has it: one element in the Body, named with its Action by the contract; the rest is signed headers.

The element is the very node that the signature's reference names (S4): nothing is looked up in the document again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree

from contracts.loader import SALT
from gateway.errors import Code, PasserelleError, Refusal
from gateway.model import SoapSignature
from gateway.translation.acknowledged import acknowledged
from gateway.translation.lexical import SPACE
from gateway.translation.operations import Asked
from gateway.translation.xml_error import XmlFormError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.model import VerifiedRequest
    from gateway.translation.operations import CompiledOperation

#: Room for what is in an envelope beside the message: header blocks, a signature, a certificate.
ENVELOPE_BYTES = 16 * 1024


class SoapForm:
    """Reads and writes messages in XML, by the contracts' SOAP bindings."""

    def __init__(self, operations: Iterable[CompiledOperation]) -> None:
        self._by_path: dict[str, dict[str, CompiledOperation]] = {}
        for compiled in operations:
            path = f"/soap/{compiled.ref.service}/v{compiled.ref.version}"
            self._by_path.setdefault(path, {})[compiled.names.action] = compiled

    def read(self, request: VerifiedRequest) -> Asked:
        """What the request asks for; raises Refusal naming the field, never its value."""
        received, signature, payload = request.received, request.signature, request.body
        if payload is None or not isinstance(signature, SoapSignature):
            raise PasserelleError("a SOAP request was verified without its Body or its signature")
        if received.method != "POST":
            raise Refusal(Code.METHOD_NOT_ALLOWED)
        compiled = self._operation(received.target, signature.action)
        if len(received.body) > compiled.operation.limits.request_bytes + ENVELOPE_BYTES:
            raise Refusal(Code.BODY_TOO_LARGE)
        _check_alone(payload)
        fields = payload_fields(compiled, payload)
        return Asked(
            compiled=compiled,
            fields=fields,
            agreement=signature.agreement,
            purpose=signature.purpose,
            acknowledges=acknowledged(fields, signature.body) if compiled.operation.acknowledges else None,
            key=signature.idempotency_key,
        )

    def _operation(self, target: str, action: str) -> CompiledOperation:
        actions = self._by_path.get(target)
        if actions is None:
            raise Refusal(Code.OPERATION_UNKNOWN)
        compiled = actions.get(action)
        if compiled is None:
            raise Refusal(Code.OPERATION_UNKNOWN, component="Action")
        return compiled


def payload_fields(compiled: CompiledOperation, payload: etree._Element) -> dict[str, Any]:
    """The canonical fields of a request's one element; raises Refusal."""
    if payload.tag != compiled.request.xml.tag:
        # Another operation's element, another version's namespace: path, Action and element name one operation.
        raise Refusal(Code.OPERATION_UNKNOWN, component="Body")
    try:
        fields = compiled.request.xml.read(payload)
    except XmlFormError as error:
        if compiled.request.salted and error.component == SALT:
            raise Refusal(Code.SALT_INVALID, component=SALT) from None
        raise Refusal(Code.FIELD_INVALID, component=error.component or compiled.names.request) from None
    compiled.check(fields)
    return fields


def written_xml(compiled: CompiledOperation, fields: Mapping[str, object]) -> bytes:
    """An answer's one element in exclusive canonical form, so that it can stand in a signed Body as it is.

    Raises Refusal(upstream_malformed) for what XML cannot hold.
    """
    try:
        element = compiled.answer.xml.write(fields)
    except XmlFormError:
        raise Refusal(Code.UPSTREAM_MALFORMED) from None
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _check_alone(payload: etree._Element) -> None:
    """Nothing is beside the element in its Body, and nothing said by it but its Id: what was signed is what is read."""
    body = payload.getparent()
    if body is None:
        raise PasserelleError("a SOAP request's element was taken out of its Body")
    beside = [text for text in (body.text, payload.tail) if text and text.strip(SPACE)]
    if len(body) != 1 or len(body.keys()) > 1 or beside:
        raise Refusal(Code.BODY_MALFORMED, component="Body")
