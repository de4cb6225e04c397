"""What judges a canonical message, whichever form it came in: its contract's JSON Schema, compiled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs

from contracts.plain import judging_schema
from gateway.translation.xml_error import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

_Kind = jsonschema_rs.ValidationErrorKind


def validator_of(schema: Mapping[str, Any]) -> Any:
    """A validator (``is_valid``, ``iter_errors``) of a contract's request or response, safe in all threads."""
    return jsonschema_rs.validator_for(judging_schema(schema), validate_formats=True)


class Judge:
    """Says whether fields are the message that a schema declares, and which field is at fault."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._validator = validator_of(schema)
        self.is_valid = self._validator.is_valid

    def at_fault(self, fields: Mapping[str, object]) -> str | None:
        """The name of a field that is not valid, those above it before it; None where there is none.

        An unknown field's name is the sender's own text, so it is not repeated.
        """
        found = [self._name(error) for error in self._validator.iter_errors(fields)]
        # A field that is there and wrong tells more than one that is missing or one too many.
        return min(found, key=lambda name: name[0], default=(0, None))[1]

    def _name(self, error: jsonschema_rs.ValidationError) -> tuple[int, str | None]:
        rank, last = self._last(error)
        above = [str(step) for step in error.instance_path]
        name = ".".join(above if last is None else [*above, last])
        return (0 if above else rank), name or None

    def _last(self, error: jsonschema_rs.ValidationError) -> tuple[int, str | None]:
        kind = error.kind
        if isinstance(kind, _Kind.Required):
            return 1, kind.property
        if isinstance(kind, _Kind.AdditionalProperties):
            return 2, UNKNOWN
        if isinstance(kind, _Kind.OneOfNotValid | _Kind.OneOfMultipleValid):
            return 1, self._first_choice(error.schema_path)
        return 0, None

    def _first_choice(self, path: list[str | int]) -> str:
        group: Any = self._schema
        for step in path:
            group = group[step]
        first: str = group[0]["required"][0]
        return first
