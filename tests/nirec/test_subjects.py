"""NIREC to subject to handle (N1 to N3)."""

from __future__ import annotations

import hmac
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import KeystoreError
from gateway.keys.names import nirec_key
from gateway.model import Nirec, SubjectRequest
from gateway.nirec.memory import NirecMask
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import LEDGER_KEY, SubjectDirectory
from gateway.storage import Database, open_database
from tests.adapters.fakes import ShiftedClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.model import DisclosedSubject, SubjectAct

NIREC = "1234567890123"


class MacKeys:
    """ports.Keystore of MAC keys that are their own names."""

    def mac(self, key_id: str, data: bytes) -> bytes:
        return hmac.digest(key_id.encode(), data, "sha256")

    def sign(self, key_id: str, data: bytes) -> bytes:
        raise NotImplementedError(key_id)

    def certificate(self, key_id: str) -> bytes:
        raise NotImplementedError(key_id)


@pytest.fixture
def database(any_url: str) -> Iterator[Database]:
    made = open_database(any_url, durable=True)
    yield made
    made.dispose()


def directory(database: Database, keys: MacKeys | None = None, clock: ShiftedClock | None = None) -> SubjectDirectory:
    keys = keys or MacKeys()
    store = DatabaseSubjects(database, clock or ShiftedClock(), SystemRandomness())
    return SubjectDirectory(store, PseudonymChain(keys, nirec_key), keys, "handle-")


def asked(act: SubjectAct, *handles: str, nirec: str | None = None, **more: Any) -> SubjectRequest:
    number = None if nirec is None else Nirec(nirec)
    given: dict[str, Any] = {"party": "ministry", "reason": None, "gives_handle": True}
    return SubjectRequest(act=act, nirec=number, handles=handles, **(given | more))


def verified(subjects: SubjectDirectory, nirec: str, party: str = "ministry") -> DisclosedSubject:
    return subjects.disclose(asked("disclose", nirec=nirec, party=party)).subjects[0]


def test_the_chain_walks_every_generation_oldest_first() -> None:
    first = hmac.digest(b"nirec-0", NIREC.encode(), "sha256")
    second = hmac.digest(b"nirec-1", first, "sha256")
    chain = PseudonymChain(MacKeys(), nirec_key)
    assert chain.values(Nirec(NIREC), 0) == (first,)
    # so that a table of the old generation is rotated in place, without any NIREC (N2)
    assert chain.values(Nirec(NIREC), 1) == chain.extended((first,), 1) == (first, second)
    assert chain.next(first, 1) == second


def test_handles_are_stable_for_a_party_and_differ_between_parties(database: Database) -> None:
    subjects = directory(database)
    ministry, again = (verified(subjects, NIREC) for _ in range(2))
    cooperative = verified(subjects, NIREC, "cooperative")
    assert ministry == again
    assert ministry.handle != cooperative.handle
    assert ministry.ledger == cooperative.ledger
    assert verified(subjects, "9" * 13).handle != ministry.handle
    # another worker finds the same subject
    assert verified(directory(database), NIREC) == ministry


def test_no_handle_and_no_row_can_be_led_back_to_the_nirec(database: Database) -> None:
    subject = verified(directory(database), NIREC)
    guesses = {hmac.digest(key, NIREC.encode(), "sha256").hex() for key in (b"handle-ministry", LEDGER_KEY.encode())}
    assert not guesses & {subject.handle, subject.ledger}
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM pseudonyms").fetchall()
        rows = [*rows, *connection.exec_driver_sql("SELECT * FROM subjects").fetchall()]
    assert len(rows) == 2
    assert NIREC not in repr(rows)


def test_two_workers_make_one_subject(database: Database) -> None:
    workers = [directory(database) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: verified(workers[n % 4], NIREC), range(16)))
    assert len(set(found)) == 1


def test_nothing_of_a_nirec_stays_in_memory(database: Database) -> None:
    subjects = directory(database)
    for number in range(4):
        verified(subjects, f"{number:013}")
    kept = {name: value for name, value in vars(subjects).items() if isinstance(value, int | dict | list | bytes | str)}
    assert kept == {"_prefix": "handle-", "_newest": 0, "_checked": 0}


def test_another_key_for_a_generation_is_noticed_and_makes_nobody(database: Database) -> None:
    """A restored or mistaken key file would make every NIREC unknown, and each child twice."""
    first = verified(directory(database), NIREC)

    class OtherKeys(MacKeys):
        def mac(self, key_id: str, data: bytes) -> bytes:
            return super().mac("other" if key_id == "nirec-0" else key_id, data)

    with pytest.raises(KeystoreError) as raised:
        verified(directory(database, OtherKeys()), NIREC)
    assert raised.value.key == "nirec_key_differs"
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM subjects").scalar() == 1
    assert verified(directory(database), NIREC) == first


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NIREC, "NIREC(•••)"),
        (f"for {NIREC}, twice {NIREC}.", "for NIREC(•••), twice NIREC(•••)."),
        (int(NIREC), "NIREC(•••)"),
        ([NIREC, 1], "['NIREC(•••)', 1]"),
        ({"a": {"b": int(NIREC)}}, "{'a': {'b': NIREC(•••)}}"),
        (f"{NIREC}0", f"{NIREC}0"),
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
        (12, 12),
        (True, True),
        (None, None),
        ([1], [1]),
    ],
)
def test_a_log_line_is_masked(value: object, shown: object) -> None:
    mask = NirecMask(r"\d{13}")
    assert mask(None, "info", {"event": value}) == {"event": shown}


def test_core_dumps_are_off_for_the_process() -> None:
    # PR_GET_DUMPABLE is 3
    program = (
        "import ctypes, resource; from gateway.nirec.memory import forbid_core_dumps; forbid_core_dumps();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert ended.stdout.strip() == "(0, 0) 0"
