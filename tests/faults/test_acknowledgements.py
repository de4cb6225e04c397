"""Acknowledgements twice, early, in the other order, and wrong: what the caller is told, and what the audit says."""

from __future__ import annotations

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.signing.digest import content_digest
from tests.adapters.fakes import until
from tests.exchange.test_acknowledgements import OTHER_LEAF, acknowledge, canonical, echoed, said
from tests.faults.night import ROUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.audit.verdict import Verdict
    from tests.faults.night import Night

#: How many come at once.
_MANY = 8


@contextmanager
def nothing_sequenced(night: Night) -> Iterator[None]:
    """The sequencer stands still: what is answered is recorded, and in no published log."""
    sequencer = night.role("sequencer")
    os.kill(sequencer, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(sequencer, signal.SIGCONT)


def published(night: Night, ids: list[str]) -> Verdict:
    """The verdict on a log that has all of these; it holds."""

    def there() -> bool:
        try:
            return set(ids) <= {str(leaf.exchange_id) for leaf, _ in night.leaves()}
        except (OSError, LedgerError):
            return False  # it grew while it was read

    assert until(there, 20)
    return night.audited()


def counted(night: Night, ids: list[str]) -> tuple[int, int]:
    """Answers whose acknowledgement is in the log, and those without."""
    facts = published(night, ids).facts
    return facts.acknowledged, facts.unacknowledged


def test_the_same_acknowledgement_twice_counts_once(night: Night) -> None:
    night.settled()
    before = counted(night, [])
    answer = echoed(night)
    target = f"/v1/exchanges/{answer.exchange_id}/acknowledgement"
    body = canonical(said(answer))
    request = night.draft().but(target=target, body=body).signed()
    # the same bytes, many times at once: one is answered, the others are told so, and nothing of them is recorded
    with ThreadPoolExecutor(_MANY) as pool:
        shown = list(pool.map(lambda _: night.exchange(request), range(_MANY)))
    codes = Counter((one.status, one.json().get("code")) for one in shown)
    assert codes == {(200, None): 1, (409, "replayed"): _MANY - 1}
    # the same word signed anew is an exchange of its own, and is told the same
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(_MANY) as pool:
            again = list(pool.map(lambda _: acknowledge(night, answer.exchange_id, body), range(_MANY)))
        assert {(one.status, one.json()["acknowledged"]) for _, one in again} == {(200, answer.exchange_id)}
        own = [one.exchange_id for one, _ in again]
        assert len(set(own)) == _MANY
    acknowledged, left = counted(night, own)
    assert (acknowledged - before[0], left - before[1]) == (1, 0)


def test_an_answer_is_acknowledged_before_it_is_sequenced(night: Night) -> None:
    night.settled()
    before = counted(night, [])
    with nothing_sequenced(night):
        answers = [echoed(night) for _ in range(_MANY)]
        told = [acknowledge(night, one.exchange_id, canonical(said(one))) for one in answers]
        assert {shown.status for _, shown in told} == {200}
        there = {str(leaf.exchange_id) for leaf, _ in night.leaves()}
        assert there.isdisjoint(one.exchange_id for one in answers)
    acknowledged, left = counted(night, [one.exchange_id for one, _ in told])
    assert (acknowledged - before[0], left - before[1]) == (_MANY, 0)


def test_answers_are_acknowledged_in_the_other_order_and_mixed(night: Night) -> None:
    night.settled()
    before = counted(night, [])
    answers = [echoed(night) for _ in range(_MANY)]
    told = [acknowledge(night, one.exchange_id, canonical(said(one))) for one in reversed(answers)]
    assert [shown.json()["acknowledged"] for _, shown in told] == [one.exchange_id for one in reversed(answers)]
    # one's id with another's answer: the leaf gives it away at once
    first, second = answers[:2]
    _, shown = acknowledge(night, first.exchange_id, canonical(said(second)))
    assert (shown.status, shown.json()["code"], shown.json()["component"]) == (
        409, "acknowledgement_differs", "ledger_leaf",
    )  # fmt: skip
    acknowledged, left = counted(night, [one.exchange_id for one, _ in told] + [shown.headers["exchange-id"]])
    assert (acknowledged - before[0], left - before[1]) == (_MANY, 0)


def test_what_differs_is_refused_or_disputed_and_the_right_word_still_counts(night: Night) -> None:
    night.settled()
    before = counted(night, [])
    answer = echoed(night)
    _, refused = acknowledge(night, answer.exchange_id, canonical(said(answer, ledger_leaf=OTHER_LEAF)))
    assert (refused.status, refused.json()["code"]) == (409, "acknowledgement_differs")
    # digest and handle are sealed from the gateway too: it takes the caller's word, and the audit compares (L12)
    other = canonical(said(answer, answer_digest=content_digest(b"another answer")))
    disputed, shown = acknowledge(night, answer.exchange_id, other)
    assert shown.status == 200
    verdict = published(night, [disputed.exchange_id])
    mine = [one for one in verdict.disputes if one.acknowledged_by == disputed.exchange_id]
    assert [(one.party, one.exchange_id, one.terms) for one in mine] == [
        ("ministry", answer.exchange_id, ("answer_digest",))
    ]
    assert (verdict.facts.acknowledged - before[0], verdict.facts.unacknowledged - before[1]) == (0, 1)
    # after the wrong one, the right one
    right, shown = acknowledge(night, answer.exchange_id, canonical(said(answer)))
    assert shown.status == 200
    acknowledged, left = counted(night, [right.exchange_id])
    assert (acknowledged - before[0], left - before[1]) == (1, 0)
