"""A batch through real processes: its client and a worker killed in the middle, the registry down, one byte search."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.civil_registry.sandbox.births import make_births
from gateway.audit.audit import audit
from gateway.audit.counts import ReceiptCount
from gateway.cli.main import run
from gateway.client.batch import report
from gateway.client.batch_file import FileRecord, read_records
from gateway.client.batch_journal import BatchState, Journal, salt
from gateway.signing.digest import content_digest
from gateway.system import SystemClock
from tests.adapters.fakes import until
from tests.attacks.evidence import Book
from tests.exchange.live import ROOT, LiveGateway, workers
from tests.scenarios.test_no_nirec import found

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = 200
CONNECTIONS = 4
CHANGES = ("\n[civil_registry]\n", "\n[civil_registry]\nbatch_per_second = 1000\ndeadline_seconds = 2\n")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway of its own: its whole log is audited at the end, and a worker of it is killed."""
    made = LiveGateway(tmp_path_factory.mktemp("town"))
    settings = made.folder / "passerelle.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace(*CHANGES), encoding="utf-8")
    try:
        made.start_sandbox()
        made.start()
        yield made
    finally:
        made.close()


class Batch:
    """The cooperative's file, and the command that works at it."""

    def __init__(self, live: LiveGateway, folder: Path, records: int) -> None:
        self.live = live
        self.file = folder / "enfants.csv"
        self.births = make_births(records)
        with self.file.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["référence", "nirec", "nom", "prénoms", "date de naissance"])
            for number, one in enumerate(self.births):
                writer.writerow([f"d{number}", one.nirec, one.family_name, one.given_names, one.birth_date])
        self.journal = Journal(self.file, SystemClock().monotonic)

    def spawn(self, command: str, *more: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "gateway.cli.main", "batch", command, str(self.file), "--as", "cooperative"]
        line += ["--dir", str(self.live.folder), "--connections", str(CONNECTIONS), "--json", *more]
        return subprocess.Popen(
            line, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def done(self) -> int:
        return sum(self.journal.counts().values())

    def rows(self) -> list[list[str]]:
        with self.journal.results.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))[1:]

    def recorded(self) -> int:
        """How many lines have their answer, as the gateway says."""
        state = self.journal.state()
        assert state is not None
        return int(str(report(self.live.client("cooperative"), state.batch)[1]["answered"]))


def ended(process: subprocess.Popen[bytes], code: int) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err.decode()
    said: dict[str, Any] = json.loads(out)
    return said


def test_killed_in_the_middle_and_taken_up(town: LiveGateway, tmp_path: Path) -> None:
    batch = Batch(town, tmp_path, RECORDS)
    with batch.file.open("a", encoding="utf-8") as file:
        file.write("x,123,Roy,Léa,2024-02-29\n")
    before = town.counter()
    client = batch.spawn("verify-nirec", "--per-second", "80")
    assert until(lambda: batch.done() >= 40, 60)
    client.kill()
    client.communicate()
    # what was under way comes to its end without whoever asked: whatever was asked upstream is recorded
    assert until(lambda: batch.recorded() == town.counter() - before, 30)
    assert batch.done() <= batch.recorded() < RECORDS

    client = batch.spawn("resume", "--per-second", "80")
    assert until(lambda: batch.done() >= 100, 60)
    os.kill(workers(town.processes["gateway"].pid)[0], signal.SIGKILL)
    said = ended(client, 1)  # a record was rejected

    asked_again = town.counter() - before - RECORDS
    assert 0 <= asked_again <= CONNECTIONS  # at most what was under way in that worker, and is recorded nowhere else
    assert (said["answered"], said["confirmed"], said["complete"], said["rejected"]) == (RECORDS, RECORDS, True, 1)
    rows = batch.rows()
    assert [row[1] for row in rows] == [f"d{number}" for number in range(RECORDS)]
    assert {row[2] for row in rows} == {"confirmed"}
    # of each recorded exchange the registry was asked once
    book = Book(town.folder / "gateway" / "log", town.folder / "trust")
    assert until(lambda: len(verified(book)) == RECORDS, 20)
    assert sum(len(one["upstream"]) for one in verified(book)) == RECORDS


