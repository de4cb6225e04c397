"""The facts in Prometheus's text format; names, kinds and labels from one table, which docs/metrics.md explains."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from gateway.watch import meters
from gateway.watch.alarms import ALARMS, REVOCATION, raised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.watch.facts import Facts
    from gateway.watch.meters import Key
    from gateway.watch.snapshots import Totals

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "passerelle_"


class Named(NamedTuple):
    """A metric's name without prefix, its kind, its labels, and what it says."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str

    @property
    def full(self) -> str:
        """The name as Prometheus shows it."""
        return f"{_PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


METRICS: tuple[Named, ...] = (
    Named("exchanges", "counter", ("party", "operation", "outcome"), "exchanges that left: answered, refused, ..."),
    Named("refusals", "counter", ("party", "code"), "refusals by code"),
    Named("exchange_seconds", "histogram", ("operation",), "from a request's arrival to its recorded answer"),
    Named("seal_seconds", "histogram", (), "step 8: signature and durable commit"),
    Named("commits", "counter", (), "group commits of the workers"),
    Named("committed_records", "counter", (), "records in them; over commits, the size of a batch"),
    Named("commit_seconds", "histogram", (), "one group commit, until it is durable"),
    Named("doors", "counter", ("what",), "connections that never became a request"),
    Named("faults", "counter", (), "faults of ours during exchanges"),
    Named("policy_refused", "counter", (), "what workers saw of the policy and could not verify"),
    Named("upstream_calls", "counter", ("upstream", "outcome"), "calls to another system by outcome"),
    Named("upstream_seconds", "histogram", ("upstream",), "a call to another system, all its attempts"),
    Named("upstream_in_flight", "gauge", ("upstream",), "calls under way"),
    Named("upstream_cut_off", "gauge", ("upstream",), "workers whose circuit breaker is open"),
    Named("upstream_last_success_seconds", "gauge", ("upstream",), "when it last answered, seconds since 1970"),
    Named("budget_share", "gauge", ("agreement",), "of an agreement's budget, what exchanges last found spent, 0 to 1"),
    Named("role_up", "gauge", ("role",), "1 while the supervisor's child lives"),
    Named("role_restarts", "counter", ("role",), "restarts since the start"),
    Named("workers", "gauge", (), "worker processes that report"),
    Named("workers_memory_bytes", "gauge", (), "resident memory of all workers"),
    Named("workers_files", "gauge", (), "open file descriptors of all workers, connections among them"),
    Named("worker_files_share", "gauge", (), "of the fullest worker, 0 to 1 of what it may open"),
    Named("database_up", "gauge", (), "1 when the database answers"),
    Named("standbys_needed", "gauge", (), "standbys that must have a commit before it counts"),
    Named("standbys", "gauge", (), "of those that count, how many follow the database; absent where it is not known"),
    Named("unsequenced_records", "gauge", (), "records that wait for their index"),
    Named("unsequenced_oldest_seconds", "gauge", (), "age of the oldest of them"),
    Named("tree_size", "gauge", (), "leaves under the last signed checkpoint"),
    Named("published_size", "gauge", (), "leaves under the published checkpoint"),
    Named("checkpoint_age_seconds", "gauge", (), "age of the published checkpoint"),
    Named("unpublished_seconds", "gauge", (), "how long the published checkpoint has been behind the signed one"),
    Named("witnesses_quorum", "gauge", (), "witnesses that the policy demands"),
    Named("witnesses_cosigned", "gauge", (), "witnesses that cosigned the newest checkpoint"),
    Named("witnesses_missing_seconds", "gauge", (), "since when too few witnesses have cosigned; 0 when all is well"),
    Named("untimestamped_seconds", "gauge", (), "age of the oldest record that no timestamp covers; 0 without one"),
    Named("writers_open", "gauge", (), "writers whose row is open"),
    Named("claims_rows", "gauge", (), "claims kept, counted up to a limit"),
    Named("outbox_waiting", "gauge", ("party",), "notices that wait for a party"),
    Named("outbox_failing", "gauge", ("party",), "of those, tried in vain at least once"),
    Named("outbox_dead", "gauge", ("party",), "dead letters, which wait for a person's decision"),
    Named("outbox_oldest_seconds", "gauge", ("party",), "age of the oldest notice that waits"),
    Named("effects_unknown", "gauge", ("party",), "effects asked for of which nobody knows what became"),
    Named("effects_oldest_seconds", "gauge", ("party",), "age of the oldest of them"),
    Named("certificate_days_left", "gauge", ("kind", "name"), "days until a certificate, policy or agreement ends"),
    Named("revocation_days_left", "gauge", ("name",), "days until a revocation list or OCSP answer goes stale"),
    Named("revocation_fetched_seconds", "gauge", ("name",), "since revocation data last came from its address"),
    Named("revocation_failing", "gauge", ("name",), "1 while an address gives nothing that can be taken"),
    Named("disk_free_bytes", "gauge", ("folder",), "free space of a folder's file system"),
    Named("policy_version", "gauge", (), "version of the policy in force"),
    Named("period_days_left", "gauge", (), "days until the ledger's period ends"),
    Named("period_key_ready", "gauge", (), "1 when the next period's key is there"),
    Named("clock_steps", "counter", (), "steps of the clock by more than two seconds"),
    Named("alarm", "gauge", ("alarm",), "for each alarm of the runbook, how many things raise it"),
)
_BY_NAME = {metric.name: metric for metric in METRICS}


