"""An activation that root on the database deletes before it is published must not go unnoticed (decision 0013)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gateway.cli.output import Exit, Output
from gateway.cli.policy_publication import PATIENCE_SECONDS, Publication, await_publication, say_publication
from gateway.composition import Composition
from gateway.ledger.locks import WriterLock
from gateway.messages.catalogue import Catalogue
from gateway.places import is_sequenced
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness
from tests.cli.desk import narrower
from tests.intruder import Root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.messages.table import Language
    from tests.cli.desk import Desk


@dataclass
class HurriedClock:
    """Five seconds pass with each look at it."""

    ran: float = 0.0

    def now(self) -> datetime:
        return SystemClock().now()

    def monotonic(self) -> float:
        self.ran += 5.0
        return self.ran


@pytest.fixture
def sequencing(desk: Desk) -> Iterator[None]:
    """A sequencer of this set-up, in a thread."""
    composition = Composition(load_settings(desk.folder / "passerelle.toml", {}), SystemClock(), SystemRandomness())
    stop = threading.Event()
    thread = threading.Thread(target=composition.sequence, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("sequencing")
def test_an_activation_is_told_once_the_log_shows_it(desk: Desk) -> None:
    assert desk.change(desk.write("v2.yaml", narrower))["publication"] == "published"


def test_without_a_sequencer_it_is_said_that_nothing_is_published(desk: Desk) -> None:
    path = desk.write("v2.yaml", narrower)
    desk.propose(path)
    approvals = [part for name in ("officer-1", "officer-2") for part in ("--approval", desk.approve(path, name))]
    said = desk.run("--lang", "en", "policy", "activate", path, *approvals, "--config", desk.config)
    assert "WARNING: the gateway does not run, so nothing is published" in said
    assert desk.activate(path, expect=1)["reason"] == "version_reused"  # it is in force all the same


@pytest.mark.usefixtures("sequencing")
def test_an_activation_that_root_takes_away_at_once_is_overdue(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.policy_publication.PATIENCE_SECONDS", 0.5)
    Root(desk.folder).run(
        "CREATE TRIGGER vanish AFTER INSERT ON records"
        " WHEN NEW.kind = 8 AND instr(NEW.record, CAST('activated' AS BLOB))"
        " BEGIN DELETE FROM records WHERE id = NEW.id; END"
    )
    path = desk.write("v2.yaml", narrower)
    desk.propose(path)
    approvals = [desk.approve(path, name) for name in ("officer-1", "officer-2")]
    told = desk.activate(path, *approvals, expect=int(Exit.OUTSIDE))
    assert (told["holds"], told["publication"]) == (False, "overdue")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_it_is_waited_for_within_bounds_and_then_said_loudly(
    language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    output, clock = Output(Catalogue(language)), HurriedClock()
    found = await_publication(output, clock, is_published=lambda: False, is_running=lambda: True)
    say_publication(output, found)
    printed = capsys.readouterr()
    assert (found, found.exit) == (Publication.OVERDUE, Exit.OUTSIDE)
    assert clock.ran >= PATIENCE_SECONDS
    assert {"fr": "Attente de la publication", "en": "Waiting until the log"}[language] in printed.out
    assert {"fr": "Ne pas s'y fier", "en": "Do not rely on it"}[language] in printed.err


def test_one_that_is_published_as_the_sequencer_ends_is_published() -> None:
    answers = iter([False, True])
    found = await_publication(
        Output(Catalogue("en")),
        HurriedClock(),
        is_published=lambda: next(answers),
        is_running=lambda: False,
    )
    assert found is Publication.PUBLISHED


def test_whether_a_sequencer_runs_is_told_by_its_lock(desk: Desk) -> None:

    settings = load_settings(desk.folder / "passerelle.toml", {})
    assert not is_sequenced(settings)
    held = WriterLock.attempt(settings.folders.db / "writers" / "sequencer.lock")
    assert held is not None
    assert is_sequenced(settings)
    held.release()
    assert not is_sequenced(settings)
