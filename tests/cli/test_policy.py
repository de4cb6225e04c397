"""`passerelle policy ...`: proposed, approved and activated as people do it, through the command line (P1, P2)."""

from __future__ import annotations

from copy import deepcopy
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.policy.acts import ActKind, read_approval
from tests.cli.desk import Desk, Policy, narrower, wider, with_delay
from tests.policy.made import officer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_two_officers_change_the_policy(desk: Desk) -> None:
    path = desk.write("v2.yaml", wider)
    proposed = desk.propose(path)
    assert proposed["widens"]
    assert [change["where"] for change in proposed["changes"] if change["widens"]] == [
        "agreements.ENT-2026-01.tells_not_found"
    ]
    assert desk.show()["waiting"][0]["missing"] == 2
    approvals = [desk.approve(path, name, "--against", desk.current) for name in ("officer-3", "officer-1")]
    done = desk.activate(path, *approvals)
    assert done["approved_by"] == ["officer-1", "officer-3"]
    shown = desk.show()
    assert (shown["version"], shown["sha256"]) == (2, sha256(path.read_bytes()).hexdigest())
    assert shown["waiting"] == []
    assert desk.current.read_bytes() == path.read_bytes()
    assert desk.recorded() == ["genesis", "proposed", "approved", "approved", "activated"]


def test_in_words_in_both_languages(desk: Desk) -> None:
    path = desk.write("v2.yaml", wider, narrower)
    said = desk.run("policy", "propose", path, "--config", desk.config)
    assert "ÉLARGIT   L'entente ENT-2026-01 dit désormais à Coopérative Enfance Famille (cooperative)" in said
    assert "          L'entente ENT-2026-02 ne dit plus à Ministère de la Famille (ministry)" in said
    assert "Il faut 2 signataires sur 3" in said
    again = desk.run("--lang", "en", "policy", "propose", path, "--config", desk.config)
    assert "WIDENS    The agreement ENT-2026-01 now tells" in again
    assert "was proposed before" in again
    assert desk.recorded() == ["genesis", "proposed"]
    shown = desk.run("--lang", "en", "policy", "show", "--config", desk.config)
    assert "2 of 3 officers" in shown
    assert "Waiting: version 2" in shown
    assert "a development policy" in shown


def test_an_approval_given_on_monday_counts_on_tuesday(desk: Desk) -> None:
    """What one officer handed over stays recorded: the next activation needs only the others'."""
    path = desk.write("v2.yaml", narrower)
    desk.propose(path)
    assert desk.activate(path, desk.approve(path, "officer-1"), expect=1)["reason"] == "approvals_too_few"
    waiting = desk.show()["waiting"][0]
    assert (waiting["approved_by"], waiting["missing"]) == (["officer-1"], 1)
    assert desk.activate(path, desk.approve(path, "officer-2"))["approved_by"] == ["officer-1", "officer-2"]
    assert desk.recorded() == [
        "genesis", "proposed", "approved", "refused approvals_too_few", "approved", "activated",
    ]  # fmt: skip
    (activated,) = (act for act in desk.acts() if act.act == "activated")
    assert {read_approval(document).act.officer for document in activated.approvals} == {"officer-1", "officer-2"}


def test_widening_waits(desk: Desk) -> None:
    desk.change(desk.write("v2.yaml", with_delay))
    path = desk.write("v3.yaml", wider, with_delay)
    desk.propose(path)
    approvals = [desk.approve(path, name) for name in ("officer-1", "officer-2")]
    assert desk.activate(path, *approvals, expect=1)["reason"] == "widening_too_early"
    assert desk.show()["version"] == 2
    narrow = desk.write("v3n.yaml", narrower, with_delay)
    assert desk.change(narrow)["version"] == 3


_BAD_PROPOSALS: dict[str, tuple[Callable[[Policy], object], str]] = {
    "unknown_party": (lambda p: p["agreements"]["ENT-2026-01"].update(party="nobody"), "policy_invalid"),
    "empty_rule": (lambda p: p["agreements"]["ENT-2026-01"].update(fields=[]), "policy_invalid"),
    "operation_that_is_none": (lambda p: p["agreements"]["ENT-2026-01"].update(operation="all"), "policy_invalid"),
    "overlap": (lambda p: p["agreements"].update(TWICE=deepcopy(p["agreements"]["ENT-2026-01"])), "agreements_overlap"),
    "version_reused": (lambda p: p.update(version=1), "version_reused"),
    "previous_wrong": (lambda p: p.update(previous="a" * 64), "previous_differs"),
    "another_origin": (lambda p: p.update(origin="other.development"), "origin_differs"),
    "nothing": (lambda _: None, "policy_unchanged"),
}


@pytest.mark.parametrize("case", _BAD_PROPOSALS)
def test_a_bad_proposal_is_refused_and_recorded(desk: Desk, case: str) -> None:
    edit, reason = _BAD_PROPOSALS[case]
    edits = [edit] if case == "nothing" else [narrower, edit]
    assert desk.propose(desk.write("v2.yaml", *edits), expect=1)["reason"] == reason
    assert desk.recorded() == ["genesis", f"refused {reason}"]
    assert desk.show()["waiting"] == []


