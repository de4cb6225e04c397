"""Base64, JSON and time as the ledger's formats write them: one form each, and any other is refused."""

from __future__ import annotations

import binascii
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from gateway.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterable


class FormatError(LedgerError):
    """Bytes that are not in the form that docs/formats.md gives."""


def encode64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode64(text: str) -> bytes:
    """The bytes behind canonical standard base64; raises FormatError for every other spelling of them."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("base64 malformed") from error
    # Python takes `AB==` for `AA==`: only the one spelling that we would write is right
    if encode64(data) != text:
        raise FormatError("base64 not canonical")
    return data


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces, no NaN."""
    return _CANONICAL.encode(value).encode("utf-8")


def parse_canonical_json(data: bytes) -> dict[str, Any]:
    """The object that these bytes are the canonical form of; raises FormatError for any other bytes."""
    try:
        value = from_json(data, allow_inf_nan=False, cache_strings="keys")
        # the same form as canonical_json's, made in C, but for the order of keys and for floats, which _is_sorted tells
        canonical = to_json(value) == data and _is_sorted(value)
        if not canonical:
            value = json.loads(data)
            canonical = canonical_json(value) == data
    except (ValueError, RecursionError) as error:
        raise FormatError("JSON malformed") from error
    if not isinstance(value, dict) or not canonical:
        raise FormatError("JSON not a canonical object")
    return value


def _is_sorted(value: object) -> bool:
    """Whether every object's keys are in their order, and no number is a float."""
    if isinstance(value, dict):
        keys = list(value)
        if keys != sorted(keys):
            return False
        members: Iterable[object] = value.values()
    elif isinstance(value, list):
        members = value
    else:
        return not isinstance(value, float)
    for member in members:  # noqa: SIM110  most are strings: a generator would cost more than the check
        if not (isinstance(member, str) or _is_sorted(member)):
            return False
    return True


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always 27 characters."""
    return _utc(at).isoformat(timespec="microseconds")[:-6] + "Z"


def seconds_timestamp(at: datetime) -> str:
    """RFC 3339 in UTC, cut to whole seconds, 20 characters."""
    return _utc(at).isoformat(timespec="seconds")[:-6] + "Z"


def parse_timestamp(text: str) -> datetime:
    """The instant that ``timestamp`` wrote; raises FormatError for any other form."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise FormatError("time malformed") from error
    if at.tzinfo is None or timestamp(at) != text:
        raise FormatError("time not canonical")
    return at


def period_of(at: datetime) -> int:
    """The month of an instant in UTC as the number YYYYMM."""
    at = _utc(at)
    return at.year * 100 + at.month


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)
