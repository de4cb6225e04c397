"""The ledger and an upstream with their meters: everything goes through unchanged, and is counted."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import Code, Refusal
from gateway.model import (
    Answer,
    CertificateProof,
    Claim,
    Content,
    Grant,
    Message,
    OperationRef,
    Party,
    Received,
    Refused,
    Released,
    Reply,
    RequestSignature,
    UpstreamRefusal,
    VerifiedRequest,
)
from gateway.watch.metered import MeteredLedger, MeteredUpstream
from gateway.watch.meters import Meters
from tests.watch.made import MovedClock

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.change import Change

RECORDED = Released(200, (("Ledger-Leaf", "leaf"),), b"")
NOT_RECORDED = Released(503, (("Exchange-Id", "id"),), b"", recorded=False)
PROOF = CertificateProof("ab", (), ())


@dataclass
class FakeLedger:
    """Answers what a test says, after a tenth of a second of the test's clock."""

    released: Released
    clock: MovedClock
    asked: list[object] = field(default_factory=list)

    def seal(self, grant: Grant, reply: Reply, answer: Answer) -> Released:
        return self._answer(grant, reply, answer)

    def intend(self, grant: Grant, changes: tuple[Change, ...]) -> None:
        self.asked += (grant, changes)

    def seal_refusal(self, refused: Refused) -> Released:
        return self._answer(refused)

    def repeat_refusal(self, refused: Refused, recorded: UUID) -> Released:
        return self._answer(refused, recorded)

    def not_recorded(self, refused: Refused) -> Released:
        return self._answer(refused)

    def _answer(self, *asked: object) -> Released:
        self.asked += asked
        self.clock.move(0.1)
        return self.released


@dataclass
class FakeUpstream:
    """Raises, or answers."""

    clock: MovedClock
    error: Exception | None = None

    def call(self, _grant: Grant) -> Reply:
        self.clock.move(1.5)
        if self.error is not None:
            raise self.error
        return Reply("registry", {}, ())


def grant_at(clock: MovedClock) -> Grant:
    received = Received(uuid.uuid4(), "POST", "/v1/echo", {}, b"", b"", clock.now())
    signature = RequestSignature("sig1", "", b"", b"", "ed25519", "nonce", 0, PROOF)
    request = VerifiedRequest(Party("ministry", PROOF), received, signature, None)
    operation = OperationRef("echo", "echo", "v1", "ab")
    message = Message(request, operation, {}, None, "A", "p", frozenset(), "registry", None)
    return Grant(message, "A", "p", frozenset(), tells_not_found=False, policy_sha256="ab")


def rows(meters: Meters, kind: str) -> dict[tuple[str, ...], Any]:
    return {tuple(key): value for key, value in meters.snapshot()[kind]}  # type: ignore[arg-type]  # rows as JSON


def counts(meters: Meters) -> dict[tuple[str, ...], Any]:
    return rows(meters, "counts")


def times(meters: Meters) -> dict[tuple[str, ...], float]:
    return {key: row[-1] for key, row in rows(meters, "times").items()}


@pytest.mark.parametrize(
    ("released", "outcome", "refusals"),
    [
        (RECORDED, "answered", {}),
        (NOT_RECORDED, "not_recorded", {("refusals", "ministry", "not_recorded"): 1}),
    ],
)
def test_an_answer_is_counted_by_whether_it_was_recorded(
    released: Released, outcome: str, refusals: dict[tuple[str, ...], int]
) -> None:
    clock, meters = MovedClock(), Meters()
    grant = grant_at(clock)
    clock.move(0.4)
    ledger = FakeLedger(released, clock)
    reply, answer = Reply(None, {}, ()), Answer(Content(200, "", b""), (), ())
    assert MeteredLedger(ledger, meters, clock).seal(grant, reply, answer) is released
    assert ledger.asked == [grant, reply, answer]
    assert counts(meters) == {("exchanges", "ministry", "echo", outcome): 1} | refusals
    assert times(meters) == pytest.approx({("exchange_seconds", "echo"): 0.5, ("seal_seconds",): 0.1})


@pytest.mark.parametrize("proven", ["nothing", "request", "claim", "grant"])
def test_a_refusal_is_counted_under_what_was_proven(proven: str) -> None:
    clock, meters = MovedClock(), Meters()
    grant = grant_at(clock)
    request = grant.message.request
    furthest = {"nothing": None, "request": request, "claim": Claim(grant.message), "grant": grant}[proven]
    party = None if furthest is None else "ministry"
    refused = Refused(request.received, party, Refusal(Code.REPLAYED), furthest)
    metered = MeteredLedger(FakeLedger(RECORDED, clock), meters, clock)
    assert metered.seal_refusal(refused) is RECORDED
    assert metered.repeat_refusal(refused, uuid.uuid4()) is RECORDED
    operation = "echo" if proven in ("claim", "grant") else "-"
    assert counts(meters) == {
        ("exchanges", party or "-", operation, "refused"): 2,
        ("refusals", party or "-", "replayed"): 2,
    }


def test_what_could_not_be_recorded_at_all_is_counted_as_such() -> None:
    clock, meters = MovedClock(), Meters()
    grant = grant_at(clock)
    refused = Refused(grant.message.request.received, "ministry", Refusal(Code.NOT_RECORDED), grant)
    assert MeteredLedger(FakeLedger(NOT_RECORDED, clock), meters, clock).not_recorded(refused) is NOT_RECORDED
    assert counts(meters) == {
        ("exchanges", "ministry", "echo", "not_recorded"): 1,
        ("refusals", "ministry", "not_recorded"): 1,
    }


def test_a_clock_that_is_set_back_gives_no_negative_time() -> None:
    clock, meters = MovedClock(), Meters()
    grant = grant_at(clock)
    clock.at -= timedelta(hours=1)
    MeteredLedger(FakeLedger(RECORDED, clock), meters, clock).seal(
        grant, Reply(None, {}, ()), Answer(Content(200, "", b""), (), ())
    )
    assert times(meters)["exchange_seconds", "echo"] == 0.0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "answered"),
        (UpstreamRefusal(Code.UPSTREAM_TIMEOUT), "upstream_timeout"),
        (RuntimeError("ours"), "internal"),
    ],
)
def test_a_call_upstream_is_counted_by_its_outcome_and_its_error_goes_on(error: Exception | None, outcome: str) -> None:
    clock, meters = MovedClock(), Meters()
    upstream = MeteredUpstream("registry", FakeUpstream(clock, error), meters, clock, lambda: True)
    if error is None:
        assert upstream.call(grant_at(clock)).upstream == "registry"
    else:
        with pytest.raises(type(error)) as raised:
            upstream.call(grant_at(clock))
        assert raised.value is error
    assert counts(meters) == {("upstream_calls", "registry", outcome): 1}
    assert times(meters) == {("upstream_seconds", "registry"): 1.5}
    levels = rows(meters, "levels")
    assert levels["in_flight", "registry"] == 0
    assert levels["cut_off", "registry"] == 1.0
    assert (("last_success", "registry") in levels) == (error is None)
    assert (("last_failure", "registry") in levels) == (error is not None)