def exposition(facts: Facts, totals: Totals) -> bytes:
    """Everything, as a scrape receives it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*_counted(totals), *_timed(totals), *_of_roles(facts), *_of_ledger(facts),
                                 *_of_outbox(facts), *_of_effects(facts), *_of_surroundings(facts),
                                 *_of_upstreams(facts)]))  # fmt: skip
    return generate_latest(registry)


class _Families:
    """What prometheus-client asks of a collector."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._families


def _family(name: str, samples: Iterable[tuple[Iterable[str], float | None]]) -> Metric:
    metric = _BY_NAME[name]
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(_PREFIX + name, metric.text, labels=metric.labels)
    for labels, value in samples:
        if value is not None:
            family.add_metric(list(labels), value)
    return family


def _one(name: str, value: float | None) -> Metric:
    return _family(name, [((), value)])


def _counted(totals: Totals) -> Iterator[Metric]:
    for name in (meters.EXCHANGES, meters.REFUSALS, meters.DOORS, meters.UPSTREAM_CALLS):
        yield _family(name, ((key[1:], value) for key, value in sorted(totals.counts.items()) if key[0] == name))
    for name in (meters.FAULTS, meters.POLICY_REFUSED, meters.COMMITS, meters.COMMITTED):
        yield _one(name, totals.counts.get((name,), 0))


def _timed(totals: Totals) -> Iterator[Metric]:
    for name in (meters.EXCHANGE_SECONDS, meters.SEAL_SECONDS, meters.COMMIT_SECONDS, meters.UPSTREAM_SECONDS):
        metric = _BY_NAME[name]
        family = HistogramMetricFamily(_PREFIX + name, metric.text, labels=metric.labels)
        for key, row in sorted(totals.times.items()):
            if key[0] == name:
                _add_times(family, key, row)
        yield family


def _add_times(family: HistogramMetricFamily, key: Key, row: list[float]) -> None:
    running, buckets = 0.0, []
    for bound, count in zip((*map(str, meters.BUCKETS), "+Inf"), row[:-1], strict=True):
        running += count
        buckets.append((bound, running))
    family.add_metric(list(key[1:]), buckets, row[-1])


