"""The database is lost: recovered by the command, what is lost named by officers, and an audit that says so (L7)."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.audit import Beside, audit
from gateway.audit.counts import ReceiptCount
from gateway.audit.verdict import Unproven
from gateway.composition import Composition
from gateway.places import DATABASE, policy_log
from gateway.policy.recovery import read_loss
from gateway.settings import load_settings
from gateway.storage.copy import copy_database
from gateway.system import SystemClock, SystemRandomness
from tests.audit.answered import KeepingParty
from tests.audit.gateway_run import Gateway
from tests.cli.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.verdict import Verdict
    from tests.audit.answered import Exchanged
    from tests.postgres.cluster import Cluster


@dataclass(frozen=True)
class Lost:
    """A gateway that is gone: what it had answered, and what it never published of it; a backup of before."""

    gateway: Gateway
    backup: Path
    receipts: Path
    published: Exchanged
    unpublished: Exchanged


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Lost:
    folder = tmp_path_factory.mktemp("lost")
    gateway = Gateway(folder / "gateway")
    party = KeepingParty(gateway, "cooperative", folder / "receipts")
    party.echo()
    gateway.sequence()
    database = gateway.settings.folders.db / DATABASE
    copy_database(database, folder / "backup")
    published = party.echo()
    gateway.sequence()
    unpublished = party.echo()
    gateway.worker.close()
    return Lost(gateway, folder / "backup", party.receipts, published, unpublished)


class Machine(Desk):
    """The gateway on a machine where only the published log, settings and keys are left."""

    def __init__(self, lost: Lost, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        shutil.copytree(lost.gateway.folder, folder)
        super().__init__(folder, capsys)
        self.receipts = lost.receipts
        self.log, self.trust = folder / "gateway" / "log", folder / "trust"
        self.database = folder / "gateway" / "db" / DATABASE
        for path in self.database.parent.glob(f"{DATABASE}*"):
            path.unlink()

    def recover(self, *how: object, expect: int = 0) -> dict[str, Any]:
        return self.told("log", "recover", *how, "--config", self.config, expect=expect)

    def propose(self, *how: object, expect: int = 0) -> dict[str, Any]:
        out = self.folder / "loss"
        out.unlink(missing_ok=True)
        asked = ("log", "loss", "propose", "--reason", "machine-lost", *how, "--out", out)
        return self.told(*asked, "--config", self.config, expect=expect)

    def sign(self, name: str, file: Path | None = None, key: str = "", expect: int = 0) -> Path:
        out = self.folder / f"{name}.approval"
        out.unlink(missing_ok=True)
        signing = ("--officer", name, "--key", self.key(key or name), "--policy", self.current, "--out", out)
        self.run("log", "loss", "approve", file or self.folder / "loss", *signing, expect=expect)
        return out

    def record(self, *names: str, expect: int = 0, file: Path | None = None) -> dict[str, Any]:
        approvals = [part for name in names for part in ("--approval", self.folder / f"{name}.approval")]
        asked = ("log", "loss", "record", file or self.folder / "loss", *approvals)
        return self.told(*asked, "--config", self.config, expect=expect)

    def reminded(self) -> list[dict[str, Any]]:
        """Of losses, by `status`, while nothing runs."""
        told = self.told("status", "--config", self.config, expect=3)
        assert ("loss_unnamed" in {alarm["name"] for alarm in told["alarms"]}) == bool(told["losses"])
        found: list[dict[str, Any]] = told["losses"]
        return found

    def sequence(self) -> None:
        settings = load_settings(self.folder / "passerelle.toml")
        composition = Composition(settings, SystemClock(), SystemRandomness())
        composition.prepare()
        stop = threading.Event()
        stop.set()
        composition.sequence(stop)

    def audited(self, receipts: bool = True) -> Verdict:  # noqa: FBT001, FBT002  a flag
        beside = Beside(SystemClock().now(), self.receipts if receipts else None)
        return audit(self.log, self.trust, beside=beside)


@pytest.fixture
def machine(lost: Lost, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(lost, tmp_path / "machine", capsys)


def named(machine: Machine, lost: Lost, *how: object) -> None:
    """From the recovered database to the officers' leaf, and an audit of it."""
    asked = machine.propose("--exchange", lost.unpublished.exchange_id)
    assert (asked["needed"], asked["exchanges"], asked["waiting"]) == (2, [lost.unpublished.exchange_id], 1)
    for name in ("officer-1", "officer-2"):
        machine.sign(name)
    found = machine.record("officer-1", "officer-2")
    assert (found["approved_by"], found["publication"]) == (["officer-1", "officer-2"], "stopped")
    for _ in range(2):
        machine.sequence()
    verdict = machine.audited()
    assert verdict.findings == ()
    assert verdict.receipts == ReceiptCount(held=2, lost=1)
    (recovery,) = verdict.facts.recoveries
    assert recovery.officers == ("officer-1", "officer-2")
    assert (recovery.reason, recovery.exchanges) == ("machine-lost", (lost.unpublished.exchange_id,))
    assert Unproven.LOSS_AWAITED not in verdict.unproven
    machine.propose(expect=2)  # there is nothing more to name
    assert machine.reminded() == []


