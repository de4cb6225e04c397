"""A copy that is handed over is a leaf: to whom, of what, until when; and an audit lists it (L2, section 1)."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from gateway.audit.handover import check_handover
from gateway.audit.verdict import Fault, Problem
from gateway.composition import Composition
from gateway.errors import LedgerError
from gateway.ledger.handover import Handover, read_handover
from gateway.ledger.handover_log import copy_log
from gateway.ledger.leaf import Leaf
from gateway.ledger.reader import LogReader
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness
from tests.cli.desk import Desk
from tests.policy.made import NOW, first

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gateway.audit.policies import Policies
    from tests.audit.gateway_run import Gateway

GIVEN = Handover("ministry", NOW + timedelta(days=30), 300, "a" * 64)


@dataclass
class InForce:
    """One policy, whatever the time."""

    bundle: Any

    def possible(self, _at: datetime) -> tuple[InForce, ...]:
        return (self,)


def checked(evidence: bytes, index: int = 300) -> object:
    """What the audit says of a handover's leaf: the fact, or the fault."""
    leaf = Leaf("handover", uuid4(), uuid4(), 1, NOW, bytes(32))
    try:
        return check_handover(index, leaf, evidence, cast("Policies", InForce(first()[1].bundle)))
    except Problem as problem:
        return problem.fault


def test_a_handover_is_a_fact() -> None:
    assert read_handover(GIVEN.evidence()) == GIVEN
    handed = cast("Any", checked(GIVEN.evidence()))
    assert (handed.recipient, handed.size, handed.due) == ("ministry", 300, "2026-12-23T02:40:00.000000Z")


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GIVEN, recipient="nobody"),
        replace(GIVEN, size=301),
        replace(GIVEN, due=NOW),
    ],
    ids=["to_a_stranger", "of_what_comes_later", "due_before"],
)
def test_a_handover_that_cannot_be_is_a_finding(wrong: Handover) -> None:
    assert checked(wrong.evidence()) is Fault.EVIDENCE_DIFFERS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":true'),
        (b'"size":300', b'"size":true'),
        (b'"size":300', b'"size":0'),
        (b'"size":300', b'"size":"300"'),
        (b'"root":"a', b'"root":"A'),
        (b'"recipient":"ministry"', b'"recipient":"Ministry"'),
        (b'"recipient":"ministry"', b'"recipient":1'),
        (b'"kind":"handover"', b'"kind":"intent"'),
        (b"02:40:00.000000Z", b"02:40:00Z"),
        (b'{"due"', b'{"a":1,"due"'),
    ],
)
def test_a_handover_has_one_form(old: bytes, new: bytes) -> None:
    assert old in GIVEN.evidence()
    assert checked(GIVEN.evidence().replace(old, new)) is Fault.EVIDENCE_MALFORMED


@pytest.fixture
def desk(gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A copy of the set-up, with the log of the gateway that ran."""
    folder = shutil.copytree(gateway.folder, tmp_path / "set-up")
    capsys.readouterr()
    return Desk(folder, capsys)


def test_a_copy_is_handed_over_and_the_log_says_so(desk: Desk) -> None:
    target = desk.folder / "for-the-ministry"
    due = (SystemClock().now() + timedelta(days=30)).strftime("%Y-%m-%d")
    told = desk.told("handover", target, "--to", "ministry", "--due", due, "--config", desk.config)
    # the copy is whole, and holds
    copy = desk.told("audit", "verify", target, "--trust", desk.folder / "trust")
    assert (copy["facts"]["size"], copy["facts"]["root"]) == (told["size"], told["root"])
    assert copy["facts"]["handovers"] == []
    assert not (desk.folder / ".for-the-ministry.new").exists()
    again = ("handover", target, "--to", "ministry", "--due", due, "--config", desk.config)
    assert "for-the-ministry" in desk.run(*again, expect=2)
    sequence(desk.folder)
    log = desk.folder / "gateway" / "log"
    facts = desk.told("audit", "verify", log, "--trust", desk.folder / "trust")["facts"]
    (handed,) = facts["handovers"]
    assert (handed["recipient"], handed["size"]) == ("ministry", told["size"])
    said = desk.run("--lang", "en", "audit", "verify", log, "--trust", desk.folder / "trust")
    assert "Copy handed to ministry" in said
    assert f"{due}T23:59:59-0" in said  # to the end of that day in Québec


@pytest.mark.parametrize(
    ("party", "due", "word"),
    [
        ("nobody", "2099-01-01", "nobody"),
        ("ministry", "2020-01-01", "2020-01-01"),
        ("ministry", "soon", "soon"),
        ("ministry", "9999-12-31T23:59:59-23:00", "9999"),
    ],
)
def test_a_handover_to_nobody_or_until_never_is_refused(desk: Desk, party: str, due: str, word: str) -> None:
    target = desk.folder / "copy"
    said = desk.run("handover", target, "--to", party, "--due", due, "--config", desk.config, expect=2)
    assert word in said
    assert not target.exists()


def test_a_log_without_its_files_is_not_copied(desk: Desk) -> None:
    composition = composed(desk.folder)
    log = composition.settings.folders.log
    next((log / "evidence").rglob("*.p/*")).unlink()
    with pytest.raises(LedgerError, match="missing under its checkpoint"):
        copy_log(log, desk.folder / "copy", LogReader(log, composition.log_key()))
    assert not (desk.folder / "copy").exists()


def composed(folder: Path) -> Composition:
    return Composition(load_settings(folder / "passerelle.toml", {}), SystemClock(), SystemRandomness())


def sequence(folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    composed(folder).sequence(stop)
