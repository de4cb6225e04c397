"""Gathers the facts: from the processes' snapshots, the database, the published log, certificates and disks."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from gateway.watch import meters
from gateway.watch.certificates import certificates, ends
from gateway.watch.expiries import Expiries
from gateway.watch.facts import (
    BudgetFacts,
    DiskFacts,
    EffectsFacts,
    Facts,
    LedgerFacts,
    LossFacts,
    OutboxFacts,
    PolicyFacts,
    UpstreamFacts,
)
from gateway.watch.history import HOUR, History
from gateway.watch.outside import REPORT as OUTSIDE
from gateway.watch.outside import outside
from gateway.watch.refreshing import REPORT, fetches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.ports import Clock
    from gateway.settings import Folders
    from gateway.watch.facts import CertificateFacts, Role
    from gateway.watch.meters import Key
    from gateway.watch.snapshots import Collector, Totals
    from gateway.watch.storage import Letters, Stored, Unknown

_FIVE_MINUTES = 300.0
#: As long as gateway.effects waits before it calls an effect unknown.
EFFECT_ENDED = timedelta(minutes=10)
_DECEMBER = 12
_PROBED = (meters.DOORS, "handshake_failed")
_DAY = 86400.0


class Database(Protocol):
    """What is asked of the database (gateway.watch.storage); each may raise anything."""

    def read(self) -> Stored:
        """The log's state."""
        ...

    def claims(self) -> int:
        """How many claims are kept."""
        ...

    def outbox(self) -> tuple[Letters, ...]:
        """What waits for which party."""
        ...

    def effects(self, ended: datetime) -> tuple[Unknown, ...]:
        """The effects of each party that nobody knows, of exchanges that had ended by then."""
        ...

    def close(self) -> None:
        """Gives the connections back."""
        ...


@dataclass(frozen=True, slots=True)
class KnownPolicy:
    """Of the policy, what an operator asks for.

    Attributes:
        periods: hex SHA-256 of the period keys by month.
        authorities: PEM by name.
        grace: for so long after its end revocation data is accepted still.
        ends: when what the policy grants ends, by kind (policy, agreement) and name.
        losses: of each recovery whose loss officers must still name, when it was, and by when they must.
    """

    version: int
    sha256: str
    periods: Mapping[str, str]
    authorities: Mapping[str, str]
    grace: timedelta = timedelta(0)
    ends: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    losses: tuple[tuple[datetime, datetime], ...] = ()


