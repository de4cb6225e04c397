"""An OpenAPI 3.0 document as its owner published it: what an operation asks and answers, taken over once.

Taken are path and query parameters, JSON bodies, and the answer 200; whatever else a mapping touches is refused when it
loads. References lead into the same document only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml

from adapters.mapping.declared import Declared
from contracts.errors import ContractError
from contracts.strict_yaml import load_yaml
from gateway.translation.address import path_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.mapping.declared import LeafKind

_JSON = "application/json"
_METHODS = ("get", "post", "put", "delete", "patch")
_TAKEN = ("get", "post")
_KINDS: dict[str, LeafKind] = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
_DEEPEST = 12
#: What goes over the wire as it stands, and is therefore what was signed; parameters in braces.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|\{[^{}/]+\})*")


@dataclass(frozen=True, slots=True)
class OpenApiOperation:
    """One operation.

    Attributes:
        method, path: as on the request line, the path with its parameters in braces.
        query: names of the query's parameters, in the document's order.
        request: places below ``path``, ``query`` and ``body``.
        answer: the places of the body of 200.
        asks, answers: validators of both; the request's is of an object with path, query and body.
    """

    method: str
    path: str
    query: tuple[str, ...]
    request: Declared
    answer: Declared
    asks: jsonschema_rs.Draft4Validator
    answers: jsonschema_rs.Draft4Validator


class OpenApiDocument:
    """The document on disk; nothing is ever fetched."""

    def __init__(self, path: Path) -> None:
        """Raises ContractError for a document that cannot be used."""
        try:
            document = load_yaml(path.read_bytes())
        except (OSError, yaml.YAMLError):
            raise ContractError(f"{path.name} cannot be read as YAML or JSON; put it beside", ("document",)) from None
        if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3.0."):
            raise ContractError(f"{path.name} is not OpenAPI 3.0", ("document",))
        self._document: dict[str, Any] = document

    def operation(self, name: str) -> OpenApiOperation:
        """The operation of this operationId; raises ContractError."""
        known = {found["operationId"]: (method, path, found) for method, path, found in self._operations()}
        if name not in known:
            raise ContractError(f"the document has no operationId {name}; it has: {', '.join(sorted(known))}")
        method, path, found = known[name]
        if method not in _TAKEN:
            raise ContractError(f"{name} is a {method.upper()}; only GET and POST ask without a further effect")
        shared = self._document["paths"][path].get("parameters", [])
        asked = {place: self._parameters([*shared, *found.get("parameters", [])], place) for place in ("path", "query")}
        needed = [place for place, schema in asked.items() if "required" in schema]
        if not asked["path"]["properties"].keys().isdisjoint(asked["query"]["properties"]):
            raise ContractError(f"{name} has one parameter's name in path and query")
        if not _PATH.fullmatch(path) or set(path_fields(path)) != asked["path"]["properties"].keys():
            text = f"{name} has the path {path}; its parameters must be those in braces, the rest plain characters"
            raise ContractError(text)
        if "requestBody" in found:
            body = self._resolved(found["requestBody"])
            asked["body"] = self._json(body, f"{name}'s request")
            needed += ["body"] if body.get("required") else []
        request = {"type": "object", "additionalProperties": False, "properties": asked, **_required(needed)}
        answers = self._json(self._resolved(found.get("responses", {}).get("200")), f"{name}'s answer 200")
        return OpenApiOperation(
            method=method.upper(),
            path=path,
            query=tuple(asked["query"]["properties"]),
            request=_declared("", request, required=True),
            answer=_declared("", answers, required=True),
            asks=jsonschema_rs.Draft4Validator(request),
            answers=jsonschema_rs.Draft4Validator(answers),
        )

    def _operations(self) -> Iterator[tuple[str, str, Any]]:
        for path, item in self._document.get("paths", {}).items():
            for method in _METHODS:
                if "operationId" in item.get(method, {}):
                    yield method, path, item[method]

    def _parameters(self, parameters: list[Any], place: str) -> dict[str, Any]:
        """The parameters of a place as an object's schema."""
        found = [self._resolved(one) for one in parameters]
        if elsewhere := [one["name"] for one in found if one["in"] in {"header", "cookie"} and one.get("required")]:
            raise ContractError(f"{elsewhere[0]} must stand in a header or cookie, which a mapping cannot fill")
        here = [one for one in found if one["in"] == place]
        required = [one["name"] for one in here if one.get("required")]
        properties = {one["name"]: self._plain(one["schema"], 0) for one in here}
        return {"type": "object", "additionalProperties": False, "properties": properties, **_required(required)}

    def _json(self, content: Any, where: str) -> dict[str, Any]:
        media = content.get("content", {}).get(_JSON) if isinstance(content, dict) else None
        if media is None or "schema" not in media:
            raise ContractError(f"{where} is not {_JSON} with a schema")
        return self._plain(media["schema"], 0)

    def _resolved(self, value: Any) -> Any:
        while isinstance(value, dict) and "$ref" in value:
            way = str(value["$ref"])
            if not way.startswith("#/"):
                raise ContractError(f"the document refers to {way}, which is elsewhere; bundle it into one file")
            value = self._document
            for step in way[2:].split("/"):
                name = step.replace("~1", "/").replace("~0", "~")
                if not isinstance(value, dict) or name not in value:
                    raise ContractError(f"the document refers to {way}, which it does not have")
                value = value[name]
        return value

    def _plain(self, schema: Any, depth: int) -> dict[str, Any]:
        """The schema in JSON Schema's draft 4, references and allOf put in; raises ContractError for an endless one."""
        schema = self._resolved(schema)
        if depth > _DEEPEST or not isinstance(schema, dict):
            raise ContractError("a schema of the document holds itself, or is none")
        plain = {word: value for word, value in schema.items() if word not in {"allOf", "nullable", "example"}}
        for part in schema.get("allOf", []):
            plain = _merged(plain, self._plain(part, depth + 1))
        if "properties" in plain:
            plain["properties"] = {name: self._plain(one, depth + 1) for name, one in plain["properties"].items()}
        if "items" in plain:
            plain["items"] = self._plain(plain["items"], depth + 1)
        for word in ("oneOf", "anyOf"):
            if word in plain:
                plain[word] = [self._plain(one, depth + 1) for one in plain[word]]
        if schema.get("nullable") and "type" in plain:
            plain["type"] = [plain["type"], "null"]
            if "enum" in plain and None not in plain["enum"]:
                plain["enum"] = [*plain["enum"], None]
        return plain


def _required(names: list[str]) -> dict[str, list[str]]:
    """JSON Schema's draft 4 has no empty list of them."""
    return {"required": names} if names else {}


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    properties = {**one.get("properties", {}), **other.get("properties", {})}
    required = [*one.get("required", []), *other.get("required", [])]
    merged = {**other, **one}
    if properties:
        merged["properties"] = properties
    if required:
        merged["required"] = required
    return merged


def _declared(name: str, schema: dict[str, Any], *, required: bool, many: bool = False) -> Declared:
    """The place that a plain schema declares; below what is not one type alone nothing is told."""
    said = schema.get("type", "object" if "properties" in schema else None)
    nullable = isinstance(said, list)
    kind = said[0] if isinstance(said, list) else said
    if kind == "array" and not many:
        return _declared(name, schema.get("items", {}), required=required, many=True)
    if kind in _KINDS:
        return Declared(name, required, many=many, nullable=nullable, leaf=True, kind=_KINDS[kind])
    children = schema.get("properties", {}) if kind == "object" else {}
    must = schema.get("required", [])
    places = tuple(_declared(word, one, required=word in must) for word, one in children.items())
    return Declared(name, required, many=many, nullable=nullable, children=places)
