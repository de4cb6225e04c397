"""Which generation of a key is in use, and which are published: a table beside the keys, read again when it changes.

A rotation begins with a new key that callers can know of beforehand; later it comes into use, at a moment that the
table names, in every process alike. The former stay published: what was signed under them still verifies.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from gateway.errors import KeystoreError
from gateway.keys.names import generation_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path

    from gateway.ports import Clock

TABLE = "generations.json"
#: The kinds that have generations of this form; pseudonym keys have theirs in the database (N2).
KINDS = ("tls-server", "tls-client", "signing", "receipts", "claims")
_LOOK_EVERY_SECONDS = 1.0
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Generation:
    """One key of a kind; ``since`` is when it comes into use, None while nobody has said."""

    kind: str
    number: int
    since: datetime | None

    @property
    def name(self) -> str:
        """The key's name in the keystore."""
        return generation_key(self.kind, self.number)


class Generations:
    """The table in the keys' folder. Without one, each kind has its first generation only."""

    kinds = KINDS

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / TABLE
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = -_LOOK_EVERY_SECONDS
        self._state: tuple[int, int] = (0, 0)
        self._table: Mapping[str, tuple[Generation, ...]] = {}

    def current(self, kind: str) -> Generation:
        """The generation in use now: the last one whose time has come; raises KeystoreError."""
        known = self.all(kind)
        return known[0] if known is _first(kind) else _current(known, self._clock.now())

    def name(self, kind: str) -> str:
        """The name of the key in use now; raises KeystoreError."""
        return self.current(kind).name

    def all(self, kind: str) -> tuple[Generation, ...]:
        """Every generation, published as all of them are, oldest first; raises KeystoreError for a broken table.

        The file is looked at once a second at most.
        """
        now = self._clock.monotonic()
        if now - self._looked >= _LOOK_EVERY_SECONDS:
            with self._lock:
                self._look()
                self._looked = now
        return self._table.get(kind) or _first(kind)

    def within(self, kind: str, overlap: timedelta) -> tuple[Generation, ...]:
        """The generation in use, and before it those that were in use less than ``overlap`` ago; newest first."""
        known = self.all(kind)
        if known is _first(kind):
            return known  # never rotated, and asked for several times in an exchange
        now = self._clock.now()
        begun = sorted((one for one in known if one.since is not None and one.since <= now), key=_order)
        ends = [one.since for one in begun[1:]]
        kept = [one for one, end in zip(begun, ends, strict=False) if end is not None and now - end < overlap]
        return (begun[-1], *reversed(kept))

    def add(self, kind: str) -> Generation:
        """The next generation, not in use yet; its key must be there already."""
        known = self._fresh(kind)
        made = Generation(kind, self.next(kind), None)
        self._write(kind, (*known, made))
        return made

    def next(self, kind: str) -> int:
        """The number that a new generation would have."""
        return max(one.number for one in self._fresh(kind)) + 1

    def activate(self, kind: str, number: int, at: datetime) -> None:
        """From this moment the generation is in use; one that was is so again. Raises KeystoreError if unknown."""
        known = self._fresh(kind)
        if number not in {one.number for one in known}:
            raise KeystoreError("generation_unknown", name=generation_key(kind, number))
        self._write(kind, tuple(Generation(kind, one.number, at) if one.number == number else one for one in known))

    def withdraw(self, kind: str, number: int) -> None:
        """The generation is neither used nor published any more; raises KeystoreError for the one in use."""
        known = self._fresh(kind)
        left = tuple(one for one in known if one.number != number)
        if len(left) == len(known):
            raise KeystoreError("generation_unknown", name=generation_key(kind, number))
        if _current(known, self._clock.now()).number == number:
            raise KeystoreError("generation_in_use", name=generation_key(kind, number))
        self._write(kind, left)

    def _fresh(self, kind: str) -> tuple[Generation, ...]:
        with self._lock:
            self._look()
        return self._table.get(kind) or _first(kind)

    def _look(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            self._state, self._table = (0, 0), {}
            return
        state = (status.st_mtime_ns, status.st_ino)
        if state != self._state:
            self._table, self._state = _read(self._path), state

    def _write(self, kind: str, generations: tuple[Generation, ...]) -> None:
        table = {**self._table, kind: generations}
        content = {
            name: {str(one.number): None if one.since is None else _text(one.since) for one in rows}
            for name, rows in sorted(table.items())
        }
        temporary = self._path.with_name(f"{TABLE}.new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        with self._lock:
            self._look()


@cache
def _first(kind: str) -> tuple[Generation, ...]:
    """All that there are of a kind that was never rotated: in use since ever."""
    return (Generation(kind, 0, _BEGINNING),)


def _current(known: tuple[Generation, ...], now: datetime) -> Generation:
    begun = [one for one in known if one.since is not None and one.since <= now]
    if not begun:
        raise KeystoreError("generation_unknown", name=known[0].kind)
    return max(begun, key=_order)


def _order(one: Generation) -> tuple[datetime, int]:
    return (one.since or _BEGINNING, one.number)


def _read(path: Path) -> Mapping[str, tuple[Generation, ...]]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {
            kind: tuple(
                Generation(kind, int(number), None if since is None else datetime.fromisoformat(since))
                for number, since in sorted(rows.items(), key=lambda row: int(row[0]))
            )
            for kind, rows in raw.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        raise KeystoreError("key_malformed", path=path, detail="JSON") from None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"
