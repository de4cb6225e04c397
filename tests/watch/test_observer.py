"""The facts, from a set-up on disk that nobody runs, and from one that is spoilt."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.effects.storage import SETTLED_WITHIN
from gateway.settings import Folders
from gateway.watch.alarms import raised
from gateway.watch.facts import BudgetFacts, EffectsFacts, Facts, UnreadableFactsError, from_json, to_json
from gateway.watch.meters import Meters
from gateway.watch.observer import EFFECT_ENDED, KnownPolicy, Observer
from gateway.watch.snapshots import Collector, Reporter
from gateway.watch.storage import Letters, Stored, Unknown
from tests.watch.made import WELL, MovedClock, observer_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class FakeDatabase:
    """Answers what a test says."""

    stored: Stored | None
    closed: bool = False

    def read(self) -> Stored:
        if self.stored is None:
            raise OSError("gone")
        return self.stored

    def outbox(self) -> tuple[Letters, ...]:
        return (Letters("ministry", 2, 1, 0, datetime(2026, 11, 22, 11, 59, tzinfo=UTC)),)

    def effects(self, ended: datetime) -> tuple[Unknown, ...]:
        return (Unknown("cooperative", 3, ended - timedelta(minutes=5)),)

    def claims(self) -> int:
        return 7

    def close(self) -> None:
        self.closed = True


def watching(folder: Path, stored: Stored | None, clock: MovedClock) -> Observer:
    folders = Folders(**{name: folder / name for name in Folders.model_fields})
    policy = KnownPolicy(3, "ab", {}, {})
    return Observer(folders, policy, FakeDatabase(stored), Collector(None, clock), clock)


def spoilt(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def seen(folder: Path) -> Facts:
    found = observer_of(folder)
    try:
        return found.facts(running=False)
    finally:
        found.close()


def test_a_fresh_set_up(made: Path) -> None:
    facts = seen(made)
    assert (facts.running, facts.ledger.reachable, facts.ledger.size) == (False, True, 0)
    assert facts.ledger.waiting == 1  # the genesis, which no sequencer has seen
    assert {item.name for item in facts.certificates if item.kind == "ours"} == {"tls-server", "tls-client", "signing"}
    assert len([item for item in facts.certificates if item.kind == "list"]) == 10
    assert [item.days for item in facts.certificates] == sorted(item.days for item in facts.certificates)
    assert facts.policy.same_as_file
    assert facts.policy.next_key
    assert {item.folder for item in facts.disks} >= {"db"}


def test_a_certificate_or_list_that_cannot_be_read_ended_long_ago(made: Path, tmp_path: Path) -> None:
    folder = spoilt(made, tmp_path)
    (folder / "gateway" / "keys" / "tls-server.pem").unlink()
    (folder / "gateway" / "keys" / "revocation" / "ministry.root.crl").write_bytes(b"no list")
    (folder / "gateway" / "keys" / "signers" / "ministry.pem").write_bytes(b"no certificate")
    found = {(item.name, item.subject) for item in raised(seen(folder))}
    assert found >= {
        ("certificate_ended", "tls-server"),
        ("certificate_ended", "ministry"),
        ("list_stale", "ministry.root"),
    }


def test_an_authority_without_its_list_is_told(made: Path, tmp_path: Path) -> None:
    folder = spoilt(made, tmp_path)
    (folder / "gateway" / "keys" / "revocation" / "ministry.root.crl").unlink()
    assert {(item.name, item.subject) for item in raised(seen(folder))} == {
        ("role_down", "supervisor"),  # nobody runs it
        ("list_stale", "ministry.root"),
    }


def test_a_damaged_database_hides_nothing_else(made: Path, tmp_path: Path) -> None:
    folder = spoilt(made, tmp_path)
    for path in (folder / "gateway" / "db").glob("passerelle.sqlite*"):
        path.write_bytes(b"no database" * 1000)
    facts = seen(folder)
    assert not facts.ledger.reachable
    assert facts.certificates
    assert "database_unreachable" in {item.name for item in raised(facts)}


def test_a_database_that_is_gone_is_not_made_anew(made: Path, tmp_path: Path) -> None:
    folder = spoilt(made, tmp_path)
    shutil.rmtree(folder / "gateway" / "db")
    (folder / "gateway" / "db").mkdir()
    assert not seen(folder).ledger.reachable
    assert not (folder / "gateway" / "db" / "passerelle.sqlite").exists()


def test_a_policy_that_was_changed_since(made: Path, tmp_path: Path) -> None:
    folder = spoilt(made, tmp_path)
    found = observer_of(folder)
    (folder / "gateway" / "policy.yaml").write_text("# another\n", encoding="utf-8")
    assert not found.facts().policy.same_as_file


@pytest.mark.parametrize(
    ("at", "period", "days", "following"),
    [
        (datetime(2026, 11, 30, 12, tzinfo=UTC), "202611", 0.5, "202612"),
        (datetime(2026, 12, 31, 0, tzinfo=UTC), "202612", 1.0, "202701"),
        (datetime(2028, 2, 1, tzinfo=UTC), "202802", 29.0, "202803"),
    ],
)
def test_the_period_ends_with_the_month(tmp_path: Path, at: datetime, period: str, days: float, following: str) -> None:
    facts = watching(tmp_path, None, MovedClock(at)).facts()
    assert (facts.policy.period, facts.policy.period_days, facts.policy.next_key) == (period, days, False)
    assert following > period


def test_the_oldest_that_waits_has_an_age(tmp_path: Path) -> None:
    clock = MovedClock()
    stored = Stored(waiting=3, oldest=clock.now(), size=5, published=5, writers_open=2)
    found = watching(tmp_path, stored, clock)
    clock.move(42)
    ledger = found.facts().ledger
    assert (ledger.waiting, ledger.oldest_seconds, ledger.claims) == (3, 42.0, 7)


def test_how_long_the_published_checkpoint_has_stood_still(tmp_path: Path) -> None:
    clock = MovedClock()
    (tmp_path / "log").mkdir()
    checkpoint = tmp_path / "log" / "checkpoint"
    checkpoint.write_text("origin\n4\nroot\n\n", encoding="utf-8")
    found = watching(tmp_path, Stored(0, None, 5, 4, 1), clock)
    found.tick()
    clock.move(20)
    assert found.facts().ledger.unpublished_seconds == 20.0
    checkpoint.write_text("origin\n5\nroot\n\n", encoding="utf-8")
    assert found.facts().ledger.unpublished_seconds is None


def test_a_budget_is_shown_with_what_was_spent_and_rings_before_it_refuses(tmp_path: Path) -> None:
    meters, clock = Meters(), MovedClock()
    folders = Folders(**{name: tmp_path / name for name in Folders.model_fields})
    found = Observer(folders, KnownPolicy(3, "ab", {}, {}), FakeDatabase(None), Collector(tmp_path, clock), clock)
    reporter = Reporter(meters, tmp_path, clock)
    reporter.start()
    rings = []
    for share in (0.5, 0.79, 0.8, 1.0, 1.01):
        meters.budgeted("ENT-1", share)
        reporter._write()  # as it does each second
        facts = found.facts()
        rings.append([item.name for item in raised(facts) if item.name.startswith("budget")])
        assert facts.budgets[0].share == min(share, 1.0)
    assert rings == [[], [], ["budget_low"], ["budget_low"], ["budget_refusing"]]
    assert facts.budgets == (BudgetFacts("ENT-1", 1.0, 2, 1),)
    reporter.close()


def test_our_own_readiness_probe_is_no_stranger(tmp_path: Path) -> None:
    clock, meters = MovedClock(), Meters()
    for _ in range(3):
        meters.at_the_door("handshake_failed")
    meters.at_the_door("not_http")
    Reporter(meters, tmp_path, clock).start()
    folders = Folders(**{name: tmp_path / name for name in Folders.model_fields})
    policy = KnownPolicy(3, "ab", {}, {})
    found = Observer(folders, policy, FakeDatabase(None), Collector(tmp_path, clock), clock)
    for strangers in (3, 2, 1, 0, 0):
        assert found.facts().doors == {"handshake_failed": strangers, "not_http": 1}
        found.probed()


@pytest.mark.parametrize(
    ("calls", "failed"),
    [([], False), (["answered"], False), (["upstream_timeout"], True), (["upstream_timeout", "answered"], False),
     (["answered", "upstream_timeout"], True)],
)  # fmt: skip
def test_a_call_that_failed_after_the_last_success(tmp_path: Path, calls: list[str], failed: bool) -> None:  # noqa: FBT001  a case
    clock, meters = MovedClock(), Meters()
    for at, outcome in enumerate(calls):
        meters.asked("registry", outcome, seconds=0.1, at=1000.0 + at)
    Reporter(meters, tmp_path, clock).start()
    folders = Folders(**{name: tmp_path / name for name in Folders.model_fields})
    policy = KnownPolicy(3, "ab", {}, {})
    found = Observer(folders, policy, FakeDatabase(None), Collector(tmp_path, clock), clock, ("registry",))
    assert found.facts().upstreams[0].last_failed is failed


@pytest.mark.parametrize("content", [b"", b"origin\n", b"origin\nmany\nroot\n", b"\xff\xfe"])
def test_a_checkpoint_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "checkpoint").write_bytes(content)
    ledger = watching(tmp_path, None, MovedClock()).facts().ledger
    assert (ledger.published, ledger.checkpoint_at) == (0, None)


def test_facts_survive_the_wire(made: Path) -> None:
    for facts in (WELL, seen(made)):
        assert from_json(to_json(facts)) == facts


@pytest.mark.parametrize("content", [b"", b"{}", b"<html>", b'{"at": 1}'])
def test_what_is_no_facts(content: bytes) -> None:
    with pytest.raises(UnreadableFactsError):
        from_json(content)


def test_what_waits_in_the_outbox_is_told_with_its_age(tmp_path: Path) -> None:
    found = watching(tmp_path, Stored(0, None, 0, 0, 0), MovedClock()).facts().outbox
    assert [(one.party, one.waiting, one.failing, one.dead, one.oldest_seconds) for one in found] == [
        ("ministry", 2, 1, 0, 60.0)
    ]


def test_effects_that_nobody_knows_are_told_with_their_age(tmp_path: Path) -> None:
    facts = watching(tmp_path, Stored(0, None, 0, 0, 0), MovedClock()).facts()
    assert facts.effects == (EffectsFacts("cooperative", 3, 900.0),)
    assert from_json(to_json(facts)).effects == facts.effects
    assert EFFECT_ENDED == SETTLED_WITHIN
