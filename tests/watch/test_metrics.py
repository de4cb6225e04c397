"""The exposition, read back by prometheus-client's own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from gateway.watch.alarms import ALARMS
from gateway.watch.facts import EffectsFacts
from gateway.watch.meters import BUCKETS, Meters
from gateway.watch.metrics import METRICS, exposition
from gateway.watch.snapshots import Collector, Reporter
from tests.watch.made import WELL, MovedClock, but

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.core import Metric

    from gateway.watch.facts import Facts


def scraped(folder: Path | None, facts: Facts = WELL) -> dict[str, Metric]:
    text = exposition(facts, Collector(folder, MovedClock()).totals()).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def counted(folder: Path) -> dict[str, Metric]:
    meters = Meters()
    meters.exchanged("ministry", "echo", "answered", seconds=0.003, sealing=0.001)
    meters.exchanged("ministry", "echo", "replayed", seconds=20.0, sealing=0.001)
    meters.asking("civil-registry")
    meters.asked("civil-registry", "answered", seconds=0.2, at=1.0)
    meters.at_the_door("not_http")
    meters.fault()
    meters.committed(2, 0.1)
    Reporter(meters, folder, MovedClock()).start()
    return scraped(folder)


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    found = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_every_metric_of_the_table_is_scraped_with_its_kind_and_labels(tmp_path: Path) -> None:
    families = counted(tmp_path)
    for metric in METRICS:
        family = families[metric.full.removesuffix("_total")]
        assert family.type == metric.kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), metric.full
    assert len(families) == len(METRICS)


def test_counts_and_times(tmp_path: Path) -> None:
    families = counted(tmp_path)
    name = "passerelle_exchanges_total"
    assert value(families, name, party="ministry", operation="echo", outcome="answered") == 1
    assert value(families, name, party="ministry", operation="echo", outcome="refused") == 1
    assert value(families, "passerelle_refusals_total", party="ministry", code="replayed") == 1
    assert value(families, "passerelle_doors_total", what="not_http") == 1
    assert value(families, "passerelle_faults_total") == 1
    bucket = "passerelle_exchange_seconds_bucket"
    assert value(families, bucket, operation="echo", le="0.005") == 1
    assert value(families, bucket, operation="echo", le=str(BUCKETS[-1])) == 1
    assert value(families, bucket, operation="echo", le="+Inf") == 2
    assert value(families, "passerelle_exchange_seconds_count", operation="echo") == 2
    assert value(families, "passerelle_exchange_seconds_sum", operation="echo") == 20.003


def test_alarms_are_0_until_they_hold() -> None:
    quiet = scraped(None)
    assert [value(quiet, "passerelle_alarm", alarm=alarm.name) for alarm in ALARMS] == [0] * len(ALARMS)
    loud = scraped(None, but(clock_steps_hour=1))
    assert value(loud, "passerelle_alarm", alarm="clock_stepped") == 1


def test_what_is_not_known_is_not_said() -> None:
    assert scraped(None)["passerelle_checkpoint_age_seconds"].samples == []
    assert scraped(None)["passerelle_upstream_last_success_seconds"].samples == []


def test_effects_that_nobody_knows_are_a_gauge_of_each_party() -> None:
    found = scraped(None, but(effects=(EffectsFacts("cooperative", 2, 700.0),)))
    gauges = [found[f"passerelle_effects_{name}"].samples for name in ("unknown", "oldest_seconds")]
    assert [[(one.labels, one.value) for one in samples] for samples in gauges] == [
        [({"party": "cooperative"}, 2)],
        [({"party": "cooperative"}, 700)],
    ]
