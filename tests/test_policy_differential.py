"""Over any acts, right and wrong, a worker and the audit end under the same policy: two readers of one log (P1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random  # noqa: TID251  a story that is the same for the same seed
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from gateway.audit import evidence_schema as schema
from gateway.audit.policies import Policies
from gateway.audit.report import Report
from gateway.audit.verdict import Fault, Problem
from gateway.in_force import Follower
from gateway.ledger.encoding import canonical_json
from gateway.ledger.leaf import Leaf, binding, unpack_leaf
from gateway.ledger.policy_published import Settled
from gateway.ledger.record import Record, unpack_record
from gateway.ledger.rows import StoredLeaf
from gateway.policy.acts import ActKind
from gateway.policy.bundle import read_bundle
from tests.policy import made

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.model import LeafKind

SEEDS = 24
STEPS = 10
OFFICERS = ("officer-1", "officer-2", "officer-3", "last-1", "last-2", "stranger")


@dataclass
class Table:
    """The rows and objects of a database, and a log's directory that has nothing yet."""

    rows: list[StoredLeaf] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)

    def all(self) -> list[StoredLeaf]:
        return list(self.rows)

    def newest(self) -> tuple[object, ...]:
        return (len(self.rows),)

    def object(self, digest: str) -> bytes | None:
        return self.contents.get(digest)

    def settle(self, read: Callable[[], list[StoredLeaf]]) -> Settled:
        return Settled(tuple(read()), mended=False)

    def bytes(self, digest: str) -> bytes:
        if digest not in self.contents:
            raise Problem(Fault.OBJECT_MISSING, digest)
        return self.contents[digest]


class Story:
    """Acts drawn by chance: most follow what is in force, some are wrong in one way."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311  no secret: the same story for the same seed
        self.table = Table()
        self.at = made.NOW - made.HOUR
        content, self.before = made.first()
        self.known = [content]
        self.table.contents[self.before.sha256] = content
        #: Objects that are never there.
        self.lost: set[str] = set()
        self.write(
            {"v": 1, "kind": "genesis", "origin": made.ORIGIN, "policy": self.before.sha256, "log_key": "k"}, "genesis"
        )

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    def write(self, evidence: dict[str, Any], kind: LeafKind = "policy") -> None:
        number = len(self.table.rows)
        record = Record(bytes(32), canonical_json(evidence))
        leaf = Leaf(kind, _id(number), _id(1 << 64), number, self.at, binding(record.salt32, record.evidence))
        self.table.rows.append(StoredLeaf(number, None, leaf.pack(), record.pack()))

    def policy(self) -> bytes:
        """The next policy, or one that is not the next."""
        chance = self.chance
        edits = [
            made.put("guard", "refusals_per_minute", value=chance.choice((1, 60, 90))),
            made.put("parties", "ministry", "suspended", value=chance.random() < 0.5),
            made.put("officers", "widening_delay_hours", value=chance.choice((0, 24))),
            made.put("version", value=self.before.bundle.version + chance.choice((0, 1, 1, 1, 2))),
            made.put("previous", value=chance.choice((*[self.before.sha256] * 6, "0" * 64))),
            made.put("officers", "threshold", value=chance.choice((2, 2, 3))),
        ]
        return made.content(made.policy(*edits))

    def approvals(self, content: bytes) -> list[bytes]:
        chance = self.chance
        names = chance.sample(OFFICERS, chance.choice((1, 2, 2, 3))) if chance.random() < 0.4 else list(OFFICERS[:3])
        kind = ActKind.RECOVERY if chance.random() < 0.1 else ActKind.POLICY
        at = self.at + timedelta(seconds=chance.choice((0, 0, 0, 0, -7200, 90)))
        return [made.approval(name, self.before, content, kind=kind, at=at) for name in names]

    def act(self) -> None:
        chance = self.chance
        self.at += timedelta(hours=chance.choice((0, 1, 12, 25)))
        if chance.random() < 0.5:
            content = self.policy()
            self.known.append(content)
            if chance.random() < 0.05:
                self.lost.add(made.digest_of(content))
            name = "proposed"
        else:
            content = chance.choice(self.known[-3:])
            name = chance.choice(("activated", "activated", "activated", "approved", "refused"))
        digest = made.digest_of(content)
        if digest not in self.lost:
            self.table.contents[digest] = content
        bundle = read_bundle(content)[0]
        follows = name in {"proposed", "activated"}
        approvals = [document.decode() for document in self.approvals(content)]
        evidence: dict[str, Any] = {
            "v": 1, "kind": "policy", "act": name, "by": "command", "policy": digest,
            "version": bundle.version if follows else None,
            "previous": bundle.previous if follows else None,
            "approvals": {"activated": approvals, "approved": approvals[:1]}.get(name, []),
            "reason": "not_proposed" if name == "refused" else None,
        }  # fmt: skip
        if chance.random() < 0.08:
            evidence |= chance.choice(WRONG)
        self.write(evidence)


WRONG: tuple[dict[str, Any], ...] = (
    {"by": "init"},
    {"by": None},
    {"v": 2},
    {"more": 1},
    {"version": 0},
    {"version": None},
    {"reason": "Not a word"},
    {"previous": "AB" * 32},
    {"policy": None},
    {"approvals": []},
    {"act": "genesis"},
)


def _id(number: int) -> UUID:
    return UUID(int=number, version=4)


def audited(table: Table, genesis: str) -> str:
    """The policy at the log's end, as the audit has it."""
    key = SimpleNamespace(name=made.ORIGIN, vkey="k")
    trust = SimpleNamespace(log_key=key, genesis=genesis)
    policies = Policies(cast("Any", table), cast("Any", trust), Report())
    for row in table.rows:
        leaf, record = unpack_leaf(row.leaf), unpack_record(row.record or b"")
        try:
            if leaf.kind == "genesis":
                policies.begin(schema.read_evidence(record.evidence, schema.Genesis), leaf.time)
            else:
                policies.act(schema.read_evidence(record.evidence, schema.PolicyAct), leaf.time)
        except Problem:
            continue
    return policies.newest().sha256


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_worker_and_the_audit_end_under_the_same_policy(seed: int) -> None:
    story = Story(seed)
    table = story.table
    follower = Follower(cast("Any", table), story)
    follower.begin(cast("Any", table))
    genesis = story.before.sha256
    for step in range(STEPS):
        story.act()
        follower.follow(cast("Any", table))
        story.before = follower.current
        if step % 3 == 0:
            assert audited(table, genesis) == follower.current.sha256
    again = Follower(cast("Any", table), story)
    again.begin(cast("Any", table))
    assert again.current.sha256 == follower.current.sha256
