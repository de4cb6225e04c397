"""The conditions on which a person must act: one table, from which `status`, /metrics and the runbook take theirs.

Each has a page of its name in docs/runbook.fr.md and docs/runbook.en.md, and a rule in docs/alerts.yml.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from gateway.errors import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.watch.facts import CertificateFacts, Facts

Urgency = Literal["now", "morning"]
_NOW: Urgency = "now"
_LATER: Urgency = "morning"

BEHIND_SECONDS = 5.0
UNPUBLISHED_SECONDS = 10.0
WARNING_DAYS = 30.0
CERTIFICATE_DAYS = 14.0
LAST_DAYS = 3.0
LIST_DAYS = 2.0
FETCH_FAILING_SECONDS = 3600.0
PERIOD_DAYS = 7.0
DISK_BYTES = 1 << 30
MOST_RESTARTS = 3
FILES_SHARE = 0.8
MOST_STRANGERS = 600
#: Five times the interval of anchors: authorities fail now and then.
UNTIMESTAMPED_SECONDS = 300.0
_REFUSED_EXIT = 1
#: Longer than the longest pause between two tries: somebody does not take what is his.
OUTBOX_SECONDS = 3600.0
#: The kinds of CertificateFacts that tell of revocation.
REVOCATION = ("list", "answer")


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition; ``now`` when it cannot wait for the morning.

    ``subjects`` gives what it concerns, nothing when all is well; one without a name of its own gives "".
    """

    name: str
    urgency: Urgency
    subjects: Callable[[Facts], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that holds now, for this subject."""

    name: str
    urgency: Urgency
    subject: str


def raised(facts: Facts) -> tuple[Raised, ...]:
    """The alarms that hold, those that cannot wait first."""
    found = [Raised(alarm.name, alarm.urgency, subject) for alarm in ALARMS for subject in alarm.subjects(facts)]
    return tuple(sorted(found, key=lambda item: item.urgency != _NOW))


def _if(holds: bool) -> tuple[str, ...]:  # noqa: FBT001  a condition, turned into its one nameless subject
    return ("",) if holds else ()


def _count(counts: Mapping[str, int], *codes: Code) -> bool:
    return any(counts.get(code.value, 0) for code in codes)


def _down(facts: Facts) -> Iterable[str]:
    return (role.name for role in facts.roles if not role.alive) if facts.running else ("supervisor",)


def _sequencer_behind(facts: Facts) -> Iterable[str]:
    """Nobody is late who was not started; the genesis, which `init` writes, waits for the first start."""
    oldest = facts.ledger.oldest_seconds
    if oldest is None or facts.since is None:
        return ()
    # since the gateway's start and not the sequencer's: one that ends again and again is late all the same
    started = datetime.fromisoformat(facts.at) - datetime.fromisoformat(facts.since)
    late = min(oldest, started.total_seconds())
    return (f"{late:.0f} s",) if late > BEHIND_SECONDS else ()


def _standby_missing(facts: Facts) -> Iterable[str]:
    needed, there = facts.ledger.standbys_needed, facts.ledger.standbys
    return (f"{there}/{needed}",) if there is not None and there < needed else ()


def _unpublished(facts: Facts) -> Iterable[str]:
    late = facts.ledger.unpublished_seconds
    return (f"{late:.0f} s",) if late is not None and late > UNPUBLISHED_SECONDS else ()


def _certificate_ended(facts: Facts) -> Iterable[str]:
    # an agreement ends when it was meant to
    return (item.name for item in _ending(facts) if item.kind != "agreement" and item.days <= 0)


def _certificate_last_days(facts: Facts) -> Iterable[str]:
    return (item.name for item in _ending(facts) if item.kind != "agreement" and 0 < item.days < LAST_DAYS)


def _certificate_ending(facts: Facts) -> Iterable[str]:
    for item in _ending(facts):
        least = 0 if item.kind == "agreement" else LAST_DAYS
        if 0 < item.days < CERTIFICATE_DAYS and item.days >= least:
            yield item.name


def _ending(facts: Facts) -> Iterable[CertificateFacts]:
    return (item for item in facts.certificates if item.kind not in REVOCATION)


def _list_stale(facts: Facts) -> Iterable[str]:
    return (item.name for item in facts.certificates if item.kind in REVOCATION and item.days <= -item.grace_days)


def _revocation_stale(facts: Facts) -> Iterable[str]:
    return (item.name for item in facts.certificates if item.kind in REVOCATION and -item.grace_days < item.days <= 0)


def _budget_refusing(facts: Facts) -> Iterable[str]:
    return (item.agreement for item in facts.budgets if item.refused_hour)


def _budget_low(facts: Facts) -> Iterable[str]:
    return (item.agreement for item in facts.budgets if item.low_hour and not item.refused_hour)


def _revocation_refused(facts: Facts) -> Iterable[str]:
    return (f"{item.file} ({item.reason})" for item in facts.fetches if item.refused)


def _revocation_fetch_failing(facts: Facts) -> Iterable[str]:
    for item in facts.fetches:
        late = item.failing_seconds is not None and item.failing_seconds > FETCH_FAILING_SECONDS
        if late and not item.refused:
            yield f"{item.file} ({item.reason})"


def _list_ending(facts: Facts) -> Iterable[str]:
    return (item.name for item in facts.certificates if item.kind == "list" and 0 < item.days < LIST_DAYS)


def _upstream_down(facts: Facts) -> Iterable[str]:
    return (item.name for item in facts.upstreams if item.cut_off)


def _upstream_untrusted(facts: Facts) -> Iterable[str]:
    codes = (Code.UPSTREAM_UNTRUSTED, Code.UPSTREAM_MALFORMED)
    return (item.name for item in facts.upstreams if _count(item.outcomes_hour, *codes))


def _witnesses_missing(facts: Facts) -> Iterable[str]:
    outside = facts.outside
    if outside.missing_seconds is None or not facts.running:
        return
    yield ", ".join(f"{name} ({why})" for name, why in sorted(outside.witnesses_failed.items()))


def _timestamp_old(facts: Facts) -> Iterable[str]:
    late = facts.outside.untimestamped_seconds
    if late is not None and late > UNTIMESTAMPED_SECONDS and facts.running:
        reasons = (f"{name} ({why})" for name, why in sorted(facts.outside.authorities_failed.items()))
        yield ", ".join([f"{late:.0f} s", *reasons])


def _outbox_dead(facts: Facts) -> Iterable[str]:
    return (f"{item.party} ({item.dead})" for item in facts.outbox if item.dead)


def _outbox_late(facts: Facts) -> Iterable[str]:
    for item in facts.outbox:
        if item.oldest_seconds is not None and item.oldest_seconds > OUTBOX_SECONDS:
            yield f"{item.party} ({item.waiting})"


def _effects_unknown(facts: Facts) -> Iterable[str]:
    return (f"{item.party} ({item.unknown})" for item in facts.effects)


ALARMS: tuple[Alarm, ...] = (
    Alarm("recording_fails", _NOW, lambda facts: _if(_count(facts.refusals_5min, Code.NOT_RECORDED))),
    Alarm("database_unreachable", _NOW, lambda facts: _if(not facts.ledger.reachable)),
    Alarm("standby_missing", _NOW, _standby_missing),
    Alarm("role_down", _NOW, _down),
    Alarm(
        "log_refused",
        _NOW,
        lambda facts: _if(
            any(r.name == "sequencer" and r.last_exit == _REFUSED_EXIT and r.restarts_hour for r in facts.roles)
        ),
    ),
    Alarm("sequencer_behind", _NOW, _sequencer_behind),
    Alarm("publication_behind", _NOW, _unpublished),
    Alarm("witnesses_missing", _NOW, _witnesses_missing),
    Alarm("timestamp_old", _NOW, _timestamp_old),
    Alarm("disk_low", _NOW, lambda facts: (item.folder for item in facts.disks if item.free < DISK_BYTES)),
    Alarm("certificate_ended", _NOW, _certificate_ended),
    Alarm("certificate_last_days", _NOW, _certificate_last_days),
    Alarm("list_stale", _NOW, _list_stale),
    Alarm("revocation_stale", _NOW, _revocation_stale),
    Alarm("revocation_refused", _NOW, _revocation_refused),
    Alarm(
        "period_key_missing",
        _NOW,
        lambda facts: _if(facts.policy.period_days < PERIOD_DAYS and not facts.policy.next_key),
    ),
    Alarm("upstream_untrusted", _NOW, _upstream_untrusted),
    Alarm("budget_refusing", _NOW, _budget_refusing),
    Alarm("policy_refused", _NOW, lambda facts: _if(facts.policy_refused_hour > 0)),
    Alarm("budget_low", _LATER, _budget_low),
    Alarm("upstream_down", _LATER, _upstream_down),
    Alarm("effects_unknown", _LATER, _effects_unknown),
    Alarm("outbox_dead", _LATER, _outbox_dead),
    Alarm("outbox_late", _LATER, _outbox_late),
    Alarm("certificate_ending", _LATER, _certificate_ending),
    Alarm("list_ending", _LATER, _list_ending),
    Alarm("revocation_fetch_failing", _LATER, _revocation_fetch_failing),
    Alarm("restarts", _LATER, lambda facts: (r.name for r in facts.roles if r.restarts_hour > MOST_RESTARTS)),
    Alarm("files_low", _LATER, lambda facts: _if(any(w.files_share > FILES_SHARE for w in facts.workers))),
    Alarm("clock_stepped", _LATER, lambda facts: _if(facts.clock_steps_hour > 0)),
    Alarm("faults", _LATER, lambda facts: _if(facts.faults_hour > 0)),
    Alarm("party_refused", _LATER, lambda facts: _if(_count(facts.refusals_5min, Code.TOO_MANY_REFUSALS))),
    Alarm("strangers", _LATER, lambda facts: _if(facts.doors_5min > MOST_STRANGERS)),
    Alarm("loss_unnamed", _LATER, lambda facts: (f"{max(0.0, item.hours):.0f} h" for item in facts.losses)),
    Alarm("policy_changed", _LATER, lambda facts: _if(not facts.policy.same_as_file)),
)
