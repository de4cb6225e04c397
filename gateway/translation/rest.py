"""A request as REST has it: JSON in the body, the rest in path and query, agreement and purpose in headers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gateway.errors import Code, Refusal
from gateway.translation.acknowledged import acknowledged
from gateway.translation.json import JsonError, parse_object
from gateway.translation.operations import Asked
from gateway.translation.target import Routes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.model import Acknowledged, VerifiedRequest
    from gateway.translation.lexical import Value
    from gateway.translation.operations import CompiledOperation
    from gateway.translation.target import Route

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: Made once: ``json.dumps`` makes one at each call that is not as usual.
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_JSON = ("application/json", "application/json; charset=utf-8", "application/json;charset=utf-8")


class RestForm:
    """Reads and writes messages in JSON, by the contracts' REST bindings."""

    def __init__(self, operations: Iterable[CompiledOperation]) -> None:
        self._routes = Routes(operations)

    def read(self, request: VerifiedRequest) -> Asked:
        """What the request asks for; raises Refusal naming the field, never its value."""
        received = request.received
        route, in_target = self._routes.find(received.method, received.target)
        if route.takes_body and received.headers.get("content-type", "").strip().lower() not in _JSON:
            raise Refusal(Code.MEDIA_TYPE_UNSUPPORTED, component="content-type")
        if len(received.body) > route.compiled.operation.limits.request_bytes:
            raise Refusal(Code.BODY_TOO_LARGE)
        fields = _fields(route, received.body, in_target)
        return Asked(
            compiled=route.compiled,
            fields=fields,
            agreement=_word(received.headers, "exchange-agreement"),
            purpose=_word(received.headers, "exchange-purpose"),
            acknowledges=_acknowledged(route, received.body, in_target, fields),
            key=received.headers.get("idempotency-key"),
        )

    def fields(self, method: str, target: str, body: bytes) -> dict[str, Any]:
        """The canonical fields of a request's parts alone; raises Refusal."""
        route, in_target = self._routes.find(method, target)
        return _fields(route, body, in_target)


def written_json(fields: Mapping[str, object]) -> bytes:
    """An answer's body."""
    return _WRITER.encode(fields).encode()


def _fields(route: Route, body: bytes, in_target: Mapping[str, Value]) -> dict[str, Any]:
    if route.takes_body:
        try:
            fields = parse_object(body)
        except JsonError:
            raise Refusal(Code.BODY_MALFORMED) from None
    elif body:
        raise Refusal(Code.BODY_MALFORMED)
    else:
        fields = {}
    if in_target:
        if said_twice := fields.keys() & in_target.keys():
            raise Refusal(Code.FIELD_INVALID, component=min(said_twice))
        fields |= in_target
    route.compiled.check(fields)
    return fields


def _acknowledged(
    route: Route, body: bytes, in_target: Mapping[str, Value], fields: Mapping[str, Any]
) -> Acknowledged | None:
    if not route.compiled.operation.acknowledges:
        return None
    # In one form only: whoever audits builds the body again from evidence, and finds the digest that was signed (L12).
    said = {name: value for name, value in fields.items() if name not in in_target}
    if json.dumps(said, sort_keys=True, separators=(",", ":")).encode() != body:
        raise Refusal(Code.BODY_NOT_CANONICAL)
    return acknowledged(fields)


def _word(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "").strip()
    if not _WORD.fullmatch(value):
        raise Refusal(Code.FIELD_INVALID, component=name)
    return value
