"""A batch on the party's side: in order, stopped and taken up at any record, waiting while nobody answers."""

from __future__ import annotations

import csv
import json
import threading
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from gateway.client.batch import BatchRun, Pattern, open_batch
from gateway.client.batch_file import FileRecord, read_records
from gateway.client.batch_gate import Gate, Rate, StoppedError
from gateway.client.batch_journal import RESULTS_HEADER, BatchState, Journal, Row, commitment, salt
from gateway.client.batch_wire import BatchRefusedError, LaterError, Result
from gateway.client.client import UnreachableError
from gateway.client.signer import SignedRequest
from gateway.client.verifier import VerifiedAnswer
from gateway.errors import ConfigurationError
from tests.adapters.fakes import ShiftedClock, SystemRandomness, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

PATTERN = Pattern(r"\d{13}", lambda reason: (reason, reason))
COUNT = 120


class Desk:
    """A file with its journal, and a gateway that answers as a test says; which places it was asked is kept."""

    def __init__(self, folder: Path, records: int = COUNT) -> None:
        self.file = folder / "enfants.csv"
        rows = [f"{number:013},Roy,Léa,2024-02-29,d{number}\n" for number in range(records)]
        self.file.write_text("nirec,nom,prénoms,date de naissance,référence\n" + "".join(rows), encoding="utf-8")
        self.journal = Journal(self.file, ShiftedClock().monotonic)
        self.asked: list[int] = []
        self.lock = threading.Lock()
        self.answer: Callable[[int], str | Result] = lambda place: "confirmed" if place % 3 else "not_confirmed"
        with self.journal.alone():
            good = (one for one in read_records(self.file, PATTERN.nirec) if isinstance(one, FileRecord))
            code, count = commitment(self.journal.key(SystemRandomness().bytes), good)
            self.journal.begin(BatchState("batch", count, 0, code, 1000))

    def ask(self, place: int, record: FileRecord) -> Result:
        with self.lock:
            self.asked.append(place)
        said = self.answer(place)
        if isinstance(said, Result):
            return said
        row = Row(record.line, record.reference, said, "", f"exchange-{place}", json.dumps({"line": record.line}))
        return Result(row)

    def close(self) -> None: ...

    def begin(self, *, connections: int = 4, per_second: float = 10_000, patience: float = 60) -> BatchRun:
        state = self.journal.state()
        assert state is not None
        run = BatchRun(
            self.journal, state, PATTERN, lambda: self, ShiftedClock(), SystemRandomness(),
            connections=connections, per_second=per_second, patience=patience,
        )  # fmt: skip
        run.start()
        return run

    def rows(self) -> list[list[str]]:
        with self.journal.results.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def ended(run: BatchRun) -> bool:
    assert run.wait(20)
    return run.result()


def test_results_stand_in_the_file_s_order(desk: Desk) -> None:
    held = threading.Event()

    def answer(place: int) -> str:
        if place == 0:  # the first is the last to be answered, of as many as may go ahead
            held.wait(10)
        elif place == 20:
            held.set()
        return "confirmed"

    desk.answer = answer
    assert ended(desk.begin())
    header, *rows = desk.rows()
    assert tuple(header) == RESULTS_HEADER
    assert [(row[0], row[1]) for row in rows] == [(str(at + 2), f"d{at}") for at in range(COUNT)]
    receipts = desk.journal.receipts.read_text(encoding="utf-8").splitlines()
    assert [json.loads(one)["line"] for one in receipts] == list(range(2, COUNT + 2))
    assert sorted(desk.asked) == list(range(COUNT))


def test_no_more_go_ahead_than_are_kept_in_memory(desk: Desk) -> None:
    held = threading.Event()
    desk.answer = lambda place: "confirmed" if place else (held.wait(10) and "confirmed") or ""
    run = desk.begin(connections=2)
    assert until(lambda: len(desk.asked) == 16, 10)  # eight for each connection, and no seventeenth
    assert not until(lambda: len(desk.asked) > 16, 0.5)
    held.set()
    assert ended(run)


def test_stopped_and_taken_up(desk: Desk) -> None:
    desk.answer = lambda _: "confirmed"
    run = desk.begin(per_second=400)
    assert until(lambda: run.progress().done >= 20, 10)
    run.stop()
    assert not ended(run)
    done = len(desk.rows()) - 1
    assert 20 <= done < COUNT
    assert ended(desk.begin())
    assert [row[0] for row in desk.rows()[1:]] == [str(at + 2) for at in range(COUNT)]
    # what was written was not asked about again
    assert all(desk.asked.count(place) == 1 for place in range(done))


