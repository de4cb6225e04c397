"""Step 4: once, over all workers and restarts; nothing kept in the clear."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from gateway.errors import Code, Refusal
from gateway.guard.claims import ClaimGuard
from gateway.guard.storage import DatabaseClaims
from gateway.model import CertificateProof, Message, OperationRef, Party, Received, RequestSignature, VerifiedRequest
from gateway.storage import Database, open_database
from tests.adapters.fakes import ShiftedClock
from tests.nirec.test_subjects import MacKeys

if TYPE_CHECKING:
    from collections.abc import Iterator

SALT = bytes(range(16))


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def database(any_url: str) -> Iterator[Database]:
    made = open_database(any_url, durable=False)
    yield made
    made.dispose()


def guard(database: Database, clock: ShiftedClock, most: int = 3) -> ClaimGuard:
    return ClaimGuard(DatabaseClaims(database, clock), MacKeys(), most)


def message(
    clock: ShiftedClock, nonce: str, salt: bytes | None = None, party: str = "ministry", key: str = "aa", age: int = 0
) -> Message:
    proof = CertificateProof(key, (), ())
    at = clock.now()
    received = Received(uuid4(), "POST", "/", {}, b"", b"", at)
    signature = RequestSignature("sig1", "", b"", b"", "ed25519", nonce, int(at.timestamp()) - age, proof)
    request = VerifiedRequest(Party(party, proof), received, signature, None)
    operation = OperationRef("echo", "echo", "1", "00")
    return Message(request, operation, {}, salt, "a", "p", frozenset(), "loopback", None)


def code(guard: ClaimGuard, message: Message) -> Code | None:
    try:
        guard.claim(message)
    except Refusal as refusal:
        assert refusal.nonce == message.request.signature.nonce  # noqa: PT017  every refusal of a claim keeps its nonce
        return refusal.code
    return None


def test_a_nonce_and_a_salt_are_claimed_once_by_whichever_worker(database: Database, clock: ShiftedClock) -> None:
    one, other = guard(database, clock), guard(database, clock)
    assert code(one, message(clock, "n1", SALT)) is None
    assert code(other, message(clock, "n1")) is Code.REPLAYED
    assert code(other, message(clock, "n2", SALT)) is Code.SALT_REPEATED
    assert code(one, message(clock, "n3", SALT[::-1])) is None


def test_a_restart_forgets_nothing(any_url: str, clock: ShiftedClock) -> None:
    for expected in (None, Code.REPLAYED):
        database = open_database(any_url, durable=False)
        assert code(guard(database, clock), message(clock, "n1")) is expected
        database.dispose()


def test_claims_are_of_one_key_and_one_party(database: Database, clock: ShiftedClock) -> None:
    one = guard(database, clock)
    assert code(one, message(clock, "n1", SALT)) is None
    assert code(one, message(clock, "n1", SALT, party="cooperative", key="bb")) is None
    # another key of the same party may not bring its salt again
    assert code(one, message(clock, "n1", SALT, key="cc")) is Code.SALT_REPEATED


def test_an_upstreams_salt_is_its_own_and_taken_once(database: Database, clock: ShiftedClock) -> None:
    one, other = guard(database, clock), guard(database, clock)
    assert one.claim_salt("civil-registry", SALT, clock.now())
    assert not other.claim_salt("civil-registry", SALT, clock.now())
    assert other.claim_salt("civil-registry", SALT[::-1], clock.now())
    assert code(one, message(clock, "n1", SALT)) is None


def test_many_threads_with_one_nonce_have_one_winner(database: Database, clock: ShiftedClock) -> None:
    guards = [guard(database, clock) for _ in range(2)]
    same = message(clock, "n1", SALT)
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda n: code(guards[n % 2], same), range(40)))
    assert sorted(codes, key=str) == [None, *[Code.REPLAYED] * 39]


def test_what_is_stored_is_neither_nonce_nor_salt(database: Database, clock: ShiftedClock) -> None:
    assert code(guard(database, clock), message(clock, "nonce-in-the-clear", SALT)) is None
    with database.reading() as connection:
        rows = [bytes(key) for (key,) in connection.exec_driver_sql("SELECT key FROM claims WHERE kind <> 'boot'")]
    assert len(rows) == 2
    assert all(len(key) == 32 and SALT not in key and b"nonce" not in key for key in rows)


def test_a_nonce_is_kept_longer_than_created_is_accepted_and_a_salt_a_day(
    database: Database, clock: ShiftedClock
) -> None:
    store = DatabaseClaims(database, clock)
    one = ClaimGuard(store, MacKeys(), 3)
    assert code(one, message(clock, "n1", SALT)) is None
    for shift, nonce, salt in (
        (timedelta(minutes=9), Code.REPLAYED, Code.SALT_REPEATED),
        (timedelta(hours=23), None, Code.SALT_REPEATED),
        (timedelta(hours=26), None, None),
    ):
        clock.shift = shift
        store.expire()
        assert code(one, message(clock, "n1")) is nonce
        assert code(one, message(clock, f"other-{shift}", SALT)) is salt


def power_is_lost(database: Database, clock: ShiftedClock) -> None:
    """The machine's present run begins now, after another one that this database has seen."""
    DatabaseClaims(database, clock)
    now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE claims SET expires = ? WHERE kind = 'boot'", (now,))
        connection.exec_driver_sql("INSERT INTO claims VALUES ('boot', ?, '2026-01-01T00:00:00Z')", (b"earlier",))


