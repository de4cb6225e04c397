"""A child over time through real processes: expected, born, merged; what evidence says, and how it is audited."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from adapters.civil_registry.sandbox.births import make_births
from gateway.audit.audit import audit
from gateway.client.client import UnreachableError
from tests.adapters.fakes import until
from tests.attacks.evidence import Book
from tests.exchange.live import LiveGateway, descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

BIRTHS = make_births(300)
#: Children of the sandbox registry that no other test names.
FRESH = count(100)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway of its own: its whole log is audited at the end."""
    made = LiveGateway(tmp_path_factory.mktemp("town"))
    try:
        made.start_sandbox()
        made.start()
        yield made
    finally:
        made.close()


class Caller:
    """A party that says what it wants, and gets the answer's fields, or its error."""

    def __init__(self, live: LiveGateway, party: str = "cooperative") -> None:
        self.live = live
        self.client = live.client(party)
        self.exchange_id = ""

    def ask(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        request = self.client.prepare(operation, fields, salted=operation != "subject.merge")
        answer = self.client.send(request)
        assert answer.bound or answer.status == 422  # C6: of what breaks its contract nothing is bound
        self.exchange_id = answer.exchange_id
        content: dict[str, Any] = json.loads(answer.body)
        return content | {"status": answer.status}

    def expect(self) -> str:
        return str(self.ask("subject.expect", {"reference": "2026-0001"})["handle"])

    def verify(self, number: int) -> dict[str, Any]:
        return self.ask("nirec.verify", person(number))

    def birth(self, handle: str, number: int, **fields: str) -> dict[str, Any]:
        return self.ask("subject.birth", {"handle": handle} | person(number) | fields)

    def merge(self, one: str, other: str, reason: str = "duplicate_file") -> dict[str, Any]:
        return self.ask("subject.merge", {"handle": one, "other_handle": other, "reason": reason})


def person(number: int) -> dict[str, str]:
    birth = BIRTHS[number]
    return {
        "nirec": birth.nirec,
        "family_name": birth.family_name,
        "given_names": birth.given_names,
        "birth_date": birth.birth_date,
    }


def refused(answer: dict[str, Any]) -> tuple[int, str, str | None]:
    return answer["status"], answer["code"], answer.get("component")


def evidence(caller: Caller) -> dict[str, Any]:
    book = Book(caller.live.folder / "gateway" / "log", caller.live.folder / "trust")
    (kept,) = book.of(caller.exchange_id)
    return kept.evidence


def test_from_before_birth_to_a_merge(town: LiveGateway) -> None:
    caller, child = Caller(town), next(FRESH)
    handle = caller.expect()
    expected = evidence(caller)["subjects"]
    assert [subject.keys() for subject in expected] == [{"ledger", "handle"}]
    assert caller.birth(handle, child).items() >= {"outcome": "confirmed", "handle": handle}.items()
    born = evidence(caller)
    # an auditor follows the child by the party's handle, and by the ledger's own name
    assert (born["operation"], born["subjects"]) == ("subject.birth", expected)
    assert len(born["upstream"]) == 1
    assert caller.verify(child)["handle"] == handle
    other = caller.expect()
    stays = caller.merge(other, handle)["handle"]
    merged = evidence(caller)["subjects"]
    assert [subject["role"] for subject in merged] == ["survivor", "merged"]
    assert {subject["handle"] for subject in merged} == {handle, other}
    assert merged[0]["handle"] == stays
    assert caller.verify(child)["handle"] == stays
    # whichever worker answers, whatever it had seen before
    assert {caller.verify(child)["handle"] for _ in range(8)} == {stays}
    assert caller.birth(other, child)["handle"] == stays


def test_a_birth_that_the_registry_does_not_confirm_attaches_nothing(town: LiveGateway) -> None:
    caller, child = Caller(town), next(FRESH)
    handle = caller.expect()
    answer = caller.birth(handle, child, family_name="Personne")
    assert (answer["outcome"], "handle" in answer) == ("not_confirmed", False)
    assert evidence(caller)["subjects"] == []
    # so that the right birth is this child's still
    assert caller.birth(handle, child)["handle"] == handle


def test_a_handle_of_another_party_is_unknown_and_nobody_is_asked(town: LiveGateway) -> None:
    caller, ministry, child = Caller(town), Caller(town, "ministry"), next(FRESH)
    foreign, verified = ministry.expect(), ministry.verify(child)["handle"]
    asked = town.counter()
    answers = [
        caller.birth(foreign, child),
        caller.birth("0" * 64, child),
        caller.merge(caller.expect(), verified),
        caller.merge(caller.expect(), "f" * 64),
    ]
    assert {refused(answer) for answer in answers} == {(404, "handle_unknown", "handle")}
    assert len({json.dumps(answer | {"exchange_id": ""}, sort_keys=True) for answer in answers}) == 1
    assert town.counter() == asked
    assert evidence(caller)["outcome"] == "handle_unknown"


def test_the_birth_of_a_nirec_that_the_party_knows_is_refused_until_the_two_are_merged(town: LiveGateway) -> None:
    caller, child = Caller(town), next(FRESH)
    known, handle = caller.verify(child)["handle"], caller.expect()
    assert refused(caller.birth(handle, child)) == (409, "merge_needed", "nirec")
    told = evidence(caller)
    # what the registry was asked and said is kept, and nothing was disclosed
    assert (told["outcome"], told["subjects"], told["upstream"][0]["outcome"]) == ("merge_needed", [], "answered")
    stays = caller.merge(handle, known)["handle"]
    assert caller.birth(handle, child)["handle"] == stays


def test_the_birth_of_a_nirec_that_only_another_party_knows_tells_nothing(town: LiveGateway) -> None:
    caller, ministry, child = Caller(town), Caller(town, "ministry"), next(FRESH)
    theirs = ministry.verify(child)["handle"]
    handle = caller.expect()
    born = caller.birth(handle, child)
    assert (born["status"], born["outcome"], born["handle"]) == (200, "confirmed", handle)
    assert [subject["role"] for subject in evidence(caller)["subjects"]] == ["survivor", "merged"]
    plain = caller.expect()
    assert caller.birth(plain, next(FRESH)).keys() == born.keys()  # as the birth of a child that nobody had asked about
    assert caller.verify(child)["handle"] == handle
    # nor does the ministry see that somebody had expected the child
    assert ministry.verify(child)["handle"] == ministry.birth(theirs, child)["handle"] == theirs


def test_two_nirecs_are_one_child_only_with_a_new_number(town: LiveGateway) -> None:
    caller = Caller(town)
    one, other = caller.verify(next(FRESH))["handle"], caller.verify(next(FRESH))["handle"]
    assert refused(caller.merge(one, other)) == (409, "merge_refused", "reason")
    stays = caller.merge(one, other, "new_number")["handle"]
    assert caller.merge(other, one, "duplicate_file")["handle"] == stays


def test_a_replayed_merge_is_refused_and_a_repeated_one_changes_nothing(town: LiveGateway) -> None:
    caller = Caller(town)
    fields = {"handle": caller.expect(), "other_handle": caller.expect(), "reason": "duplicate_file"}
    request = caller.client.prepare("subject.merge", fields, salted=False)
    first, again = caller.client.send(request), caller.client.send(request)
    assert (first.status, again.status, json.loads(again.body)["code"]) == (200, 409, "replayed")
    assert caller.merge(fields["other_handle"], fields["handle"])["handle"] == json.loads(first.body)["handle"]


def test_one_birth_for_many_expected_children_at_once(town: LiveGateway) -> None:
    child = next(FRESH)
    callers = [Caller(town) for _ in range(6)]
    handles = [caller.expect() for caller in callers]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda pair: pair[0].birth(pair[1], child), zip(callers, handles, strict=True)))
    given = [answer["handle"] for answer in answers if answer["status"] == 200]
    assert len(given) == 1
    said = {answer["code"] for answer in answers if answer["status"] != 200}
    assert said <= {"merge_needed", "subjects_changed"}
    assert callers[0].verify(child)["handle"] == given[0]


