"""When a call is made again, and when it is not; what is kept; a person's refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.client.client import Acknowledgement, ProvenPlace, UnreachableError
from gateway.client.failed import CallError, UnkeptError
from gateway.client.operations.registrations import RegistrationGetAnswer
from gateway.client.operations.waitlist import WaitlistStatisticsAnswer
from gateway.client.passerelle import Passerelle, Patience
from gateway.client.refused import RefusedError
from gateway.client.signer import SignedRequest
from gateway.client.typed import plain
from gateway.client.verifier import AnswerError, VerifiedAnswer
from gateway.system import SystemRandomness
from tests.adapters.fakes import ShiftedClock

UNREACHABLE = UnreachableError("unreachable", detail="")
HANDLE = "a" * 64


def answered(status: int = 200, **body: object) -> VerifiedAnswer:
    raw = json.dumps(body or {"handle": HANDLE}).encode()
    return VerifiedAnswer(status, {"content-digest": "d"}, raw, "id", "leaf", True, b"")  # noqa: FBT003  as it comes


def refused(code: str, retry_after: int | None = None) -> VerifiedAnswer:
    after = {} if retry_after is None else {"retry_after": retry_after}
    return answered(503, code=code, title_fr="Non", title_en="No", detail_fr="Plus tard", **after)


@dataclass
class Client:
    """A PartyClient to whom each try happens as the table says."""

    happens: list[VerifiedAnswer | Exception]
    asked: tuple[str, bool] = ("subject.expect", True)
    acknowledging: Exception | None = None
    proving: Exception | None = None
    prepared: list[tuple[dict[str, Any], str | None]] = field(default_factory=list)
    kept: int = 0

    def prepare(
        self, operation: str, fields: dict[str, Any], *, salted: bool, idempotency_key: str | None
    ) -> SignedRequest:
        assert (operation, salted) == self.asked
        self.prepared.append((fields, idempotency_key))
        return SignedRequest("POST", "/", {}, b"", "", b"", b"")

    def send(self, request: SignedRequest) -> VerifiedAnswer:
        assert request.method == "POST"
        came = self.happens.pop(0)
        if isinstance(came, Exception):
            raise came
        return came

    def keep(self, request: SignedRequest, answer: VerifiedAnswer, receipts: Path) -> Path:
        assert (request.method, answer.ledger_leaf) == ("POST", "leaf")
        self.kept += 1
        return receipts / f"{self.kept}.json"

    def acknowledge(self, request: SignedRequest, answer: VerifiedAnswer, *, handle: str | None) -> Acknowledgement:
        assert (handle, answer.exchange_id) == (HANDLE, "id")
        if self.acknowledging is not None:
            raise self.acknowledging
        return Acknowledgement(request, VerifiedAnswer(200, {}, b"{}", "of the acknowledgement", "leaf", True, b""))  # noqa: FBT003  as it comes

    def prove(self, answer: VerifiedAnswer, *, within: float) -> ProvenPlace | None:
        if self.proving is not None:
            raise self.proving
        return ProvenPlace(7, f"{answer.exchange_id} proven within {within}")


class Waiting:
    """A pause that lets the clock go on."""

    def __init__(self) -> None:
        self.clock = ShiftedClock()
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.shift += timedelta(seconds=seconds)


def calling(client: Any, waiting: Waiting, receipts: Path = Path(), **patience: Any) -> Passerelle:
    return Passerelle(
        client,
        receipts,
        clock=waiting.clock,
        randomness=SystemRandomness(),
        patience=Patience(**patience),
        pause=waiting,
    )


def test_what_passes_is_tried_again_under_one_key_each_time_a_new_message() -> None:
    waiting, client = Waiting(), Client([UNREACHABLE, refused("upstream_unavailable", 5), answered()])
    got = calling(client, waiting).subject_expect(reference="r")
    assert (got.value.handle, got.tries, got.acknowledged) == (HANDLE, 3, "of the acknowledgement")
    keys = {key for _, key in client.prepared}
    assert len(client.prepared) == 3
    assert len(keys) == 1
    assert None not in keys
    assert waiting.pauses[1] >= 5
    assert client.kept == 3  # the refusal, the answer, the acknowledgement's


class Full(Client):
    """Its disk has no more room."""

    def keep(self, request: SignedRequest, answer: VerifiedAnswer, receipts: Path) -> Path:
        super().keep(request, answer, receipts)
        raise UnkeptError("answer_not_kept", path=str(receipts), detail="No space left on device")


@pytest.mark.parametrize(
    "client",
    [
        Client([UNREACHABLE, UNREACHABLE]),
        Client([refused("upstream_timeout", 5), refused("upstream_timeout", 5)]),
        Client([UNREACHABLE, AnswerError("answer_signature_invalid")]),
        Client([answered()], proving=AnswerError("receipt_invalid")),
        Full([answered()]),
    ],
    ids=["unreachable", "refused", "not_the_gateways", "place_not_proven", "not_kept"],
)
def test_what_may_have_happened_tells_the_key_under_which_it_is_asked_again(client: Client) -> None:
    with pytest.raises(CallError) as raised:
        calling(client, Waiting(), tries=2, proof=timedelta(seconds=3)).subject_expect(reference="r")
    keys = {key for _, key in client.prepared}
    assert keys == {raised.value.idempotency_key}
    assert keys != {None}


def test_what_changes_nothing_has_no_key_to_tell() -> None:
    client = Client([AnswerError("answer_not_signed")], asked=("waitlist.statistics", False))
    with pytest.raises(CallError) as raised:
        calling(client, Waiting()).waitlist_statistics(as_of=date(2026, 10, 31))
    assert (raised.value.idempotency_key, client.prepared[0][1]) == (None, None)


def test_a_callers_own_key_is_used() -> None:
    client = Client([UNREACHABLE, answered()])
    calling(client, Waiting()).subject_expect(reference="r", idempotency_key="mine")
    assert [key for _, key in client.prepared] == ["mine", "mine"]


@pytest.mark.parametrize(
    ("comes", "raised"),
    [
        (refused("field_invalid"), RefusedError),
        (refused("budget", 31), RefusedError),
        (UnreachableError("tls_refused", detail=""), UnreachableError),
        (AnswerError("answer_signature_invalid"), AnswerError),
    ],
    ids=["will_not_pass", "asks_for_too_long", "tls", "not_the_gateways"],
)
def test_what_does_not_pass_is_asked_once(comes: Any, raised: type[Exception]) -> None:
    waiting, client = Waiting(), Client([comes, answered()])
    with pytest.raises(raised):
        calling(client, waiting).subject_expect(reference="r")
    assert (len(client.prepared), waiting.pauses) == (1, [])


@pytest.mark.parametrize(("patience", "tries"), [({"tries": 2}, 2), ({"within": timedelta(seconds=12)}, 3)])
def test_patience_ends(patience: dict[str, Any], tries: int) -> None:
    client = Client([refused("upstream_timeout", 5) for _ in range(9)])
    with pytest.raises(RefusedError, match="upstream_timeout"):
        calling(client, Waiting(), **patience).subject_expect(reference="r")
    assert len(client.prepared) == tries


def test_an_acknowledgement_that_is_not_taken_takes_no_answer_away() -> None:
    got = calling(Client([answered()], acknowledging=UNREACHABLE), Waiting()).subject_expect(reference="r")
    assert (got.value.handle, got.acknowledged) == (HANDLE, None)


def test_the_proof_is_kept_beside_the_receipt(tmp_path: Path) -> None:
    got = calling(Client([answered()]), Waiting(), tmp_path, proof=timedelta(seconds=3)).subject_expect(reference="r")
    assert got.place == ProvenPlace(7, "id proven within 3.0")
    assert (tmp_path / "1.jws").read_text() == "id proven within 3.0"


def test_what_is_answered_is_not_asked_again_for_want_of_its_proof() -> None:
    client = Client([answered()], proving=UNREACHABLE)
    got = calling(client, Waiting(), proof=timedelta(seconds=3)).subject_expect(reference="r")
    assert (got.value.handle, got.place, len(client.prepared)) == (HANDLE, None, 1)


def test_a_refusal_says_to_a_person_what_to_do() -> None:
    with pytest.raises(RefusedError) as raised:
        calling(Client([refused("field_invalid")]), Waiting()).subject_expect(reference="r")
    refusal = raised.value
    assert (refusal.code, refusal.status, refusal.exchange_id) == ("field_invalid", 503, "id")
    assert (refusal.title("fr"), refusal.title("en"), refusal.next_step("fr")) == ("Non", "No", "Plus tard")
    assert refusal.next_step("en") == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 7, tzinfo=timezone(timedelta(hours=-5))), "2026-03-01T12:00:00Z"),
        (Decimal("12.50"), "12.5"),
        (Decimal(0), "0"),
        (b"\x00\xff", "AP8="),
        (("a", date(2026, 1, 1)), ["a", "2026-01-01"]),
        (RegistrationGetAnswer(birth_date=date(2026, 1, 1)), {"birth_date": "2026-01-01"}),
        (True, True),
        (3, 3),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_as_a_message_says_it(value: object, text: object) -> None:
    assert plain(value) == text


def test_an_answer_is_read_with_its_types() -> None:
    fields = {
        "as_of": "2026-10-31",
        "counted_at": "2026-11-01T05:00:00Z",
        "average_wait_months": None,
        "regions": [
            {"code": "06", "average_wait_months": "13.5", "definitions": [{"definition": "all", "waiting": 4}]}
        ],
    }
    read = WaitlistStatisticsAnswer.of(fields)
    assert (read.as_of, read.counted_at) == (date(2026, 10, 31), datetime(2026, 11, 1, 5, tzinfo=UTC))
    assert (read.average_wait_months, read.waiting) == (None, None)
    assert read.regions is not None
    [region] = read.regions
    assert region.average_wait_months == Decimal("13.5")
    assert region.definitions is not None
    assert region.definitions[0].waiting == 4
