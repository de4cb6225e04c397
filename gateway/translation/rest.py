"""Step 3 and the form of step 7 for REST: bytes to a canonical message under its contract, and back."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from contracts.loader import SALT, Contract, Operation, ReductionRule
from gateway.errors import Code, Refusal
from gateway.model import Acknowledged, Message, Nirec, OperationRef, Reduction
from gateway.translation.json import JsonError, parse_object
from gateway.translation.salt import decode_salt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.model import Grant, VerifiedRequest
    from gateway.ports import Randomness

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PATH_FIELD = re.compile(r"\\\{([a-z_]+)\\\}")
_SALT_BYTES = 16
_JSON = ("application/json", "application/json; charset=utf-8", "application/json;charset=utf-8")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """All that can be prepared of an operation before a request comes."""

    ref: OperationRef
    operation: Operation
    request: Any
    response: Any
    identifiers: frozenset[str]
    salted: bool
    salted_answer: bool
    disclosable: frozenset[str]
    reduction: Reduction | None


class RestTranslation:
    """ports.Translation over the loaded contracts."""

    def __init__(self, contracts: Iterable[Contract], randomness: Randomness, nirec_pattern: str) -> None:
        """Compiles every operation; ``nirec_pattern`` is the setting that a NIREC must match (N1)."""
        self._randomness = randomness
        self._nirec = re.compile(nirec_pattern, re.ASCII)  # else \d is the digit of any script
        self._by_path: dict[str, dict[str, _Compiled]] = {}
        self._templates: list[tuple[re.Pattern[str], dict[str, _Compiled]]] = []
        self._by_name: dict[str, _Compiled] = {}
        for contract in contracts:
            for name, operation in contract.operations.items():
                compiled = _compile(contract, name, operation)
                self._by_path.setdefault(operation.rest.path, {})[operation.rest.method] = compiled
                self._by_name[name] = compiled
        self._templates += [(_template(path), methods) for path, methods in self._by_path.items() if "{" in path]

    def translate_in(self, request: VerifiedRequest) -> Message:
        """The canonical message; raises Refusal naming the field, never its value."""
        received = request.received
        # The raw target is matched whole: an encoded or dotted path is simply not an operation (P3).
        methods, in_path = self._route(received.target)
        compiled = methods.get(received.method)
        if compiled is None:
            raise Refusal(Code.METHOD_NOT_ALLOWED)
        if received.headers.get("content-type", "").strip().lower() not in _JSON:
            raise Refusal(Code.MEDIA_TYPE_UNSUPPORTED, component="content-type")
        if len(received.body) > compiled.operation.limits.request_bytes:
            raise Refusal(Code.BODY_TOO_LARGE)
        fields = self._fields(compiled, received.body, in_path)
        salt = decode_salt(fields.pop(SALT), request.signature.base.decode("ascii")) if compiled.salted else None
        return Message(
            request=request,
            operation=compiled.ref,
            fields=self._wrapped(compiled, fields),
            salt=salt,
            agreement=_word(received.headers, "exchange-agreement"),
            purpose=_word(received.headers, "exchange-purpose"),
            disclosable=compiled.disclosable,
            upstream=compiled.operation.upstream,
            reduction=compiled.reduction,
            acknowledges=_acknowledged(received.body, in_path, fields) if compiled.operation.acknowledges else None,
        )

    def _route(self, target: str) -> tuple[Mapping[str, _Compiled], dict[str, str]]:
        methods = self._by_path.get(target)
        if methods is not None and "{" not in target:
            return methods, {}
        for template, known in self._templates:
            if match := template.fullmatch(target):
                return known, match.groupdict()
        raise Refusal(Code.OPERATION_UNKNOWN)

    def _fields(self, compiled: _Compiled, body: bytes, in_path: Mapping[str, str]) -> dict[str, Any]:
        try:
            fields = parse_object(body)
        except JsonError:
            raise Refusal(Code.BODY_MALFORMED) from None
        if said_twice := fields.keys() & in_path.keys():
            raise Refusal(Code.FIELD_INVALID, component=min(said_twice))
        fields |= in_path
        if compiled.salted and not isinstance(fields.get(SALT), str):
            raise Refusal(Code.SALT_INVALID, component=SALT)
        if not compiled.request.is_valid(fields):
            raise Refusal(Code.FIELD_INVALID, component=_at_fault(compiled, fields))
        return fields

    def _wrapped(self, compiled: _Compiled, fields: dict[str, Any]) -> Mapping[str, object]:
        for name in compiled.identifiers:
            if not self._nirec.fullmatch(fields[name]):
                raise Refusal(Code.FIELD_INVALID, component=name)
            fields[name] = Nirec(fields[name])
        return fields

    def translate_out(self, grant: Grant, fields: dict[str, object]) -> bytes:
        """The answer's JSON; raises Refusal(upstream_malformed) if it would break our own contract."""
        compiled = self._by_name[grant.message.operation.name]
        if compiled.salted_answer:
            fields[SALT] = b64encode(self._randomness.bytes(_SALT_BYTES)).decode()
        if not compiled.response.is_valid(fields):
            raise Refusal(Code.UPSTREAM_MALFORMED)
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _compile(contract: Contract, name: str, operation: Operation) -> _Compiled:
    request, response = operation.sensitivity("request"), operation.sensitivity("response")
    return _Compiled(
        ref=OperationRef(name, contract.service, contract.version, contract.sha256),
        operation=operation,
        request=jsonschema_rs.validator_for(_plain(operation.request), validate_formats=True),
        response=jsonschema_rs.validator_for(_plain(operation.response), validate_formats=True),
        identifiers=frozenset(field for field, kind in request.items() if kind == "identifier"),
        salted=SALT in request,
        salted_answer=SALT in response,
        disclosable=frozenset(response) - {SALT},
        reduction=_reduction(operation.reduction),
    )


