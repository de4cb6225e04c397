"""A night on which it is the ministry that fails: its notices, what it holds of them, and what the log says of each."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from gateway.errors import LedgerError
from tests.attacks.evidence import Book
from tests.faults.night import Night

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gateway.client.client import PartyClient

EVENTS = ("offered", "accepted", "begun", "ended")
TOLD = {"offered": "OFFERTE", "accepted": "ACCEPTEE", "begun": "DEBUTEE", "ended": "TERMINEE"}


class MinistryNight(Night):
    """A Night whose cooperative has notices for the ministry; the ministry's own database is read from here."""

    def asks_it(self, party: str = "ministry", **settings: float) -> None:
        """How an authority is asked, before the gateway starts."""
        section = f"PASSERELLE_UPSTREAMS__{party.upper()}__"
        self.environ |= {f"{section}{name.upper()}": str(value) for name, value in settings.items()}

    def rows(self, query: str, path: Path | None = None) -> list[tuple[Any, ...]]:
        """Of the gateway's database, unless another is named."""
        with closing(sqlite3.connect(path or self.database, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def outbox(self) -> int:
        """How many notices wait, dead letters included."""
        return int(self.rows("SELECT COUNT(*) FROM outbox")[0][0])

    def held(self, by: str = "ministry") -> list[tuple[str, str, str]]:
        """Number, child and event of each notice that an authority took, in the order in which it took them."""
        path = self.folder / "sandbox" / f"{by}-notices" / "notices.sqlite"
        return self.rows("SELECT number, child, event FROM notices ORDER BY place", path) if path.exists() else []

    def children(self) -> list[str]:
        """The cooperative's handles."""
        path = self.folder / "sandbox" / "cooperative" / "registrations.sqlite"
        return [str(row[0]) for row in self.rows("SELECT handle FROM registrations ORDER BY number", path)]

    def notified(
        self, children: Iterable[str], events: Iterable[str] = EVENTS, callers: int = 1, to: str = "ministry"
    ) -> dict[str, str]:
        """Each of these events of each of these children, accepted: event by delivery.

        Through the gateway's own door over ``callers`` kept connections; one child's all go through the same, in order.
        """
        wanted, events = list(children), tuple(events)

        def of(part: list[str]) -> dict[str, str]:
            client = self.client("cooperative")
            return {self._notified(client, child, event, to): event for child in part for event in events}

        with ThreadPoolExecutor(callers) as pool:
            return {key: event for found in pool.map(of, _parts(wanted, callers)) for key, event in found.items()}

    def _notified(self, client: PartyClient, child: str, event: str, to: str) -> str:
        fields = {"handle": child, "addressee": to, "event": event, "date": "2026-11-23"}
        fields |= {"permit": "1234-5678", "region": "06"}
        answer = client.send(client.prepare("placement.notify", fields, salted=True))
        assert answer.status == 200, answer.body
        return str(json.loads(answer.body)["delivery"])

    def rounds(self, by: str = "ministry") -> dict[str, list[dict[str, Any]]]:
        """The evidence of every published round of each delivery, in the order of the log."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for kept in Book(self.log, self.folder / "trust").every("delivery", f"{by}.notice"):
            found[kept.evidence["delivery"]].append(kept.evidence)
        return found

    def rounds_published(self) -> int:
        """How many leaves of deliveries the published log has."""
        try:
            return sum(leaf.kind == "delivery" for leaf, _ in self.leaves())
        except (OSError, LedgerError):
            return 0  # it grew while it was read


def _parts(all_of_them: list[str], count: int) -> list[list[str]]:
    return [all_of_them[number::count] for number in range(count)]
