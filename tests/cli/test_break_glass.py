"""`passerelle policy break-glass`: from a spent budget to a served exchange, and back after its end (P2, P4)."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from gateway.composition import Composition
from tests.adapters.fakes import ShiftedClock
from tests.audit.gateway_run import Gateway
from tests.cli.desk import Desk, narrower

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from gateway.app import Worker

AGREEMENT = "ENT-2026-02"
WHY = "rattrapage: la panne d'hier, de 14 h à 18 h"


class MovedGateway(Gateway):
    """Its hours go by as a test says."""

    def _worker(self) -> Worker:
        self.moved = ShiftedClock()
        self.clock = self.moved  # type: ignore[assignment]  # a Clock as the system's is
        self.composition = Composition(self.settings, self.moved, self.randomness)
        self.composition.prepare()
        return super()._worker()

    def said(self, digit: str) -> str:
        """The outcome for the child of this number, or the code of the refusal."""
        content = json.loads(self.verify(digit).body)
        return str(content.get("outcome", content.get("code")))


def _small(bundle: dict[str, Any]) -> None:
    ceiling = {"subjects": 2, "hours": 4}
    bundle["agreements"][AGREEMENT]["budget"] = {"subjects": 1, "window_hours": 1, "break_glass": ceiling}
    bundle["officers"]["widening_delay_hours"] = 48


def asked(desk: Desk, *more: object, subjects: int = 1, hours: int = 2, **how: Any) -> dict[str, Any]:
    out = desk.folder / "glace.yaml"
    options = ("--subjects", subjects, "--hours", hours, "--reason", WHY, "--out", out, "--config", desk.config)
    return desk.told("policy", "break-glass", AGREEMENT, *options, *more, **how)


def test_from_a_spent_budget_to_a_served_exchange_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = MovedGateway(tmp_path / "dev")
    gateway.change(_small)
    assert [gateway.said("1"), gateway.said("2")] == ["confirmed", "budget_spent"]

    desk = Desk(gateway.folder, capsys)
    current = desk.folder / "en-vigueur.yaml"
    current.write_bytes(desk.current.read_bytes())
    told = asked(desk)
    assert (told["before"], told["after"], told["afterwards"], told["needed"]) == (1, 2, 1, 2)
    assert datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"]) == timedelta(hours=2)
    path = desk.folder / "glace.yaml"
    assert desk.propose(path)["widens"] is False
    approvals = [desk.approve(path, name) for name in ("officer-1", "officer-3")]
    gateway.worker._exchange.look()
    assert gateway.said("2") == "budget_spent", "a draft, a proposal and approvals allow nothing"
    desk.activate(path, *approvals)
    gateway.worker._exchange.look()
    assert [gateway.said("2"), gateway.said("3")] == ["not_found", "budget_spent"]

    gateway.moved.shift = timedelta(hours=1, minutes=50)
    assert [gateway.said("4"), gateway.said("5"), gateway.said("6")] == ["not_found", "not_found", "budget_spent"]
    gateway.moved.shift = timedelta(hours=4)
    assert [gateway.said("7"), gateway.said("8")] == ["not_found", "budget_spent"], "nobody had to end it"
    gateway.worker.close()


def test_officers_read_why_before_they_sign(desk: Desk) -> None:
    asked(desk)
    said = desk.run(
        "policy", "approve", desk.folder / "glace.yaml", "--officer", "officer-1", "--key", desk.key("officer-1"),
        "--against", desk.current,
    )  # fmt: skip
    assert "Bris de glace: le budget de l'entente ENT-2026-02 est relevé de 1 enfants" in said
    assert WHY in said


def test_what_it_means_and_what_comes_next_is_said_in_both_languages(desk: Desk) -> None:
    out = desk.folder / "glace.yaml"
    options = ("--subjects", 7, "--hours", 3, "--reason", WHY, "--config", desk.config)
    french = desk.run("policy", "break-glass", AGREEMENT, *options, "--out", out)
    assert "100007 enfants distincts par 24 h au lieu de 100000" in french
    assert f"Motif: {WHY}" in french
    assert f"passerelle policy activate {out} --approval {desk.folder / 'glace'}.NOM.approval" in french
    desk.change(out)
    english = desk.run("--lang", "en", "policy", "break-glass", AGREEMENT, *options, "--out", desk.folder / "2.yaml")
    assert "two raises do not add up" in english
    assert "100007 distinct children in 24 h instead of 100007" in english


def test_beyond_the_ceiling_nothing_is_written(desk: Desk) -> None:
    for subjects, hours in ((100_001, 1), (1, 13)):
        told = asked(desk, subjects=subjects, hours=hours, expect=1)
        assert told["reason"] == "break_glass_beyond"
        assert "100000 enfants, 12 h à la fois" in told["text"]
    assert not (desk.folder / "glace.yaml").exists()


def test_without_a_ceiling_signed_before_it_says_what_is_left(desk: Desk) -> None:
    def none(policy: dict[str, Any]) -> None:
        policy["agreements"][AGREEMENT]["budget"]["break_glass"] = None

    desk.change(desk.write("v2.yaml", none))
    told = asked(desk, expect=1)
    assert told["reason"] == "break_glass_no_ceiling"
    assert "passerelle policy draft" in told["text"]


def test_an_agreement_that_is_not_there_and_a_file_that_is(desk: Desk) -> None:
    path = desk.folder / "glace.yaml"
    path.write_text("somebody's work")
    assert "existe déjà" in asked(desk, expect=2)["error"]
    assert path.read_text() == "somebody's work"
    options = ("--subjects", 1, "--hours", 1, "--reason", WHY, "--out", path, "--config", desk.config)
    assert AGREEMENT in desk.run("policy", "break-glass", "ENT-9", *options, expect=2)


def test_a_reason_that_holds_a_nirec_is_written_nowhere(desk: Desk) -> None:
    path = desk.folder / "glace.yaml"
    for number in ("1234567890123", "123 4567-890 123"):
        options = ("--subjects", 1, "--hours", 1, "--reason", f"pour l'enfant {number}", "--out", path)
        said = desk.run("policy", "break-glass", AGREEMENT, *options, "--config", desk.config, expect=2)
        assert "ressemble à un NIREC" in said
        assert number not in said
    assert not path.exists()


def test_a_text_in_which_the_raise_would_mean_something_else_is_not_drafted(desk: Desk) -> None:
    """An anchor stands before what it names, where the raise would be put."""
    path = desk.write("v2.yaml", narrower)
    before, after = path.read_text("utf-8").split(f"  {AGREEMENT}:\n")
    flow = "budget: &limit {subjects: 9, window_hours: 24, break_glass: {subjects: 9, hours: 12}}\n    validity"
    text = re.sub(r"budget:.*?validity", flow, after, count=1, flags=re.DOTALL)
    path.write_text(f"{before}  {AGREEMENT}:\n{text}", encoding="utf-8")
    desk.change(path)
    assert "à la main" in asked(desk, expect=2)["error"]
    assert not (desk.folder / "glace.yaml").exists()


def test_the_draft_is_the_policy_in_force_but_for_the_raise(desk: Desk) -> None:
    before = desk.current.read_text("utf-8").splitlines()
    asked(desk)
    after = (desk.folder / "glace.yaml").read_text("utf-8").splitlines()
    added = [line for line in after if line not in before]
    assert [line.split(":")[0].strip() for line in added] == ["version", "previous", "raised"]
    assert yaml.safe_load(added[2])["raised"]["reason"] == WHY