@pytest.mark.parametrize(
    ("operation", "change", "code", "component"),
    [
        ("subject.merge", {"reason": "because"}, "field_invalid", "reason"),
        ("subject.merge", {"handle": "X" * 64}, "field_invalid", "handle"),
        ("subject.merge", {"other_handle": 12}, "field_invalid", "other_handle"),
        ("subject.expect", {"reference": ""}, "field_invalid", "reference"),
        ("subject.expect", {"nirec": "1" * 13}, "field_invalid", "unknown field"),
        ("subject.birth", {"nirec": "123"}, "field_invalid", "nirec"),
    ],
)
def test_a_request_follows_its_contract(
    town: LiveGateway, operation: str, change: dict[str, Any], code: str, component: str
) -> None:
    caller = Caller(town)
    right = {
        "subject.merge": {"handle": "0" * 64, "other_handle": "1" * 64, "reason": "duplicate_file"},
        "subject.expect": {"reference": "2026-0001"},
        "subject.birth": {"handle": "0" * 64} | person(0),
    }
    answer = caller.ask(operation, right[operation] | change)
    assert (answer["code"], answer["component"]) == (code, component)


def test_a_retry_after_a_crash_between_the_confirmation_and_the_commit_ends_right(town: LiveGateway) -> None:
    """The commit is the one moment: before it nothing is attached, whatever the registry said; after it, all is."""
    caller, child = Caller(town), next(FRESH)
    handle = caller.expect()
    town.behave("slow", delay_ms=600)
    asked = town.counter()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(lambda: Caller(town).birth(handle, child))
        assert until(lambda: town.counter() > asked, 5)
        gateway = town.processes.pop("gateway")
        for pid in (gateway.pid, *descendants(gateway.pid)):
            os.kill(pid, signal.SIGKILL)
        gateway.wait(40)
        with pytest.raises(UnreachableError):
            under_way.result(30)
    town.behave("normal")
    assert until(lambda: not town.listens(), 10)
    town.start()
    assert caller.birth(handle, child)["handle"] == handle
    assert caller.verify(child)["handle"] == handle


def test_the_whole_log_holds(town: LiveGateway) -> None:
    """The last of this file: every exchange above is in it, under its rules."""
    caller = Caller(town)
    caller.expect()
    evidence(caller)
    town.stop()
    verdict = audit(town.folder / "gateway" / "log", town.folder / "trust")
    assert (verdict.holds, verdict.findings) == (True, ())
