"""A month is destroyed as people do it: audited, signed, due; recorded and published first, and only then gone (L9)."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.files import write_private
from gateway.ledger.destruction import destruction_evidence
from gateway.ledger.destruction_files import remaining
from gateway.ledger.destruction_log import open_destruction_log
from gateway.ledger.reader import LogReader
from gateway.ledger.storage import Purging
from gateway.ledger.tiles import WIDTH
from gateway.policy.verdict import SignedVerdict, read_verdict
from gateway.storage import open_database
from gateway.upkeep import make_upkeep
from tests.cli.desk import Desk
from tests.retention import Archive, destruction
from tests.scenarios.procedures import PROCEDURES, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("archive"))


class Office(Desk):
    """The archive's operator, officers and auditor."""

    def __init__(self, archive: Archive, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capsys)
        self.archive = archive
        self.log = folder / "gateway" / "log"
        self.trust = folder / "trust"
        pem = archive.auditor.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(folder / "auditor.key", pem)

    def verify(self, expect: int = 0) -> dict[str, Any]:
        return self.told("audit", "verify", self.log, "--trust", self.trust, expect=expect)

    def verdict(self, expect: int = 0, name: str = "verdict") -> Path:
        """The auditor's, over the log as it is."""
        report, out = self.folder / f"{name}.json", self.folder / name
        report.write_text(self.run("audit", "verify", self.log, "--trust", self.trust, "--json"))
        signing = ("retention", "sign-verdict", report, "--auditor", "auditor-1", "--key", self.folder / "auditor.key")
        self.run(*signing, "--out", out, expect=expect)
        return out

    def request(self, verdict: Path, expect: int = 0, period: int | None = None) -> Path:
        out = self.folder / "request"
        out.unlink(missing_ok=True)
        asked = ("retention", "propose", period or self.archive.period, "--verdict", verdict, "--out", out)
        self.told(*asked, "--config", self.config, expect=expect)
        return out

    def sign(self, request: Path, name: str, expect: int = 0) -> Path:
        out = self.folder / f"{request.name}.{name}.approval"
        out.unlink(missing_ok=True)
        key = ("--officer", name, "--key", self.key(name), "--policy", self.current, "--out", out)
        self.run("retention", "approve", request, *key, expect=expect)
        return out

    def destroy(self, request: Path, verdict: Path, *approvals: Path, expect: int = 0) -> dict[str, Any]:
        given = [part for approval in approvals for part in ("--approval", approval)]
        asked = ("retention", "destroy", request, "--verdict", verdict, *given, "--config", self.config)
        return self.told(*asked, expect=expect)

    def upkeep(self) -> None:
        """What the sequencer's process does beside sequencing; no purge, so that it is seen what destruction takes."""
        composition = self.archive.composition
        pace = composition.settings.ledger.model_copy(update={"purge_after_hours": 0})
        settings = composition.settings.model_copy(update={"ledger": pace})
        database = open_database(composition.url, durable=False)
        try:
            make_upkeep(database, settings, composition.log_key(), composition.clock).step()
        finally:
            database.dispose()
        self._capsys.readouterr()  # what it logs is no command's output

    def left(self) -> tuple[int, int]:
        """How many sealed records of the first bundle are in the directory, and in the database."""
        database = open_database(self.archive.composition.url, durable=False)
        try:
            return remaining(self.log, self.archive.period, 0, WIDTH), len(Purging(database).held(0, WIDTH))
        finally:
            database.dispose()


@pytest.fixture
def office(archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Office]:
    """The archive, put back as it was after each test."""
    (archive.folder / "gateway" / "policy.yaml").write_bytes(archive.officers.content())
    kept = shutil.copytree(archive.folder, tmp_path / "kept")
    capsys.readouterr()
    yield Office(archive, archive.folder, capsys)
    shutil.rmtree(archive.folder)
    shutil.copytree(kept, archive.folder)


def test_a_month_that_is_due_is_destroyed_and_everything_still_verifies(office: Office) -> None:
    verdict = office.verdict()
    request = office.request(verdict)
    approvals = [office.sign(request, name) for name in ("officer-1", "officer-3")]
    before = office.left()
    assert before == (WIDTH - 2, WIDTH - 2)
    # no sequencer runs here: recorded, and nothing is gone
    told = office.destroy(request, verdict, *approvals)
    assert (told["approved_by"], told["auditor"]) == (["officer-1", "officer-3"], "auditor-1")
    assert (told["publication"], told["destroyed"]) == ("stopped", False)
    office.upkeep()
    assert office.left() == before
    office.archive.sequence()
    # published: now it goes, and stays gone
    office.upkeep()
    assert office.left() == (0, 0)
    office.archive.sequence()
    assert office.destroy(request, verdict, *approvals)["destroyed"]
    # the month's key is destroyed at the auditor's
    (office.trust / "periods" / f"{office.archive.period}.key").unlink()
    report = office.verify()
    (destroyed,) = report["facts"]["destructions"]
    assert (destroyed["period"], destroyed["records"]) == (office.archive.period, before[0])
    assert (destroyed["officers"], destroyed["auditor"]) == (["officer-1", "officer-3"], "auditor-1")
    said = office.run("--lang", "en", "audit", "verify", office.log, "--trust", office.trust)
    assert "Destroyed rightly" in said


