"""What is done beside sequencing: only what is published and lawful, and again until it is done (L6, L9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from gateway.errors import LedgerError
from gateway.ledger.destruction import destruction_evidence
from gateway.ledger.leaf import Leaf, binding
from gateway.ledger.record import Record
from gateway.ledger.rows import StoredLeaf
from gateway.system import SystemClock
from gateway.upkeep import Upkeep
from tests.policy.made import NOW, first
from tests.policy.test_destruction import PERIOD, approve, document, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.policy.judge import InForce

FORCE: InForce = first()[1]


def row(names: Sequence[str] = ("officer-1", "officer-3")) -> StoredLeaf:
    signed = verdict()
    what = document(signed)
    evidence = destruction_evidence(what, signed, approve(FORCE, what, names))
    leaf = Leaf("destruction", uuid4(), uuid4(), 0, NOW, binding(bytes(32), evidence)).pack()
    return StoredLeaf(7, 900, leaf, Record(bytes(32), evidence).pack())


@dataclass
class World:
    """The ledger as Upkeep sees it."""

    found: list[StoredLeaf]
    published: bool = True
    root: str = "c" * 64
    troubles: list[Exception] = field(default_factory=list)
    destroyed: list[tuple[int, int, int]] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    purged: int = 0
    told: list[str] = field(default_factory=list)

    def destructions(self) -> list[StoredLeaf]:
        return self.found

    def inclusion(self, _index: int, _digest: bytes) -> object:
        return object() if self.published else None

    def had(self, size: int, root: bytes) -> bool:
        return (size, root.hex()) == (1000, self.root)

    def destroy(self, period: int, start: int, end: int) -> int:
        if self.troubles:
            raise self.troubles.pop(0)
        self.destroyed.append((period, start, end))
        return 1

    def step(self, _now: datetime) -> int:
        self.purged += 1
        return 0

    def upkeep(self) -> Upkeep:
        this = cast("Any", self)
        return Upkeep(
            rows=this,
            reader=this,
            destroyer=this,
            purge=this,
            history=lambda: (FORCE,),
            forget=self.forgotten.append,
            clock=SystemClock(),
            alarm=lambda error: self.told.append(str(error)),
        )


def test_what_is_published_and_lawful_is_destroyed_once() -> None:
    world = World([row()])
    upkeep = world.upkeep()
    for _ in range(3):
        upkeep.step()
    assert (world.destroyed, world.purged, world.told) == ([(PERIOD, 0, 768)], 3, [])
    # with the evidence, what families could be told of it
    assert world.forgotten == [PERIOD]


def test_nothing_is_destroyed_before_everybody_can_see_why() -> None:
    world = World([row()], published=False)
    upkeep = world.upkeep()
    upkeep.step()
    assert (world.destroyed, world.forgotten, world.purged) == ([], [], 1)
    world.published = True
    upkeep.step()
    assert world.destroyed == [(PERIOD, 0, 768)]


@pytest.mark.parametrize("names", [("officer-1",), ("officer-1", "last-1"), ()])
def test_a_row_without_its_officers_destroys_nothing_and_is_told(names: tuple[str, ...]) -> None:
    world = World([row(names)])
    world.upkeep().step()
    assert (world.destroyed, world.purged) == ([], 1)
    assert "not lawful" in world.told[0]


def test_a_row_on_a_word_about_another_log_destroys_nothing_and_is_told() -> None:
    world = World([row()], root="e" * 64)
    world.upkeep().step()
    assert (world.destroyed, world.purged) == ([], 1)
    assert "not lawful (verdict_of_another_tree)" in world.told[0]


def test_a_row_whose_record_is_not_the_leaf_s_is_none() -> None:
    good, other = row(), row(("officer-1",))
    world = World([StoredLeaf(7, 900, other.leaf, good.record)])
    world.upkeep().step()
    assert world.destroyed == []


def test_what_cannot_be_done_is_told_once_and_tried_again() -> None:
    world = World([row()], troubles=[LedgerError("a bundle is not whole"), LedgerError("a bundle is not whole")])
    upkeep = world.upkeep()
    upkeep.step()
    upkeep.step()
    assert (world.destroyed, world.told) == ([], ["a bundle is not whole"])
    upkeep.step()
    assert (world.destroyed, world.purged) == ([(PERIOD, 0, 768)], 1)