class Observer:
    """The facts of one gateway."""

    def __init__(
        self,
        folders: Folders,
        policy: KnownPolicy,
        database: Database,
        collector: Collector,
        clock: Clock,
        upstreams: tuple[str, ...] = (),
        kept: Path | None = None,
        follow: Callable[[], KnownPolicy] | None = None,
    ) -> None:
        """``database`` may raise anything; then it counts as unreachable. ``kept`` is the history's file.

        ``follow`` gives the policy in force, at each tick; it may raise too.
        """
        self._folders = folders
        self._policy = policy
        self._follow = follow
        self._database = database
        self._collector = collector
        self._clock = clock
        self._upstreams = upstreams
        self._since = clock.now().isoformat()
        self._history = History(clock, kept)
        self._unpublished: tuple[int, float] | None = None
        self._probes = 0
        self._expiries = Expiries()
        self._look_at_ends = clock.monotonic()

    def tick(self) -> None:
        """Once a second or so: looks at the clock, and keeps the minute that is over."""
        self._history.look_at_the_clock()
        if self._clock.monotonic() >= self._look_at_ends:
            self._look_at_ends = self._clock.monotonic() + _FIVE_MINUTES
            self._expiries.look(self._certificates(self._clock.now()))
        if self._history.due():
            self._history.sample(self.totals().counts)
        if self._follow is not None:
            with suppress(Exception):  # what is known goes on being shown
                self._policy = self._follow()
        with suppress(Exception):  # whatever it is, facts() tells of it
            self._look_at_publication(self._database.read().size, self._checkpoint()[0])

    def close(self) -> None:
        """Keeps the hour for the next start, and gives the database's connections back."""
        self._history.keep(self.totals().counts)
        self._database.close()

    def totals(self) -> Totals:
        """What all processes counted."""
        totals = self._collector.totals()
        strangers = totals.counts.get(_PROBED, 0)
        if not strangers:
            return totals
        return replace(totals, counts={**totals.counts, _PROBED: max(0, strangers - self._probes)})

    def probed(self) -> None:
        """Our own readiness probe, which goes as far as a stranger gets, was at the door once more."""
        self._probes += 1

    def facts(self, roles: tuple[Role, ...] = (), *, running: bool = True) -> Facts:
        """Everything that can be known now; nothing that fails keeps the rest away."""
        at, totals = self._clock.now(), self.totals()
        counts = totals.counts
        hour = self._history.within(HOUR, counts)
        lately = self._history.within(_FIVE_MINUTES, counts)
        return Facts(
            at=at.isoformat(),
            running=running,
            since=self._since if running else None,
            ledger=self._ledger(at),
            policy=self._policy_facts(at),
            certificates=self._certificates(at),
            disks=self._disks(),
            fetches=fetches(self._folders.logs / REPORT, at),
            outside=outside(self._folders.logs / OUTSIDE, at),
            losses=tuple(LossFacts(when.isoformat(), _hours(by - at)) for when, by in self._policy.losses),
            outbox=self._outbox(at),
            effects=self._effects(at),
            roles=roles,
            workers=totals.alive,
            budgets=_budgets(totals, hour),
            upstreams=tuple(self._upstream(name, totals, hour) for name in self._upstreams),
            exchanges=_by_last(counts, meters.EXCHANGES),
            refusals=_by_last(counts, meters.REFUSALS),
            refusals_hour=_by_last(hour, meters.REFUSALS),
            refusals_5min=_by_last(lately, meters.REFUSALS),
            doors=_by_last(counts, meters.DOORS),
            doors_5min=sum(_by_last(lately, meters.DOORS).values()),
            faults_hour=hour.get((meters.FAULTS,), 0),
            policy_refused_hour=hour.get((meters.POLICY_REFUSED,), 0),
            per_minute=self._history.exchanges_per_minute(counts),
            clock_steps=self._history.steps(),
            clock_steps_hour=self._history.steps(HOUR),
        )

    def _certificates(self, at: datetime) -> tuple[CertificateFacts, ...]:
        policy = self._policy
        found = [*certificates(self._folders, policy.authorities, at, policy.grace), *ends(policy.ends, at)]
        return tuple(sorted(found, key=lambda item: item.days))

    def _ledger(self, at: datetime) -> LedgerFacts:
        published, written = self._checkpoint()
        ago = None if written is None else _age(written, at)
        shown = None if written is None else written.isoformat(timespec="seconds")
        try:
            stored, claims = self._database.read(), self._database.claims()
        except Exception:  # noqa: BLE001  whatever keeps the database from answering is the fact to tell
            return LedgerFacts(reachable=False, published=published, checkpoint_at=shown, checkpoint_seconds=ago)
        late = self._look_at_publication(stored.size, published)
        oldest = None if stored.oldest is None else _age(stored.oldest, at)
        return LedgerFacts(
            reachable=True,
            waiting=stored.waiting,
            oldest_seconds=oldest,
            size=stored.size,
            published=published,
            unpublished_seconds=late,
            checkpoint_at=shown,
            checkpoint_seconds=ago,
            writers_open=stored.writers_open,
            claims=claims,
            standbys_needed=0 if stored.standbys is None else stored.standbys.needed,
            standbys=None if stored.standbys is None else stored.standbys.connected,
        )

    def _outbox(self, at: datetime) -> tuple[OutboxFacts, ...]:
        try:
            found = self._database.outbox()
        except Exception:  # noqa: BLE001  the ledger's facts tell that the database does not answer
            return ()
        return tuple(
            OutboxFacts(
                one.party,
                one.waiting,
                one.failing,
                one.dead,
                None if one.oldest is None else _age(one.oldest, at),
            )
            for one in found
        )

    def _effects(self, at: datetime) -> tuple[EffectsFacts, ...]:
        try:
            found = self._database.effects(at - EFFECT_ENDED)
        except Exception:  # noqa: BLE001  the same
            return ()
        return tuple(EffectsFacts(one.party, one.count, _age(one.oldest, at)) for one in found)

    def _checkpoint(self) -> tuple[int, datetime | None]:
        """The published checkpoint's size, and when it was written."""
        path = self._folders.log / "checkpoint"
        try:
            size = int(path.read_text(encoding="utf-8").split("\n")[1])
            return size, datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except (OSError, ValueError, IndexError):
            return 0, None

    def _look_at_publication(self, size: int, published: int) -> float | None:
        """For how long the published checkpoint has stood still behind the signed one, in seconds."""
        now = self._clock.monotonic()
        if published >= size:
            self._unpublished = None
            return None
        if self._unpublished is None or self._unpublished[0] != published:
            self._unpublished = (published, now)
        return now - self._unpublished[1]

    def _policy_facts(self, at: datetime) -> PolicyFacts:
        month = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        year, number = (month.year + 1, 1) if month.month == _DECEMBER else (month.year, month.month + 1)
        end = month.replace(year=year, month=number)
        following = f"{end.year}{end.month:02}"
        key = _hash(self._folders.keys / "periods" / f"{following}.pub")
        return PolicyFacts(
            version=self._policy.version,
            sha256=self._policy.sha256,
            same_as_file=_hash(self._folders.policy) == self._policy.sha256,
            period=f"{month.year}{month.month:02}",
            period_days=round((end - at).total_seconds() / _DAY, 2),
            next_key=key is not None and key == self._policy.periods.get(following),
        )

    def _disks(self) -> tuple[DiskFacts, ...]:
        found = []
        for name in ("log", "db", "logs"):
            with suppress(OSError):
                usage = shutil.disk_usage(getattr(self._folders, name))
                found.append(DiskFacts(name, usage.free, usage.total))
        return tuple(found)

    def _upstream(self, name: str, totals: Totals, hour: Mapping[Key, int]) -> UpstreamFacts:
        last = max(totals.levels.get((meters.LAST_SUCCESS, name), []), default=None)
        failed = max(totals.levels.get((meters.LAST_FAILURE, name), []), default=None)
        cut_off = totals.levels.get((meters.CUT_OFF, name), [])
        return UpstreamFacts(
            name=name,
            workers=len(cut_off),
            cut_off=sum(1 for level in cut_off if level),
            in_flight=int(sum(totals.levels.get((meters.IN_FLIGHT, name), []))),
            outcomes=_by_last(totals.counts, meters.UPSTREAM_CALLS, name),
            outcomes_hour=_by_last(hour, meters.UPSTREAM_CALLS, name),
            last_success=None if last is None else datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds"),
            last_failed=failed is not None and (last is None or failed > last),
        )


def _budgets(totals: Totals, hour: Mapping[Key, int]) -> tuple[BudgetFacts, ...]:
    shares = {key[1]: max(found) for key, found in totals.levels.items() if key[0] == meters.BUDGET_SHARE}
    low, refused = _by_last(hour, meters.BUDGET_LOW), _by_last(hour, meters.BUDGET_REFUSED)
    named = sorted(shares.keys() | low.keys() | refused.keys())
    return tuple(BudgetFacts(word, shares.get(word, 0.0), low.get(word, 0), refused.get(word, 0)) for word in named)


def _age(since: datetime, at: datetime) -> float:
    """In seconds; 0 where the clock was set back."""
    return max(0.0, (at - since).total_seconds())


def _hours(left: timedelta) -> float:
    return round(left.total_seconds() / HOUR, 1)


def _by_last(counts: Mapping[Key, int], *first: str) -> dict[str, int]:
    """The counts whose key begins so, summed by the last part of the key."""
    summed: Counter[str] = Counter()
    for key, value in counts.items():
        if key[: len(first)] == first:
            summed[key[-1]] += value
    return dict(summed)


def _hash(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
