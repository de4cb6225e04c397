"""What the sandbox is asked, by its path, and the fields that it answers."""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64decode, b64encode
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from adapters.cooperative.sandbox.changing import Wish
from adapters.cooperative.sandbox.counts import counts
from adapters.cooperative.sandbox.records import LEAST, POINTING, REGION, found, registration
from adapters.cooperative.sandbox.registrations import REGIONS
from adapters.cooperative.sandbox.statistics import statistics
from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.cooperative.sandbox.changing import Registrar
    from adapters.cooperative.sandbox.storage import Registry
    from adapters.sandboxing.messages import Call

_STATISTICS = "/v1/waitlist/statistics"
_COUNTS = "/v1/waitlist/counts"
_SEARCH = "/v1/registrations/search"
_ONE = re.compile(r"/v1/registrations/([0-9a-f]{64})")
_NEW = "/v1/registrations"
_CHANGING = re.compile(r"/v1/registrations/([0-9a-f]{64})/(changes|withdrawal)")
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_CHILD = {"family_name", "given_names", "birth_date", "expected_date"}
_OF_PLACE = {"region", "desired_on", "service_wanted", "service_held", "parents"}
#: What each act may be told; what it must be told, the reader of these finds missing.
_TOLD = {
    "create": {"handle"} | _OF_CHILD | _OF_PLACE,
    "change": {"if_state"} | _OF_PLACE,
    "withdraw": {"if_state", "reason"},
}
_MUST = {
    "create": {"handle", "family_name"} | _OF_PLACE,
    "change": {"if_state"},
    "withdraw": {"if_state", "reason"},
}
_SALT_BYTES = 16


def answered(call: Call, registry: Registry, registrar: Registrar, now: datetime) -> dict[str, object]:
    """The answer's fields; raises Refusal for what is no question of ours."""
    path, _, query = call.target.partition("?")
    if (call.method, path) == ("GET", _STATISTICS):
        asked = _counting(query)
        return statistics(registry, asked["as_of"], asked.get("region"))
    if (call.method, path) == ("GET", _COUNTS):
        return counts(registry, _day(query), now)
    if (call.method, path) == ("POST", _SEARCH):
        return found(registry, _criteria(call.body)) | _salt()
    if call.method == "GET" and (one := _ONE.fullmatch(call.target)):
        kept = registry.by_handle(one[1])
        return registration(kept, registrar.state(kept)) | _salt()
    if call.method == "POST" and (wish := _wish(call)):
        return registrar.done(wish)
    raise Refusal(Code.OPERATION_UNKNOWN)


def _salt() -> dict[str, object]:
    return {"salt": b64encode(secrets.token_bytes(_SALT_BYTES)).decode()}


def _wish(call: Call) -> Wish | None:
    """The change that a request asks for; None where it asks for none."""
    one = _CHANGING.fullmatch(call.target)
    if one is None and call.target != _NEW:
        return None
    if not _KEY.fullmatch(call.key):
        raise Refusal(Code.IDEMPOTENCY_KEY_MISSING, component="idempotency-key")
    fields = _salted(call.body)
    act = "create" if one is None else {"changes": "change", "withdrawal": "withdraw"}[one[2]]
    known = _MUST[act] <= fields.keys() <= _TOLD[act] and fields.get("region", "06") in REGIONS
    if not known or not isinstance(fields.get("parents", []), list):
        raise Refusal(Code.FIELD_INVALID)
    handle = one[1] if one else str(fields.pop("handle"))
    return Wish(act, call.key, handle, fields)


def _salted(body: bytes) -> dict[str, Any]:
    """The fields of a request, whose salt is sound; raises Refusal."""
    try:
        asked: dict[str, Any] = json.loads(body)
        salt = b64decode(asked.pop("salt"), validate=True)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Refusal(Code.SALT_INVALID, component="salt") from None
    if len(salt) < _SALT_BYTES:
        raise Refusal(Code.SALT_INVALID, component="salt")
    return asked


def _criteria(body: bytes) -> dict[str, str]:
    """Its own judgement of what it is asked: another's care is no reason to have none."""
    asked = _salted(body)
    if not all(isinstance(value, str) for value in asked.values()) or not asked.keys() <= {*POINTING, REGION}:
        raise Refusal(Code.FIELD_INVALID)
    if len(asked.keys() & POINTING) < LEAST:
        raise Refusal(Code.TOO_FEW_CRITERIA)
    return dict(asked)


def _day(query: str) -> date:
    try:
        [(name, value)] = parse_qsl(query, strict_parsing=True, max_num_fields=1)
        day = date.fromisoformat(value)
    except ValueError:
        raise Refusal(Code.FIELD_INVALID, component="as_of") from None
    if name != "as_of":
        raise Refusal(Code.FIELD_INVALID, component="as_of")
    return day


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
