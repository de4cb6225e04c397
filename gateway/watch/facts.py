"""What is known of a gateway at one moment, for people, scripts and alarms alike; a dict of it is the JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003  pydantic reads it when the JSON is read back
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter, ValidationError

from gateway.errors import PasserelleError


class UnreadableFactsError(PasserelleError):
    """What came is not what ``to_json`` makes."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A process that reports.

    Attributes:
        since: RFC 3339.
        exchanges: all that left it.
        memory: resident, in bytes.
        files, files_most: open file descriptors, connections among them, and how many it may have.
    """

    pid: int
    since: str
    exchanges: int
    memory: int = 0
    files: int = 0
    files_most: int = 0

    @property
    def files_share(self) -> float:
        """So much of its file descriptors is in use, 0 to 1."""
        return self.files / self.files_most if self.files_most else 0.0


@dataclass(frozen=True, slots=True)
class Role:
    """A child of the supervisor; ``last_exit`` is the code with which it last ended by itself."""

    name: str
    pid: int | None
    alive: bool
    since: str | None
    restarts: int
    restarts_hour: int
    last_exit: int | None


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """Records and their way into the published log; ages in seconds.

    Attributes:
        reachable: the database answered; what only it knows is 0 or None otherwise.
        waiting: records without an index.
        oldest_seconds: age of the oldest of them.
        size: leaves under the last signed checkpoint.
        published: leaves under the published one, as the file says.
        unpublished_seconds: how long the published one has been behind the signed one.
        checkpoint_at, checkpoint_seconds: when the published checkpoint was written, and its age.
        standbys_needed: so many of the database's standbys must have a commit; 0 where none must.
        standbys: so many of those that count follow it; None where that cannot be known.
    """

    reachable: bool
    waiting: int = 0
    oldest_seconds: float | None = None
    size: int = 0
    published: int = 0
    unpublished_seconds: float | None = None
    checkpoint_at: str | None = None
    checkpoint_seconds: float | None = None
    writers_open: int = 0
    claims: int = 0
    standbys_needed: int = 0
    standbys: int | None = None


@dataclass(frozen=True, slots=True)
class UpstreamFacts:
    """One outside system: in how many workers it is cut off, and what came of the calls since the start.

    ``last_failed``: after the last success, another call failed.
    """

    name: str
    workers: int
    cut_off: int
    in_flight: int
    outcomes: Mapping[str, int]
    outcomes_hour: Mapping[str, int]
    last_success: str | None
    last_failed: bool = False


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What ends: a certificate, a revocation list, an OCSP answer, the policy, an agreement.

    Attributes:
        kind: ours, signer, authority, list, answer, policy or agreement.
        until, days: when it ends, RFC 3339, and how far that is; empty and -1 for what is missing.
        ours: an exchange cannot do without it.
        grace_days: for so long after its end a list or an answer is accepted still.
    """

    kind: str
    name: str
    until: str
    days: float
    ours: bool
    grace_days: float = 0.0


@dataclass(frozen=True, slots=True)
class FetchFacts:
    """One address of revocation data.

    Attributes:
        file: its name in the revocation folder.
        fetched_seconds: since something good last came; None before.
        failing_seconds: since when nothing good has; None when all is well.
        reason: why the last try failed.
        refused: something came, and was not taken: from the wrong issuer, older than before, malformed.
    """

    file: str
    url: str
    fetched_seconds: float | None
    failing_seconds: float | None
    reason: str | None
    refused: bool


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A folder's file system, in bytes."""

    folder: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class OutsideFacts:
    """Who outside confirmed the log: witnesses and timestamp authorities; ages in seconds.

    Attributes:
        quorum: so many witnesses the policy demands; 0 where it demands none.
        waits: publication waits for them.
        cosigned: those that cosigned the newest checkpoint.
        witnesses_failed: the others, and why.
        missing_seconds: since when too few did; None when all is well.
        untimestamped_seconds: age of the oldest record that no timestamp covers, at the last try; None without one.
        authorities_failed: the authorities that gave no token at the last try, and why.
    """

    quorum: int = 0
    waits: bool = False
    cosigned: tuple[str, ...] = ()
    witnesses_failed: Mapping[str, str] = field(default_factory=dict)
    missing_seconds: float | None = None
    untimestamped_seconds: float | None = None
    authorities_failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """The policy in force and the ledger's periods.

    Attributes:
        same_as_file: policy.yaml is the copy of what is in force.
        period: the month, YYYYMM.
        period_days: until its end.
        next_key: the next month's key is there, and the policy names it.
    """

    version: int
    sha256: str
    same_as_file: bool
    period: str
    period_days: float
    next_key: bool


