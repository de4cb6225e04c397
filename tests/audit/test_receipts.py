"""Receipts that parties kept, held against the log: whatever the gateway signed must be there (S3, L11)."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.audit.audit import Beside, audit
from gateway.audit.counts import ReceiptCount
from gateway.audit.verdict import Fault, Verdict
from gateway.identity.parties import keyid
from gateway.ledger.encoding import encode64, seconds_timestamp
from gateway.signing.base import lines
from gateway.signing.digest import content_digest
from gateway.signing.structured import parse_dictionary, serialise
from gateway.system import SystemClock
from tests.audit.answered import Exchanged, KeepingParty, write_jws, write_proof
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway
from tests.exchange.live import read_issued
from tests.signing.drafts import fresh_salt, raw_signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.authority import Issued

Kept = dict[str, Any]
HOUR = timedelta(hours=1)


class Run:
    """Answers and refusals kept; the first, second and verified with their proofs, the last after the others."""

    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder / "gateway")
        self.receipts = folder / "receipts"
        self.log, self.trust = self.gateway.settings.folders.log, self.gateway.folder / "trust"
        self.cooperative = KeepingParty(self.gateway, "cooperative", self.receipts)
        self.ministry = KeepingParty(self.gateway, "ministry", self.receipts)
        self.first, self.second = self.cooperative.echo(), self.cooperative.echo()
        self.verified = self.ministry.verify(fresh_salt())
        self.denied = self.cooperative.echo(agreement="NONE")
        self.replayed = self.cooperative.sent(self.first.request)
        self.gateway.sequence()
        self.proven = [self.first, self.second, self.verified]
        self.proofs = [write_proof(self.gateway, item, UUID(item.exchange_id)) for item in self.proven]
        self.last = self.cooperative.acknowledge(self.first)
        self.gateway.worker.close()
        self.gateway.sequence()
        self.gateway.sequence()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("receipts"))


@pytest.fixture(scope="module")
def forger(run: Run) -> Forger:
    return Forger(run.gateway)


@pytest.fixture
def receipts(run: Run, tmp_path: Path) -> Path:
    """A copy of the receipts, for one test to spoil."""
    return shutil.copytree(run.receipts, tmp_path / "receipts")


def judged(run: Run, receipts: Path, log: Path | None = None, now: datetime | None = None) -> Verdict:
    return audit(log or run.log, run.trust, beside=Beside(now or SystemClock().now(), receipts))


def found(verdict: Verdict) -> list[tuple[Fault, str]]:
    return [(item.code, item.file) for item in verdict.findings]


def spoil(receipts: Path, exchanged: Exchanged, change: Callable[[Kept], object]) -> str:
    path = receipts / exchanged.receipt.name
    kept = json.loads(path.read_text())
    change(kept)
    path.write_text(json.dumps(kept))
    return f"receipts/{path.name}"


def resign(kept: Kept, issued: Issued) -> None:
    """Signs a changed answer again, by whoever holds this key."""
    label, member = next(iter(parse_dictionary(kept["headers"]["signature-input"]).items()))
    asked = kept["request"]
    values = {f'"{name}"': value for name, value in kept["headers"].items()} | {
        '"@status"': str(kept["status"]),
        '"@method";req': asked["method"],
        '"@target-uri";req': asked["target_uri"],
        '"content-digest";req': asked["content_digest"],
        '"signature";req;key="sig1"': f":{asked['signature']}:",
        '"signature-input";req;key="sig1"': asked["signature_input"],
    }
    parameters = serialise(member)
    base = lines([(serialise(item), values[serialise(item)]) for item in member.items], parameters)  # type: ignore[union-attr]  # an answer's is an inner list
    kept["headers"]["signature"] = f"{label}=:{encode64(raw_signature(issued, base))}:"


def gateway_key(run: Run) -> Issued:
    return read_issued(run.gateway.settings.folders.keys / "signing")


def test_receipts_of_a_log_that_holds(run: Run) -> None:
    verdict = judged(run, run.receipts)
    assert verdict.findings == ()
    assert verdict.receipts == ReceiptCount(held=6)
    assert audit(run.log, run.trust).receipts is None


def test_an_exchange_that_is_missing_from_the_log(run: Run, forger: Forger, receipts: Path, tmp_path: Path) -> None:
    """The gateway rewrites its whole log without one exchange; the party that was answered has the receipt."""
    items = forger.copy()
    gone = next(item for item in items if str(item.leaf.exchange_id) == run.second.exchange_id)
    counter, writer = gone.leaf.counter, gone.leaf.writer
    items.remove(gone)
    for item in items:
        if item.leaf.writer == writer and item.leaf.counter > counter:
            item.leaf = replace(item.leaf, counter=item.leaf.counter - 1)
            if item.record.answer_base:
                forger.change(item, lambda _: None)
    log = forger.write(items, tmp_path)
    for path in receipts.glob("*.jws"):
        path.unlink()
    # the promise lies behind the log's last leaf: the log goes on, and yet it is not there
    name = spoil(receipts, run.second, lambda kept: promised(run, kept, -HOUR))
    assert (Fault.RECEIPT_MISSING, name) in found(judged(run, receipts, log))


def promised(run: Run, kept: Kept, later: timedelta) -> None:
    kept["headers"]["ledger-by"] = seconds_timestamp(SystemClock().now() + later)
    resign(kept, gateway_key(run))


def test_a_promise_that_has_passed_and_one_that_has_not(run: Run, forger: Forger, tmp_path: Path) -> None:
    """The tail is cut off: to the log's own clock nothing is late, to the auditor's it is."""
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    shutil.copy(run.last.receipt, receipts)
    items = forger.copy()
    at = next(i for i, item in enumerate(items) if str(item.leaf.exchange_id) == run.last.exchange_id)
    log = forger.write(items[:at], tmp_path)
    by = datetime.fromisoformat(run.last.answer.headers["ledger-by"])
    late = judged(run, receipts, log, by + timedelta(seconds=1))
    assert found(late) == [(Fault.RECEIPT_OVERDUE, f"receipts/{run.last.receipt.name}")]
    assert late.receipts == ReceiptCount(failed=1)
    early = judged(run, receipts, log, by)
    assert early.holds
    assert early.receipts == ReceiptCount(pending=1)


def test_a_proven_receipt_is_never_merely_pending(run: Run, forger: Forger, tmp_path: Path) -> None:
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    for path in (run.verified.receipt, run.verified.receipt.with_suffix(".jws")):
        shutil.copy(path, receipts)
    items = forger.copy()
    at = next(i for i, item in enumerate(items) if str(item.leaf.exchange_id) == run.verified.exchange_id)
    verdict = judged(run, receipts, forger.write(items[:at], tmp_path), SystemClock().now() - HOUR)
    assert found(verdict) == [(Fault.RECEIPT_OVERDUE, f"receipts/{run.verified.receipt.name}")]


def test_another_leaf_than_the_one_announced(run: Run, receipts: Path) -> None:
    def change(kept: Kept) -> None:
        kept["headers"]["ledger-leaf"] = encode64(bytes(32))
        resign(kept, gateway_key(run))

    for path in receipts.glob("*.jws"):
        path.unlink()
    name = spoil(receipts, run.first, change)
    assert found(judged(run, receipts)) == [(Fault.RECEIPT_LEAF_DIFFERS, name)]


def test_another_answer_than_the_one_recorded(run: Run, receipts: Path) -> None:
    """The gateway signed two answers for one leaf, and recorded the other."""

    def change(kept: Kept) -> None:
        kept["body"] = '{"message":"autre"}'
        kept["headers"]["content-digest"] = content_digest(kept["body"].encode())
        resign(kept, gateway_key(run))

    name = spoil(receipts, run.first, change)
    assert found(judged(run, receipts)) == [(Fault.RECEIPT_ANSWER_DIFFERS, name)]


def _other_key(kept: Kept) -> None:
    stranger = DevAuthority("stranger", SystemClock().now().replace(microsecond=0))
    issued = stranger.issue(Profile.SIGNING, ["gateway.passerelle.test"])
    kept["signer"] = encode64(issued.der)
    parameters = kept["headers"]["signature-input"]
    kept["headers"]["signature-input"] = re.sub('keyid="[^"]+"', f'keyid="{keyid(issued.der)}"', parameters)
    resign(kept, issued)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda kept: kept.update(body='{"message":"autre"}'), Fault.RECEIPT_NOT_OURS),
        (lambda kept: kept.update(status=201), Fault.RECEIPT_NOT_OURS),
        (lambda kept: kept["headers"].update({"ledger-by": "2020-01-01T00:00:00Z"}), Fault.RECEIPT_NOT_OURS),
        (lambda kept: kept["request"].update(target_uri="https://x/"), Fault.RECEIPT_NOT_OURS),
        (lambda kept: kept["request"].update(signature="AAAA"), Fault.RECEIPT_NOT_OURS),
        (_other_key, Fault.RECEIPT_NOT_OURS),
        (lambda kept: kept.update(signer="AAAA"), Fault.RECEIPT_UNREADABLE),
        (lambda kept: kept.update(v=2), Fault.RECEIPT_UNREADABLE),
        (lambda kept: kept.update(more=1), Fault.RECEIPT_UNREADABLE),
        (lambda kept: kept["headers"].pop("exchange-id"), Fault.RECEIPT_UNREADABLE),
        (lambda kept: kept["headers"].pop("signature"), Fault.RECEIPT_UNREADABLE),
        (lambda kept: kept["headers"].pop("ledger-by"), Fault.RECEIPT_UNREADABLE),
        (lambda kept: kept["headers"].update({"signature-input": "a=1, a=2"}), Fault.RECEIPT_UNREADABLE),
    ],
    ids=[
        "body", "status", "promise", "target", "request_signature", "strangers_key", "no_certificate", "version",
        "more", "no_id", "unsigned", "no_promise", "malformed",
    ],
)  # fmt: skip
def test_a_receipt_that_is_not_the_gateways(
    run: Run, receipts: Path, change: Callable[[Kept], object], fault: Fault
) -> None:
    name = spoil(receipts, run.second, change)
    verdict = judged(run, receipts)
    assert found(verdict) == [(fault, name)]
    assert verdict.receipts == ReceiptCount(held=5, failed=1)


def test_a_receipt_whose_signature_leaves_the_leaf_out(run: Run, receipts: Path) -> None:
    def change(kept: Kept) -> None:
        parameters = kept["headers"]["signature-input"].replace(' "ledger-leaf"', "")
        kept["headers"]["signature-input"] = parameters
        resign(kept, gateway_key(run))

    assert found(judged(run, receipts)) == []
    name = spoil(receipts, run.second, change)
    assert found(judged(run, receipts)) == [(Fault.RECEIPT_NOT_OURS, name)]


def test_files_that_are_no_receipts(run: Run, receipts: Path) -> None:
    (receipts / "b.json").write_text("[")
    (receipts / "c.json").write_bytes(b"\xff")
    (receipts / "d.txt").write_text("no receipt, and not looked at")
    assert found(judged(run, receipts)) == [
        (Fault.RECEIPT_UNREADABLE, "receipts/b.json"),
        (Fault.RECEIPT_UNREADABLE, "receipts/c.json"),
    ]


def test_a_proof_for_another_log(run: Run, receipts: Path) -> None:
    """A fork: the party was shown a log in which its exchange stands, and the auditor another."""
    jws = run.first.receipt.with_suffix(".jws").name
    write_jws(receipts / jws, "c2sp.org/tlog-proof@v1\nindex 1\n\nnothing")
    (receipts / run.second.receipt.with_suffix(".jws").name).write_text("no token")
    assert set(found(judged(run, receipts))) == {
        (Fault.RECEIPT_PROOF_DIFFERS, f"receipts/{jws}"),
        (Fault.RECEIPT_UNREADABLE, f"receipts/{run.second.receipt.with_suffix('.jws').name}"),
    }


def _another_microsecond(text: str) -> str:
    return text[:-2] + ("2Z" if text.endswith("1Z") else "1Z")


def test_a_forked_log_is_found_by_the_root_that_a_party_was_shown(
    run: Run, forger: Forger, receipts: Path, tmp_path: Path
) -> None:
    items = forger.copy()
    # another refusal than the one that was recorded: nothing else changes, but every root after it
    victim = next(item for item in items if str(item.leaf.exchange_id) == run.denied.exchange_id)
    forger.change(victim, lambda evidence: evidence.update(received_at=_another_microsecond(evidence["received_at"])))
    verdict = judged(run, receipts, forger.write(items, tmp_path))
    shown = {item.file for item in verdict.findings if item.code == Fault.RECEIPT_PROOF_DIFFERS}
    assert shown == {f"receipts/{path.name}" for path in run.proofs}


def test_a_certificate_that_no_evidence_names_is_judged_by_the_auditors_lists(
    run: Run, forger: Forger, tmp_path: Path
) -> None:
    """The log forgets everything: the trust folder's roots and lists still say whose signature it is."""
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    shutil.copy(run.first.receipt, receipts)
    log = forger.write([item for item in forger.copy() if not item.record.answer_base][:2], tmp_path)
    by = datetime.fromisoformat(run.first.answer.headers["ledger-by"])
    assert (Fault.RECEIPT_OVERDUE, f"receipts/{run.first.receipt.name}") in found(judged(run, receipts, log, by + HOUR))
    trust = shutil.copytree(run.trust, tmp_path / "trust")
    shutil.rmtree(trust / "crls")
    verdict = audit(log, trust, beside=Beside(by + HOUR, receipts))
    assert (Fault.RECEIPT_NOT_OURS, f"receipts/{run.first.receipt.name}") in found(verdict)


