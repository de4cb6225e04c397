"""What the sandbox is asked, by its path, and the fields that it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from adapters.cooperative.sandbox.registrations import REGIONS
from adapters.cooperative.sandbox.statistics import statistics
from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from adapters.cooperative.sandbox.storage import Registry

_STATISTICS = "/v1/waitlist/statistics"


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it stands on the wire; ``digest`` is its Content-Digest, empty without a body."""

    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    digest: str = ""


def answered(call: Call, registry: Registry) -> dict[str, object]:
    """The answer's fields; raises Refusal for what is no question of ours."""
    path, _, query = call.target.partition("?")
    if (call.method, path) == ("GET", _STATISTICS):
        asked = _counting(query)
        return statistics(registry, asked["as_of"], asked.get("region"))
    raise Refusal(Code.OPERATION_UNKNOWN)


def _counting(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=True, max_num_fields=2)
        asked = dict(pairs)
        date.fromisoformat(asked["as_of"])
    except (ValueError, KeyError):
        raise Refusal(Code.FIELD_INVALID, component="as_of") from None
    known = len(asked) == len(pairs) and asked.keys() <= {"as_of", "region"}
    if not known or asked.get("region", "06") not in REGIONS:
        raise Refusal(Code.FIELD_INVALID, component="region")
    return asked
