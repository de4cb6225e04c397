"""Which policy is in force: what the chain reaches over the log's own leaves, never what a file or a row says (P1).

Each process walks for itself, at its start and while it runs, and what it cannot verify changes nothing in it
(docs/decisions/0013).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.policy_acts import ABOUT_THE_LOG, read_act
from gateway.policy.chain import Chain
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.ledger.policy_acts import PolicyAct
    from gateway.ledger.policy_published import PublishedActs
    from gateway.ledger.rows import StoredLeaf
    from gateway.ledger.storage import PolicyRows
    from gateway.policy.judge import InForce
    from gateway.ports import Clock

#: Records that were there are not there any more.
ACTS_MISSING = "acts_missing"
FILE_DIFFERS = Reason.FILE_DIFFERS.value
_AHEAD = timedelta(seconds=60)
#: Whoever writes rows without end fills neither the log nor our memory: the first of them are told.
MOST_NOTED = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something about the policy that could not be verified; ``policy`` is the hex SHA-256 that it is about, if any."""

    policy: str | None
    reason: str


class Follower:
    """Follows the acts in a database, from the genesis on; ``current`` moves with the verified ones alone."""

    def __init__(self, published: PublishedActs, clock: Clock) -> None:
        """Reads nothing; ``begin`` does. It holds no connection, so it can be carried over a fork."""
        self._published = published
        self._clock = clock
        self._rows: PolicyRows | None = None
        self._chain = Chain(self._content)
        self._newest: object = None
        self._seen: dict[int, bytes] = {}
        self._ahead: list[PolicyAct] = []
        self._noted: set[Attempt] = set()
        self._attempts: list[Attempt] = []

    @property
    def current(self) -> InForce:
        """The policy in force; raises PolicyRefused (not_begun) before ``begin``."""
        return self._chain.current

    @property
    def history(self) -> tuple[InForce, ...]:
        """Every policy that was in force, the first one first."""
        return self._chain.history

    def content(self, rows: PolicyRows) -> bytes:
        """The bytes of the policy in force; raises PolicyRefused where they are nowhere any more."""
        self._rows = rows
        found = self._content(self.current.sha256)
        if found is None:
            raise PolicyRefused(Reason.CONTENT_MISSING, sha256=self.current.sha256)
        return found

    def begin(self, rows: PolicyRows) -> None:
        """Walks everything that is there; before anybody is served, and again in a process after its fork.

        What is published counts in the order of the log and with its published record, whatever number or record its
        row was given. Raises LedgerError where the database has no log, or lacks an act that the published log has: it
        was put back, or cut (L7). Raises StorageUnavailableError.
        """
        found = self._published.settle(rows.all)
        settled = found.rows
        if not settled:
            raise LedgerError("no log was begun in this database")
        if found.mended:
            self.note(Attempt(None, Reason.ACT_MALFORMED.value))
        self._rows = rows
        if not self._chain.history:
            self._begin_chain(settled[0])
            self._seen[settled[0].row] = settled[0].leaf
        self._missing(settled)
        for row in self._new(settled):
            self._take(row, at_start=True)

    def follow(self, rows: PolicyRows) -> bool:
        """Takes what has come since; whether another policy is in force now. Raises StorageUnavailableError."""
        self._rows = rows
        before = self.current
        for act in [act for act in self._ahead if act.at <= self._clock.now() + _AHEAD]:
            self._apply(act)
            self._ahead.remove(act)  # only now, as in ``_take``
        newest = rows.newest()
        if newest != self._newest:
            found = rows.all()
            self._missing(found)
            for row in self._new(found):
                self._take(row, at_start=False)
            self._newest = newest
        return self.current is not before

    def attempts(self) -> tuple[Attempt, ...]:
        """What could not be verified, each once, since the last time that this was asked."""
        found, self._attempts = tuple(self._attempts), []
        return found

    def note(self, attempt: Attempt) -> None:
        """Notes an attempt, unless it is known, or there were ``MOST_NOTED``."""
        if attempt not in self._noted and len(self._noted) < MOST_NOTED:
            self._noted.add(attempt)
            self._attempts.append(attempt)

    def _begin_chain(self, genesis: StoredLeaf) -> None:
        try:
            act = read_act(genesis)
            self._chain.begin(act.policy or "", act.at)
        except (FormatError, PolicyRefused) as error:
            raise LedgerError(f"the log's first policy cannot be used: {error}") from None

    def _new(self, found: Iterable[StoredLeaf]) -> list[StoredLeaf]:
        return [row for row in found if self._seen.get(row.row) != row.leaf]

    def _missing(self, found: Iterable[StoredLeaf]) -> None:
        there = {row.row: row.leaf for row in found}
        if any(there.get(row) != leaf for row, leaf in self._seen.items()):
            self.note(Attempt(None, ACTS_MISSING))
            self._seen = {row: leaf for row, leaf in self._seen.items() if there.get(row) == leaf}

    def _take(self, row: StoredLeaf, *, at_start: bool) -> None:
        try:
            act = read_act(row)
        except FormatError:
            self.note(Attempt(None, Reason.ACT_MALFORMED.value))
        else:
            # A delay is not shortened by dating a leaf. At the start there is no present to hold it against: a clock
            # may have been set back since it was written.
            if not at_start and act.at > self._clock.now() + _AHEAD:
                self.note(Attempt(act.policy, Reason.ACT_AHEAD.value))
                self._ahead.append(act)
            else:
                self._apply(act)
        self._seen[row.row] = row.leaf  # only now: a database that fails meanwhile is asked again

    def _apply(self, act: PolicyAct) -> None:
        try:
            if act.act == "proposed" and act.policy is not None:
                self._chain.proposed(act.policy, act.at)
            elif act.act == "activated" and act.policy and act.previous and act.version:
                self._chain.activated(act.policy, act.previous, act.version, act.approvals, act.at)
            elif act.act not in {"approved", "refused"} | ABOUT_THE_LOG:
                self.note(Attempt(act.policy, Reason.ACT_MALFORMED.value))
        except PolicyRefused as refused:
            self.note(Attempt(act.policy, refused.reason.value))

    def _content(self, name: str) -> bytes | None:
        if self._rows is None:
            return None
        kept = self._rows.object(name)
        if kept is not None and sha256(kept).hexdigest() == name:
            return kept
        # The published copy is as good: it is its hash that is believed, and not the place.
        published = self._published.object(name)
        if published is None or sha256(published).hexdigest() != name:
            return kept
        reason = Reason.CONTENT_MISSING if kept is None else Reason.CONTENT_DIFFERS
        self.note(Attempt(name, reason.value))
        return published
