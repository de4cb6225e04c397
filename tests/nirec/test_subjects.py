"""NIREC to subject to handle (N1 to N3)."""

from __future__ import annotations

import hmac
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from gateway.model import Nirec
from gateway.nirec.memory import NirecMask
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import LEDGER_KEY, SubjectDirectory
from gateway.storage import Database, migrate
from tests.adapters.fakes import ShiftedClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    migrate(url)
    made = Database(url, durable=True)
    yield made
    made.dispose()


def directory(database: Database, generations: tuple[str, ...] = ("nirec-0",)) -> SubjectDirectory:
    store = DatabaseSubjects(database, ShiftedClock(), SystemRandomness())
    return SubjectDirectory(store, PseudonymChain(MacKeys(), generations), MacKeys(), "handle-")


def test_the_chain_walks_every_generation_oldest_first() -> None:
    first = hmac.digest(b"nirec-0", NIREC.encode(), "sha256")
    second = hmac.digest(b"nirec-1", first, "sha256")
    assert PseudonymChain(MacKeys(), ["nirec-0"]).pseudonym(Nirec(NIREC)) == first
    chain = PseudonymChain(MacKeys(), ["nirec-0", "nirec-1"])
    # so that a table of the old generation is rotated in place, without any NIREC (N2)
    assert chain.pseudonym(Nirec(NIREC)) == second
    assert chain.generation == 1
    with pytest.raises(ValueError, match="one generation"):
        PseudonymChain(MacKeys(), [])


def test_handles_are_stable_for_a_party_and_differ_between_parties(database: Database) -> None:
    subjects = directory(database)
    ministry, again = (subjects.disclose(Nirec(NIREC), "ministry") for _ in range(2))
    cooperative = subjects.disclose(Nirec(NIREC), "cooperative")
    assert ministry == again
    assert ministry.handle != cooperative.handle
    assert ministry.ledger == cooperative.ledger
    assert subjects.disclose(Nirec("9" * 13), "ministry").handle != ministry.handle
    # another worker finds the same subject
    assert directory(database).disclose(Nirec(NIREC), "ministry") == ministry


def test_no_handle_and_no_row_can_be_led_back_to_the_nirec(database: Database) -> None:
    subject = directory(database).disclose(Nirec(NIREC), "ministry")
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
        found = list(pool.map(lambda n: workers[n % 4].disclose(Nirec(NIREC), "ministry"), range(16)))
    assert len(set(found)) == 1


def test_what_is_kept_in_memory_is_limited_and_holds_no_nirec(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.nirec.subjects._KEPT", 2)
    subjects = directory(database)
    for number in range(4):
        subjects.disclose(Nirec(f"{number:013}"), "ministry")
    assert len(subjects._recent) == 2
    assert "0000000000003" not in repr(vars(subjects))


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
