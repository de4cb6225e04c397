"""OpenAPI 3.1 of one service or of all of them: the REST form, its signatures and its errors."""

from __future__ import annotations

import json
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, Final

from contracts.generate import openapi_parts as parts
from contracts.generate.error_table import errors_by_rest, errors_of
from contracts.generate.examples import example, json_body
from contracts.generate.wsdl import ORIGIN
from contracts.leaves import LEXICAL
from contracts.names import openapi_name
from contracts.plain import published_schema
from contracts.rest import fields_in_path, fields_in_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contracts.declaration import Contract, Operation
    from contracts.generate.error_table import ErrorEntry
    from contracts.generate.openapi_parts import Json

_JSON: Final = "application/json"
#: Of a salt in base64: 16 to 64 bytes (C4).
_SALT: Final = {"contentEncoding": "base64", "pattern": LEXICAL["base64"], "minLength": 24, "maxLength": 88}


def openapi(contracts: Sequence[Contract], errors: Sequence[ErrorEntry], origin: str = ORIGIN) -> bytes:
    """The document: indented JSON, a last newline; ``origin`` (scheme, host, port) is its server."""
    first, errors = contracts[0], errors_by_rest(errors)
    refusals = _Refusals(errors)
    alone = len(contracts) == 1
    paths: dict[str, Json] = {}
    schemas: Json = {}
    for contract in contracts:
        for name, operation in contract.operations.items():
            described = _operation(contract, name, operation)
            described["responses"] = {"200": _success(contract, name, operation)} | refusals.of(operation)
            paths.setdefault(operation.rest.path, {})[operation.rest.method.lower()] = described
            schemas |= _schemas(contract, name, operation)
    shared = parts.components(errors)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{first.title.fr} / {first.title.en}" if alone else "Passerelle",
            "version": first.version if alone else "1",
            "description": parts.both(
                "Chaque requête et chaque réponse est signée (RFC 9421, RFC 9530), sur TLS mutuel.",
                "Each request and each answer is signed (RFC 9421, RFC 9530), over mutual TLS.",
            ),
        },
        "servers": [{"url": origin}],
        "security": [{parts.SECURITY: []}],
        "tags": [_tag(contract) for contract in contracts],
        "paths": paths,
        "components": shared | {"responses": refusals.responses, "schemas": schemas | shared["schemas"]},
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _tag(contract: Contract) -> Json:
    return {"name": _tag_name(contract), "description": parts.both(contract.title.fr, contract.title.en)}


def _tag_name(contract: Contract) -> str:
    return f"{contract.service} v{contract.version}"


def _operation(contract: Contract, name: str, operation: Operation) -> Json:
    """All but its answers."""
    pascal = openapi_name(contract, name)
    fields = example(operation.request, f"{name}.request")
    body = json_body(operation, "request", fields)
    described: Json = {
        "operationId": pascal[0].lower() + pascal[1:],
        "tags": [_tag_name(contract)],
        "summary": f"{operation.title.fr} / {operation.title.en}",
        "description": parts.both(operation.description.fr, operation.description.en),
        "parameters": [
            *_in_target(operation, fields),
            *parts.request_headers(body=body is not None, keyed=not operation.idempotent),
        ],
    }
    if contract.deprecated is not None:
        described["deprecated"] = True
    if body is not None:
        described["requestBody"] = {"required": True, "content": _content(f"{pascal}Request", json.loads(body))}
    return described


def _content(schema: str, shown: Any) -> Json:
    return {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": shown}}


def _in_target(operation: Operation, fields: Mapping[str, Any]) -> list[Json]:
    """The fields that stand in the path or the query, as parameters."""
    in_path, found = fields_in_path(operation), []
    for name in fields_in_target(operation):
        field = operation.request["properties"][name]
        found.append({
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in operation.request.get("required", ()),
            "description": parts.both(field["description"]["fr"], field["description"]["en"]),
            "schema": published_schema({word: value for word, value in field.items() if word != "description"}, _words),
            "example": fields[name],
        })  # fmt: skip
    return found


def _schemas(contract: Contract, name: str, operation: Operation) -> Json:
    """What stands in the bodies, by name."""
    pascal, request = openapi_name(contract, name), operation.request
    schemas: Json = {f"{pascal}Response": published_schema(operation.response, _words)}
    if operation.rest.method != "GET":
        elsewhere = fields_in_target(operation)
        body = request | {
            "properties": {word: field for word, field in request["properties"].items() if word not in elsewhere},
            "required": [word for word in request.get("required", ()) if word not in elsewhere],
        }
        schemas = {f"{pascal}Request": published_schema(body, _words)} | schemas
    return schemas


def _words(schema: Mapping[str, Any]) -> Json:
    """What is said beside a field: both descriptions, its sensitivity, its example; and what a salt is."""
    said: Json = dict(_SALT) if schema.get("sensitivity") == "salt" else {}
    if "description" in schema:
        said["description"] = parts.both(schema["description"]["fr"], schema["description"]["en"])
    if "sensitivity" in schema:
        said["x-sensitivity"] = schema["sensitivity"]
    if "example" in schema:
        said["examples"] = [schema["example"]]
    return said


def _success(contract: Contract, name: str, operation: Operation) -> Json:
    return {
        "description": parts.both("La réponse, signée.", "The answer, signed."),
        # a refusal may come before anybody knows which operation was meant: it has neither
        "headers": parts.answer_headers(*(("Deprecation", "Sunset") if contract.deprecated else ())),
        "content": _content(f"{openapi_name(contract, name)}Response", example(operation.response, f"{name}.response")),
    }


class _Refusals:
    """The answers that refuse, each set of codes once: operations share most of them."""

    def __init__(self, errors: Sequence[ErrorEntry]) -> None:
        self._errors = errors
        self.responses: dict[str, Json] = {}

    def of(self, operation: Operation) -> Json:
        """References by status, for one operation."""
        entries = sorted(errors_of(operation, self._errors), key=lambda entry: entry.status)
        return {
            str(status): {"$ref": f"#/components/responses/{self._shared(status, list(group))}"}
            for status, group in groupby(entries, key=lambda entry: entry.status)
        }

    def _shared(self, status: int, entries: Sequence[ErrorEntry]) -> str:
        """The name of the response that has these codes, and no others; a new one where there is none yet."""
        response = _refused(entries)
        names = (f"Refused{status}" + (f"-{number}" if number > 1 else "") for number in count(1))
        name = next(name for name in names if self.responses.get(name, response) == response)
        self.responses[name] = response
        return name


def _refused(entries: Sequence[ErrorEntry]) -> Json:
    """The answer of one status: its codes, each with its title and its example."""
    lines = [f"- `{entry.code}`: {entry.title.fr} / {entry.title.en}" for entry in entries]
    retry = ("Retry-After",) if any(entry.retry_after for entry in entries) else ()
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {entry.code: {"$ref": f"#/components/examples/{entry.code}"} for entry in entries},
    }
    return {
        "description": "\n".join(lines),
        "headers": parts.answer_headers(*retry),
        "content": {parts.PROBLEM_TYPE: content},
    }
