"""A fault at each file and database operation of writer, sequencer and publisher in turn (DESIGN L4 to L6)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.ledger.conftest import Bench
from tests.ledger.crashing import (
    Operations,
    begins_again,
    broken,
    end,
    full,
    prepare,
    reckon,
    run,
    twin,
    unknown,
    watched,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXCHANGES = 3
#: Of the operations, so many are passed over between two that a process is killed at; in `make faults` none.
EVERY = 1 if int(os.environ.get("FAULT_ROUNDS", "1")) > 1 else 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is such a place: what kill -9 leaves is the same there, and nobody waits for a disk."""
    memory = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it
    if not os.access(memory, os.W_OK):
        yield tmp_path_factory.mktemp("crash")
        return
    with TemporaryDirectory(dir=memory) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def template(folder: Path) -> Bench:
    return prepare(folder / "template")


@pytest.fixture(scope="module")
def operations(template: Bench, folder: Path) -> list[tuple[str, str]]:
    """Every operation of a run that nothing strikes."""
    bench = twin(template, folder / "whole")
    seen = Operations()
    with watched(seen):
        run(bench, lambda _: None, pytest.fail)
    end(bench)
    return seen.done


def test_the_run_has_every_kind_of_operation(operations: list[tuple[str, str]]) -> None:
    """Or the tests below would strike less than they say."""
    assert {kind for kind, _ in operations} == {
        "open", "write", "fsync", "link", "replace", "unlink", "mkdir", "rmdir", "execute", "commit",
    }  # fmt: skip
    linked = {"/".join(Path(what).parts[-3:]) for kind, what in operations if kind == "link"}
    assert {"log/evidence/000", "tile/0/000", "tile/entries/000", "1/000.p/1"} <= linked


def test_a_fault_at_each_operation_costs_no_answer(
    template: Bench, operations: list[tuple[str, str]], folder: Path
) -> None:
    """The disk is full at this moment, the database fails, or a commit holds whose success is not reported."""
    for number, (kind, what) in enumerate(operations):
        for strike in {"commit": (broken, unknown), "execute": (broken,)}.get(kind, (full,)):
            bench = twin(template, folder / "struck")
            answered: list[str] = []
            refused: list[str] = []
            with watched(Operations(number, strike)), where(number, kind, what, strike):
                run(bench, answered.append, refused.append)
                assert len(answered) + len(refused) == EXCHANGES
            with where(number, kind, what, strike, *bench.alarms):
                reckon(bench, answered, refused)
                if number % 5 == 0:
                    begins_again(bench)
            end(bench)
            shutil.rmtree(bench.folder)


def test_kill_9_at_each_operation_loses_nothing_that_was_answered(
    template: Bench, operations: list[tuple[str, str]], folder: Path
) -> None:
    work = folder / "killed"
    work.mkdir()
    keys = {period: [half.hex() for half in pair] for period, pair in template.period_keys.items()}
    command = [sys.executable, "-m", "tests.ledger.crashing", str(template.folder), str(work), str(EVERY)]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(keys), text=True, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert 0 <= int(done.stdout) - len(operations) < EVERY
    answers = []
    for number in range(0, int(done.stdout), EVERY):
        bench = Bench(work / str(number), period_keys=template.period_keys)
        told = (bench.folder / "told").read_text().splitlines()
        answers.append(len(told))
        with where(number, *operations[number]):
            assert {line[0] for line in told} <= {"+"}
            reckon(bench, [line[2:] for line in told], [])
            begins_again(bench)
        end(bench)
    assert (min(answers), max(answers)) == (0, EXCHANGES)


def test_nothing_is_published_before_it_is_on_the_disk(operations: list[tuple[str, str]]) -> None:
    """After a power cut only what was synced is there for sure: contents by file, names by folder (L6)."""
    unsynced: set[Path] = set()
    committed = True
    checkpoints = removed = 0
    for kind, what in operations:
        path = Path(what)
        if kind == "write":
            unsynced.add(path)
        elif kind == "fsync":
            unsynced = {each for each in unsynced if path not in {each, each.parent}}
        elif kind in {"link", "mkdir"} and "log" in path.parts:
            # what is linked is the temporary file: its bytes are there before its name
            assert not [each for each in unsynced if each.name == "publishing"]
            unsynced.add(path)
        elif kind == "execute" and what.startswith("UPDATE log_state SET size"):
            committed = False
        elif kind == "commit":
            committed = True
        elif kind == "replace":
            assert committed, "a checkpoint that the database does not hold yet"
            assert not unsynced
            unsynced.add(path)
            checkpoints += 1
        elif kind in {"unlink", "rmdir"} and "log" in path.parts:
            assert not unsynced, "the old files went before the new checkpoint was sure"
            removed += 1
    assert checkpoints == 2
    assert removed >= 6


@contextmanager
def where(*what: object) -> Iterator[None]:
    """What fails here, failed after this."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"struck: {what}")
        raise
