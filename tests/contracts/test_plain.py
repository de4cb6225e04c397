"""The schema that judges: our words out of it, and in each leaf the one form that JSON and XML share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from contracts.loader import load_contracts
from contracts.plain import judging_schema, published_schema

FOLDER = Path(__file__).parents[2] / "contracts"

_JUDGED: list[tuple[dict[str, Any], object, bool]] = [
    ({"type": "string"}, "é\r\n\U0001f600\u0085", True),
    ({"type": "string"}, "a\u0000", False),
    ({"type": "string"}, "a\u000b", False),
    ({"type": "string"}, "\uffff", False),
    ({"type": "string", "pattern": "^[^a]*$"}, "b\u0001", False),
    ({"type": "string", "pattern": "^[^a]*$"}, "ba", False),
    ({"type": "string", "pattern": "^[^a]*$"}, "b", True),
    ({"type": "string", "pattern": "^[a]*$"}, "aa", True),
    ({"type": "string", "sensitivity": "salt"}, "what it may be is judged elsewhere", True),
    ({"type": "string", "contentEncoding": "base64"}, "AA==", True),
    ({"type": "string", "contentEncoding": "base64"}, "AB==", False),
    ({"type": "string", "contentEncoding": "base64"}, "AAA", False),
    ({"type": "string", "format": "date"}, "2024-02-29", True),
    ({"type": "string", "format": "date"}, "2023-02-29", False),
    ({"type": "string", "format": "date"}, "0000-01-01", False),
    ({"type": "string", "format": "date-time"}, "2024-02-29T23:59:59.120Z", True),
    ({"type": "string", "format": "date-time"}, "2024-02-29T23:59:59+00:00", False),
    ({"type": "string", "format": "date-time"}, "2024-02-29T23:59:60Z", False),
    ({"type": "string", "format": "decimal"}, "-0.5", True),
    ({"type": "string", "format": "decimal"}, "1.50", False),
    ({"type": "string", "format": "decimal"}, "-0", False),
    ({"type": "string", "format": "decimal"}, "1e3", False),
    ({"type": ["string", "null"], "format": "decimal"}, None, True),
    ({"type": "integer"}, 2**53 - 1, True),
    ({"type": "integer"}, 2**53, False),
    ({"type": ["integer", "null"], "minimum": 1}, 0, False),
    ({"type": "string", "enum": ["a"]}, "b", False),
]


@pytest.mark.parametrize(("leaf", "value", "valid"), _JUDGED)
def test_a_leaf_is_in_the_form_that_both_forms_have(leaf: dict[str, Any], value: object, valid: bool) -> None:  # noqa: FBT001  a parameter of the table
    listed = {"type": "array", "items": leaf}
    schema = {"type": "object", "additionalProperties": False, "properties": {"v": leaf, "w": listed}}
    validator = jsonschema_rs.validator_for(judging_schema(schema), validate_formats=True)
    assert validator.is_valid({"v": value, "w": [value]}) is valid
    assert validator.is_valid({"w": [value]}) is valid


def test_words_of_ours_are_out_at_every_depth_and_others_can_be_put_in() -> None:
    for contract in load_contracts(FOLDER):
        for operation in contract.operations.values():
            for schema in (operation.request, operation.response):
                plain = json.dumps(judging_schema(schema))
                assert '"sensitivity"' not in plain
                assert '"description"' not in plain
                assert judging_schema(schema)["properties"].keys() == schema["properties"].keys()
    said = published_schema(
        {"type": "array", "items": {"type": "boolean"}}, lambda schema: {"title": f"a {schema['type']}"}
    )
    assert said == {"type": "array", "title": "a array", "items": {"type": "boolean", "title": "a boolean"}}
