"""The facts as a screen: what is wrong first, then bars and sparklines where people look rather than read."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateway.cli.fitting import Column, FittedTable
from gateway.watch.alarms import LIST_DAYS, REVOCATION, WARNING_DAYS, raised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import RenderableType

    from gateway.messages.catalogue import Catalogue
    from gateway.watch.facts import CertificateFacts, Facts

_LOCAL = ZoneInfo("America/Toronto")
_STEPS = "▁▂▃▄▅▆▇█"
_WIDTH = 20
_YEAR = 365.0
#: Below this an alarm's page stands under its text.
_ROOM = 80
#: What goes first where there is no room, the highest before the others; what is not here stays.
_SPARE = {
    "status.files": 9,
    "status.memory": 8,
    "status.in_flight": 8,
    "status.since": 7,
    "status.last_success": 7,
    "status.pid": 6,
    "status.exchanges": 5,
    "": 9,
}
_GIB = 1 << 30
_MIB = 1 << 20
_OF_ROLES = ("role_down", "restarts")
_GOOD, _BAD, _SOON = "green", "bold red", "yellow"


class StatusView:
    """One screen; ``page`` gives where the runbook speaks of an alarm."""

    def __init__(self, t: Catalogue, facts: Facts, page: Callable[[str, str], str]) -> None:
        self._t = t
        self._facts = facts
        self._page = page

    def shown(self, width: int) -> RenderableType:
        """All of it, in so many columns; no figure is ever cut."""
        parts: list[RenderableType] = [self._headline(), *self._alarms(width)]
        tables = [
            self._processes(),
            self._ledger(),
            self._upstreams(),
            self._outbox(),
            self._effects(),
            *self._traffic(width),
            self._certificates(),
        ]
        return Group(*parts, *(table.shown(width) for table in (*tables, self._disks()) if table is not None))

    def _headline(self) -> Text:
        facts, found = self._facts, raised(self._facts)
        key, style = ("status.well", _GOOD) if not found else ("status.alarms", _BAD)
        if not facts.running:
            key, style = "status.down", _BAD
        policy = facts.policy
        line = Text("● " + self._t(key, count=len(found)), style)
        about = self._t(
            "status.about",
            version=version("passerelle"),
            policy=policy.version,
            period=policy.period,
            days=f"{policy.period_days:.0f}",
        )
        return line.append(f"   {about}", "dim")

    def _alarms(self, width: int) -> Iterable[RenderableType]:
        found = raised(self._facts)
        if not found:
            return
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        if width >= _ROOM:
            table.add_column(no_wrap=True)
        for item in found:
            urgent = item.urgency == "now"
            mark = Text(self._t(f"status.{item.urgency}"), _BAD if urgent else _SOON)
            subject = self._t(f"status.role.{item.subject}") if item.name in _OF_ROLES else item.subject
            text = self._t(f"alarm.{item.name}", subject=subject)
            page = Text(self._page(item.name, self._t.language), "cyan")
            cells = (Text(text), page) if width >= _ROOM else (Text.assemble(text, "\n", page),)
            table.add_row(mark, *cells)
        yield table

    def _processes(self) -> FittedTable | None:
        facts = self._facts
        if not facts.roles:
            return None
        columns = ("status.pid", "status.since", "status.restarts", "status.exchanges", "status.memory", "status.files")
        table = self._table("status.processes", *columns, width=14)
        for role in facts.roles:
            style = "" if role.alive else _BAD
            pid = str(role.pid or self._t("status.dead"))
            table.add(
                Text(self._t(f"status.role.{role.name}"), style), pid, self._since(role.since), str(role.restarts)
            )
        for worker in facts.workers:
            row = (Text("  " + self._t("status.worker")), str(worker.pid), self._since(worker.since), "")
            memory = self._t("status.mib", memory=round(worker.memory / _MIB))
            table.add(*row, str(worker.exchanges), memory, str(worker.files))
        return table

    def _ledger(self) -> FittedTable:
        ledger = self._facts.ledger
        table = self._lines("status.ledger")
        when = _local(ledger.checkpoint_at)
        table.add(self._t("status.checkpoint"), self._t("status.published", size=ledger.published, at=when))
        if ledger.reachable:
            oldest = (
                ""
                if ledger.oldest_seconds is None
                else self._t("status.oldest", age=self._decimal(ledger.oldest_seconds))
            )
            table.add(self._t("status.waiting"), f"{ledger.waiting} {oldest}")
            table.add(self._t("status.writers"), str(ledger.writers_open))
            if ledger.standbys_needed:
                there = self._t("status.standbys_unknown") if ledger.standbys is None else str(ledger.standbys)
                table.add(self._t("status.standbys"), f"{there} / {ledger.standbys_needed}")
        else:
            table.add(self._t("status.database"), Text(self._t("status.unreachable"), _BAD))
        return table

    def _upstreams(self) -> FittedTable | None:
        facts = self._facts
        if not (facts.running and facts.upstreams):
            return None
        columns = ("status.breaker", "status.in_flight", "status.last_success", "status.outcomes")
        table = self._table("status.upstreams", *columns, width=14, words="status.outcomes")
        for item in facts.upstreams:
            breaker = Text(self._t("status.cut_off", count=item.cut_off), _BAD) if item.cut_off else Text("—", _GOOD)
            outcomes = ", ".join(f"{name} {count}" for name, count in sorted(item.outcomes.items())) or "—"
            failed = Text(f"{self._t('status.last_failed')}; " if item.last_failed else "", _SOON)
            told = failed.append(outcomes, "default")
            table.add(item.name, breaker, str(item.in_flight), _local(item.last_success), told)
        return table

    def _outbox(self) -> FittedTable | None:
        if not self._facts.outbox:
            return None
        columns = ("status.outbox_waiting", "status.outbox_failing", "status.outbox_dead", "status.outbox_oldest")
        table = self._table("status.outbox", *columns, width=14)
        for item in self._facts.outbox:
            dead = Text(str(item.dead), _SOON if item.dead else "")
            oldest = "—" if item.oldest_seconds is None else f"{item.oldest_seconds:.0f} s"
            table.add(item.party, str(item.waiting), str(item.failing), dead, oldest)
        return table

    def _effects(self) -> FittedTable | None:
        if not self._facts.effects:
            return None
        table = self._table("status.effects", "status.effects_unknown", "status.effects_oldest", width=14)
        for item in self._facts.effects:
            table.add(item.party, Text(str(item.unknown), _SOON), f"{item.oldest_seconds:.0f} s")
        return table

    def _traffic(self, width: int) -> Iterable[FittedTable]:
        facts = self._facts
        if not facts.running:
            return
        table = self._lines("status.traffic")
        total = ", ".join(f"{self._t(f'status.outcome.{k}')} {n}" for k, n in sorted(facts.exchanges.items())) or "0"
        table.add(self._t("status.since_start"), total)
        table.add(*self._per_minute(width - table.least))
        doors = ", ".join(f"{self._t(f'status.door.{k}')} {n}" for k, n in sorted(facts.doors.items())) or "0"
        table.add(self._t("status.doors"), doors)
        yield table
        if not facts.refusals:
            return
        refusals = self._table("status.refusals", "status.start_count", "status.hour_count", "")
        most = max(facts.refusals.values())
        for code, count in sorted(facts.refusals.items(), key=lambda item: -item[1]):
            refusals.add(code, str(count), str(facts.refusals_hour.get(code, 0)), bar(count / most))
        yield refusals

    def _per_minute(self, width: int) -> tuple[str, str]:
        """As many of the last minutes as there is room for."""
        minutes = self._facts.per_minute
        now = f"  {minutes[-1]}"
        shown = minutes[-max(1, width - len(now) - 2) :]
        label = "status.per_minute" if len(shown) == len(minutes) else "status.minutes"
        return self._t(label, count=len(shown)), sparkline(shown) + now

    def _certificates(self) -> FittedTable:
        table = self._table("status.certificates", "status.until", "status.days", "")
        chosen = _chosen(self._facts.certificates)
        for item in chosen:
            style = _BAD if item.days <= 0 else _SOON if item.days < _soon(item) else _GOOD
            name = f"{self._t(f'status.kind.{item.kind}')} {item.name}"
            table.add(name, _local(item.until), f"{item.days:.0f}", Text(bar(item.days / _YEAR), style))
        rest = len(self._facts.certificates) - len(chosen)
        if rest > 0:
            table.add(self._t("status.more", count=rest))
        return table

    def _disks(self) -> FittedTable:
        table = self._table("status.disks", "status.free", "")
        for item in self._facts.disks:
            free = self._t("status.gib", free=self._decimal(item.free / _GIB), total=f"{item.total / _GIB:.0f}")
            table.add(self._t(f"setting.folders.{item.folder}"), free, bar(item.free / item.total))
        return table

    def _since(self, moment: str | None) -> str:
        """The hour of today, or the day: what somebody who looks at night needs, and no wider."""
        if moment is None:
            return "—"
        began, now = (datetime.fromisoformat(text).astimezone(_LOCAL) for text in (moment, self._facts.at))
        return began.strftime("%H:%M:%S") if began.date() == now.date() else began.date().isoformat()

    def _decimal(self, value: float) -> str:
        shown = f"{value:.1f}"
        return shown.replace(".", ",") if self._t.language == "fr" else shown

    def _table(self, title: str, *keys: str, width: int = 22, words: str | None = None) -> FittedTable:
        columns = [Column(self._t(key) if key else "", _SPARE.get(key, 0), key == words) for key in keys]
        return FittedTable(self._t(title), columns, width)

    def _lines(self, title: str) -> FittedTable:
        """A name and what there is to say of it."""
        return FittedTable(self._t(title), (Column(words=True),))


def sparkline(values: Sequence[int]) -> str:
    """A height for each value, the highest full; nothing stays at the foot."""
    most = max(values, default=0) or 1
    return "".join(_STEPS[round(value / most * (len(_STEPS) - 1))] for value in values)


def bar(fraction: float) -> str:
    """So much of a bar is full."""
    full = round(min(max(fraction, 0.0), 1.0) * _WIDTH)
    return "█" * full + "░" * (_WIDTH - full)


def _chosen(certificates: Iterable[CertificateFacts]) -> list[CertificateFacts]:
    """Ours, all that needs somebody, and of the others the first to end of each kind."""
    chosen: list[CertificateFacts] = []
    kinds: set[str] = set()
    for item in certificates:
        if item.kind == "ours" or item.kind not in kinds or item.days < _soon(item):
            chosen.append(item)
        kinds.add(item.kind)
    return chosen


def _soon(item: CertificateFacts) -> float:
    return LIST_DAYS if item.kind in REVOCATION else WARNING_DAYS


def _local(moment: str | None) -> str:
    return datetime.fromisoformat(moment).astimezone(_LOCAL).isoformat(" ", "minutes") if moment else "—"
