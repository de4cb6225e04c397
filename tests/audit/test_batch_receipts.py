"""A batch's receipts, a line each, held against the log: what is wrong is named by its line (L12, decision 0034)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.audit import Beside, audit
from gateway.audit.batch_receipts import read_lines
from gateway.audit.counts import ReceiptCount
from gateway.audit.kept_answer import KeptAnswer
from gateway.audit.verdict import Fault, Verdict
from gateway.cli.main import run as command
from gateway.ledger.encoding import encode64
from gateway.system import SystemClock
from tests.audit.answered import KeepingParty
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Kept = dict[str, Any]


class Run:
    """Two verifications and an echo, kept by the line as a batch keeps them."""

    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder / "gateway")
        self.log, self.trust = self.gateway.settings.folders.log, self.gateway.folder / "trust"
        party = KeepingParty(self.gateway, "ministry", folder / "receipts")
        answered = [
            party.verify(fresh_salt()),
            party.echo(agreement="ESSAI-MIN", purpose="essai"),
            party.verify(fresh_salt()),
        ]
        self.lines = [
            {"line": number, "drawn": f"{number:016x}"} | json.loads(one.receipt.read_text())
            for number, one in enumerate(answered, 2)
        ]
        self.gateway.worker.close()
        self.gateway.sequence()
        self.gateway.sequence()

    def lot(self, folder: Path, lines: list[Kept], tail: str = "") -> Path:
        """The folder of a batch that has these receipts."""
        folder.mkdir(exist_ok=True)
        for name in ("lot.json", "cle", "verrou", "pause"):
            (folder / name).write_text("{}")
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / "recus.jsonl").write_text(content + tail, encoding="utf-8")
        return folder

    def judged(self, lot: Path, log: Path | None = None) -> Verdict:
        return audit(log or self.log, self.trust, beside=Beside(SystemClock().now(), lot))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("lines"))


def found(verdict: Verdict) -> list[tuple[Fault, str]]:
    return [(item.code, item.file) for item in verdict.findings]


def test_each_line_is_held_against_the_log(run: Run, tmp_path: Path) -> None:
    verdict = run.judged(run.lot(tmp_path / "lot", run.lines))
    assert (verdict.findings, verdict.receipts) == ((), ReceiptCount(held=3))


def test_a_last_line_that_a_kill_left_half_written_is_passed_over(run: Run, tmp_path: Path) -> None:
    torn = json.dumps(run.lines[2])
    verdict = run.judged(run.lot(tmp_path / "lot", run.lines[:2], torn[:-40]))
    assert (verdict.findings, verdict.receipts) == ((), ReceiptCount(held=2))
    assert run.judged(run.lot(tmp_path / "lot", run.lines[:2], torn)).receipts == ReceiptCount(held=3)


def _body(line: Kept) -> None:
    line["body"] = line["body"].replace("bonjour", "bonsoir")


def _other_leaf(line: Kept) -> None:
    line["headers"]["ledger-leaf"] = encode64(bytes(32))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_body, Fault.RECEIPT_NOT_OURS),
        (_other_leaf, Fault.RECEIPT_NOT_OURS),
        (lambda line: line.pop("drawn"), Fault.RECEIPT_UNREADABLE),
        (lambda line: line.update(line="2"), Fault.RECEIPT_UNREADABLE),
        (lambda line: line.update(nirec="0" * 13), Fault.RECEIPT_UNREADABLE),
    ],
    ids=["another body", "another leaf", "without what its salt was made of", "a line of no number", "one more member"],
)
def test_what_is_wrong_is_named_by_its_line(
    run: Run, tmp_path: Path, change: Callable[[Kept], object], fault: Fault
) -> None:
    lines = [json.loads(json.dumps(line)) for line in run.lines]
    change(lines[1])
    verdict = run.judged(run.lot(tmp_path / "lot", lines))
    assert found(verdict) == [(fault, "receipts/recus.jsonl:2")]
    assert verdict.receipts == ReceiptCount(held=2, failed=1)


def test_two_lines_at_fault_are_two(run: Run, tmp_path: Path) -> None:
    verdict = run.judged(run.lot(tmp_path / "lot", [{}, run.lines[1], {"line": 1}]))
    assert found(verdict) == [
        (Fault.RECEIPT_UNREADABLE, "receipts/recus.jsonl:1"),
        (Fault.RECEIPT_UNREADABLE, "receipts/recus.jsonl:3"),
    ]
    assert verdict.receipts == ReceiptCount(held=1, failed=2)


def test_an_answer_that_gave_another_handle_than_evidence_tells_of(run: Run, tmp_path: Path) -> None:
    forger = Forger(run.gateway)
    wrong = run.lines[2]["headers"]["exchange-id"]
    (item,) = (one for one in forger.items if str(one.leaf.exchange_id) == wrong)
    forger.change(item, lambda evidence: evidence["subjects"][0].update(handle="ab" * 32))
    # what the party signed for stays; the forger signs no answer anew for it
    verdict = run.judged(run.lot(tmp_path / "lot", run.lines), forger.write(forger.items, tmp_path / "forged"))
    assert (Fault.KEPT_HANDLE_DIFFERS, "receipts/recus.jsonl:3") in found(verdict)
    assert (Fault.KEPT_HANDLE_DIFFERS, "receipts/recus.jsonl:1") not in found(verdict)


def test_a_line_without_end_ends_the_reading(run: Run, tmp_path: Path) -> None:
    path = run.lot(tmp_path / "lot", run.lines[:1], "x" * ((1 << 20) + 1)) / "recus.jsonl"
    (first, second) = read_lines(path)
    assert isinstance(first[1], KeptAnswer)
    assert (second[0], getattr(second[1], "fault", None)) == ("recus.jsonl:2", Fault.RECEIPT_UNREADABLE)


def test_one_certificate_is_held_once(run: Run, tmp_path: Path) -> None:
    path = run.lot(tmp_path / "lot", run.lines) / "recus.jsonl"
    signers = {id(answer.signer) for _, answer in list(read_lines(path)) if isinstance(answer, KeptAnswer)}
    assert len(signers) == 1


def test_check_kept_takes_a_batch_alone_and_says_what_is_missing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lot = run.lot(tmp_path / "lot", [*run.lines, {}])
    asked = ["audit", "check-kept", str(run.log), "--trust", str(run.trust)]
    assert command([*asked, "--receipts", str(lot)]) == 1
    said = capsys.readouterr().out
    assert "3 concordent" in said
    assert "receipts/recus.jsonl:4" in said
    assert command([*asked]) == 2
    assert "FICHIER.lot" in capsys.readouterr().err
