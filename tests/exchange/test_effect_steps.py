"""Log before effect: who is asked when, what is written with which record, what a refusal says of an effect (L4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from gateway.change import Change, Statement
from gateway.effect import Effect
from gateway.errors import Code, NotRecordedError, Refusal
from gateway.model import Attempt, Grant, Reduction, Refused, Reply, RestPart, UpstreamRefusal
from tests.exchange.test_eight_steps import PROOF, Everything

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.model import Released

HANDLE = "1" * 64
RULE = Reduction(
    None, "handle", None, None, (), act="register", given=("handle",),
    refuse=(("outcome", "already_registered", Code.ALREADY_REGISTERED),),
)  # fmt: skip


def change(word: str) -> Change:
    return Change((Statement(word, (), None),), Code.SUBJECTS_CHANGED)


BEGUN, SETTLED, UNDONE, TOLD = (change(word) for word in ("begun", "settled", "undone", "told"))
ATTEMPT = Attempt(
    Everything().received.at,
    "answered",
    RestPart(b"", b"", "sig1", "", "", PROOF),
    RestPart(b"", b"", "", "", "", PROOF),
)


@dataclass
class Writing(Everything):
    """An operation with an effect; ``outside``: whether another system has it."""

    outside: bool = True
    said: dict[str, object] = field(
        default_factory=lambda: {"outcome": "registered", "state_before": "0" * 64, "state_after": "2" * 64}
    )
    intended: list[tuple[Change, ...]] = field(default_factory=list)
    asked: list[Grant] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        states = ("state_before", "state_after")
        self.message = replace(self.message, fields={"handle": HANDLE}, reduction=RULE, key="k", states=states)

    def effect(self, grant: Grant) -> Effect:  # type: ignore[override]  # here there is one
        assert grant.effect is None
        return Effect(b"k" * 32, "upstream-key", bytes(16), self.outside, BEGUN, SETTLED, UNDONE)

    def introduced(self, handles: Sequence[str], party: str, other: str) -> tuple[tuple[str, ...], tuple[Change, ...]]:
        assert (handles, party, other) == ((HANDLE,), "ministry", "registry")
        return ("2" * 64,), (TOLD,)

    def intend(self, grant: Grant, changes: tuple[Change, ...]) -> None:
        self._step("intend")
        assert grant.message.fields == {"handle": "2" * 64}
        self.intended.append(changes)

    def call(self, grant: Grant) -> Reply:
        self.asked.append(grant)
        self._step("call")
        return Reply("registry", self.said, (ATTEMPT,))


def test_an_intent_is_durable_before_anybody_is_asked() -> None:
    world = Writing()
    assert world.handle().status == 200
    assert world.steps.index("intend") < world.steps.index("call") < world.steps.index("seal")
    # what makes the registry know the child is in before it is told of it
    assert world.intended == [(BEGUN, TOLD)]
    ((answer, _),) = world.answers
    assert answer.changes[0] is SETTLED
    assert BEGUN not in answer.changes
    assert answer.states is not None
    assert (answer.states.before, answer.states.after) == ("0" * 64, "2" * 64)
    assert world.asked[0].effect is not None


@pytest.mark.parametrize(
    ("fault", "status"), [(NotRecordedError("x"), 503), (Refusal(Code.IDEMPOTENCY_CONFLICT), 400)], ids=["disk", "key"]
)
def test_without_an_intent_nobody_is_asked(fault: Exception, status: int) -> None:
    world = Writing(fails={"intend": fault})
    assert world.handle().status == status
    assert "call" not in world.steps
    assert not world.answers


def test_what_happens_here_comes_with_the_record_and_has_no_intent() -> None:
    world = Writing(outside=False)
    assert world.handle().status == 200
    assert "intend" not in world.steps
    assert world.answers[0][0].changes[0] is BEGUN
    assert SETTLED not in world.answers[0][0].changes


def test_an_answer_without_the_states_is_none() -> None:
    for lost in ("state_before", "state_after"):
        world = Writing()
        del world.said[lost]
        world.handle()
        assert [one.refusal.code for one in world.refused] == [Code.UPSTREAM_MALFORMED]
        assert world.refused[0].changes == ()


def _sealed(world: Writing) -> Refused:
    released: Released = world.handle()
    assert released.status == 400
    (refused,) = world.refused
    return refused


def test_a_refusal_says_what_became_of_the_effect_only_where_it_knows() -> None:
    said_no = Writing(said={"outcome": "already_registered"})
    assert _sealed(said_no).changes == (UNDONE,)
    nobody_asked = Writing(fails={"call": UpstreamRefusal(Code.UPSTREAM_UNAVAILABLE)})
    assert _sealed(nobody_asked).changes == (UNDONE,)
    lost = replace(ATTEMPT, outcome="upstream_timeout", answer=None)
    for code in (Code.UPSTREAM_TIMEOUT, Code.UPSTREAM_UNTRUSTED, Code.UPSTREAM_MALFORMED):
        assert _sealed(Writing(fails={"call": UpstreamRefusal(code, attempts=(lost,))})).changes == ()
    # a fault of ours may have come when somebody had been asked: nobody knows
    assert _sealed(Writing(fails={"call": ValueError("ours")})).changes == ()
    # and before the intent there is nothing to settle: whoever is refused so without end has one leaf a minute
    conflict = Refusal(Code.IDEMPOTENCY_CONFLICT)
    assert _sealed(Writing(fails={"intend": conflict})).changes == ()
    assert _sealed(Writing(fails={"intend": conflict}, exceeded=True)).refusal.code is Code.TOO_MANY_REFUSALS
    # whoever is refused without end settles each intent of its own
    many = Writing(fails={"call": UpstreamRefusal(Code.UPSTREAM_UNAVAILABLE)}, exceeded=True)
    assert _sealed(many).changes == (UNDONE,)
