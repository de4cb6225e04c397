"""An upstream of our own profile: the contract's REST form is also how we ask it, and nothing needs a mapping."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from adapters.mapping.apart import Apart
from adapters.mapping.planning import ReadAnswer
from adapters.mapping.rest_call import RestCall
from adapters.mapping.values import ValueUnfitError
from contracts.declaration import SALT
from contracts.names import versioned
from gateway.errors import Code, Refusal
from gateway.model import Nirec
from gateway.translation.address import address
from gateway.translation.json import JsonError, parse_object
from gateway.translation.schema import validator_of
from gateway.translation.xml_error import LexicalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from contracts.declaration import Contract, Operation

_OK = frozenset({200})
_SECRET = ("identifier", "personal")


class ProfileOperation:
    """rest_call.RestOperation of one operation, as its contract declares it; built once, used by all threads."""

    statuses = _OK
    #: Our own contracts have a salt wherever there is personal data.
    apart = Apart()

    def __init__(self, operation: Operation) -> None:
        asked, answered = operation.sensitivity("request"), operation.sensitivity("response")
        # a handle is ours to add, when the answer is reduced
        handle = None if operation.reduction is None else operation.reduction.handle
        self._rest = operation.rest
        self._salted, self._salted_answer = SALT in asked, SALT in answered
        self._answer = validator_of(_without(operation.response, handle))
        self.secret_answer = any(kind in _SECRET for name, kind in answered.items() if name != handle)

    def request(self, fields: Mapping[str, object], salt: bytes) -> RestCall:
        """The request that asks for this; raises Refusal (``field_invalid``)."""
        told = {name: value.reveal() if isinstance(value, Nirec) else value for name, value in fields.items()}
        if self._salted:
            told[SALT] = b64encode(salt).decode()
        try:
            target, rest = address(self._rest.path, self._rest.query, told)
        except (LexicalError, KeyError):
            raise Refusal(Code.FIELD_INVALID) from None
        if self._rest.method == "GET":
            return RestCall("GET", target, b"")
        return RestCall("POST", target, json.dumps(rest, ensure_ascii=False, separators=(",", ":")).encode())

    def read(self, status: int, body: bytes) -> ReadAnswer:
        """The answer's fields, as the contract has them; raises ValueUnfitError."""
        try:
            fields = parse_object(body)
        except JsonError:
            raise ValueUnfitError from None
        if status not in self.statuses or not self._answer.is_valid(fields):
            raise ValueUnfitError
        salt = _decoded(fields.pop(SALT)) if self._salted_answer else None
        return ReadAnswer(fields, salt)


def profile_operations(upstream: str, contracts: Iterable[Contract]) -> dict[str, ProfileOperation]:
    """What the contracts say this upstream answers, by operation and version (contracts.names.versioned)."""
    return {
        versioned(name, contract.version): ProfileOperation(one)
        for contract in contracts
        for name, one in contract.operations.items()
        if one.upstream == upstream
    }


def _without(schema: dict[str, object], name: str | None) -> dict[str, object]:
    properties, required = schema.get("properties"), schema.get("required")
    if name is None or not isinstance(properties, dict) or not isinstance(required, list):
        return schema
    kept = {field: value for field, value in properties.items() if field != name}
    return {**schema, "properties": kept, "required": [field for field in required if field != name]}


def _decoded(text: object) -> bytes:
    try:
        salt = b64decode(str(text), validate=True)
    except ValueError:
        raise ValueUnfitError from None
    if b64encode(salt).decode() != text:
        raise ValueUnfitError
    return salt