def test_a_running_gateway_carries_it_out(office: Office) -> None:
    verdict = office.verdict()
    request = office.request(verdict)
    approvals = [office.sign(request, name) for name in ("officer-1", "officer-2")]
    stop = threading.Event()
    running = threading.Thread(target=office.archive.composition.sequence, args=(stop,))
    running.start()
    try:
        told = office.destroy(request, verdict, *approvals)
    finally:
        stop.set()
        running.join()
    assert (told["publication"], told["destroyed"]) == ("published", True)
    assert office.left() == (0, 0)


def test_what_is_not_allowed_is_refused_and_recorded_and_nothing_is_gone(office: Office) -> None:
    verdict = office.verdict()
    request = office.request(verdict)
    one, two = (office.sign(request, name) for name in ("officer-1", "officer-2"))
    before = office.left()
    assert office.destroy(request, verdict, one, expect=1)["reason"] == "approvals_too_few"
    assert office.destroy(request, verdict, one, one, expect=1)["reason"] == "approval_repeated"
    other = office.verdict(name="other")
    assert office.destroy(request, other, one, two, expect=1)["reason"] == "verdict_differs"
    changed = office.folder / "changed"
    changed.write_bytes(request.read_bytes().replace(f"end {WIDTH}".encode(), f"end {2 * WIDTH}".encode()))
    assert office.destroy(changed, verdict, one, two, expect=1)["reason"] == "destruction_not_published"
    assert [word for word in office.recorded() if word.startswith("refused")] == [
        "refused approvals_too_few",
        "refused approval_repeated",
        "refused verdict_differs",
        "refused destruction_not_published",
    ]
    office.archive.sequence()
    office.upkeep()
    assert office.left() == before
    attempts = office.verify()["facts"]["attempts"]
    assert [attempt["reason"] for attempt in attempts][:2] == ["approvals_too_few", "approval_repeated"]


def test_a_row_that_no_officer_signed_destroys_nothing(office: Office) -> None:
    """Whoever can write to the database can write a destruction's leaf: it is judged before it is carried out."""
    composition = office.archive.composition
    verdict = office.verdict()
    request = office.request(verdict)
    one = office.sign(request, "officer-1")
    log = open_destruction_log(
        composition.url,
        reader=LogReader(office.log, composition.log_key()),
        locks=composition.locks,
        clock=composition.clock,
        randomness=composition.randomness,
    )
    try:
        log.write(lambda _at: destruction_evidence(request.read_bytes(), verdict.read_bytes(), [one.read_bytes()]))
    finally:
        log.close()
    before = office.left()
    office.archive.sequence()
    office.upkeep()
    assert office.left() == before
    assert "destruction_not_approved" in {finding["code"] for finding in office.verify(expect=1)["findings"]}


def test_a_verdict_about_another_tree_destroys_nothing(office: Office) -> None:
    """Of this name and this length: the log that an auditor was shown is the one that loses its evidence."""
    verdict = office.verdict()
    said = read_verdict(verdict.read_bytes()).verdict
    request = office.request(verdict)
    other = replace(said, root="e" * 64)
    verdict.write_bytes(SignedVerdict(other, office.archive.auditor.sign(other.text())).document())
    office.request(verdict, expect=1)
    request.write_bytes(destruction(office.archive, verdict.read_bytes()))
    approvals = [office.sign(request, name) for name in ("officer-1", "officer-3")]
    assert office.destroy(request, verdict, *approvals, expect=1)["reason"] == "verdict_of_another_tree"
    assert office.recorded()[-1] == "refused verdict_of_another_tree"


def test_an_auditor_signs_only_what_holds_and_was_open(office: Office) -> None:
    key = office.trust / "periods" / f"{office.archive.period}.key"
    content = key.read_bytes()
    key.unlink()
    assert not office.verdict(expect=1).exists()
    key.write_bytes(content)
    path = office.log / "evidence" / "000"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    report, out = office.folder / "spoilt.json", office.folder / "spoilt"
    report.write_text(office.run("audit", "verify", office.log, "--trust", office.trust, "--json", expect=1))
    signing = ("retention", "sign-verdict", report, "--auditor", "auditor-1", "--key", office.folder / "auditor.key")
    office.run(*signing, "--out", out, expect=1)
    assert not out.exists()


def test_a_month_without_evidence_and_a_policy_without_retention(office: Office) -> None:
    verdict = office.verdict()
    assert "202401" in office.run(
        "retention", "propose", "202401", "--verdict", verdict, "--out", office.folder / "x", "--config", office.config,
        expect=2,
    )  # fmt: skip
    office.archive.officers.change(lambda bundle: bundle.pop("retention"))
    office.run(
        "retention", "propose", office.archive.period, "--verdict", verdict, "--out", office.folder / "x",
        "--config", office.config, expect=1,
    )  # fmt: skip
    assert office.recorded()[-1] == "refused retention_not_set"


def test_a_month_is_destroyed_as_the_page_says(office: Office) -> None:
    """The procedure, followed to the letter while the gateway's sequencer runs."""
    values = {"PERIOD": office.archive.period, "AUDITOR": "auditor-1", "AUDITOR_KEY": office.folder / "auditor.key"}
    for order, name in (("FIRST", "officer-1"), ("SECOND", "officer-2")):
        values |= {order: name, f"{order}_KEY": office.key(name)}
    who = Reader(office.folder, {name: str(value) for name, value in (values | {"TRUST": office.trust}).items()})
    stop = threading.Event()
    running = threading.Thread(target=office.archive.composition.sequence, args=(stop,))
    running.start()
    try:
        who.follow(PROCEDURES / "fr" / "destroy-a-period.md", {})
    finally:
        stop.set()
        running.join()
    assert office.left()[0] == 0
