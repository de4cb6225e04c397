"""From the first policy to the one in force: what the chain does not reach is not in force (P1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.policy.acts import ActKind
from gateway.policy.chain import Chain
from gateway.policy.reasons import PolicyRefused, Reason
from tests.policy.made import HOUR, NOW, approval, digest_of, first, following, officer, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.policy.judge import InForce

NARROWS = put("agreements", "ENT-1", "fields", value=["outcome"])
WIDENS = put("agreements", "ENT-1", "fields", value=["outcome", "handle", "name"])
WITHOUT_1 = put("officers", "keys", value={name: officer(name).public for name in ("officer-2", "officer-3")})
DAY = 24 * HOUR


class Log:
    """A store of bundles, and the chain over it."""

    def __init__(self) -> None:
        self.store: dict[str, bytes] = {}
        self.chain = Chain(self.store.get)
        made, before = first()
        self.chain.begin(self.keep(made), before.since)

    def keep(self, made: bytes) -> str:
        self.store[digest_of(made)] = made
        return digest_of(made)

    def activate(self, made: bytes, *who: str, at: object = NOW, **changes: object) -> InForce:
        before = self.chain.current
        signed = [approval(name, before, made) for name in who]
        given = {"previous": before.sha256, "version": before.bundle.version + 1} | changes
        return self.chain.activated(digest_of(made), approvals=signed, at=at, **given)  # type: ignore[arg-type]  # a test's own words


@pytest.fixture
def log() -> Log:
    return Log()


def refused(what: Callable[[], object]) -> Reason:
    with pytest.raises(PolicyRefused) as error:
        what()
    return error.value.reason


def test_from_the_first_to_the_third(log: Log) -> None:
    began = log.chain.current
    second = following(began, NARROWS)
    log.chain.proposed(log.keep(second), NOW)
    after = log.activate(second, "officer-1", "officer-2")
    assert (after.sha256, after.since) == (digest_of(second), NOW)
    third = following(after, NARROWS, put("guard", "refusals_per_minute", value=30), version=3)
    log.chain.proposed(log.keep(third), NOW)
    log.activate(third, "officer-2", "officer-3")
    assert [item.sha256 for item in log.chain.history] == [began.sha256, digest_of(second), digest_of(third)]
    assert log.chain.current is log.chain.history[-1]
    assert log.chain.waiting == ()


def test_nothing_is_in_force_before_the_first() -> None:
    assert refused(lambda: Chain(lambda _: None).current) is Reason.NOT_BEGUN


def test_the_first_policy_must_be_there_and_itself(log: Log) -> None:
    digest = log.chain.current.sha256
    assert refused(lambda: Chain(lambda _: None).begin(digest, NOW)) is Reason.CONTENT_MISSING
    assert refused(lambda: Chain(lambda _: b"x").begin(digest, NOW)) is Reason.CONTENT_DIFFERS


def test_the_bytes_kept_must_be_those_named(log: Log) -> None:
    """Whoever can write to the database puts a wider policy under the name of an approved one."""
    approved, wider = following(log.chain.current, NARROWS), following(log.chain.current, WIDENS)
    log.store[digest_of(approved)] = wider
    assert refused(lambda: log.chain.proposed(digest_of(approved), NOW)) is Reason.CONTENT_DIFFERS
    assert log.chain.waiting == ()


def test_what_was_not_proposed_is_not_activated(log: Log) -> None:
    made = following(log.chain.current, NARROWS)
    log.keep(made)
    assert refused(lambda: log.activate(made, "officer-1", "officer-2")) is Reason.NOT_PROPOSED


def test_the_delay_runs_from_the_proposal_said_first(log: Log) -> None:
    made = following(log.chain.current, WIDENS)
    log.chain.proposed(log.keep(made), NOW)
    log.chain.proposed(digest_of(made), NOW + 23 * HOUR)
    assert (
        refused(lambda: log.activate(made, "officer-1", "officer-2", at=NOW + 23 * HOUR)) is Reason.WIDENING_TOO_EARLY
    )
    assert log.activate(made, "officer-1", "officer-2", at=NOW + DAY).sha256 == digest_of(made)


def test_a_leaf_that_says_other_than_its_bundle(log: Log) -> None:
    made = following(log.chain.current, NARROWS)
    log.chain.proposed(log.keep(made), NOW)
    both = ("officer-1", "officer-2")
    assert refused(lambda: log.activate(made, *both, previous="c" * 64)) is Reason.PREVIOUS_DIFFERS
    assert refused(lambda: log.activate(made, *both, version=3)) is Reason.VERSION_DIFFERS
    assert log.activate(made, *both).sha256 == digest_of(made)


def test_a_refusal_leaves_the_chain_as_it_was(log: Log) -> None:
    began, made = log.chain.current, following(log.chain.current, NARROWS)
    log.chain.proposed(log.keep(made), NOW)
    assert refused(lambda: log.activate(made, "officer-1")) is Reason.APPROVALS_TOO_FEW
    assert refused(lambda: log.activate(made, "officer-1", "former")) is Reason.APPROVAL_NOT_BY_OFFICER
    assert log.chain.current is began
    assert [item.proposed.sha256 for item in log.chain.waiting] == [digest_of(made)]


def test_of_two_proposals_only_one_can_follow(log: Log) -> None:
    """Officers who are still there stop a recovery, or a widening, by activating something else first."""
    began = log.chain.current
    slow, quick = following(began, WIDENS), following(began, NARROWS)
    log.chain.proposed(log.keep(slow), NOW)
    log.chain.proposed(log.keep(quick), NOW)
    log.activate(quick, "officer-1", "officer-2")
    signed = [approval(name, began, slow) for name in ("officer-1", "officer-2")]
    assert (
        refused(lambda: log.chain.activated(digest_of(slow), began.sha256, 2, signed, NOW + DAY))
        is Reason.PREVIOUS_DIFFERS
    )
    assert refused(lambda: log.chain.proposed(digest_of(slow), NOW + DAY)) is Reason.VERSION_REUSED


def test_a_former_officer_approves_nothing_more(log: Log) -> None:
    second = following(log.chain.current, WITHOUT_1)
    log.chain.proposed(log.keep(second), NOW)
    after = log.activate(second, "officer-1", "officer-2")
    third = following(after, WITHOUT_1, NARROWS, version=3)
    log.chain.proposed(log.keep(third), NOW)
    assert refused(lambda: log.activate(third, "officer-1", "officer-2")) is Reason.APPROVAL_NOT_BY_OFFICER
    assert log.activate(third, "officer-3", "officer-2").sha256 == digest_of(third)


def test_an_old_policy_does_not_come_back(log: Log) -> None:
    """The first bundle's very bytes, with approvals that once counted, are refused for ever."""
    began = log.chain.current
    second = following(began, NARROWS)
    log.chain.proposed(log.keep(second), NOW)
    signed = [approval(name, began, second) for name in ("officer-1", "officer-2")]
    after = log.activate(second, "officer-1", "officer-2")
    assert refused(lambda: log.chain.proposed(began.sha256, NOW)) is Reason.VERSION_REUSED
    assert (
        refused(lambda: log.chain.activated(digest_of(second), began.sha256, 2, signed, NOW)) is Reason.PREVIOUS_DIFFERS
    )
    assert log.chain.current is after


def test_a_recovery_is_walked_like_every_other_step(log: Log) -> None:
    began = log.chain.current
    made = following(began, put("officers", "keys", value={n: officer(n).public for n in ("new-1", "new-2")}))
    log.chain.proposed(log.keep(made), NOW)
    signed = [approval(name, began, made, kind=ActKind.RECOVERY) for name in ("last-1", "last-2")]

    def recover(at: object) -> InForce:
        return log.chain.activated(digest_of(made), began.sha256, 2, signed, at)  # type: ignore[arg-type]  # the same

    assert refused(lambda: recover(NOW + DAY)) is Reason.RECOVERY_TOO_EARLY
    after = recover(NOW + 3 * DAY)
    third = following(after, put("officers", "keys", value=after.bundle.officers.keys), NARROWS, version=3)
    log.chain.proposed(log.keep(third), NOW + 3 * DAY)
    final = [approval(name, after, third, at=NOW + 3 * DAY) for name in ("new-1", "new-2")]
    assert log.chain.activated(digest_of(third), after.sha256, 3, final, NOW + 3 * DAY).sha256 == digest_of(third)
