"""What changes the registry: a registration is made, changed, withdrawn; once per key, however often it is asked.

Each answer says the state before and after. A key that comes again with the same request gets the first answer again;
with another request it is a conflict. What is refused leaves nothing behind, and its key may be used again.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from adapters.cooperative.sandbox.state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from adapters.cooperative.sandbox.storage import Kept, Registry, Writing

_COLUMNS = {"service_wanted": "wanted", "service_held": "held"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of one child's registration, by the cooperative's handle, under a key."""

    act: str
    key: str
    handle: str
    fields: Mapping[str, Any] = field(repr=False)


class Registrar:
    """Changes one registry; used by all threads, one change at a time."""

    def __init__(self, registry: Registry, key: bytes, now: Callable[[], datetime]) -> None:
        """``key`` is that of the states' digests."""
        self._registry = registry
        self._key = key
        self._now = now
        self._lock = Lock()
        self._acts = {"create": self._create, "change": self._change, "withdraw": self._withdraw}

    def done(self, wish: Wish) -> dict[str, object]:
        """The answer's fields; the effect, if there is one, is in together with its key."""
        with self._lock, self._registry.writing(self._now()) as writing:
            asked = self._digest(wish)
            if (former := writing.effect(wish.key)) is not None:
                return {"outcome": "key_conflict"} if former.request != asked else dict(json.loads(former.answer))
            before = writing.in_force(wish.handle)
            outcome = self._acts[wish.act](writing, wish, before)
            if outcome not in {"registered", "changed", "withdrawn"}:
                return {"outcome": outcome}
            after = writing.in_force(wish.handle)
            states = {"state_before": self.state(before), "state_after": self.state(after)}
            answer: dict[str, object] = {"outcome": outcome, **states}
            writing.keep_effect(wish.key, asked, json.dumps(answer))
            return answer

    def state(self, kept: Kept | None) -> str:
        """The digest of a registration's state."""
        return state_of(self._key, kept)

    @staticmethod
    def _create(writing: Writing, wish: Wish, before: Kept | None) -> str:
        if before is not None:
            return "already_registered"
        day = writing.at.date()
        columns = {"registered_on": day.isoformat(), "registered_day": day.toordinal(), "handle": wish.handle}
        writing.enter(columns | _columns(wish.fields), wish.fields["parents"])
        return "registered"

    def _change(self, writing: Writing, wish: Wish, before: Kept | None) -> str:
        if before is None:
            return "not_found"
        if wish.fields["if_state"] != self.state(before):
            return "state_changed"
        columns = _columns(wish.fields)
        if any(before.row[name] != value for name, value in columns.items()) or "parents" in wish.fields:
            writing.close(before)
            writing.supersede(before, columns, wish.fields.get("parents", before.parents))
        return "changed"

    def _withdraw(self, writing: Writing, wish: Wish, before: Kept | None) -> str:
        if before is None:
            return "not_found"
        if wish.fields["if_state"] != self.state(before):
            return "state_changed"
        writing.close(before)
        return "withdrawn"

    def _digest(self, wish: Wish) -> str:
        asked = json.dumps([wish.act, wish.handle, wish.fields], sort_keys=True, separators=(",", ":"))
        return hmac.digest(self._key, asked.encode(), "sha256").hex()


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is told, as it is kept."""
    kept = ("family_name", "given_names", "birth_date", "expected_date", "region", "desired_on", *_COLUMNS)
    return {_COLUMNS.get(name, name): fields[name] for name in kept if name in fields}