def test_an_answer_that_says_itself_that_nothing_was_recorded(run: Run, receipts: Path) -> None:
    def change(kept: Kept) -> None:
        kept["status"] = 503
        for name in ("ledger-leaf", "ledger-by"):
            del kept["headers"][name]
            kept["headers"]["signature-input"] = kept["headers"]["signature-input"].replace(f' "{name}"', "")
        resign(kept, gateway_key(run))

    spoil(receipts, run.denied, change)
    verdict = judged(run, receipts)
    assert verdict.findings == ()
    assert verdict.receipts == ReceiptCount(held=5, unrecorded=1)


def test_a_receipt_under_another_party_s_certificate(run: Run, receipts: Path) -> None:
    """A party cannot make up a receipt of the gateway's with a certificate of its own."""
    theirs = read_issued(run.gateway.party("ministry") / "signing")

    def change(kept: Kept) -> None:
        kept["signer"] = encode64(theirs.der)
        parameters = kept["headers"]["signature-input"]
        kept["headers"]["signature-input"] = re.sub('keyid="[^"]+"', f'keyid="{keyid(theirs.der)}"', parameters)
        resign(kept, theirs)

    name = spoil(receipts, run.second, change)
    assert found(judged(run, receipts)) == [(Fault.RECEIPT_NOT_OURS, name)]
