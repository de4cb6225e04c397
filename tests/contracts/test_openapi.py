"""The OpenAPI document holds together: references, parameters, schemas, examples, errors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from contracts.generate.error_table import errors_of
from contracts.generate.openapi import openapi
from contracts.rest import fields_in_path
from tests.contracts.rich import rich

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contracts.generate.error_table import ErrorEntry
    from contracts.loader import Contract

Json = dict[str, Any]
_METHODS = {"get", "post"}
#: The operations that have an effect, which happens once per key.
EFFECTS = {
    "registrationCreate", "registrationChange", "registrationWithdraw", "subjectExpect", "placementNotify", "batchOpen",
    "permitFileV2",
}  # fmt: skip


@pytest.fixture(scope="module")
def document(contracts: tuple[Contract, ...], errors: tuple[ErrorEntry, ...]) -> Json:
    loaded: Json = json.loads(openapi(contracts, errors))
    return loaded


def _nodes(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in below:
        yield from _nodes(item)


def _resolved(document: Json, node: Json) -> Json:
    while "$ref" in node:
        at: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        node = at
    return node


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _is_valid(document: Json, schema: Json, value: object) -> bool:
    whole = schema | {"components": document["components"]}
    return bool(jsonschema_rs.validator_for(whole, validate_formats=True).is_valid(value))


def test_every_reference_leads_somewhere_and_nothing_stands_there_unused(document: Json) -> None:
    named = {node["$ref"] for node in _nodes(document) if "$ref" in node}
    assert all(_resolved(document, {"$ref": name}) for name in named)
    kinds = ("parameters", "headers", "responses", "schemas")
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in document["components"][kind]}
    assert there - named == set()


def test_its_frame_is_that_of_openapi_3_1(document: Json) -> None:
    assert document["openapi"] == "3.1.0"
    assert {"title", "version"} <= document["info"].keys()
    assert document["servers"] == [{"url": "https://passerelle.example"}]
    assert document["security"] == [{"mutualTLS": []}]
    assert document["components"]["securitySchemes"]["mutualTLS"]["type"] == "mutualTLS"
    tags = {tag["name"] for tag in document["tags"]}
    ids = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(ids)) == len(ids) >= 8
    for path, method, operation in _operations(document):
        assert method in _METHODS
        assert set(operation["tags"]) <= tags
        parameters = [_resolved(document, item) for item in operation["parameters"]]
        in_path = {item["name"] for item in parameters if item["in"] == "path"}
        assert in_path == set(re.findall(r"\{([^}]+)\}", path))
        assert all(item["required"] for item in parameters if item["in"] == "path")
        places = [(item["in"], item["name"].lower()) for item in parameters]
        assert len(set(places)) == len(places)
        assert ("requestBody" in operation) == (method == "post")


def test_signatures_are_asked_for_and_given(document: Json) -> None:
    asked = {"Exchange-Agreement", "Exchange-Purpose", "Signature-Input", "Signature"}
    given = {"Exchange-Id", "Ledger-Leaf", "Ledger-By", "Content-Digest", "Signature-Input", "Signature"}
    for _, method, operation in _operations(document):
        parameters = [_resolved(document, item) for item in operation["parameters"]]
        required = {item["name"] for item in parameters if item["in"] == "header" and item["required"]}
        keyed = operation["operationId"] in EFFECTS
        effect = {"Idempotency-Key"} if keyed else set()
        assert required == asked | effect | ({"Content-Digest"} if method == "post" else set())
        for response in operation["responses"].values():
            assert given <= _resolved(document, response)["headers"].keys()


def test_schemas_are_json_schema_and_examples_are_valid_under_them(document: Json) -> None:
    seen = 0
    for name in document["components"]["schemas"]:
        assert jsonschema_rs.meta.is_valid(document["components"]["schemas"][name]), name
    for node in list(_nodes(document)):
        if "schema" not in node:
            continue
        shown = [node["example"]] if "example" in node else []
        shown += [_resolved(document, item)["value"] for item in node.get("examples", {}).values()]
        for value in shown:
            assert _is_valid(document, node["schema"], value), value
            seen += 1
    assert seen > 50


def test_a_message_with_a_field_too_many_or_a_bad_salt_is_not_valid(document: Json) -> None:
    body = document["paths"]["/v1/nirec/verifications"]["post"]["requestBody"]["content"]["application/json"]
    assert _is_valid(document, body["schema"], body["example"])
    for change in (
        {"other": 1},
        {"salt": "AAAA"},
        {"salt": "!" * 24},
        {"birth_date": "2024-02-30"},
        {"family_name": ""},
    ):
        assert not _is_valid(document, body["schema"], body["example"] | change)


def test_every_error_of_an_operation_is_under_its_status(
    document: Json, contracts: tuple[Contract, ...], errors: tuple[ErrorEntry, ...]
) -> None:
    for contract in contracts:
        for operation in contract.operations.values():
            described = document["paths"][operation.rest.path][operation.rest.method.lower()]
            wanted = {(str(entry.status), entry.code) for entry in errors_of(operation, errors) if entry.by_rest}
            assert set(operation.errors) <= {code for _, code in wanted}
            found = {
                (status, code)
                for status, response in described["responses"].items()
                if status != "200"
                for code in _resolved(document, response)["content"]["application/problem+json"]["examples"]
            }
            assert found == wanted


def test_fields_stand_where_the_binding_says(document: Json) -> None:
    path, filed = "/v2/permits/{region}", rich().operations["permit.file"]
    described = document["paths"][path]["post"]
    assert fields_in_path(filed) == ("region",)
    places = {(item["in"], item["name"]) for item in described["parameters"] if "name" in item}
    assert places == {("path", "region"), ("query", "urgent")}
    schema = _body_schema(document, described)
    assert schema["properties"].keys() == filed.request["properties"].keys() - {"region", "urgent"}
    assert set(schema["required"]) == set(filed.request["required"]) - {"region"}
    assert schema["oneOf"] == filed.request["oneOf"]


def _body_schema(document: Json, described: Json) -> Json:
    return _resolved(document, described["requestBody"]["content"]["application/json"]["schema"])


def test_a_version_on_its_way_out_says_so(document: Json) -> None:
    described = document["paths"]["/v2/permits"]["get"]
    assert described["deprecated"] is True
    assert described["operationId"] == "permitCountV2"
    for status, response in described["responses"].items():
        # as the gateway answers: a refusal has neither (tests/translation/test_forms.py)
        said = {"Deprecation", "Sunset"} & _resolved(document, response)["headers"].keys()
        assert said == ({"Deprecation", "Sunset"} if status == "200" else set())
    staying = document["paths"]["/v1/echo"]["post"]
    assert "deprecated" not in staying
    assert "Sunset" not in staying["responses"]["200"]["headers"]


def test_our_words_are_out_of_the_schemas_and_sensitivity_is_told(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert all(
        {"sensitivity", "xml", "example"}.isdisjoint(node) for node in _nodes(schemas) if "properties" not in node
    )
    nirec = schemas["NirecVerifyRequest"]["properties"]["nirec"]
    assert nirec["x-sensitivity"] == "identifier"
    assert nirec["description"].startswith("Numéro")
    assert "Civil registry number" in nirec["description"]
    assert not any(r"\p" in str(node.get("pattern")) for node in _nodes(document))
