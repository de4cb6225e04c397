"""The audit and the policy: each exchange under the bundle of its time, each change under the officers of its time."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.audit import audit
from gateway.audit.verdict import Fault, Verdict
from gateway.ledger.encoding import canonical_json, parse_timestamp
from gateway.policy.bundle import read_bundle
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway
from tests.officers import Officers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.audit.forge import Item

ANOTHER = b"another"


def other_purpose(bundle: dict[str, Any]) -> None:
    for agreement in bundle["agreements"].values():
        agreement["purposes"] = ["autre" if purpose == "essai" else purpose for purpose in agreement["purposes"]]


def with_delay(bundle: dict[str, Any]) -> None:
    bundle["officers"]["widening_delay_hours"] = 24


def one_party_more(bundle: dict[str, Any]) -> None:
    bundle["parties"]["ministry"]["names"].append("more.passerelle.test")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """A gateway whose policy changed twice: another purpose; then widenings wait for a day."""
    gateway = Gateway(tmp_path_factory.mktemp("changed"))
    gateway.echo()
    gateway.change(other_purpose)
    gateway.echo(purpose="autre")
    gateway.echo(purpose="essai")
    gateway.change(with_delay)
    gateway.echo(purpose="autre")
    with Officers(gateway.folder).log() as log:
        log.refuse(sha256(ANOTHER).hexdigest(), "approvals_too_few")
    gateway.worker.close()
    gateway.sequence()
    return gateway


@pytest.fixture(scope="module")
def forger(changed: Gateway) -> Forger:
    return Forger(changed)


class Change:
    """What a forger adds to the log: a proposal, its approvals and its activation, each by one of our own leaves."""

    def __init__(self, forger: Forger, content: bytes) -> None:
        self.forger = forger
        self.content = content
        self.bundle, self.sha256 = read_bundle(content)
        self.items = forger.copy()
        #: Of the leaves that are added; the present may be minutes later on a loaded machine.
        self.now = self.items[-1].leaf.time

    def act(self, name: str, approvals: list[bytes] | None = None, **changes: Any) -> Item:
        follows = name in {"proposed", "activated"}
        evidence = {
            "v": 1, "kind": "policy", "act": name, "by": "command", "policy": self.sha256,
            "version": self.bundle.version if follows else None,
            "previous": self.bundle.previous if follows else None,
            "approvals": [document.decode() for document in approvals or []],
            "reason": None,
        }  # fmt: skip
        item = self.forger.append(self.items, "policy")
        self.forger.rebind(item, canonical_json(evidence | changes))
        return item

    def verdict(self, folder: Path, objects: Mapping[str, bytes] | None = None) -> Verdict:
        kept = {self.sha256: self.content} if objects is None else objects
        return audit(self.forger.write(self.items, folder, kept), self.forger.gateway.folder / "trust")


def faults(verdict: Verdict) -> set[Fault]:
    return {finding.code for finding in verdict.findings}


def test_each_exchange_is_judged_by_the_policy_of_its_time(changed: Gateway, forger: Forger, tmp_path: Path) -> None:
    verdict = audit(changed.settings.folders.log, changed.folder / "trust")
    assert verdict.findings == ()
    assert (verdict.facts.exchanges, verdict.facts.refusals) == (3, (("purpose_not_agreed", 1),))


def test_the_report_says_who_changed_the_policy_and_what_was_tried(changed: Gateway) -> None:
    facts = audit(changed.settings.folders.log, changed.folder / "trust").facts
    officers = read_bundle(Officers(changed.folder).content())[0].officers
    assert [change.version for change in facts.policies] == [2, 3]
    assert all(len(change.officers) == officers.threshold for change in facts.policies)
    assert {name for change in facts.policies for name in change.officers} <= officers.keys.keys()
    assert [(attempt.sha256, attempt.reason, attempt.by) for attempt in facts.attempts] == [
        (sha256(ANOTHER).hexdigest(), "approvals_too_few", "command")
    ]


def acts(items: list[Item], name: str) -> list[Item]:
    return [item for item in items if item.leaf.kind == "policy" and item.evidence["act"] == name]


def exchanges(items: list[Item]) -> list[Item]:
    return [item for item in items if item.leaf.kind == "exchange"]


@pytest.mark.parametrize(
    ("seconds", "fault"), [(1.9, Fault.NOT_AGREED), (2.0, Fault.POLICY_DIFFERS)], ids=["switching", "switched"]
)
def test_a_worker_may_name_the_former_policy_for_two_seconds(
    seconds: float, fault: Fault, forger: Forger, tmp_path: Path
) -> None:
    items = forger.copy()
    second = exchanges(items)[1]
    received = parse_timestamp(second.evidence["received_at"])
    for act in (acts(items, "proposed")[0], acts(items, "activated")[0]):
        act.leaf = replace(act.leaf, time=received - timedelta(seconds=seconds))
    former = items[0].evidence["policy"]
    forger.change(second, lambda evidence: evidence.update(policy=former))
    # judged under the former policy, its purpose was none that was agreed
    forged = forger.write(items, tmp_path / "forged")
    assert faults(audit(forged, forger.gateway.folder / "trust")) == {fault}


def test_what_was_under_way_may_stand_after_the_change(forger: Forger, tmp_path: Path) -> None:
    items = forger.copy()
    first = exchanges(items)[0]
    items.remove(first)
    items.insert(items.index(acts(items, "activated")[0]) + 1, first)
    forged = forger.write(items, tmp_path / "forged")
    assert faults(audit(forged, forger.gateway.folder / "trust")) == set()


def test_no_exchange_is_under_a_policy_before_its_activation_stands_in_the_log(forger: Forger, tmp_path: Path) -> None:
    items = forger.copy()
    second = exchanges(items)[1]
    items.remove(second)
    items.insert(items.index(acts(items, "activated")[0]), second)
    forged = forger.write(items, tmp_path / "forged")
    assert faults(audit(forged, forger.gateway.folder / "trust")) == {Fault.POLICY_DIFFERS}


def suspended(bundle: dict[str, Any]) -> None:
    bundle["parties"]["ministry"]["suspended"] = True


def rightly(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    for approval in given:
        change.act("approved", [approval])
    change.act("activated", given)


def not_proposed(change: Change, given: list[bytes]) -> None:
    change.act("activated", given)


def by_too_few(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    change.act("activated", given[:-1] or [spoilt(given[0])])


def by_one_twice(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    change.act("activated", [given[0]] * len(given) if len(given) > 1 else [spoilt(given[0])])


def with_a_signature_of_nobody(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    change.act("activated", [*given[:-1], spoilt(given[-1])])


def with_approvals_of_another(change: Change, given: list[bytes]) -> None:
    other = Officers(change.forger.gateway.folder).next(lambda bundle: bundle["guard"].update(refusals_per_minute=5))
    change.act("proposed")
    change.act("activated", Officers(change.forger.gateway.folder).approvals(other, at=change.now))
    assert given


def approved_by_nobody(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    change.act("approved", [spoilt(given[0])])


def approved_and_never_proposed(change: Change, given: list[bytes]) -> None:
    change.act("approved", given[:1])


def under_another_version(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    change.act("activated", given, version=change.bundle.version + 1)


def proposed_under_another_version(change: Change, given: list[bytes]) -> None:
    change.act("proposed", version=change.bundle.version + 1)
    assert given


def after_another(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    change.act("activated", given, previous=change.items[0].evidence["policy"])


def twice(change: Change, given: list[bytes]) -> None:
    rightly(change, given)
    change.act("activated", given)


def of_another_form(change: Change, given: list[bytes]) -> None:
    change.act("proposed")
    change.act("activated", given, reason="none")


def of_an_act_that_is_none(change: Change, given: list[bytes]) -> None:
    change.act("decreed", given)


def spoilt(document: bytes) -> bytes:
    """The same act, its signature by somebody else."""
    head, _, _ = document.rpartition(b"signature ")
    return head + b"signature " + b64encode(bytes(range(64))) + b"\n"


NOT_APPROVED, DIFFERS = Fault.POLICY_NOT_APPROVED, Fault.POLICY_DIFFERS


FORGED: list[tuple[Callable[[Change, list[bytes]], None], bool, set[Fault]]] = [
    (rightly, True, set()),
    (rightly, False, {Fault.POLICY_TOO_EARLY}),
    (not_proposed, True, {DIFFERS}),
    (by_too_few, True, {NOT_APPROVED}),
    (by_one_twice, True, {NOT_APPROVED}),
    (with_a_signature_of_nobody, True, {NOT_APPROVED}),
    (with_approvals_of_another, True, {NOT_APPROVED}),
    (approved_by_nobody, True, {NOT_APPROVED}),
    (approved_and_never_proposed, True, {DIFFERS}),
    (under_another_version, True, {DIFFERS}),
    (proposed_under_another_version, True, {DIFFERS}),
    (after_another, True, {DIFFERS}),
    (twice, True, {DIFFERS}),
    (of_another_form, True, {Fault.EVIDENCE_MALFORMED}),
    (of_an_act_that_is_none, True, {Fault.EVIDENCE_MALFORMED}),
]


@pytest.mark.parametrize(
    ("how", "narrows", "expected"),
    FORGED,
    ids=[how.__name__ if narrows else f"{how.__name__}_but_too_early" for how, narrows, _ in FORGED],
)
def test_a_change_that_a_forger_with_every_key_of_the_gateway_writes(
    how: Callable[[Change, list[bytes]], None],
    narrows: bool,  # noqa: FBT001  a case
    expected: set[Fault],
    changed: Gateway,
    forger: Forger,
    tmp_path: Path,
) -> None:
    officers = Officers(changed.folder)
    change = Change(forger, officers.next(suspended if narrows else one_party_more))
    how(change, officers.approvals(change.content, at=change.now))
    assert faults(change.verdict(tmp_path / "forged")) == expected


def test_a_change_whose_bundle_is_nowhere(changed: Gateway, forger: Forger, tmp_path: Path) -> None:
    officers = Officers(changed.folder)
    change = Change(forger, officers.next(suspended))
    rightly(change, officers.approvals(change.content, at=change.now))
    assert Fault.OBJECT_MISSING in faults(change.verdict(tmp_path / "missing", {}))
    assert Fault.OBJECT_INVALID in faults(change.verdict(tmp_path / "other", {change.sha256: b"origin: other\n"}))


def test_a_forged_change_lets_nothing_pass_after_it(changed: Gateway, forger: Forger, tmp_path: Path) -> None:
    officers = Officers(changed.folder)
    change = Change(forger, officers.next(one_party_more))
    change.act("proposed")
    change.act("activated", [spoilt(document) for document in officers.approvals(change.content, at=change.now)])
    last = exchanges(change.items)[-1]
    change.items.remove(last)
    forger.change(last, lambda evidence: evidence.update(policy=change.sha256))
    change.items.append(last)
    found = change.verdict(tmp_path / "forged")
    assert faults(found) == {NOT_APPROVED, DIFFERS}
    assert last.evidence["exchange_id"] in {finding.exchange_id for finding in found.findings}