@dataclass(frozen=True, slots=True)
class LossFacts:
    """A recovery of which no officers have said yet what it lost.

    Attributes:
        at: when the log was recovered, RFC 3339.
        hours: that are left until audits find that nobody said it; below 0 once they do.
    """

    at: str
    hours: float


@dataclass(frozen=True, slots=True)
class BudgetFacts:
    """An agreement's budget, as exchanges last found it.

    Attributes:
        share: what was spent of it, 0 to 1; the most that a worker last found.
        low_hour: exchanges of the last hour that found it nearly spent.
        refused_hour: exchanges of the last hour that it refused.
    """

    agreement: str
    share: float
    low_hour: int
    refused_hour: int


@dataclass(frozen=True, slots=True)
class OutboxFacts:
    """The notices for one party: those that wait, those of them that were tried in vain, the dead letters.

    ``oldest_seconds``: how long ago the first of those that wait was accepted.
    """

    party: str
    waiting: int
    failing: int
    dead: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class EffectsFacts:
    """The effects that a party asked for and of which nobody knows what became.

    ``oldest_seconds``: how long ago the first of them was announced.
    """

    party: str
    unknown: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything; ``running`` is False when it was read from the folders of a gateway that does not answer.

    Attributes:
        refusals, refusals_hour, refusals_5min: by code; since the start, in the last hour, in five minutes.
        doors_5min: connections that never became a request, in five minutes.
        per_minute: exchanges that left in each of the last minutes, the present one last.
        policy_refused_hour: what workers saw of the policy and could not verify, in the last hour.
        clock_steps_hour: how often the clock jumped by more than two seconds.
    """

    at: str
    running: bool
    since: str | None
    ledger: LedgerFacts
    policy: PolicyFacts
    certificates: tuple[CertificateFacts, ...]
    disks: tuple[DiskFacts, ...]
    fetches: tuple[FetchFacts, ...] = ()
    outside: OutsideFacts = field(default_factory=OutsideFacts)
    losses: tuple[LossFacts, ...] = ()
    outbox: tuple[OutboxFacts, ...] = ()
    effects: tuple[EffectsFacts, ...] = ()
    roles: tuple[Role, ...] = ()
    workers: tuple[Alive, ...] = ()
    upstreams: tuple[UpstreamFacts, ...] = ()
    budgets: tuple[BudgetFacts, ...] = ()
    exchanges: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)
    refusals_hour: Mapping[str, int] = field(default_factory=dict)
    refusals_5min: Mapping[str, int] = field(default_factory=dict)
    doors: Mapping[str, int] = field(default_factory=dict)
    doors_5min: int = 0
    faults_hour: int = 0
    policy_refused_hour: int = 0
    per_minute: tuple[int, ...] = ()
    clock_steps: int = 0
    clock_steps_hour: int = 0


def to_json(facts: Facts) -> bytes:
    """The facts, for another process of this version."""
    return json.dumps(asdict(facts)).encode()


def from_json(content: bytes) -> Facts:
    """The facts back; raises UnreadableFactsError."""
    try:
        return TypeAdapter(Facts).validate_json(content)
    except ValidationError:
        raise UnreadableFactsError("not the facts of this version") from None
