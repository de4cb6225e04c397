"""The table of errors as the generator reads it: TOML bytes that are passed in, since it belongs to the gateway."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from contracts.declaration import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contracts.declaration import Operation

#: Codes that only the operations answer whose contract lists them; any other may come from each of them.
_OF_SOME: Final = frozenset({
    "body_malformed", "body_not_canonical", "field_invalid", "too_few_criteria", "salt_invalid", "salt_repeated",
    "idempotency_key_missing", "idempotency_conflict", "already_registered", "state_changed",
    "not_agreed", "purpose_not_agreed", "exchange_unknown", "acknowledgement_differs", "handle_unknown",
    "not_registered", "search_too_wide", "merge_needed", "merge_refused", "subjects_changed", "upstream_unavailable",
    "upstream_timeout", "upstream_untrusted", "upstream_malformed",
})  # fmt: skip
#: Codes of no operation: a receipt is no exchange.
_ELSEWHERE: Final = frozenset({"receipt_unknown"})
_BY_SOAP_ONLY: Final = frozenset({"addressed_elsewhere", "header_not_understood"})
_BY_REST_ONLY: Final = _ELSEWHERE | {"body_not_canonical"}


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One code: what is said outside, and what it means.

    Attributes:
        status: over HTTP.
        title, next: as the answer says them; ``next_soap`` where by SOAP another thing is to be done.
        retry_after: seconds, None where trying again does not help.
        meaning: when it comes, for people who write a client.
    """

    code: str
    status: int
    title: Bilingual
    next: Bilingual
    next_soap: Bilingual
    retry_after: int | None
    meaning: Bilingual

    @property
    def by_rest(self) -> bool:
        """Whether REST has it."""
        return self.code not in _BY_SOAP_ONLY

    @property
    def by_soap(self) -> bool:
        """Whether SOAP has it."""
        return self.code not in _BY_REST_ONLY


def read_errors(table: bytes) -> tuple[ErrorEntry, ...]:
    """The entries of an errors.toml in its order; raises KeyError for a code whose meaning is not written yet."""
    meanings = tomllib.loads(files("contracts.generate").joinpath("meanings.toml").read_text(encoding="utf-8"))
    return tuple(_entry(code, row, meanings[code]) for code, row in tomllib.loads(table.decode("utf-8")).items())


def _entry(code: str, row: Mapping[str, Any], meaning: Mapping[str, str]) -> ErrorEntry:
    return ErrorEntry(
        code=code,
        status=row["status"],
        title=Bilingual.model_validate(row["title"]),
        next=Bilingual.model_validate(row["next"]),
        next_soap=Bilingual.model_validate(row.get("next_soap", row["next"])),
        retry_after=row.get("retry_after"),
        meaning=Bilingual.model_validate(meaning),
    )


def errors_of(operation: Operation, errors: Sequence[ErrorEntry]) -> tuple[ErrorEntry, ...]:
    """What an operation may answer: what its contract lists, and what any exchange may."""
    return tuple(entry for entry in errors if entry.code in operation.errors or _of_every_operation(entry.code))


def errors_by_rest(errors: Sequence[ErrorEntry]) -> tuple[ErrorEntry, ...]:
    """What may be answered over REST, by an operation or for a receipt."""
    return tuple(entry for entry in errors if entry.by_rest)


def _of_every_operation(code: str) -> bool:
    return code not in _OF_SOME | _ELSEWHERE
