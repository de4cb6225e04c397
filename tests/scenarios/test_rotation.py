"""88,000 pseudonyms under a new key, two workers under load, the rotation killed in the middle: nobody is lost (N2).

The children are the sandbox registry's where the gateway verifies them, and made up where only the table is looked at.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from adapters.civil_registry.sandbox.births import make_births
from gateway.keys.files import FileKeystore
from gateway.keys.names import handle_key, nirec_key
from gateway.model import Nirec
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.storage.sqlite import SqliteDatabase
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import until
from tests.exchange.live import ROOT, LiveGateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHILDREN = 88_000
BIRTHS = make_births(300)
#: These stand in the table before; the others are first asked about while it is rewritten.
KNOWN = 200
NUMBERS = [birth.nirec for birth in BIRTHS[:KNOWN]] + [f"{10**12 + 7 * n:013}" for n in range(CHILDREN - KNOWN)]


class WithoutRegistrations(LiveGateway):
    """Its table holds what the test puts there, and nothing else."""

    registrations = 0


@dataclass
class Town:
    """A running gateway whose table has 88,000 children."""

    live: LiveGateway
    subjects: list[bytes]
    answers: list[tuple[int, str]] = field(default_factory=list)
    failures: list[object] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.live.folder / "gateway" / "db" / "passerelle.sqlite"

    def keystore(self) -> FileKeystore:
        return FileKeystore(self.live.keys, macs=[handle_key("ministry")], later=["nirec-"])

    def rows(self) -> dict[bytes, tuple[int, bytes]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT pseudonym, generation, subject FROM pseudonyms").fetchall()
        return {pseudonym: (generation, subject) for pseudonym, generation, subject in found}

    def rewritten(self) -> int:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM pseudonyms WHERE generation = 1").fetchone()[0])

    def rotate(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gateway.cli.main", "keys", "rotate", "nirec", "--json", "--config"]
        return subprocess.Popen(
            [*command, str(self.live.folder / "passerelle.toml")],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, stop: threading.Event, shift: int) -> None:
        """One client that verifies child after child."""
        try:
            client = self.live.client("ministry")
            number = shift
            while not stop.is_set():
                birth = BIRTHS[number % len(BIRTHS)]
                fields = {name: getattr(birth, name) for name in ("nirec", "family_name", "given_names", "birth_date")}
                answer = client.send(client.prepare("nirec.verify", fields, salted=True))
                self.answers.append((number % len(BIRTHS), json.loads(answer.body).get("handle", answer.status)))
                number += 7
        except Exception as error:  # noqa: BLE001  told by the test's own thread
            self.failures.append(error)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    live = WithoutRegistrations(tmp_path_factory.mktemp("rotation"))
    made = Town(live, subjects=[])
    try:
        live.start_sandbox()
        live.start()
        _fill(made)
        yield made
    finally:
        live.close()


def _fill(town: Town) -> None:
    chain = PseudonymChain(town.keystore(), nirec_key)
    database = SqliteDatabase(f"sqlite:///{town.database}", durable=True)
    fresh = DatabaseSubjects(database, SystemClock(), SystemRandomness()).fresh
    made = [(*fresh(), chain.values(Nirec(number), 0)[0]) for number in NUMBERS]
    town.subjects += [subject for subject, _, _ in made]
    with database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO subjects VALUES (?, ?)", [row[:2] for row in made])
        rows = [(pseudonym, 0, subject) for subject, _, pseudonym in made]
        connection.exec_driver_sql("INSERT INTO pseudonyms VALUES (?, ?, ?)", rows)
    database.dispose()


def test_88_000_pseudonyms_are_rotated_under_load_and_every_subject_is_found(town: Town) -> None:
    stop = threading.Event()
    clients = [threading.Thread(target=town.ask, args=(stop, shift)) for shift in range(4)]
    for client in clients:
        client.start()
    try:
        # killed in the middle
        assert until(lambda: len(town.answers) >= 20 or bool(town.failures), 20)
        first = town.rotate()
        assert until(lambda: town.rewritten() > CHILDREN // 5, 60)
        first.kill()
        assert first.wait(40) == -signal.SIGKILL
        first.communicate()
        left_at, answered = town.rewritten(), len(town.answers)
        assert left_at < CHILDREN
        # exchanges go on where it was left
        assert until(lambda: len(town.answers) > answered + 50 or bool(town.failures), 20)
        # resumed, by the same command
        again = town.rotate()
        out, err = again.communicate(timeout=120)
        assert again.returncode == 0, err.decode()
        answered = len(town.answers)
        assert until(lambda: len(town.answers) > answered + 50 or bool(town.failures), 20)
    finally:
        stop.set()
        for client in clients:
            client.join(30)
    assert town.failures == []
    said = json.loads(out)
    rows = town.rows()
    assert (said["complete"], said["generation"]) == (True, 1)
    # no row of the former generation is left, and every child is found under the new one, with the same subject
    assert {generation for generation, _ in rows.values()} == {1}
    chain = PseudonymChain(town.keystore(), nirec_key)
    found = [rows.get(chain.values(Nirec(number), 1)[1]) for number in NUMBERS]
    assert found == [(1, subject) for subject in town.subjects]
    # handles as before, whenever it was asked
    keystore = town.keystore()
    handles = [keystore.mac(handle_key("ministry"), subject).hex() for subject in town.subjects[:KNOWN]]
    assert [index for index, handle in town.answers if index < KNOWN and handle != handles[index]] == []
    # who came meanwhile was made once
    late = {index: set[str]() for index, _ in town.answers if index >= KNOWN}
    for index, handle in town.answers:
        if index >= KNOWN:
            late[index].add(handle)
    assert late
    assert all(len(names) == 1 and len(next(iter(names))) == 64 for names in late.values())
    assert len(rows) == CHILDREN + len(late)
    assert len({subject for _, subject in rows.values()}) == len(rows)


def test_nothing_of_the_former_generation_is_left_in_the_file(town: Town) -> None:
    chain = PseudonymChain(town.keystore(), nirec_key)
    former = [chain.values(Nirec(number), 0)[0] for number in NUMBERS[:: CHILDREN // 400]]
    # under load readers can put off the emptying of the write-ahead log beyond the end of the command
    database = SqliteDatabase(f"sqlite:///{town.database}", durable=True)
    assert until(database.empty_log, 20)
    database.dispose()
    content = b"".join(path.read_bytes() for path in town.database.parent.iterdir() if path.is_file())
    assert [pseudonym for pseudonym in former if pseudonym in content] == []