@pytest.mark.parametrize("torn", [b"", b"9", b'31,"d2', b"31,d29,conf"])
def test_what_a_kill_left_half_written_is_asked_again(desk: Desk, torn: bytes) -> None:
    assert ended(desk.begin())
    for path in (desk.journal.results, desk.journal.receipts):
        whole = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(whole[:30]) + torn)
    desk.asked.clear()
    assert ended(desk.begin())
    assert sorted(desk.asked) == list(range(29, COUNT))
    assert [row[0] for row in desk.rows()[1:]] == [str(at + 2) for at in range(COUNT)]
    kept = desk.journal.receipts.read_text(encoding="utf-8").splitlines()
    assert all(json.loads(one) for one in kept)


class Opened:
    """client.batch.Asker: a gateway that opens what it is asked to; which keys it was asked under is kept."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []

    def prepare(
        self, operation: str, fields: dict[str, Any], *, salted: bool, idempotency_key: str | None = None
    ) -> SignedRequest:
        assert (operation, salted, fields["records"]) == ("batch.open", False, COUNT)
        self.keys.append(idempotency_key)
        return SignedRequest("POST", "/", {}, b"", "", b"", b"")

    def send(self, request: SignedRequest) -> VerifiedAnswer:  # noqa: ARG002  the protocol's signature
        if len(self.keys) == 1:
            raise UnreachableError("unreachable", detail="lost")
        body = json.dumps({"batch": "batch", "per_second": 50}).encode()
        return VerifiedAnswer(200, {}, body, "exchange", "leaf", bound=True)

    def keep(
        self,
        request: SignedRequest,  # noqa: ARG002  the protocol's signature
        answer: VerifiedAnswer,  # noqa: ARG002  the protocol's signature
        receipts: Path,
    ) -> Path:
        return receipts


def unopened(folder: Path, reference: Callable[[int], str]) -> Journal:
    file = folder / "enfants.csv"
    rows = [f"{number:013},Roy,Léa,2024-02-29,{reference(number)}\n" for number in range(COUNT)]
    file.write_text("nirec,nom,prénoms,date de naissance,référence\n" + "".join(rows), encoding="utf-8")
    return Journal(file, ShiftedClock().monotonic)


def test_where_the_reference_is_the_nirec_it_is_said_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    journal, asker = unopened(tmp_path, lambda number: f"{number:013}"), Opened()
    with journal.alone(), pytest.raises(ConfigurationError) as caught:
        open_batch(journal, asker, PATTERN, SystemRandomness())
    assert caught.value.key == "batch_references"
    assert (asker.keys, journal.state()) == ([], None)
    assert not journal.results.exists()
    assert not journal.rejects.exists()


def test_a_batch_whose_opening_was_not_answered_is_opened_again_under_the_same_key(tmp_path: Path) -> None:
    journal, asker = unopened(tmp_path, lambda number: f"d{number}"), Opened()
    with journal.alone():
        with pytest.raises(UnreachableError):
            open_batch(journal, asker, PATTERN, SystemRandomness())
        assert journal.state() is None
        open_batch(journal, asker, PATTERN, SystemRandomness())
    first, second = asker.keys
    assert first is not None
    assert first == second == str(UUID(first, version=4))


def test_another_file_s_batch_is_opened_under_another_key(tmp_path: Path) -> None:
    journal, asker = unopened(tmp_path, lambda number: f"d{number}"), Opened()
    with journal.alone():
        with pytest.raises(UnreachableError):
            open_batch(journal, asker, PATTERN, SystemRandomness())
        unopened(tmp_path, lambda number: f"e{number}")
        open_batch(journal, asker, PATTERN, SystemRandomness())
    assert asker.keys[0] != asker.keys[1]


CHANGES: dict[str, Callable[[str], str]] = {
    "a name": lambda text: text.replace("Roy", "Roi", 1),
    "a reference": lambda text: text.replace("d7", "d8", 1),
    "one more": lambda text: text + "0000000000999,Roy,Léa,2024-02-29,x\n",
    "one less": lambda text: text.rpartition("\n0")[0] + "\n",
    "an empty line": lambda text: text.replace("\n", "\n\n", 1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_has_changed_is_not_gone_on_with(desk: Desk, change: str) -> None:
    desk.file.write_text(CHANGES[change](desk.file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        desk.begin()
    assert caught.value.key == "batch_file_changed"
    assert desk.asked == []


def test_while_nobody_answers_one_asks_now_and_then(desk: Desk) -> None:
    down = threading.Event()
    down.set()

    def answer(_: int) -> str:
        if down.is_set():
            raise LaterError("upstream_unavailable")
        return "confirmed"

    desk.answer = answer
    run = desk.begin()
    assert until(lambda: run.progress().waiting == "upstream_unavailable", 10)
    assert until(lambda: len(desk.asked) >= 3, 10)
    # four may have been under way when it began; from then on one at a time
    assert len(desk.asked) <= 6
    down.clear()
    assert ended(run)
    assert run.progress().waiting is None
    assert len(desk.rows()) == COUNT + 1


def test_whoever_waits_in_vain_stops_and_can_go_on(desk: Desk) -> None:
    def answer(_: int) -> str:
        raise LaterError("unreachable")

    desk.answer = answer
    run = desk.begin(patience=0.2)
    assert until(lambda: (run.progress(), run.wait(0.01))[1], 10)
    assert not run.result()
    desk.answer = lambda _: "confirmed"
    assert ended(desk.begin())


def test_a_refusal_of_the_batch_ends_it_and_says_why(desk: Desk) -> None:
    def answer(place: int) -> str:
        if place == 10:
            raise BatchRefusedError("batch_refused", code="not_agreed")
        return "confirmed"

    desk.answer = answer
    run = desk.begin()
    assert run.wait(20)
    with pytest.raises(BatchRefusedError):
        run.result()
    assert len(desk.rows()) - 1 <= 10


def test_a_record_that_the_gateway_refuses_is_a_reject(desk: Desk) -> None:
    refused = Result(Row(5, "d3", "refused", "", "exchange", None), ("mauvais", "bad"))
    desk.answer = lambda place: refused if place == 3 else "confirmed"
    assert ended(desk.begin())
    assert desk.rows()[4][2] == "refused"
    with desk.journal.rejects.open(encoding="utf-8", newline="") as file:
        (reject,) = csv.reader(file)
    assert reject == ["5", "mauvais", "bad", "0000000000003,Roy,Léa,2024-02-29,d3"]
    assert desk.journal.counts() == {"refused": 1, "confirmed": COUNT - 1}


def test_one_process_at_a_time(desk: Desk) -> None:
    assert not desk.journal.in_hand()
    other = Journal(desk.file, ShiftedClock().monotonic)
    with desk.journal.alone():
        assert other.in_hand()
        with pytest.raises(ConfigurationError) as caught, other.alone():
            raise AssertionError
        assert caught.value.key == "batch_in_hand"
        other.ask_pause()
        assert desk.journal.pause_asked()
    with desk.journal.alone():
        assert not desk.journal.pause_asked()


def test_what_is_kept_is_for_the_party_s_eyes_and_holds_no_nirec(desk: Desk) -> None:
    assert ended(desk.begin())
    kept = [*desk.journal.folder.iterdir(), desk.journal.results]
    assert {path.name for path in kept} >= {"cle", "lot.json", "recus.jsonl"}
    for path in kept:
        assert "0000000000007" not in path.read_text(encoding="utf-8")
        assert path.stat().st_mode & 0o077 == 0, path
    desk.journal.folder.joinpath("cle").chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        desk.journal.key()
    assert caught.value.key == "batch_journal"


def test_a_salt_is_made_again_by_who_has_the_key_alone() -> None:
    drawn = bytes(8)
    assert salt(b"k" * 32, 7, drawn) == salt(b"k" * 32, 7, drawn)
    others = {salt(b"K" * 32, 7, drawn), salt(b"k" * 32, 8, drawn), salt(b"k" * 32, 7, bytes(7) + b"\1")}
    assert len(others | {salt(b"k" * 32, 7, drawn)}) == 4


def test_the_gate_asks_ever_later_and_never_sooner_than_it_was_told() -> None:
    class Still(ShiftedClock):
        def monotonic(self) -> float:
            return self.shift.total_seconds()

    clock = Still()
    gate = Gate(clock, SystemRandomness(), threading.Event())
    waits = []
    for _ in range(9):
        gate.fail("down")
        waits.append(gate._until - clock.monotonic())
        gate._probing = True
    for before, after in pairwise(waits[:5]):
        assert before < after <= 15
    assert all(10 <= wait <= 15 for wait in waits[5:])
    gate.fail("down", retry_after=600)
    assert gate._until - clock.monotonic() == 600
    gate.succeed()
    gate.enter()  # at once
    assert gate.failing_for() == 0


def test_a_rate_is_even_and_ends_with_the_run() -> None:
    class Ticking(ShiftedClock):
        at = 0.0

        def monotonic(self) -> float:
            return self.at

    class Waited(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock.at += timeout or 0
            return self.is_set()

    clock, stop = Ticking(), Waited()
    rate = Rate(50, clock, stop)
    for _ in range(100):
        rate.wait()
    assert clock.at == pytest.approx(2)
    clock.at += 60  # a pause is not made up for in a burst
    for _ in range(50):
        rate.wait()
    assert clock.at >= 62.8
    stop.set()
    with pytest.raises(StoppedError):
        rate.wait()