def test_signatures_from_before_a_power_loss_are_refused(database: Database, clock: ShiftedClock) -> None:
    power_is_lost(database, clock)
    one = guard(database, clock)
    assert code(one, message(clock, "n1", age=5)) is Code.CREATED_OUT_OF_WINDOW
    assert code(one, message(clock, "n2", age=-40)) is None


def test_so_are_those_of_a_caller_whose_clock_is_ahead(database: Database, clock: ShiftedClock) -> None:
    """S1 lets ``created`` be 30 s ahead: one whose claim was lost can bear a time after the machine's new start."""
    power_is_lost(database, clock)
    one = guard(database, clock)
    assert code(one, message(clock, "n1", age=-28)) is Code.CREATED_OUT_OF_WINDOW
    clock.shift = timedelta(seconds=33)
    assert code(one, message(clock, "n2", age=-28)) is None
    assert code(one, message(clock, "n3")) is None


def test_a_database_that_knows_no_earlier_run_has_lost_nothing(database: Database, clock: ShiftedClock) -> None:
    one = guard(database, clock)
    assert code(one, message(clock, "n1", age=200)) is None
    assert code(one, message(clock, "n1", age=200)) is Code.REPLAYED


def test_a_run_of_the_machine_begins_once(database: Database, clock: ShiftedClock) -> None:
    power_is_lost(database, clock)
    first = DatabaseClaims(database, clock).lost_before()
    assert first is not None
    clock.shift = timedelta(minutes=3)
    assert DatabaseClaims(database, clock).lost_before() == first
    DatabaseClaims(database, clock).expire()
    assert DatabaseClaims(database, clock).lost_before() == first


def test_refusals_are_counted_by_party_and_minute(database: Database, clock: ShiftedClock) -> None:
    one = guard(database, clock, most=2)
    at = clock.now().replace(second=0)
    assert [one.refusals_exceeded("ministry", at) for _ in range(4)] == [False, False, True, True]
    assert not one.refusals_exceeded("cooperative", at)
    assert not one.refusals_exceeded("ministry", at + timedelta(minutes=1))


def test_the_first_refusal_of_a_minute_is_the_one_that_is_recorded(database: Database, clock: ShiftedClock) -> None:
    one, other = guard(database, clock), guard(database, clock)
    at = clock.now().replace(second=0)
    first = replace(message(clock, "n").request.received, at=at)
    second = replace(first, exchange_id=UUID(int=7), at=at + timedelta(seconds=59))
    assert one.first_refusal("certificate aa", first) == first.exchange_id
    assert other.first_refusal("certificate aa", second) == first.exchange_id
    assert other.first_refusal("certificate bb", second) == second.exchange_id
    later = replace(second, at=at + timedelta(minutes=1))
    assert one.first_refusal("certificate aa", later) == later.exchange_id
