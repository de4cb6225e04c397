"""What one process counts and times while it works; about a microsecond an exchange, and nothing leaves from here.

Labels are names of the policy, the contracts and the code only: never an exchange id, never a person.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, ...]
Door = Literal["handshake_failed", "not_http"]

#: Upper bounds of the duration histograms, in seconds; one more place holds what is slower.
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
#: What stands for a party or an operation that was never proven.
NOBODY = "-"

EXCHANGES = "exchanges"
REFUSALS = "refusals"
UPSTREAM_CALLS = "upstream_calls"
DOORS = "doors"
FAULTS = "faults"
POLICY_REFUSED = "policy_refused"
COMMITS = "commits"
COMMITTED = "committed_records"
COMMIT_SECONDS = "commit_seconds"
EXCHANGE_SECONDS = "exchange_seconds"
SEAL_SECONDS = "seal_seconds"
UPSTREAM_SECONDS = "upstream_seconds"
IN_FLIGHT = "in_flight"
CUT_OFF = "cut_off"
LAST_SUCCESS = "last_success"
LAST_FAILURE = "last_failure"
BUDGET_SHARE = "budget_share"
BUDGET_LOW = "budget_low"
BUDGET_REFUSED = "budget_refused"
#: From here on a budget is nearly spent, of 1.
LOW_SHARE = 0.8


class Meters:
    """The counts and times of one process, safe over its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, int] = {}
        self._times: dict[Key, list[float]] = {}
        self._levels: dict[Key, float] = {}
        self._probes: dict[Key, Callable[[], float]] = {}

    def exchanged(self, party: str, operation: str, outcome: str, *, seconds: float, sealing: float) -> None:
        """One exchange left: ``answered``, or the code of its refusal; seconds in all, and in step 8."""
        kind = outcome if outcome in ("answered", "not_recorded") else "refused"
        with self._lock:
            self._add((EXCHANGES, party, operation, kind))
            self._observe((EXCHANGE_SECONDS, operation), seconds)
            self._observe((SEAL_SECONDS,), sealing)
            if kind != "answered":
                self._add((REFUSALS, party, outcome))

    def asked(self, upstream: str, outcome: str, *, seconds: float, at: float) -> None:
        """One call upstream ended at this time (seconds since 1970): ``answered``, or the code of its failure."""
        with self._lock:
            self._add((UPSTREAM_CALLS, upstream, outcome))
            self._observe((UPSTREAM_SECONDS, upstream), seconds)
            self._levels[IN_FLIGHT, upstream] = self._levels.get((IN_FLIGHT, upstream), 0) - 1
            self._levels[LAST_SUCCESS if outcome == "answered" else LAST_FAILURE, upstream] = at

    def asking(self, upstream: str) -> None:
        """One call upstream begins; ``asked`` ends it."""
        with self._lock:
            self._levels[IN_FLIGHT, upstream] = self._levels.get((IN_FLIGHT, upstream), 0) + 1

    def at_the_door(self, what: Door) -> None:
        """A connection that never became a request: counted, never recorded (DESIGN, section 1)."""
        with self._lock:
            self._add((DOORS, what))

    def committed(self, records: int, seconds: float) -> None:
        """One group commit ended: so many records in one durable transaction."""
        with self._lock:
            self._add((COMMITS,))
            self._add((COMMITTED,), records)
            self._observe((COMMIT_SECONDS,), seconds)

    def budgeted(self, agreement: str, share: float) -> None:
        """An exchange found an agreement's budget spent to this share; above 1 where that refused it."""
        with self._lock:
            self._levels[BUDGET_SHARE, agreement] = min(share, 1.0)
            if share > 1:
                self._add((BUDGET_REFUSED, agreement))
            elif share >= LOW_SHARE:
                self._add((BUDGET_LOW, agreement))

    def fault(self) -> None:
        """A fault of ours during an exchange."""
        with self._lock:
            self._add((FAULTS,))

    def policy_refused(self) -> None:
        """Something about the policy could not be verified, and changed nothing."""
        with self._lock:
            self._add((POLICY_REFUSED,))

    def probe(self, key: Key, value: Callable[[], float]) -> None:
        """A level that is asked for when a snapshot is taken."""
        self._probes[key] = value

    def snapshot(self) -> dict[str, list[list[object]]]:
        """All of it, as JSON takes it: rows of a key and its value."""
        probed = {key: value() for key, value in self._probes.items()}
        with self._lock:
            return {
                "counts": [[list(key), value] for key, value in self._counts.items()],
                "times": [[list(key), list(value)] for key, value in self._times.items()],
                "levels": [[list(key), value] for key, value in (self._levels | probed).items()],
            }

    def _add(self, key: Key, more: int = 1) -> None:
        self._counts[key] = self._counts.get(key, 0) + more

    def _observe(self, key: Key, seconds: float) -> None:
        row = self._times.get(key)
        if row is None:
            # a place for each bucket, one for what is slower, and the sum
            row = self._times[key] = [0.0] * (len(BUCKETS) + 2)
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds
