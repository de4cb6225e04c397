"""The audit knows that a log was recovered, and holds officers to saying what was lost (L7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import pytest

from gateway.audit import evidence_schema as schema
from gateway.audit.ancestry import Ancestry
from gateway.audit.recovery import Recoveries
from gateway.audit.report import Report
from gateway.audit.verdict import Fault, LogRecovery, Problem, Unproven
from gateway.ledger.encoding import canonical_json
from gateway.ledger.evidence import policy_evidence
from gateway.ledger.leaf import Leaf
from gateway.ledger.note import Checkpoint
from gateway.ledger.recovered import ON_ITS_WAY, OpenWriter, RecoveryFacts, read_recovery
from gateway.policy.recovery import NAMED_WITHIN
from tests.audit.test_destruction import GROWN, SIZE, History
from tests.policy.made import HOUR, NOW, ORIGIN, first
from tests.policy.test_recovery import ONE, approve, loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.audit.policies import Policies
    from gateway.audit.verdict import Verdict
    from gateway.policy.recovery import Loss
    from tests.audit.bench import Bench

#: The log was recovered to this size, and the leaf that says so came after what the database alone had.
TO, AT = 900, 910
#: Up to here an anchor says that it was published.
ANCHORED = 899


def facts(**changes: Any) -> RecoveryFacts:
    said: dict[str, Any] = {
        "origin": ORIGIN, "size": TO, "root": GROWN.roots[TO].hex(), "database": 700, "waiting": 12,
        "since": NOW - HOUR, "until": NOW, "writers": (OpenWriter(UUID(int=1), 5, 0), OpenWriter(UUID(int=2), 0, 7)),
    }  # fmt: skip
    return RecoveryFacts(**(said | changes))


def loss_of(made: RecoveryFacts, **changes: Any) -> Loss:
    said = {"recovery": sha256(made.document()).hexdigest()}
    said |= {name: getattr(made, name) for name in ("origin", "size", "root", "since", "until")}
    return loss(**(said | changes))


class Case:
    """A log of a thousand leaves, and what an audit says of its recoveries."""

    def __init__(self) -> None:
        self.force = first()[1]
        self.report = Report()
        checkpoint = self.report.checkpoint = Checkpoint(ORIGIN, SIZE, GROWN.roots[SIZE])
        history = cast("Policies", History((self.force,)))
        self.audit = Recoveries(history, self.report, Ancestry(GROWN, checkpoint))
        self.report.time(NOW - 2 * HOUR)
        for index in range(AT):
            self.audit.leaf(index, NOW - (2 * HOUR if index < TO else HOUR))

    def take(self, evidence: bytes, index: int, after: timedelta = timedelta()) -> None:
        leaf = Leaf("policy", uuid4(), uuid4(), 1, NOW + after, bytes(32))
        self.report.time(leaf.time)
        assert self.audit.take(index, leaf, schema.read_evidence(evidence, schema.PolicyAct))

    def recovered(self, index: int = AT, **changes: Any) -> RecoveryFacts:
        made = facts(**changes)
        self.take(policy_evidence("recovered", "command", None, document=made.document()), index)
        return made

    def lost(
        self, what: Loss, names: Sequence[str] = ("officer-1", "officer-3"), after: timedelta = HOUR, **changes: Any
    ) -> None:
        document = what.document()
        approvals = approve(self.force, document, names, **changes)
        self.take(policy_evidence("lost", "command", None, approvals=approvals, document=document), AT + 10, after)

    def verdict(self) -> Verdict:
        self.audit.finish()
        return self.report.verdict("", first_audit=False)

    def findings(self) -> list[tuple[Fault, str, int | None]]:
        return [(Fault(item.code), item.file, item.index) for item in self.verdict().findings]


@pytest.fixture
def case() -> Case:
    return Case()


def test_what_officers_have_named_is_told_and_is_no_finding(case: Case) -> None:
    case.lost(loss_of(case.recovered()), after=HOUR)
    verdict = case.verdict()
    assert verdict.findings == ()
    assert Unproven.LOSS_AWAITED not in verdict.unproven
    (told,) = verdict.facts.recoveries
    assert told == LogRecovery(
        index=AT,
        at="2026-11-23T02:40:00.000000Z",
        size=TO,
        since="2026-11-23T01:40:00.000000Z",
        named=AT + 10,
        officers=("officer-1", "officer-3"),
        reason="machine-lost",
        exchanges=loss().exchanges,
    )


def test_for_a_while_it_is_awaited_and_then_it_is_a_finding(case: Case) -> None:
    case.recovered()
    case.report.time(NOW + NAMED_WITHIN)
    assert case.verdict().holds
    assert Unproven.LOSS_AWAITED in case.report.unproven
    case.report.time(NOW + NAMED_WITHIN + timedelta(microseconds=1))
    assert case.findings() == [(Fault.LOSS_NOT_NAMED, "evidence/003.p/232", AT)]


def test_each_recovery_has_a_statement_of_its_own(case: Case) -> None:
    earlier = case.recovered()
    case.recovered(AT + 1, since=NOW - timedelta(minutes=1))
    case.lost(loss_of(earlier), after=HOUR)
    case.report.time(NOW + NAMED_WITHIN + HOUR)
    assert case.findings() == [(Fault.LOSS_NOT_NAMED, "evidence/003.p/232", AT + 1)]
    assert [one.named for one in case.report.recoveries] == [AT + 10, None]


_LOST: dict[str, tuple[Callable[[RecoveryFacts], Loss], dict[str, Any], Fault]] = {
    "by_too_few": (loss_of, {"names": ("officer-1",)}, Fault.LOSS_NOT_APPROVED),
    "by_one_twice": (loss_of, {"names": ("officer-1", "officer-1")}, Fault.LOSS_NOT_APPROVED),
    "by_a_stranger": (loss_of, {"names": ("officer-1", "last-1")}, Fault.LOSS_NOT_APPROVED),
    "of_another_subject": (loss_of, {"subject": "c" * 64}, Fault.LOSS_NOT_APPROVED),
    "of_no_recovery": (lambda made: loss_of(made, recovery="0" * 64), {}, Fault.LOSS_MALFORMED),
    "of_another_size": (lambda made: loss_of(made, size=TO - 1), {}, Fault.LOSS_MALFORMED),
    "of_another_root": (lambda made: loss_of(made, root="0" * 64), {}, Fault.LOSS_MALFORMED),
    "of_a_longer_time_before": (lambda made: loss_of(made, since=NOW - 2 * HOUR), {}, Fault.LOSS_MALFORMED),
    "of_a_longer_time_after": (lambda made: loss_of(made, until=NOW + HOUR), {}, Fault.LOSS_MALFORMED),
    "of_another_log": (lambda made: loss_of(made, origin="other.example"), {}, Fault.LOSS_MALFORMED),
}


@pytest.mark.parametrize("word", _LOST)
def test_a_statement_that_is_not_right_explains_nothing(case: Case, word: str) -> None:
    made, changes, fault = _LOST[word]
    recovery = case.recovered()
    with pytest.raises(Problem) as problem:
        case.lost(made(recovery), **changes)
    assert problem.value.fault is fault
    case.report.time(NOW + NAMED_WITHIN + HOUR)
    assert [code for code, _, _ in case.findings()] == [Fault.LOSS_NOT_NAMED]


def test_a_loss_is_named_once(case: Case) -> None:
    recovery = case.recovered()
    case.lost(loss_of(recovery))
    with pytest.raises(Problem) as problem:
        case.lost(loss_of(recovery, exchanges=()))
    assert problem.value.fault is Fault.LOSS_MALFORMED
    assert case.report.recoveries[0].exchanges == loss().exchanges


_RECOVERED: dict[str, tuple[int, dict[str, Any]]] = {
    "of_another_log": (AT, {"origin": "other.example"}),
    "of_another_tree": (AT, {"root": GROWN.roots[TO - 1].hex()}),
    "of_what_comes_after_it": (TO - 1, {}),
    "of_another_time": (AT, {"until": NOW + timedelta(microseconds=1)}),
    "of_a_log_that_had_grown_beyond": (AT, {"waiting": AT - TO - 1}),
    "of_a_log_that_was_anchored_beyond": (AT, {"size": ANCHORED - 1, "root": GROWN.roots[ANCHORED - 1].hex()}),
    "of_a_longer_time": (AT, {"since": NOW - 2 * HOUR - ON_ITS_WAY - timedelta(microseconds=1)}),
}


@pytest.mark.parametrize("word", _RECOVERED)
def test_a_recovery_that_is_not_this_log_s_is_a_finding(case: Case, word: str) -> None:
    index, changes = _RECOVERED[word]
    case.audit.anchored(ANCHORED)
    with pytest.raises(Problem) as problem:
        case.recovered(index, **changes)
    assert problem.value.fault is Fault.RECOVERY_MALFORMED
    assert case.verdict().facts.recoveries == ()


def test_of_a_recovery_long_ago_the_time_is_known_by_bundles(case: Case) -> None:
    """What is kept of the times does not grow with each leaf; the bundle before tells enough."""
    for index in range(AT, SIZE):
        case.audit.leaf(index, NOW)
    late = {"size": 300, "root": GROWN.roots[300].hex(), "waiting": SIZE}
    with pytest.raises(Problem):
        case.recovered(SIZE - 1, since=NOW - 2 * HOUR - ON_ITS_WAY - timedelta(microseconds=1), **late)
    case.recovered(SIZE - 1, since=NOW - 2 * HOUR - ON_ITS_WAY, **late)


@pytest.mark.parametrize(("remembered", "holds"), [(TO, True), (TO + 1, False), (AT, False), (AT + 1, True)])
def test_a_log_that_was_seen_published_beyond_was_not_recovered_to_less(
    case: Case,
    remembered: int,
    holds: bool,  # noqa: FBT001  the table's last column
) -> None:
    """By the checkpoint of an earlier audit, unless that was of a later time."""
    case.audit._remembered = remembered
    if holds:
        case.recovered()
        return
    with pytest.raises(Problem):
        case.recovered()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        facts().document()[:-1],
        facts().document().replace(b"database 700", b"database 0700"),
        facts(since=NOW + HOUR).document(),
        facts(writers=facts().writers[::-1]).document(),
        facts(writers=facts().writers[:1] * 2).document(),
    ],
)
def test_a_document_that_is_none_is_a_finding(case: Case, document: bytes) -> None:
    with pytest.raises(Problem) as problem:
        case.take(policy_evidence("recovered", "command", None, document=document.replace(b"\xff", b"~")), AT)
    assert problem.value.fault is Fault.RECOVERY_MALFORMED


def test_a_recovery_is_read_as_it_was_written() -> None:
    assert read_recovery(facts().document()) == facts()
    assert read_recovery(facts(writers=()).document()) == facts(writers=())


def test_an_exchange_is_lost_within_its_recovery_s_time_and_where_officers_name_it(case: Case) -> None:
    recovery = case.recovered(since=NOW - HOUR)
    assert not case.report.is_lost(ONE, NOW)
    case.lost(loss_of(recovery))
    second = NOW.replace(microsecond=0)
    found = [second - HOUR - timedelta(seconds=2), second - HOUR, second, second + timedelta(seconds=1)]
    assert [case.report.is_lost(ONE, at) for at in found] == [False, True, True, False]
    assert not case.report.is_lost(str(uuid4()), NOW)


_ACTS: dict[str, dict[str, Any]] = {
    "a_proposal_with_a_document": {"act": "proposed", "document": "text"},
    "a_recovery_without_its_document": {"act": "recovered", "document": None},
    "a_recovery_of_a_policy": {"act": "recovered", "policy": "a" * 64},
    "a_recovery_with_approvals": {"act": "recovered", "approvals": ["text"]},
    "a_loss_without_approvals": {"act": "lost", "approvals": []},
    "a_loss_with_a_reason": {"act": "lost", "approvals": ["text"], "reason": "lost"},
}


@pytest.mark.parametrize("word", _ACTS)
def test_an_act_has_what_it_must_have(bench: Bench, word: str) -> None:
    """In a whole log; the gateway's own reader is as strict (tests/ledger/test_policy_acts.py)."""
    changes = _ACTS[word]
    said = {"v": 1, "kind": "policy", "by": "command", "policy": None, "version": None, "previous": None}
    said |= {"approvals": [], "reason": None, "document": facts().document().decode()} | changes
    said = {name: value for name, value in said.items() if value is not None or name != "document"}
    item = bench.append("policy")
    item.record = replace(item.record, answer_base=b"", answer_signature=b"")
    bench.forger.rebind(item, canonical_json(said))
    assert bench.faults() == {Fault.EVIDENCE_MALFORMED}


def test_a_log_that_says_falsely_that_it_was_recovered(bench: Bench) -> None:
    item = bench.append("policy")
    evidence = policy_evidence("recovered", "command", None, document=facts().document())
    item.record = replace(item.record, answer_base=b"", answer_signature=b"")
    bench.forger.rebind(item, evidence)
    assert bench.faults() == {Fault.RECOVERY_MALFORMED}