@pytest.mark.parametrize(
    "content",
    [b"", bytes(range(256)), b"\0" * 100, b"[" * 50_000, b"a: &a [x]\nb: [*a, *a]\n", b"#" * 10_000_000],
    ids=["empty", "garbage", "nul", "nested", "alias", "ten_megabytes"],
)
def test_what_is_no_policy_is_refused_and_recorded(desk: Desk, content: bytes) -> None:
    path = desk.folder / "bad.yaml"
    path.write_bytes(content)
    assert desk.propose(path, expect=1)["reason"] in {"policy_invalid", "policy_too_large"}
    assert desk.recorded()[1].startswith("refused policy_")


def _activating(desk: Desk, *approvals: Path) -> str:
    path = desk.folder / "v2.yaml"
    return str(desk.activate(path, *approvals, expect=1)["reason"])


def test_bad_approvals_are_refused_and_recorded_as_refusals_alone(desk: Desk) -> None:
    path, other = desk.write("v2.yaml", narrower), desk.write("other.yaml", wider)
    desk.propose(path)
    first = desk.approve(path, "officer-1")
    broken, garbage, large = (desk.folder / name for name in ("broken", "garbage", "large"))
    broken.write_bytes(first.read_bytes().replace(b"version 2", b"version 3"))
    garbage.write_bytes(b"\0" * 50)
    large.write_bytes(first.read_bytes() + b"x" * 10_000_000)
    stranger = desk.folder / "stranger.key"
    desk.run("policy", "new-officer", "officer-9", "--out", stranger)
    former = desk.folder / "former.approval"
    desk.run("policy", "approve", path, "--officer", "officer-9", "--key", stranger, "--out", former)
    impostor = desk.folder / "impostor.approval"
    desk.run("policy", "approve", path, "--officer", "officer-2", "--key", stranger, "--out", impostor)
    reasons = [
        _activating(desk),
        _activating(desk, first, first),
        _activating(desk, first, desk.approve(other, "officer-2")),
        _activating(desk, first, broken),
        _activating(desk, first, garbage),
        _activating(desk, first, large),
        _activating(desk, first, former),
        _activating(desk, first, impostor),
    ]
    assert reasons == [
        "approvals_too_few", "approval_repeated", "approval_of_another", "approval_of_another", "approval_malformed",
        "approval_malformed", "approval_not_by_officer", "approval_signature_wrong",
    ]  # fmt: skip
    assert desk.recorded() == [
        "genesis", "proposed", "refused approvals_too_few", "approved",
        *(f"refused {reason}" for reason in reasons[1:]),
    ]  # fmt: skip
    assert desk.show()["version"] == 1


def test_what_was_not_proposed_is_not_activated(desk: Desk) -> None:
    path = desk.write("v2.yaml", narrower)
    approvals = [desk.approve(path, name) for name in ("officer-1", "officer-2")]
    assert desk.activate(path, *approvals, expect=1)["reason"] == "not_proposed"


def test_a_former_officer_s_approval_counts_no_more(desk: Desk) -> None:
    def without_3(policy: Policy) -> None:
        del policy["officers"]["keys"]["officer-3"]

    desk.change(desk.write("v2.yaml", without_3))
    path = desk.write("v3.yaml", narrower)
    desk.propose(path)
    approvals = [desk.approve(path, name) for name in ("officer-1", "officer-3")]
    assert desk.activate(path, *approvals, expect=1)["reason"] == "approval_not_by_officer"


def test_lost_officers_are_replaced_by_those_of_last_resort(desk: Desk) -> None:
    def with_recovery(policy: Policy) -> None:
        keys = {name: officer(name).public for name in ("last-1", "last-2")}
        policy["officers"] |= {"recovery": keys, "recovery_threshold": 2, "recovery_delay_hours": 0}

    def replaced(policy: Policy) -> None:
        policy["officers"]["keys"] = {name: officer(name).public for name in ("new-1", "new-2")}

    desk.change(desk.write("v2.yaml", with_recovery))
    assert desk.show()["recovery"] == ["last-1", "last-2"]
    for name in ("last-1", "last-2"):
        desk.key(name).write_bytes(_pem(name))
        desk.key(name).chmod(0o600)
    path, more = desk.write("v3.yaml", replaced), desk.write("v3more.yaml", replaced, narrower)
    for proposal in (path, more):
        desk.propose(proposal)
    given = [desk.approve(path, name, "--recovery", "--against", desk.current) for name in ("last-1", "last-2")]
    assert read_approval(given[0].read_bytes()).act.kind is ActKind.RECOVERY
    assert desk.activate(path, *given, expect=1)["reason"] == "approval_of_another"  # without --recovery
    assert desk.activate(path, given[0], more=("--recovery",), expect=1)["reason"] == "approvals_too_few"
    waiting, other = desk.show()["waiting"]
    assert (waiting["approved_by"], waiting["missing"]) == ([], 2)
    assert (waiting["recovery_by"], waiting["recovery_missing"]) == (["last-1"], 1)
    assert waiting["recovery_earliest"] == waiting["since"]
    assert other["recovery_missing"] is None  # it changes more than the officers
    assert "ou par recours: approuvée par: last-1; il manque 1" in desk.run("policy", "show", "--config", desk.config)
    beyond = [desk.approve(more, name, "--recovery") for name in ("last-1", "last-2")]
    assert desk.activate(more, *beyond, more=("--recovery",), expect=1)["reason"] == "recovery_changes_more"
    desk.approve(more, "last-1", "--recovery", "--against", desk.current, expect=1)
    assert desk.activate(path, *given, more=("--recovery",))["approved_by"] == ["last-1", "last-2"]
    assert desk.show()["officers"] == ["new-1", "new-2"]


def _pem(name: str) -> bytes:
    return officer(name).key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