def verified(book: Book) -> list[dict[str, Any]]:
    """The evidence of every record that was answered."""
    return [one.evidence for one in book.every("exchange", "batch.verify")]


def state_of(batch: Batch) -> BatchState:
    state = batch.journal.state()
    assert state is not None
    return state


def as_cooperative(town: LiveGateway) -> list[str]:
    return ["--as", "cooperative", "--dir", str(town.folder)]


def ask(capsys: pytest.CaptureFixture[str], command: str, file: Path, *more: str) -> dict[str, Any]:
    """What a command says with --json, and its exit code."""
    code = run(["batch", command, str(file), *more, "--json"])
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {"exit_code": code} | said


def refusals(town: LiveGateway) -> list[dict[str, Any]]:
    book = Book(town.folder / "gateway" / "log", town.folder / "trust")
    return [one.evidence for one in book.every("refusal", "batch.verify")]


def test_the_registry_is_down_in_the_middle(
    town: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = Batch(town, tmp_path, 40)
    client = batch.spawn("verify-nirec", "--per-second", "2")
    assert until(lambda: batch.done() >= 5, 60)
    assert ask(capsys, "pause", batch.file)["exit_code"] == 0
    said = ended(client, 1)
    assert said["answered"] == batch.done() < 40
    said = ask(capsys, "status", batch.file)
    assert (said["exit_code"], said["answered"], said["running"]) == (1, batch.done(), False)

    town.behave("down")
    client = batch.spawn("resume")
    assert until(lambda: "upstream_unavailable" in [one["outcome"] for one in refusals(town)], 60)
    assert batch.done() < 40
    town.behave("normal")
    said = ended(client, 0)
    assert (said["holds"], said["complete"], said["confirmed"]) == (True, True, 40)
    assert ask(capsys, "status", batch.file)["exit_code"] == 0
    said = ask(capsys, "report", batch.file, *as_cooperative(town))
    assert (said["exit_code"], said["complete"], said["commitment"]) == (0, True, state_of(batch).commitment)
    assert json.loads(Path(said["receipt"]).read_text(encoding="utf-8"))["status"] == 200

    # what the party kept is in the log: a line for each record, and each report of the gateway's that it asked for
    def held() -> dict[str, int]:
        log, trust = town.folder / "gateway" / "log", town.folder / "trust"
        asked = ["audit", "check-kept", str(log), "--trust", str(trust), "--receipts", str(batch.journal.folder)]
        assert run([*asked, "--json"]) == 0
        counts: dict[str, int] = json.loads(capsys.readouterr().out)["receipts"]
        return counts

    assert until(lambda: held()["pending"] == 0, 60)
    assert held() == asdict(ReceiptCount(held=40 + 2))

    # a receipt, the key and the file make the request again whose digest was signed
    receipt = json.loads(batch.journal.receipts.read_text(encoding="utf-8").splitlines()[6])
    record = list(read_records(batch.file, r"\d{13}"))[6]
    assert isinstance(record, FileRecord)
    drawn = bytes.fromhex(receipt["drawn"])
    body = dict(record.fields) | {"salt": salt(batch.journal.key(), record.line, drawn)}
    again = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    assert content_digest(again) == receipt["request"]["content_digest"]

    # N5: the party's file holds NIRECs, and nothing else does that either side keeps
    nirecs = {one.nirec for one in batch.births}
    kept = [*batch.journal.folder.iterdir(), batch.journal.results]
    kept += [path for path in (town.folder / "gateway").rglob("*") if path.is_file()]
    assert not any(found(b"\0".join(path.read_bytes() for path in kept), nirecs).values())
    assert found(batch.file.read_bytes(), nirecs)["plain"] == nirecs


def test_afterwards_the_whole_log_is_audited(town: LiveGateway) -> None:
    assert town.stop() == 0
    verdict = audit(town.folder / "gateway" / "log", town.folder / "trust")
    assert verdict.holds, verdict.findings
