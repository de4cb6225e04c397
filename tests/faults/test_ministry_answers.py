"""A ministry whose answers go wrong: each notice is taken once, and the log says how each round of it ended."""

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

#: How the ministry behaves, its delay in ms, what a round in vain is then said to be, whether it took the notice.
FAULTS = {
    "breaks_off_in_the_middle": ("reset", 0, _BROKEN, True),
    "takes_it_and_says_nothing": ("lost", 0, _BROKEN, True),
    "takes_it_and_says_so_too_late": ("held", 4000, _BROKEN, True),
    "is_slow_to_take_it": ("slow", 4000, _BROKEN, None),
    "acknowledges_out_of_order": ("late", 0, _UNTRUSTED | _BROKEN, True),
    "wrong_signature": ("wrong_signature", 0, _UNTRUSTED, True),
    "wrong_certificate": ("wrong_certificate", 0, _UNTRUSTED, True),
    "wrong_schema": ("malformed", 0, {"upstream_malformed"}, True),
    "down": ("down", 0, _BROKEN, False),
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinistryNight]:
    made = MinistryNight(tmp_path_factory.mktemp("town"), **SETTINGS)
    # one attempt in a round, so that each round says what one answer was worth
    made.asks_it(attempts=1, attempt_seconds=2, deadline_seconds=3)
    try:
        made.start()
        made.start_ministry()
        yield made
    finally:
        made.close()


def failed(town: MinistryNight, numbers: dict[str, str]) -> int:
    """How many rounds of these were in vain so far."""
    return sum(one["outcome"] == "failed" for number in numbers for one in town.rounds().get(number, []))


def delivered(town: MinistryNight, numbers: dict[str, str]) -> bool:
    """Whether the log says so of each."""
    rounds = town.rounds()
    return all(rounds[one] and rounds[one][-1]["outcome"] == "delivered" for one in numbers)


def held(town: MinistryNight, numbers: dict[str, str]) -> int:
    """How many times the ministry holds one of these."""
    return sum(number in numbers for number, _, _ in town.held())


@pytest.mark.parametrize("fault", FAULTS)
def test_each_notice_is_taken_once_whatever_came_back(town: MinistryNight, fault: str) -> None:
    mode, delay, reasons, taken = FAULTS[fault]
    place = list(FAULTS).index(fault)
    town.behave(mode, delay, sandbox="ministry")
    sent = town.notified(town.children()[2 * place : 2 * place + 2], ["offered"])
    assert until(lambda: failed(town, sent) >= 2, 20)
    assert town.outbox() == 2, "something was taken for delivered"
    assert taken is None or (held(town, sent) > 0) == taken
    town.behave("normal", sandbox="ministry")
    assert until(lambda: town.outbox() == 0, 20)
    assert until(lambda: delivered(town, sent), 20)
    assert held(town, sent) == 2
    for number in sent:
        *vain, last = town.rounds()[number]
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
    desk.run("outbox", "resend", "--party", "ministry", "--dead", *unfit, expect=1)
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
    assert "4 lettre(s) morte(s) abandonnée(s)" in said
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
