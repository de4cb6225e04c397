# ruff: noqa: ARG002  the double stands for every port, and looks at few of their arguments
"""The eight steps in order: what each refusal leaves undone, and what a fault shows (section 1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from gateway.change import Change
from gateway.errors import (
    Code,
    ConfigurationError,
    KeystoreError,
    NotRecordedError,
    PasserelleError,
    Refusal,
    StorageUnavailableError,
)
from gateway.exchange import Exchange
from gateway.model import (
    CertificateProof,
    Claim,
    DisclosedSubject,
    Disclosure,
    Grant,
    Nirec,
    Party,
    Reduction,
    Refused,
    Released,
    Reply,
    UpstreamRefusal,
)
from tests.adapters.fakes import ShiftedClock
from tests.guard.test_claims import message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.model import Answer, Message, Received, SubjectRequest, VerifiedRequest

PROOF = CertificateProof("aa", (), ())
RULE = Reduction("nirec", "handle", "outcome", "confirmed", (("outcome", "not_found", "not_confirmed"),))
STEPS = ["identify", "verify", "translate_in", "claim", "authorise", "reserve", "call", "settle", "seal"]


@dataclass
class Everything:
    """Every port in one double; ``fails`` says which step raises what, ``steps`` which were reached."""

    fails: dict[str, Exception] = field(default_factory=dict)
    outcome: str = "confirmed"
    tells: bool = False
    fields: frozenset[str] = frozenset({"outcome", "handle"})
    exceeded: bool = False
    recorded: UUID | None = None
    holds: int = 0
    steps: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    repeated: list[UUID] = field(default_factory=list)
    unrecorded: list[Refused] = field(default_factory=list)
    answers: list[tuple[Answer, dict[str, object]]] = field(default_factory=list)
    alarms: list[Exception] = field(default_factory=list)
    sends: dict[str, object] = field(default_factory=dict)
    known: list[Sequence[Sequence[str]]] = field(default_factory=list)
    settled: list[tuple[int, tuple[DisclosedSubject, ...]]] = field(default_factory=list)
    _out: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = message(ShiftedClock(), "n")
        nirec = {"nirec": Nirec("1" * 13)}
        self.message = replace(made, fields=nirec, upstream="registry", reduction=RULE)
        self.received = made.request.received

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.fails:
            raise self.fails[name]

    def identify(self, received: Received) -> Party:
        self._step("identify")
        return Party("ministry", PROOF)

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        self._step("verify")
        return self.message.request

    def translate_in(self, request: VerifiedRequest) -> Message:
        self._step("translate_in")
        return self.message

    def claim(self, message: Message) -> Claim:
        self._step("claim")
        return Claim(message)

    def authorise(self, claim: Claim) -> Grant:
        self._step("authorise")
        return Grant(claim.message, "a", "p", self.fields, tells_not_found=self.tells, policy_sha256="00")

    def call(self, grant: Grant) -> Reply:
        self._step("call")
        return Reply("registry", {"outcome": self.outcome, "more": "than agreed", **self.sends}, ())

    def check(self, handles: Sequence[str], party: str) -> tuple[tuple[str, ...], ...]:
        self._step("check")
        return (("ledger", "merged"),)

    def reserve(self, grant: Grant, known: Sequence[Sequence[str]]) -> Grant:
        self._step("reserve")
        self.known.append(known)
        return replace(grant, reserved=self.holds)

    def settle(self, grant: Grant, subjects: Sequence[DisclosedSubject]) -> Grant:
        self.settled.append((grant.reserved, tuple(subjects)))
        self._step("settle")
        return replace(grant, reserved=0)

    def disclose(self, request: SubjectRequest) -> Disclosure:
        self._step("disclose")
        return Disclosure((DisclosedSubject("ledger", f"handle of {request.party}"),))

    def noted(self, grant: Grant, told: Disclosure, fields: Iterable[str]) -> tuple[Change, ...]:
        self._step("noted")
        return (Change((), Code.INTERNAL, alone=False),)

    def translate_out(self, grant: Grant, fields: dict[str, object]) -> bytes:
        self._step("translate_out")
        self._out = fields
        return b"{}"

    def refusals_exceeded(self, party: str, at: object) -> bool:
        return self.exceeded

    def first_refusal(self, key: str, received: Received) -> UUID:
        self._step("first_refusal")
        return self.recorded or received.exchange_id

    def effect(self, grant: Grant) -> None:
        self._step("effect")

    def seal(self, grant: Grant, reply: Reply, answer: Answer) -> Released:
        self._step("seal")
        self.answers.append((answer, self._out))
        return Released(answer.content.status, (), answer.content.body)

    def seal_refusal(self, refused: Refused) -> Released:
        self.refused.append(refused)
        return Released(400, (), b"")

    def repeat_refusal(self, refused: Refused, recorded: UUID) -> Released:
        self.repeated.append(recorded)
        return Released(400, (), b"")

    def not_recorded(self, refused: Refused) -> Released:
        self._step("not_recorded")
        self.unrecorded.append(refused)
        return Released(503, (), b"")

    def signing_key(self) -> CertificateProof:
        self._step("signing_key")
        return PROOF

    def alarm(self, received: Received, fault: Exception) -> None:
        self.alarms.append(fault)

    def handle(self) -> Released:
        one: Any = self
        exchange = Exchange(
            identity=one, signing=one, translation=one, guard=one, policy=one, budgets=one, upstreams={"registry": one},
            subjects=one, family=one, effects=one, ledger=one, alarm=self.alarm,
        )  # fmt: skip
        return exchange.handle(self.received)


def test_the_steps_come_in_their_order() -> None:
    world = Everything()
    assert world.handle().status == 200
    assert [step for step in world.steps if step in STEPS] == STEPS
    assert not world.refused
    assert not world.alarms


@pytest.mark.parametrize("step", STEPS[1:6])
def test_a_refusal_at_a_step_is_sealed_and_no_later_step_is_reached(step: str) -> None:
    world = Everything(fails={step: Refusal(Code.NOT_AGREED)})
    world.handle()
    assert world.steps[-1] == step
    assert [refused.refusal.code for refused in world.refused] == [Code.NOT_AGREED]
    # C6: a request is proven to the ledger's eyes only when its salt was claimed
    proven = world.refused[0].proven
    assert isinstance(proven, Claim | Grant) is (step in ("authorise", "reserve", "call"))


@pytest.mark.parametrize("step", [*STEPS[1:6], "disclose", "translate_out"])
def test_a_fault_is_an_opaque_500_and_an_alarm(step: str) -> None:
    fault = ValueError("1111111111111")
    world = Everything(fails={step: fault})
    world.handle()
    assert world.alarms == [fault]
    assert world.refused[0].refusal.code is Code.INTERNAL
    assert "1111111111111" not in str(world.refused[0].refusal)
    assert not world.answers


@pytest.mark.parametrize("fault", [ConfigurationError("x"), KeystoreError("x")], ids=["certificate", "keystore"])
def test_nobody_is_asked_for_an_answer_that_we_could_not_sign(fault: Exception) -> None:
    world = Everything(fails={"signing_key": fault})
    assert world.handle().status == 503
    assert "call" not in world.steps
    assert (world.alarms, world.refused, world.answers) == ([fault], [], [])
    assert isinstance(world.unrecorded[0].proven, Grant)


@pytest.mark.parametrize("fault", [StorageUnavailableError("x"), NotRecordedError("x")])
def test_a_claim_that_cannot_be_kept_is_an_answer_without_a_record(fault: Exception) -> None:
    world = Everything(fails={"claim": fault})
    assert world.handle().status == 503
    assert world.steps == ["identify", "verify", "translate_in", "claim", "not_recorded"]
    assert world.alarms == [fault]


def test_whatever_fails_while_sealing_releases_nothing() -> None:
    fault = ConfigurationError("own_certificate_refused")
    world = Everything(fails={"seal": fault})
    assert world.handle().status == 503
    assert (world.alarms, world.answers) == ([fault], [])
    assert world.unrecorded[0].refusal.code is Code.NOT_RECORDED


def test_where_not_even_a_refusal_can_be_signed_the_fault_is_the_faces() -> None:
    world = Everything(fails={"seal": KeystoreError("x"), "not_recorded": KeystoreError("x")})
    with pytest.raises(KeystoreError):
        world.handle()


@pytest.mark.parametrize("error", [Refusal(Code.PARTY_UNKNOWN), ValueError("x")], ids=["refusal", "fault"])
def test_step_one_is_recorded_once_a_minute(error: Exception) -> None:
    first = Everything(fails={"identify": error})
    first.handle()
    assert first.steps == ["identify", "first_refusal"]
    assert [refused.party for refused in first.refused] == [None]
    again = Everything(fails={"identify": error}, recorded=UUID(int=9))
    again.handle()
    assert (again.refused, again.repeated) == ([], [UUID(int=9)])


def test_refusals_without_end_share_one_leaf_a_minute() -> None:
    world = Everything(fails={"verify": Refusal(Code.DIGEST_MISMATCH)}, exceeded=True, recorded=UUID(int=9))
    world.handle()
    assert (world.refused, world.repeated) == ([], [UUID(int=9)])
    alone = Everything(fails={"verify": Refusal(Code.DIGEST_MISMATCH)}, exceeded=True)
    alone.handle()
    assert [refused.refusal.code for refused in alone.refused] == [Code.TOO_MANY_REFUSALS]


def test_a_guard_that_cannot_count_leaves_it_to_the_ledger() -> None:
    fault = OSError("disk")
    world = Everything(fails={"identify": Refusal(Code.PARTY_UNKNOWN), "first_refusal": fault})
    world.handle()
    assert world.alarms == [fault]
    assert len(world.refused) == 1


def test_what_was_tried_upstream_stays_in_the_refusal() -> None:
    world = Everything(fails={"call": UpstreamRefusal(Code.UPSTREAM_TIMEOUT, attempts=())})
    world.handle()
    assert isinstance(world.refused[0].proven, Grant)
    assert world.refused[0].refusal.code is Code.UPSTREAM_TIMEOUT


@pytest.mark.parametrize(
    ("outcome", "tells", "said", "handle"),
    [
        ("confirmed", False, "confirmed", True),
        ("not_confirmed", True, "not_confirmed", False),
        ("not_found", False, "not_confirmed", False),
        ("not_found", True, "not_found", False),
    ],
    ids=["confirmed", "not_confirmed", "not_found_concealed", "not_found_told"],
)
def test_no_oracle(outcome: str, tells: bool, said: str, handle: bool) -> None:  # noqa: FBT001  a table's columns
    world = Everything(outcome=outcome, tells=tells)
    world.handle()
    answer, shown = world.answers[0]
    assert shown["outcome"] == said
    assert ("handle" in shown) is handle
    assert bool(answer.subjects) is handle
    assert ("disclose" in world.steps) is handle


@pytest.mark.parametrize("outcome", ["confirmed", "not_confirmed"])
def test_a_handle_of_the_upstreams_is_passed_on_to_nobody(outcome: str) -> None:
    world = Everything(outcome=outcome, sends={"handle": "theirs"})
    world.handle()
    shown = world.answers[0][1]
    assert shown.get("handle") == ("handle of ministry" if outcome == "confirmed" else None)


def test_only_what_the_agreement_names_is_let_out() -> None:
    world = Everything(fields=frozenset({"outcome"}))
    world.handle()
    answer, shown = world.answers[0]
    assert shown == {"outcome": "confirmed"}
    assert answer.disclosed == ("outcome",)


def test_a_handle_that_the_caller_was_not_given_is_refused_before_anybody_is_asked() -> None:
    world = Everything(fails={"check": Refusal(Code.HANDLE_UNKNOWN)})
    world.handle()
    assert world.steps[-1] == "check"
    assert "call" not in world.steps
    assert [refused.refusal.code for refused in world.refused] == [Code.HANDLE_UNKNOWN]
    assert isinstance(world.refused[0].proven, Grant)


def test_what_an_exchange_costs_is_spent_before_anybody_is_asked_and_settled_on_whom_it_discloses() -> None:
    world = Everything(holds=3)
    world.handle()
    assert world.known == [(("ledger", "merged"),)]
    assert world.settled == [(3, (DisclosedSubject("ledger", "handle of ministry"),))]


@pytest.mark.parametrize("step", ["call", "disclose", "translate_out"])
@pytest.mark.parametrize("fault", [Refusal(Code.SEARCH_TOO_WIDE), ValueError("ours")], ids=["refusal", "fault"])
def test_what_a_refused_exchange_held_is_given_back(step: str, fault: Exception) -> None:
    world = Everything(holds=3, fails={step: fault})
    world.handle()
    assert world.settled == [(3, ())]
    assert len(world.refused) == 1


def test_what_cannot_be_given_back_stays_spent_and_the_refusal_is_recorded() -> None:
    lost = StorageUnavailableError("away")
    world = Everything(holds=3, fails={"call": Refusal(Code.UPSTREAM_TIMEOUT), "settle": lost})
    world.handle()
    assert world.alarms == [lost]
    assert [refused.refusal.code for refused in world.refused] == [Code.UPSTREAM_TIMEOUT]


def test_nothing_is_given_back_twice() -> None:
    world = Everything(holds=3, fails={"seal": Refusal(Code.SUBJECTS_CHANGED)})
    world.handle()
    assert len(world.settled) == 1


def test_settling_that_fails_may_have_held_and_gives_nothing_back() -> None:
    world = Everything(holds=3, fails={"settle": PasserelleError("after the commit")})
    world.handle()
    assert world.settled == [(3, (DisclosedSubject("ledger", "handle of ministry"),))]
    assert not world.answers


def test_subjects_that_changed_before_the_commit_are_a_refusal_with_what_was_tried() -> None:
    world = Everything(fails={"seal": Refusal(Code.SUBJECTS_CHANGED)})
    assert world.handle().status == 400
    assert [refused.refusal.code for refused in world.refused] == [Code.SUBJECTS_CHANGED]
    assert isinstance(world.refused[0].proven, Grant)
    assert (world.answers, world.alarms) == ([], [])


@pytest.mark.parametrize(("outcome", "noted"), [("confirmed", 1), ("not_confirmed", 0)])
def test_what_was_told_of_a_child_is_noted_for_its_family_with_the_record(outcome: str, noted: int) -> None:
    world = Everything(outcome=outcome)
    assert world.handle().status == 200
    assert (world.steps.count("noted"), len(world.answers[0][0].changes)) == (noted, noted)


def test_what_was_refused_is_not_noted() -> None:
    world = Everything(fails={"translate_out": Refusal(Code.UPSTREAM_MALFORMED)})
    world.handle()
    assert "noted" not in world.steps
    assert world.refused
