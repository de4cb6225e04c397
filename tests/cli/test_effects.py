"""`passerelle effects`: what nobody knows is listed, an operator's word on it is evidence, and an audit reads it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gateway.audit.audit import audit
from gateway.audit.verdict import Fault, Unproven
from gateway.effects.storage import DatabaseEffects
from gateway.storage import open_database
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.test_effects import Town
from tests.cli.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town"))


def _give_up(town: Town) -> None:
    database = open_database(town.gateway.composition.url, durable=True)
    DatabaseEffects(database).give_up(town.gateway.clock.now() + timedelta(hours=1))
    database.dispose()


def test_what_nobody_knows_is_listed_and_settled_by_an_operator(
    town: Town, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    desk = Desk(town.gateway.folder, capsys)
    where = ("--config", desk.config)
    (row,) = desk.told("effects", "list", *where)["effects"]
    assert (row["state"], row["party"]) == ("open", "ministry")
    # it may have its answer any moment
    settling = ("--outcome", "not_done", "--reason", "seen_in_their_system", *where)
    assert "effects list" in desk.run("effects", "settle", row["exchange_id"], *settling, expect=2)
    _give_up(town)
    assert "issue inconnue" in desk.run("effects", "list", *where, expect=1)
    for unknown in (uuid4(), "x"):
        desk.run("effects", "settle", unknown, *settling, expect=2)
    assert "n'a pas eu lieu" in desk.run("effects", "settle", row["exchange_id"], *settling)
    assert desk.told("effects", "list", *where) == {"holds": True, "effects": []}
    desk.run("effects", "settle", row["exchange_id"], *settling, expect=2)
    town.gateway.sequence()
    verdict = audit(town.log, town.trust)
    assert (verdict.findings, verdict.facts.unsettled) == ((), ())
    assert Unproven.EFFECTS_UNSETTLED not in verdict.unproven
    # and what such a leaf cannot say is a finding
    shutil.copytree(town.trust, tmp_path / "trust")
    for number, said in enumerate(_MALFORMED):
        bench = Bench(Forger(town.gateway), tmp_path / f"forged{number}", tmp_path / "trust")
        item = next(one for one in bench.items if one.leaf.kind == "intent" and "settles" in one.evidence)
        bench.forger.change(item, lambda evidence, said=said: evidence.update(said))  # type: ignore[misc]  # a default binds it
        assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


_MALFORMED: list[dict[str, Any]] = [
    {"reason": "Tremblay"}, {"outcome": "perhaps"}, {"note": "x"}, {"effect": {"key": "1" * 64, "before": "2" * 64}},
]  # fmt: skip
