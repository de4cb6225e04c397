"""What the typed operations are made of: how a value is said in JSON and read from it, and what a call gives."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.client.client import ProvenPlace

#: A value that JSON has no form of its own for, as a canonical message writes it.
_WRITTEN: Mapping[type, Callable[[Any], str]] = {
    datetime: lambda moment: moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    date: date.isoformat,
    Decimal: lambda number: format(number.normalize(), "f"),
    bytes: lambda content: b64encode(content).decode(),
}

T = TypeVar("T")
A_co = TypeVar("A_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Asked(Generic[A_co]):
    """One operation as the client knows it.

    Attributes:
        name: of the operation.
        read: makes the answer of its fields.
        salted: whether its message needs a salt (C4).
        effects: whether it changes something, so that a repeat must bear the same key.
    """

    name: str
    read: Callable[[Mapping[str, Any]], A_co]
    salted: bool
    effects: bool


@dataclass(frozen=True, slots=True)
class Answered(Generic[A_co]):
    """A verified answer, and where what proves it is kept.

    Attributes:
        value: the answer, typed; None in it says that the agreement does not give a field, or that it is null.
        fields: as they came: null is told apart from absent here.
        exchange_id: by which both sides and the log know the exchange.
        receipt: the file with the signed answer.
        tries: how many messages it took.
        place: where it stands in the log, where that was waited for.
        acknowledged: the exchange of our acknowledgement (L12); None where there is none.
    """

    value: A_co
    fields: Mapping[str, Any] = field(repr=False)
    exchange_id: str
    receipt: Path
    tries: int = 1
    place: ProvenPlace | None = None
    acknowledged: str | None = None


class Asking(Protocol):
    """What the typed operations stand on."""

    def _ask(
        self, asked: Asked[T], fields: Mapping[str, object], idempotency_key: str | None = None
    ) -> Answered[T]: ...


def plain(value: object) -> Any:
    """A value as JSON has it in a canonical message; what is None is left out of an object."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return said({one.name: getattr(value, one.name) for one in fields(value)})
    written = _WRITTEN.get(type(value))
    return value if written is None else written(value)


def said(values: Mapping[str, object]) -> dict[str, Any]:
    """A message's fields: those that are given."""
    return {name: plain(value) for name, value in values.items() if value is not None}


def date_of(text: str | None) -> date | None:
    """A day (RFC 3339)."""
    return None if text is None else date.fromisoformat(text)


def moment_of(text: str | None) -> datetime | None:
    """A moment, UTC (RFC 3339)."""
    return None if text is None else datetime.fromisoformat(text)


def decimal_of(text: str | None) -> Decimal | None:
    """An exact number."""
    return None if text is None else Decimal(text)


def bytes_of(text: str | None) -> bytes | None:
    """Bytes, in base64."""
    return None if text is None else b64decode(text, validate=True)


def tuple_of(items: list[Any] | None) -> tuple[Any, ...] | None:
    """A list of what needs no reading."""
    return None if items is None else tuple(items)


def each(read: Callable[[Any], T]) -> Callable[[list[Any] | None], tuple[T, ...] | None]:
    """Reads every item of a list."""
    return lambda items: None if items is None else tuple(read(item) for item in items)