def test_a_database_from_a_backup_is_recovered_and_officers_name_what_is_lost(machine: Machine, lost: Lost) -> None:
    machine.recover(expect=1)  # there is no database: who has no backup must say so
    shutil.copy(lost.backup, machine.database)
    found = machine.recover()
    assert found["added"] > 0
    assert found["before"] > 0
    named(machine, lost)
    assert machine.recover()["added"] == 0


def test_a_server_s_database_is_recovered_from_the_log_alone(
    machine: Machine, lost: Lost, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.empty()
    monkeypatch.setenv("PASSERELLE_STORAGE__DATABASE", url)
    try:
        assert machine.recover("--without-backup")["before"] == 0
        named(machine, lost)
        assert machine.recover()["added"] == 0
    finally:
        postgresql.give_back(url)


def test_until_officers_have_said_what_is_lost_an_audit_says_that_it_is_awaited(machine: Machine, lost: Lost) -> None:
    machine.recover("--without-backup")
    [reminder] = machine.reminded()
    assert 95.5 < reminder["hours"] <= 96
    for _ in range(2):
        machine.sequence()
    verdict = machine.audited(receipts=False)
    assert verdict.holds
    assert Unproven.LOSS_AWAITED in verdict.unproven
    assert [(one.named, one.officers) for one in verdict.facts.recoveries] == [(None, ())]
    # the answer that nobody names is held against the log as before, once its promise has passed
    late = audit(machine.log, machine.trust, beside=Beside(SystemClock().now() + timedelta(minutes=1), lost.receipts))
    assert [finding.file for finding in late.findings] == [f"receipts/{lost.unpublished.receipt.name}"]


def test_a_row_that_only_says_that_it_is_a_recovery_keeps_no_other_from_being_named(machine: Machine) -> None:
    settings = load_settings(machine.folder / "passerelle.toml")
    machine.recover("--without-backup")
    with policy_log(settings, SystemClock(), SystemRandomness()) as log:
        log.acts()
        log._acts.write("recovered", None, document=b"a row of an intruder's\n")
    assert machine.propose()["waiting"] == 1


@pytest.fixture
def waiting(machine: Machine) -> Machine:
    """Recovered, and a statement written that waits for its officers."""
    machine.recover("--without-backup")
    machine.propose()
    return machine


def test_too_few_officers_record_nothing_and_the_attempt_is_a_leaf(waiting: Machine) -> None:
    waiting.sign("officer-1")
    assert waiting.record("officer-1", expect=1)["reason"] == "approvals_too_few"
    assert waiting.record("officer-1", "officer-1", expect=1)["reason"] == "approval_repeated"
    assert waiting.record(expect=1)["reason"] == "approvals_too_few"
    for _ in range(2):
        waiting.sequence()
    attempts = [one.reason for one in waiting.audited(receipts=False).facts.attempts]
    assert attempts == ["approvals_too_few", "approval_repeated", "approvals_too_few"]


def test_an_officer_signs_with_the_key_that_the_policy_has_and_sees_what(waiting: Machine, lost: Lost) -> None:
    waiting.sign("officer-1", key="officer-2", expect=1)
    waiting.propose("--exchange", lost.unpublished.exchange_id)
    out = waiting.folder / "shown"
    signing = ("--officer", "officer-1", "--key", waiting.key("officer-1"), "--policy", waiting.current, "--out", out)
    shown = waiting.run("log", "loss", "approve", waiting.folder / "loss", *signing)
    assert lost.unpublished.exchange_id in shown
    waiting.run("log", "loss", "approve", waiting.folder / "loss", *signing, expect=2)  # there is one already


_OTHERS: dict[str, dict[str, Any]] = {
    "of_another_recovery": {"recovery": "0" * 64},
    "of_another_size": {"size": 1},
    "of_another_root": {"root": "0" * 64},
    "that_begins_earlier": {"since": datetime(2026, 1, 1, tzinfo=UTC)},
    "that_ends_later": {"until": datetime(2099, 1, 1, tzinfo=UTC)},
}


@pytest.mark.parametrize("case", _OTHERS)
def test_a_statement_is_of_this_very_recovery(waiting: Machine, case: str) -> None:
    file = waiting.folder / "other"
    file.write_bytes(replace(read_loss((waiting.folder / "loss").read_bytes()), **_OTHERS[case]).document())
    for name in ("officer-1", "officer-2"):
        waiting.sign(name, file)
    assert waiting.record("officer-1", "officer-2", expect=1, file=file)["reason"] == "loss_of_another"
    assert waiting.recover()["waiting"] == 2  # the recovery's leaf, and the refusal's


def test_nothing_is_written_for_a_log_that_lost_nothing_nor_of_what_is_no_exchange(
    machine: Machine, lost: Lost
) -> None:
    shutil.copy(lost.backup, machine.database)
    machine.propose(expect=2)
    machine.recover()
    assert "nothing" in machine.propose("--exchange", "nothing", expect=2)["error"]
    assert not (machine.folder / "loss").exists()