def _reduction(rule: ReductionRule | None) -> Reduction | None:
    if rule is None:
        return None
    conceal = tuple((item.field, item.value, item.said) for item in rule.conceal)
    return Reduction(
        rule.identifier, rule.handle, rule.field, rule.confirmed, conceal, rule.act, rule.given, rule.reason
    )


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    # Our own words (sensitivity, description by language) are not JSON Schema's.
    ours = ("sensitivity", "description")
    fields = schema["properties"].items()
    properties = {name: {key: value for key, value in field.items() if key not in ours} for name, field in fields}
    return {**schema, "properties": properties}


def _at_fault(compiled: _Compiled, fields: dict[str, Any]) -> str | None:
    declared = compiled.operation.request["properties"]
    for error in compiled.request.iter_errors(fields):
        if error.instance_path:
            return str(error.instance_path[0])
    missing = [name for name in compiled.operation.request["required"] if name not in fields]
    # An unknown field's name is the caller's own text, so it is not repeated.
    return missing[0] if missing else ("unknown field" if fields.keys() - declared.keys() else None)


def _template(path: str) -> re.Pattern[str]:
    # Only what needs no encoding, so that a path has one spelling (P3).
    return re.compile(_PATH_FIELD.sub(r"(?P<\1>[A-Za-z0-9._-]{1,64})", re.escape(path)))


def _acknowledged(body: bytes, in_path: Mapping[str, str], fields: Mapping[str, Any]) -> Acknowledged:
    # In one form only: whoever audits builds the body again from evidence, and finds the digest that was signed (L12).
    said = {name: value for name, value in fields.items() if name not in in_path}
    if json.dumps(said, sort_keys=True, separators=(",", ":")).encode() != body:
        raise Refusal(Code.BODY_NOT_CANONICAL)
    return Acknowledged(fields["exchange_id"], fields["ledger_leaf"], fields["answer_digest"], fields["handle"])


def _word(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "").strip()
    if not _WORD.fullmatch(value):
        raise Refusal(Code.FIELD_INVALID, component=name)
    return value
