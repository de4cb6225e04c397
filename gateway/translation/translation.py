"""Step 3 and the form of step 7: a verified request to its canonical message, and the answer back into its form.

The message is the same whichever form it came in (C3): the forms differ in how fields are read and written, and nowhere
else.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from contracts.loader import SALT
from gateway.errors import Code, Refusal
from gateway.model import Message, Nirec
from gateway.translation.operations import compile_operation
from gateway.translation.rest import RestForm, written_json
from gateway.translation.salt import decode_salt
from gateway.translation.soap import SoapForm, written_xml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from contracts.loader import Contract
    from gateway.model import Grant, VerifiedRequest
    from gateway.ports import Randomness
    from gateway.translation.operations import CompiledOperation

_SALT_BYTES = 16


class Translation:
    """ports.Translation over the loaded contracts, in both forms."""

    def __init__(self, contracts: Iterable[Contract], randomness: Randomness, nirec_pattern: str) -> None:
        """Compiles every operation; ``nirec_pattern`` is the setting that a NIREC must match (N1)."""
        operations = [compile_operation(contract, name) for contract in contracts for name in contract.operations]
        self._randomness = randomness
        self._nirec = re.compile(nirec_pattern, re.ASCII)  # else \d is the digit of any script
        self._rest = RestForm(operations)
        self._soap = SoapForm(operations)
        # Two versions of a service have operations of the same names: the contract's hash tells them apart.
        self._by_name = {(item.ref.sha256, item.ref.name): item for item in operations}

    def translate_in(self, request: VerifiedRequest) -> Message:
        """The canonical message; raises Refusal naming the field, never its value."""
        asked = self._rest.read(request) if request.form == "rest" else self._soap.read(request)
        compiled, fields = asked.compiled, asked.fields
        if asked.compiled.operation.idempotent:
            key = None  # it would say nothing: whoever asks again is answered again
        elif (key := asked.key) is None:
            raise Refusal(Code.IDEMPOTENCY_KEY_MISSING, component="idempotency-key")
        salt = decode_salt(fields.pop(SALT), request.signature.public) if compiled.request.salted else None
        return Message(
            request=request,
            operation=compiled.ref,
            fields=self._wrapped(compiled, fields),
            salt=salt,
            agreement=asked.agreement,
            purpose=asked.purpose,
            disclosable=compiled.disclosable,
            upstream=compiled.operation.upstream,
            reduction=compiled.reduction,
            acknowledges=asked.acknowledges,
            headers=compiled.headers,
            key=key,
            states=compiled.states,
        )

    def _wrapped(self, compiled: CompiledOperation, fields: dict[str, Any]) -> Mapping[str, object]:
        for name in compiled.identifiers:
            if not self._nirec.fullmatch(fields[name]):
                raise Refusal(Code.FIELD_INVALID, component=name)
            fields[name] = Nirec(fields[name])
        return fields

    def translate_out(self, grant: Grant, fields: dict[str, object]) -> bytes:
        """The answer in the caller's form: JSON, or the Body's one element in exclusive canonical form.

        Raises Refusal(upstream_malformed) if it would break our own contract, its limit on size included.
        """
        message = grant.message
        compiled = self._by_name[message.operation.sha256, message.operation.name]
        if compiled.answer.salted:
            fields[SALT] = b64encode(self._randomness.bytes(_SALT_BYTES)).decode()
        if not compiled.answer.judge.is_valid(fields):
            raise Refusal(Code.UPSTREAM_MALFORMED)
        written = written_json(fields) if message.request.form == "rest" else written_xml(compiled, fields)
        if len(written) > compiled.operation.limits.response_bytes:
            raise Refusal(Code.UPSTREAM_MALFORMED)
        return written
