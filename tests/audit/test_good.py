from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import audit, remember
from gateway.audit.trust import load_trust
from gateway.audit.verdict import Unproven
from gateway.errors import ConfigurationError
from gateway.ledger.note import parse_note

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.forge import Forger


def test_a_good_log_holds_and_its_facts_are_counted(log: Path, trust: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    verdict = audit(log, trust, progress=lambda step, done, total: steps.append((step, done, total)))
    assert verdict.findings == ()
    assert verdict.holds
    facts = verdict.facts
    assert (facts.exchanges, facts.sealed) == (6, 0)
    assert dict(facts.refusals) == {
        "authorization_refused": 1,
        "certificate_refused": 1,
        "digest_mismatch": 1,
        "key_of_another_party": 1,
        "not_agreed": 1,
        "purpose_not_agreed": 1,
        "replayed": 1,
        "signature_missing": 1,
        "signature_malformed": 1,
        "upstream_timeout": 1,
    }
    assert [(party.name, party.exchanges, party.refusals) for party in facts.parties] == [
        ("", 0, 1),
        ("cooperative", 2, 3),
        ("ministry", 4, 6),
    ]
    checkpoint = parse_note((log / "checkpoint").read_bytes()).checkpoint
    assert (facts.size, facts.root, facts.origin) == (checkpoint.size, checkpoint.root.hex(), checkpoint.origin)
    assert steps[-1] == ("entries", facts.size, facts.size)


def test_what_cannot_be_proved_is_said(log: Path, trust: Path) -> None:
    verdict = audit(log, trust)
    assert verdict.first_audit
    assert set(verdict.unproven) == {
        Unproven.FIRST_AUDIT,
        Unproven.ANSWERS_UNACKNOWLEDGED,
        Unproven.HANDLES_ASSERTED,
        Unproven.ORIGIN_ASSERTED,
        Unproven.WRITERS_OPEN,
        Unproven.NO_TIMESTAMPS,
        Unproven.NO_WITNESSES,
    }


def test_without_contracts_of_the_auditor_s_they_are_the_gateway_s_word(log: Path, trust: Path) -> None:
    shutil.rmtree(trust / "contracts")
    verdict = audit(log, trust)
    assert verdict.holds
    assert Unproven.CONTRACTS_ASSERTED in verdict.unproven


def test_a_contract_among_the_anchors_that_is_none(log: Path, trust: Path) -> None:
    (trust / "contracts" / "other.yaml").write_text("service: x\n")
    with pytest.raises(ConfigurationError, match="trust_malformed"):
        audit(log, trust)


def test_an_auditor_s_machine_does_not_load_a_database_s_library() -> None:
    """It would take a quarter of a second at each start."""
    text = "import sys, gateway.audit.audit; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False, timeout=60).returncode == 0


def test_a_remembered_log_is_no_first_audit(log: Path, trust: Path) -> None:
    remember(audit(log, trust), trust)
    verdict = audit(log, trust)
    assert verdict.holds
    assert not verdict.first_audit
    assert Unproven.FIRST_AUDIT not in verdict.unproven


def test_a_log_that_grew_extends_the_remembered_one(log: Path, trust: Path, forger: Forger, tmp_path: Path) -> None:
    remember(audit(forger.write(forger.copy()[:9], tmp_path / "short"), trust), trust)
    assert audit(log, trust).holds


def test_a_verdict_that_does_not_hold_is_not_remembered(log: Path, trust: Path) -> None:
    (log / "junk").write_bytes(b"")
    with pytest.raises(ConfigurationError):
        remember(audit(log, trust), trust)
    assert load_trust(trust).remembered is None


def test_without_the_period_key_evidence_is_reported_as_sealed(log: Path, trust: Path, forger: Forger) -> None:
    (trust / "periods" / f"{forger.items[0].leaf.period}.key").unlink()
    verdict = audit(log, trust)
    assert verdict.holds
    assert Unproven.EVIDENCE_SEALED in verdict.unproven
    assert verdict.facts.sealed == 16
    assert verdict.facts.exchanges == 6


def test_a_log_that_grows_while_it_is_audited(log: Path, trust: Path, forger: Forger, tmp_path: Path) -> None:
    growing = forger.write(forger.copy()[:9], tmp_path / "growing")

    def grow(step: str, done: int, _total: int) -> None:
        if (step, done) == ("objects", 1):
            shutil.rmtree(growing)
            shutil.copytree(log, growing)

    verdict = audit(growing, trust, progress=grow)
    assert verdict.findings == ()
    assert verdict.facts.size == len(forger.items)


def test_files_of_a_later_size_are_reported_and_not_failed(
    log: Path, trust: Path, forger: Forger, tmp_path: Path
) -> None:
    short = forger.write(forger.copy()[:9], tmp_path / "short")
    for path in log.rglob("*"):
        target = short / path.relative_to(log)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    verdict = audit(short, trust)
    assert verdict.findings == ()
    assert Unproven.LATER_FILES in verdict.unproven


@pytest.mark.parametrize("name", ["log.vkey", "genesis", "roots", "periods/202611.key", "remembered-checkpoint"])
def test_an_anchor_that_cannot_be_used_is_wrong_usage(log: Path, trust: Path, name: str, forger: Forger) -> None:
    path = trust / name.replace("202611", str(forger.items[0].leaf.period))
    if path.is_dir():
        path.rename(trust / "elsewhere")
    else:
        path.write_bytes(b"nonsense\n")
    with pytest.raises(ConfigurationError):
        audit(log, trust)


def test_no_log_is_wrong_usage(trust: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        audit(tmp_path / "nowhere", trust)


def test_no_trust_is_wrong_usage(log: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        audit(log, tmp_path / "nowhere")
