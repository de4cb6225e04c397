"""What the ministry's sandbox is told, judged by itself, and the fields that it answers."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from adapters.sandboxing.messages import Call
    from adapters.sandboxing.notices import Notices

_PATH = "/avis/v2/places"
_SALT_BYTES = 16


def answered(call: Call, notices: Notices, at: datetime) -> dict[str, object]:
    """The acknowledgement; raises Refusal for what is no notice, or one whose time is over."""
    if (call.method, call.target) != ("POST", _PATH):
        raise Refusal(Code.OPERATION_UNKNOWN)
    notice = _read(call.body, at)
    state = "RECU" if notices.take(notice) else "DEJA_RECU"
    return {"numeroAvis": notice["number"], "accuse": {"etat": state}}


def _read(body: bytes, at: datetime) -> dict[str, str]:
    try:
        asked = json.loads(body)
        salt = b64decode(asked["alea"], validate=True)
        until = datetime.fromisoformat(asked["echeance"])
        place = asked["place"]
        date.fromisoformat(place["date"])
        found = {
            "number": asked["numeroAvis"],
            "child": asked["enfant"]["identifiant"],
            "event": place["evenement"],
            "day": place["date"],
            "permit": place["noPermis"],
            "region": place["region"],
        }
    except (ValueError, TypeError, KeyError):
        raise Refusal(Code.FIELD_INVALID) from None
    if len(salt) < _SALT_BYTES:
        raise Refusal(Code.SALT_INVALID, component="salt")
    if until.astimezone(UTC) <= at or not all(isinstance(value, str) for value in found.values()):
        raise Refusal(Code.FIELD_INVALID, component="echeance")
    return found
