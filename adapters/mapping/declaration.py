"""mapping.yaml: where each canonical field goes in another system's messages, and where each answer comes from.

docs/guides/mapping.en.md explains every word of it. Whatever cannot be used is refused with file, line and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from contracts.lines import line_of
from contracts.strict_yaml import load_yaml
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath

    from contracts.errors import ContractError, Path

FILE = "mapping.yaml"
#: How many names lead to an operation's entries.
_ENTRY = 2
SaltForm = Literal["base64", "hex"]
_TO_DO = {"missing": "is missing; add it", "extra_forbidden": "is no word of a mapping; remove it or correct it"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _several(value: object) -> object:
    """One alone for a list of one."""
    return value if isinstance(value, list) else [value]


def _named(word: str) -> BeforeValidator:
    """A text alone says the most usual thing: ``name`` for ``{word: name}``."""
    return BeforeValidator(lambda value: {word: value} if isinstance(value, str) else value)


class Source(_Strict):
    """What stands in one place of their request: one of ``field``, ``constant``, ``salt`` and ``each``.

    Attributes:
        field: the canonical field, ``a/b`` inside objects; ``.`` is the item itself in a list of values.
        values: their text by canonical value.
        format: of a date or a time in their text, as strftime has it.
        default: their text where the canonical field is absent or null.
        constant: their text, always.
        salt: this message's salt, in this form (C4, C5).
        each: the canonical list, an element of theirs for each of its items.
        items: what stands in that element, by its path in it.
    """

    field: str | None = None
    values: dict[str, str] = {}
    format: str | None = None
    default: str | None = None
    constant: str | None = None
    salt: SaltForm | None = None
    each: str | None = None
    items: dict[str, Annotated[Source, _named("field")]] = {}

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        said = [word for word in ("field", "constant", "salt", "each") if getattr(self, word) is not None]
        if len(said) != 1 or bool(self.items) != (self.each is not None):
            raise ValueError("say one of field, constant, salt and each; each has items, and nothing else has")
        if (self.values or self.format or self.default) and self.field is None:
            raise ValueError("values, format and default belong to a field")
        return self


class Target(_Strict):
    """Where a canonical field of the answer comes from: ``at``, ``constant``, ``each`` or ``fields``.

    Attributes:
        at: the place in their answer.
        values: the canonical value by their text.
        format: of a date or a time in their text.
        default: the canonical text where theirs is absent or null.
        constant: the canonical text, always.
        each: the place that occurs as often as the canonical list has items.
        fields: of an object, or of each item of a list: its fields, their places seen from ``at`` or ``each``.
    """

    at: str | None = None
    values: dict[str, str] = {}
    format: str | None = None
    default: str | None = None
    constant: str | None = None
    each: str | None = None
    fields: dict[str, Annotated[Target, _named("at")]] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        said = [word for word in ("at", "constant", "each") if getattr(self, word) is not None]
        if len(said) > 1 or not (said or self.fields):
            raise ValueError("say one of at, constant and each, or the fields of an object")
        if self.fields is not None and (self.values or self.format or self.default or self.constant):
            raise ValueError("an object has fields; values, format, default and constant belong to one value")
        return self


class AnswerSalt(_Strict):
    """Where the answer's salt stands, and in which form."""

    at: str
    form: SaltForm = "base64"


class Answer(_Strict):
    """The answer.

    Attributes:
        salt: where it has one.
        fields: ours, by their places.
        repeats: places that say again what a place of their request said: one that does not is another's answer.
        statuses: what another HTTP status means (REST, unsigned).
    """

    salt: AnswerSalt | None = None
    fields: dict[str, Annotated[Target, _named("at")]] = {}
    repeats: dict[str, str] = {}
    statuses: dict[int, dict[str, str]] = {}


class Actions(_Strict):
    """WS-Addressing's Action of request and answer."""

    request: str
    answer: str


class Served(_Strict):
    """One operation of theirs.

    Attributes:
        serves: the canonical operations that it answers: ``name``, of every version that asks them, or ``name/v2``.
        actions: SOAP; without them the document's soapAction, and any Action in the answer of a service that signs not.
        request: what stands in each place of their request.
        unsent: canonical fields that they are not told, on purpose.
        encrypt: places whose element is encrypted to the upstream's key before signing (C5); SOAP.
        answer: where the canonical answer comes from.
    """

    serves: tuple[str, ...] = Field(min_length=1)
    actions: Actions | None = None
    request: dict[str, Annotated[Source, _named("field")]] = {}
    unsent: tuple[str, ...] = ()
    encrypt: tuple[str, ...] = ()
    answer: Answer


class MappingDocument(_Strict):
    """The whole of mapping.yaml.

    Attributes:
        upstream: the party's name in the policy, and in the contracts that it serves.
        document: their WSDL or OpenAPI document, a file beside this one.
        signed: whether they sign their answers and verify our requests (S1, S4); else mutual TLS alone vouches.
        sealed_apart: whether evidence may seal to the officers' key what can be tried, where there is neither a place
            for a salt nor encryption (C5).
        prefixes: XML namespaces by the prefix that the paths below use.
        encryption_certificate: a PEM file beside this one with the key that ``encrypt`` encrypts to.
        operations: by their names in the document; several entries where versions of ours are mapped differently.
    """

    upstream: str
    document: str
    signed: bool
    sealed_apart: bool = False
    prefixes: dict[str, str] = {}
    encryption_certificate: str | None = None
    operations: dict[str, Annotated[tuple[Served, ...], Field(min_length=1), BeforeValidator(_several)]] = Field(
        min_length=1
    )

    def entries(self) -> Iterator[tuple[str, Served, Path]]:
        """Each entry with its operation of theirs, and where it stands."""
        for name, entries in self.operations.items():
            for number, served in enumerate(entries):
                yield name, served, ("operations", name, number) if len(entries) > 1 else ("operations", name)


def load_mapping(folder: FilePath) -> MappingDocument:
    """The folder's mapping; raises ConfigurationError naming file and line."""
    path = folder / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
    try:
        document = load_yaml(content)
        return MappingDocument.model_validate(document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _invalid(path, 1 if mark is None else mark.line + 1, "not YAML, a repeated key, or an alias") from None
    except yaml.YAMLError:
        raise _invalid(path, 1, "this is not YAML in UTF-8; write it so") from None
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False, include_context=False)[0]
        at = _as_written(document, first["loc"])
        where = ".".join(str(part) for part in at) or "the mapping"
        text = f"{where}: {_TO_DO.get(first['type'], first['msg'])}"
        raise _invalid(path, line_of(content, at), text) from None


def located(folder: FilePath, error: ContractError) -> ConfigurationError:
    """The same error, with the file and the line of the mapping where it stands."""
    path = folder / FILE
    return _invalid(path, line_of(path.read_bytes(), error.path), error.text)


def _as_written(content: Any, path: Path) -> Path:
    """Where it stands in the document, in which one entry alone is no list."""
    alone = len(path) > _ENTRY and path[0] == "operations" and not isinstance(content["operations"][path[1]], list)
    return (*path[:_ENTRY], *path[_ENTRY + 1 :]) if alone else path


def _invalid(path: FilePath, line: int, text: str) -> ConfigurationError:
    return ConfigurationError("contract_invalid", detail=f"{path}:{line}: {text}")
