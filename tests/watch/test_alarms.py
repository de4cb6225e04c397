"""Each alarm rings when it must, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.watch.alarms import ALARMS, raised
from gateway.watch.facts import Alive, BudgetFacts, EffectsFacts, FetchFacts, LossFacts, OutboxFacts, OutsideFacts
from tests.watch.made import WELL, but

if TYPE_CHECKING:
    from gateway.watch.facts import Facts

SEQUENCER, WORKERS = WELL.roles
LIST, SIGNING = WELL.certificates
UPSTREAM = WELL.upstreams[0]
OUTBOX = OutboxFacts("ministry", 9, 3, 0, 60.0)
FETCH = FetchFacts("ministry.ab.crl", "http://lists.test", 60.0, None, None, refused=False)

CASES: dict[str, tuple[Facts, str, Facts]] = {
    "recording_fails": (but(refusals_5min={"not_recorded": 1}), "", but(refusals={"not_recorded": 1})),
    "database_unreachable": (but(ledger=replace(WELL.ledger, reachable=False)), "", WELL),
    "role_down": (but(roles=(SEQUENCER, replace(WORKERS, alive=False))), "workers", WELL),
    "log_refused": (
        but(roles=(replace(SEQUENCER, last_exit=1, restarts_hour=1), WORKERS)),
        "",
        but(roles=(replace(SEQUENCER, last_exit=-9, restarts_hour=1), replace(WORKERS, last_exit=1, restarts_hour=1))),
    ),
    "sequencer_behind": (
        but(ledger=replace(WELL.ledger, waiting=1, oldest_seconds=5.6)),
        "6 s",
        but(ledger=replace(WELL.ledger, waiting=9000, oldest_seconds=4.9)),
    ),
    "publication_behind": (
        but(ledger=replace(WELL.ledger, unpublished_seconds=11.0)),
        "11 s",
        but(ledger=replace(WELL.ledger, unpublished_seconds=9.0, checkpoint_seconds=9000.0)),
    ),
    "disk_low": (
        but(disks=(replace(WELL.disks[0], free=(1 << 30) - 1), WELL.disks[1])),
        "log",
        but(disks=(replace(WELL.disks[0], free=1 << 30),)),
    ),
    "effects_unknown": (but(effects=(EffectsFacts("cooperative", 2, 700.0),)), "cooperative (2)", WELL),
    "outbox_dead": (but(outbox=(replace(OUTBOX, dead=2),)), "ministry (2)", but(outbox=(OUTBOX,))),
    "outbox_late": (
        but(outbox=(replace(OUTBOX, oldest_seconds=3601.0),)),
        "ministry (9)",
        but(outbox=(replace(OUTBOX, oldest_seconds=3600.0), replace(OUTBOX, waiting=0, oldest_seconds=None))),
    ),
    "certificate_ended": (but(certificates=(replace(SIGNING, days=0.0),)), "signing", WELL),
    "certificate_last_days": (
        but(certificates=(replace(SIGNING, days=2.9),)),
        "signing",
        but(certificates=(replace(SIGNING, kind="agreement", days=-1.0),)),
    ),
    "certificate_ending": (
        but(certificates=(replace(SIGNING, days=13.9),)),
        "signing",
        but(certificates=(replace(SIGNING, days=14.0),)),
    ),
    "list_stale": (but(certificates=(replace(LIST, days=-0.1),)), "ministry.root", WELL),
    "revocation_stale": (
        but(certificates=(replace(LIST, days=0.0, grace_days=0.5),)),
        "ministry.root",
        WELL,
    ),
    "revocation_refused": (
        but(fetches=(replace(FETCH, reason="rollback", refused=True, failing_seconds=9e9),)),
        "ministry.ab.crl (rollback)",
        but(fetches=(FETCH,)),
    ),
    "revocation_fetch_failing": (
        but(fetches=(replace(FETCH, reason="unreachable", failing_seconds=3601.0),)),
        "ministry.ab.crl (unreachable)",
        but(fetches=(replace(FETCH, reason="unreachable", failing_seconds=3600.0),)),
    ),
    "list_ending": (
        but(certificates=(replace(LIST, days=1.9),)),
        "ministry.root",
        but(certificates=(replace(LIST, days=2.0),)),
    ),
    "period_key_missing": (
        but(policy=replace(WELL.policy, period_days=6.9, next_key=False)),
        "",
        but(policy=replace(WELL.policy, period_days=7.1, next_key=False)),
    ),
    "standby_missing": (
        but(ledger=replace(WELL.ledger, standbys_needed=2, standbys=1)),
        "1/2",
        but(ledger=replace(WELL.ledger, standbys_needed=2, standbys=None)),
    ),
    "witnesses_missing": (
        but(outside=OutsideFacts(quorum=2, cosigned=("a",), witnesses_failed={"b": "late"}, missing_seconds=1.0)),
        "b (late)",
        but(outside=OutsideFacts(quorum=2, cosigned=("a", "c"), witnesses_failed={"b": "late"})),
    ),
    "timestamp_old": (
        but(outside=OutsideFacts(untimestamped_seconds=301.0, authorities_failed={"tsa": "http_503"})),
        "301 s, tsa (http_503)",
        but(outside=OutsideFacts(untimestamped_seconds=300.0, authorities_failed={"tsa": "http_503"})),
    ),
    "upstream_untrusted": (
        but(upstreams=(replace(UPSTREAM, outcomes_hour={"upstream_malformed": 1}),)),
        "civil-registry",
        but(upstreams=(replace(UPSTREAM, outcomes={"upstream_untrusted": 1}),)),
    ),
    "upstream_down": (but(upstreams=(replace(UPSTREAM, cut_off=1),)), "civil-registry", WELL),
    "budget_refusing": (
        but(budgets=(BudgetFacts("ENT-1", 1.0, 7, 1),)),
        "ENT-1",
        but(budgets=(BudgetFacts("ENT-1", 1.0, 0, 0),)),
    ),
    "budget_low": (
        but(budgets=(BudgetFacts("ENT-1", 0.9, 1, 0), BudgetFacts("ENT-2", 0.9, 0, 0))),
        "ENT-1",
        but(budgets=(BudgetFacts("ENT-1", 0.9, 0, 0),)),
    ),
    "restarts": (
        but(roles=(replace(SEQUENCER, restarts_hour=4),)),
        "sequencer",
        but(roles=(replace(SEQUENCER, restarts_hour=3, restarts=90),)),
    ),
    "files_low": (
        but(workers=(Alive(1, WELL.at, 0, 0, 5, 100), Alive(2, WELL.at, 0, 0, 81, 100))),
        "",
        but(workers=(Alive(1, WELL.at, 0, 0, 80, 100), Alive(2, WELL.at, 0))),
    ),
    "clock_stepped": (but(clock_steps_hour=1), "", but(clock_steps=1)),
    "faults": (but(faults_hour=1), "", but(refusals={"internal": 4})),
    "party_refused": (but(refusals_5min={"too_many_refusals": 1}), "", but(refusals_hour={"too_many_refusals": 1})),
    "strangers": (but(doors_5min=601), "", but(doors_5min=600)),
    "policy_refused": (but(policy_refused_hour=1), "", WELL),
    "loss_unnamed": (but(losses=(LossFacts(WELL.at, 95.6),)), "96 h", WELL),
    "policy_changed": (but(policy=replace(WELL.policy, same_as_file=False)), "", WELL),
}


def test_every_alarm_has_its_case() -> None:
    assert set(CASES) == {alarm.name for alarm in ALARMS}
    assert len({alarm.name for alarm in ALARMS}) == len(ALARMS)


def test_a_gateway_that_is_well_raises_none() -> None:
    assert raised(WELL) == ()


@pytest.mark.parametrize("name", CASES)
def test_it_rings_for_its_subject_and_not_just_below(name: str) -> None:
    facts, subject, below = CASES[name]
    assert [(item.name, item.subject) for item in raised(facts)] == [(name, subject)]
    assert [item.name for item in raised(below)] == []


LATE = replace(WELL.ledger, waiting=1, oldest_seconds=5000.0)


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (but(running=False, since=None, roles=(), ledger=LATE), [("role_down", "supervisor")]),
        (but(since="2026-11-22T11:59:55.5+00:00", ledger=LATE), []),
        (but(since="2026-11-22T11:59:50+00:00", ledger=LATE), [("sequencer_behind", "10 s")]),
    ],
    ids=["not_running", "just_started", "started"],
)
def test_nobody_is_late_before_the_start(facts: Facts, found: list[tuple[str, str]]) -> None:
    """The genesis is as old as `init`."""
    assert [(item.name, item.subject) for item in raised(facts)] == found


def test_what_cannot_wait_comes_first() -> None:
    found = raised(but(clock_steps_hour=1, disks=(replace(WELL.disks[0], free=0),)))
    assert [(item.name, item.urgency) for item in found] == [("disk_low", "now"), ("clock_stepped", "morning")]


@pytest.mark.parametrize(
    ("days", "name"), [(-0.5, "revocation_stale"), (-1.0, "list_stale")], ids=["within_the_grace", "past_it"]
)
def test_stale_revocation_data_is_one_thing_within_the_grace_and_another_past_it(days: float, name: str) -> None:
    for kind in ("list", "answer"):
        late = but(certificates=(replace(LIST, kind=kind, days=days, grace_days=1.0),))
        assert [(item.name, item.urgency) for item in raised(late)] == [(name, "now")]


def test_the_end_of_an_agreement_is_told_of_before_and_not_after() -> None:
    def told(days: float) -> list[str]:
        return [item.name for item in raised(but(certificates=(replace(SIGNING, kind="agreement", days=days),)))]

    assert (told(13.0), told(1.0), told(-1.0)) == (["certificate_ending"], ["certificate_ending"], [])
