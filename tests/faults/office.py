"""A gateway for writes on a bad night: the cooperative's registry beside it, and both of their databases looked at."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.adapters.fakes import until
from tests.attacks.evidence import Book
from tests.exchange.test_effects import CHANGE, GET
from tests.faults.night import Night

if TYPE_CHECKING:
    from pathlib import Path


class Office(Night):
    """A gateway that waits for the cooperative's registry for a moment only."""

    def __init__(self, folder: Path, times: str) -> None:
        """``times``: lines of the section of the registry, in the settings."""
        super().__init__(folder)
        self.book = Book(self.log, folder / "trust")
        settings, section = folder / "passerelle.toml", "[upstreams.cooperative]\n"
        settings.write_text(settings.read_text(encoding="utf-8").replace(section, section + times), encoding="utf-8")

    def say(self, operation: str, fields: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """The fields of a verified answer, with its status and exchange."""
        client = self.client("ministry")
        answer = client.send(client.prepare(operation, fields, salted=operation != GET, idempotency_key=key))
        said: dict[str, Any] = json.loads(answer.body)
        waits = answer.headers.get("retry-after")
        return said | {"status": answer.status, "exchange": answer.exchange_id, "waits": waits}

    def attempts(self, exchange_id: str) -> list[str]:
        """What each attempt came to, by the evidence of an exchange or refusal."""
        found: list[list[str]] = []

        def there() -> bool:
            kept = [one.evidence for one in self.book.of(exchange_id) if one.kind in ("exchange", "refusal")]
            found[:] = [[attempt["outcome"] for attempt in one["upstream"]] for one in kept]
            return bool(found)

        assert until(there, 20)
        return found[0]

    def versions(self) -> dict[str, int]:
        """How many versions of each registration its registry keeps, by its own handle."""
        return dict(self._theirs("SELECT handle, COUNT(*) FROM registrations GROUP BY handle"))

    def newest(self) -> str:
        return str(self._theirs("SELECT handle FROM registrations ORDER BY number DESC LIMIT 1")[0][0])

    def effects(self) -> int:
        """Under how many keys its registry has done something."""
        return int(self._theirs("SELECT COUNT(*) FROM effects")[0][0])

    def unsettled(self) -> int:
        return int(_rows(self.database, "SELECT COUNT(*) FROM intents WHERE state <> 'settled'")[0][0])

    def at_rest(self) -> bool:
        """Whether its registry has come to the end of all that it was asked: a line is written then."""
        lines = (self.folder / "stderr.txt").read_text(encoding="utf-8").splitlines()
        return sum('"system": "cooperative-sandbox"' in line for line in lines) == self.counter("cooperative")

    def _theirs(self, query: str) -> list[tuple[Any, ...]]:
        return _rows(self.folder / "sandbox" / "cooperative" / "registrations.sqlite", query)


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return connection.execute(query).fetchall()


@dataclass(frozen=True)
class Wish:
    """A child's registration changed under a key: the ministry's handle, the registry's own, the state known before."""

    handle: str
    known_as: str
    state: str
    region: str
    key: str

    def ask(self, office: Office) -> dict[str, Any]:
        return office.say(CHANGE, {"handle": self.handle, "if_state": self.state, "region": self.region}, self.key)
