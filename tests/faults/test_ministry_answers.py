"""Authorities whose answers go wrong: each notice is taken once, and the log says how each round of it ended.

The ministry signs what it answers, by REST; the benefits administration, by SOAP, only says which notice it means.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.attacks.evidence import Book
from tests.cli.desk import Desk
from tests.faults.ministry import MinistryNight

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = {
    "DELIVERIES__FIRST_WAIT_SECONDS": 0.05,
    "DELIVERIES__LONGEST_WAIT_SECONDS": 0.5,
    "DELIVERIES__LONGEST_PAUSE_SECONDS": 0.5,
    "DELIVERIES__LEASE_SECONDS": 10,
}
_BROKEN = {"upstream_unavailable", "upstream_timeout"}
_UNTRUSTED = {"upstream_untrusted"}

#: Who behaves how, its delay in ms, what a round in vain is then said to be, whether it took the notice.
FAULTS = {
    "breaks_off_in_the_middle": ("ministry", "reset", 0, _BROKEN, True),
    "takes_it_and_says_nothing": ("ministry", "lost", 0, _BROKEN, True),
    "takes_it_and_says_so_too_late": ("ministry", "held", 4000, _BROKEN, True),
    "is_slow_to_take_it": ("ministry", "slow", 4000, _BROKEN, None),
    "acknowledges_out_of_order": ("ministry", "late", 0, _UNTRUSTED | _BROKEN, True),
    "wrong_signature": ("ministry", "wrong_signature", 0, _UNTRUSTED, True),
    "wrong_certificate": ("ministry", "wrong_certificate", 0, _UNTRUSTED, True),
    "wrong_schema": ("ministry", "malformed", 0, {"upstream_malformed"}, True),
    "down": ("ministry", "down", 0, _BROKEN, False),
    "by_soap_takes_it_and_says_nothing": ("benefits", "lost", 0, _BROKEN, True),
    "by_soap_acknowledges_out_of_order": ("benefits", "late", 0, _UNTRUSTED | _BROKEN, True),
    "by_soap_wrong_schema": ("benefits", "malformed", 0, {"upstream_malformed"}, True),
    "by_soap_down": ("benefits", "down", 0, _BROKEN, False),
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinistryNight]:
    made = MinistryNight(tmp_path_factory.mktemp("town"), **SETTINGS)
    # one attempt in a round, so that each round says what one answer was worth
    for party in ("ministry", "benefits"):
        made.asks_it(party, attempts=1, attempt_seconds=2, deadline_seconds=3)
    try:
        made.start()
        made.start_ministry()
        made.start_benefits()
        yield made
    finally:
        made.close()


def failed(town: MinistryNight, numbers: dict[str, str], by: str = "ministry") -> int:
    """How many rounds of these were in vain so far."""
    return sum(one["outcome"] == "failed" for number in numbers for one in town.rounds(by).get(number, []))


def delivered(town: MinistryNight, numbers: dict[str, str], by: str = "ministry") -> bool:
    """Whether the log says so of each."""
    rounds = town.rounds(by)
    return all(rounds[one] and rounds[one][-1]["outcome"] == "delivered" for one in numbers)


def held(town: MinistryNight, numbers: dict[str, str], by: str = "ministry") -> int:
    """How many times an authority holds one of these."""
    return sum(number in numbers for number, _, _ in town.held(by))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_notice_is_taken_once_whatever_came_back(town: MinistryNight, fault: str) -> None:
    by, mode, delay, reasons, taken = FAULTS[fault]
    place = list(FAULTS).index(fault)
    town.behave(mode, delay, sandbox=by)
    sent = town.notified(town.children()[2 * place : 2 * place + 2], ["offered"], to=by)
    assert until(lambda: failed(town, sent, by) >= 2, 20)
    assert town.outbox() == 2, "something was taken for delivered"
    assert taken is None or (held(town, sent, by) > 0) == taken
    town.behave("normal", sandbox=by)
    assert until(lambda: town.outbox() == 0, 20)
    assert until(lambda: delivered(town, sent, by), 20)
    assert held(town, sent, by) == 2
    for number in sent:
        *vain, last = town.rounds(by)[number]
        assert {one["outcome"] for one in vain} <= {"failed"}
        assert {one["reason"] for one in vain} <= reasons
        assert [[each["outcome"] for each in one["upstream"]] for one in vain] == [[one["reason"]] for one in vain]
        assert (last["reason"], last["upstream"][-1]["outcome"]) == (None, "answered")


def test_what_is_answered_twice_is_one_answer(town: MinistryNight) -> None:
    town.behave("twice", sandbox="ministry")
    sent = town.notified(town.children()[-3:], ["offered", "accepted"])
    assert until(lambda: town.outbox() == 0, 20)
    town.behave("normal", sandbox="ministry")
    assert until(lambda: delivered(town, sent), 20)
    assert held(town, sent) == len(sent) == 6
    outcomes = [one["outcome"] for number in sent for one in town.rounds()[number]]
    # the second answer may be met where the next is waited for: it is another's, and never taken
    assert outcomes.count("delivered") == 6
    assert {one["reason"] for number in sent for one in town.rounds()[number]} <= {None} | _UNTRUSTED | _BROKEN


def test_all_dead_letters_of_a_party_are_decided_at_once(
    town: MinistryNight, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(town.folder, capsys)
    how = ("--reason", "entente rétablie", "--config", desk.config)
    town.behave("down", sandbox="ministry")
    child, other = town.children()[-5:-3]
    again = town.notified([child])
    died(town)
    for vague in (("--party", "ministry"), ("--dead",), (next(iter(again)), "--party", "ministry", "--dead"), ()):
        assert "--party" in desk.run("outbox", "resend", *vague, *how, expect=2)
    assert desk.told("outbox", "resend", "--party", "cooperative", "--dead", *how)["deliveries"] == []
    unfit = ("--reason", " ", "--config", desk.config)
    desk.run("outbox", "resend", "--party", "ministry", "--dead", *unfit, expect=2)
    town.behave("normal", sandbox="ministry")
    assert town.outbox() == len(again)
    assert desk.told("outbox", "resend", "--party", "ministry", "--dead", *how)["deliveries"] == list(again)
    assert until(lambda: town.outbox() == 0, 20)
    # the oldest first, each waiting for the one before: a child's stay in order
    assert [number for number, _, _ in town.held() if number in again] == list(again)

    town.behave("down", sandbox="ministry")
    given_up = town.notified([other])
    died(town)
    said = desk.run("outbox", "drop", "--party", "ministry", "--dead", *how)
    assert "4 lettres mortes abandonnées" in said
    assert town.outbox() == held(town, given_up) == 0
    town.behave("normal", sandbox="ministry")
    for numbers, word in ((again, "resent"), (given_up, "dropped")):
        wanted = dict.fromkeys(numbers, "entente rétablie")
        assert until(lambda: decisions(town)[word] == wanted, 20)  # noqa: B023  called at once


def died(town: MinistryNight) -> None:
    """What waits is dead, as after a week, or under an agreement that has lapsed."""
    with closing(sqlite3.connect(town.database, timeout=30)) as connection, connection:
        connection.execute("UPDATE outbox SET state = 'dead', reason = 'expired', lease = NULL, leased_until = NULL")


def decisions(town: MinistryNight) -> dict[str, dict[str, str]]:
    """The reason that the log has of each decision about a delivery, by what was decided."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for kept in Book(town.log, town.folder / "trust").every("delivery", None):
        found[kept.evidence["outcome"]][kept.evidence["delivery"]] = kept.evidence["reason"]
    return found


def test_the_log_of_all_this_holds(town: MinistryNight) -> None:
    town.settled()
    town.audited()
    town.nothing_told()