def _of_roles(facts: Facts) -> Iterator[Metric]:
    yield _family("role_up", (([role.name], float(role.alive)) for role in facts.roles))
    yield _family("role_restarts", (([role.name], role.restarts) for role in facts.roles))
    yield _one("workers", len(facts.workers))
    yield _one("workers_memory_bytes", sum(worker.memory for worker in facts.workers))
    yield _one("workers_files", sum(worker.files for worker in facts.workers))
    yield _one("worker_files_share", max((worker.files_share for worker in facts.workers), default=0.0))
    yield _one("clock_steps", facts.clock_steps)
    holding = [alarm.name for alarm in raised(facts)]
    yield _family("alarm", (([alarm.name], holding.count(alarm.name)) for alarm in ALARMS))


def _of_ledger(facts: Facts) -> Iterator[Metric]:
    ledger = facts.ledger
    yield _one("database_up", float(ledger.reachable))
    yield _one("standbys_needed", ledger.standbys_needed)
    yield _one("standbys", ledger.standbys)
    yield _one("unsequenced_records", ledger.waiting)
    yield _one("unsequenced_oldest_seconds", ledger.oldest_seconds or 0.0)
    yield _one("tree_size", ledger.size)
    yield _one("published_size", ledger.published)
    yield _one("checkpoint_age_seconds", ledger.checkpoint_seconds)
    yield _one("unpublished_seconds", ledger.unpublished_seconds or 0.0)
    yield _one("witnesses_quorum", facts.outside.quorum)
    yield _one("witnesses_cosigned", len(facts.outside.cosigned))
    yield _one("witnesses_missing_seconds", facts.outside.missing_seconds or 0.0)
    yield _one("untimestamped_seconds", facts.outside.untimestamped_seconds or 0.0)
    yield _one("writers_open", ledger.writers_open)
    yield _one("claims_rows", ledger.claims)


def _of_outbox(facts: Facts) -> Iterator[Metric]:
    yield _family("outbox_waiting", (([item.party], item.waiting) for item in facts.outbox))
    yield _family("outbox_failing", (([item.party], item.failing) for item in facts.outbox))
    yield _family("outbox_dead", (([item.party], item.dead) for item in facts.outbox))
    yield _family("outbox_oldest_seconds", (([item.party], item.oldest_seconds or 0.0) for item in facts.outbox))


def _of_effects(facts: Facts) -> Iterator[Metric]:
    yield _family("effects_unknown", (([item.party], item.unknown) for item in facts.effects))
    yield _family("effects_oldest_seconds", (([item.party], item.oldest_seconds) for item in facts.effects))


def _of_surroundings(facts: Facts) -> Iterator[Metric]:
    lists = [item for item in facts.certificates if item.kind in REVOCATION]
    others = [item for item in facts.certificates if item.kind not in REVOCATION]
    yield _family("certificate_days_left", (([item.kind, item.name], item.days) for item in others))
    yield _family("revocation_days_left", (([item.name], item.days) for item in lists))
    yield _family("revocation_fetched_seconds", (([item.file], item.fetched_seconds) for item in facts.fetches))
    yield _family("revocation_failing", (([item.file], float(item.reason is not None)) for item in facts.fetches))
    yield _family("disk_free_bytes", (([item.folder], item.free) for item in facts.disks))
    yield _one("policy_version", facts.policy.version)
    yield _one("period_days_left", facts.policy.period_days)
    yield _one("period_key_ready", float(facts.policy.next_key))


def _of_upstreams(facts: Facts) -> Iterator[Metric]:
    yield _family("budget_share", (([item.agreement], item.share) for item in facts.budgets))
    yield _family("upstream_in_flight", (([item.name], item.in_flight) for item in facts.upstreams))
    yield _family("upstream_cut_off", (([item.name], item.cut_off) for item in facts.upstreams))
    yield _family(
        "upstream_last_success_seconds", (([item.name], _epoch(item.last_success)) for item in facts.upstreams)
    )


def _epoch(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()
