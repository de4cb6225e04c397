"""An audit taken up from a checkpoint: what is before it is hashed, and its evidence is not opened again (L11)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import audit
from gateway.audit.verdict import Fault, Unproven
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.bench import Bench
    from tests.audit.forge import Forger

SEEN = 9


@pytest.fixture
def since(forger: Forger, tmp_path: Path) -> Path:
    """The checkpoint that an earlier audit saw, of the first nine leaves."""
    return forger.write(forger.copy()[:SEEN], tmp_path / "short") / "checkpoint"


def test_a_log_that_grew_holds_and_says_what_was_not_looked_at(log: Path, trust: Path, since: Path) -> None:
    whole, rest = audit(log, trust), audit(log, trust, since=since)
    assert rest.findings == ()
    assert rest.since == SEEN
    assert not rest.first_audit
    assert 0 < rest.facts.before < SEEN
    assert Unproven.BEFORE_SINCE in rest.unproven
    assert (rest.facts.size, rest.facts.exchanges) == (whole.facts.size, whole.facts.exchanges)
    assert sum(count for _, count in rest.facts.refusals) < sum(count for _, count in whole.facts.refusals)
    assert whole.facts.before == 0


def test_a_log_that_does_not_extend_it_is_a_fork(bench: Bench, trust: Path, since: Path, tmp_path: Path) -> None:
    early = next(item for item in bench.items[:SEEN] if item.leaf.kind == "exchange")
    bench.forger.change(early, lambda evidence: evidence.update(purpose="autre"))
    log = bench.forger.write(bench.items, tmp_path / "other")
    assert {finding.code for finding in audit(log, trust, since=since).findings} == {Fault.LOG_FORKED}


def test_a_log_that_is_shorter_is_a_rollback(forger: Forger, trust: Path, since: Path, tmp_path: Path) -> None:
    log = forger.write(forger.copy()[: SEEN - 1], tmp_path / "shorter")
    assert Fault.LOG_SHRANK in {finding.code for finding in audit(log, trust, since=since).findings}


def test_what_comes_after_it_is_opened(bench: Bench, trust: Path, since: Path, tmp_path: Path) -> None:
    late = next(item for item in reversed(bench.items) if item.leaf.kind == "exchange")
    assert bench.items.index(late) >= SEEN
    bench.forger.change(late, lambda evidence: evidence.update(agreement="NONE"))
    log = bench.forger.write(bench.items, tmp_path / "late")
    assert not audit(log, trust, since=since).holds


def test_an_id_that_stands_on_both_sides_of_it_is_found(bench: Bench, trust: Path, since: Path, tmp_path: Path) -> None:
    early = next(item for item in bench.items[:SEEN] if item.leaf.kind == "exchange")
    late = next(item for item in reversed(bench.items) if item.leaf.kind == "exchange")
    late.leaf = replace(late.leaf, exchange_id=early.leaf.exchange_id)
    log = bench.forger.write(bench.items, tmp_path / "twice")
    assert Fault.LEAF_REPEATED in {finding.code for finding in audit(log, trust, since=since).findings}


def test_a_checkpoint_that_the_log_s_key_did_not_sign_is_wrong_usage(log: Path, trust: Path, since: Path) -> None:
    since.write_bytes(since.read_bytes().replace(b"passerelle", b"passerella"))
    with pytest.raises(ConfigurationError):
        audit(log, trust, since=since)


def test_its_inputs_are_named_by_their_hashes(log: Path, trust: Path, since: Path) -> None:
    names = {item.name for item in audit(log, trust, since=since).inputs}
    assert {"checkpoint", "since", "trust/log.vkey", "trust/genesis", "trust/roots/ministry.pem"} <= names
