"""The log's side of witnesses: what is published, with whose cosignatures, and what stops the sequencer (L6, L7)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from gateway.errors import LedgerError
from gateway.ledger.cosignature import cosigned_by
from gateway.ledger.note import LogKey, parse_note
from gateway.ledger.post import Posted, PostError
from gateway.ledger.storage import Log
from gateway.ledger.witnessing import Cosigned, LogBehindError, WitnessAt, Witnesses, WitnessesMissingError, WitnessRule
from tests.witness.made import MadeWitness, MemoryLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.ledger.sequencer import Sequencer

    from .conftest import Bench

_PATIENT = 20.0


class Town:
    """Witnesses by name, each a server without a network; ``away`` and ``says`` stand in for what goes wrong."""

    def __init__(self, folder: Path, key: LogKey, names: tuple[str, ...] = ("one", "two", "three")) -> None:
        self.folder = folder
        self.made = {name: MadeWitness(folder / name, name=f"{name}.test/w") for name in names}
        for witness in self.made.values():
            witness.logs = (_KeyOnly(key),)  # a witness knows a log by its key alone
            witness.again()
        self.away: set[str] = set()
        self.says: dict[str, Callable[[bytes], Posted]] = {}
        self.told: list[Cosigned] = []
        self.asked: list[tuple[str, bytes]] = []
        self.rule = self.demand(2)

    def demand(self, quorum: int, *, waits: bool = False) -> WitnessRule:
        at = (WitnessAt(name, made.key, f"https://{name}.test") for name, made in self.made.items())
        self.rule = WitnessRule(tuple(at), quorum, waits)
        return self.rule

    def post(self, url: str, body: bytes, _content_type: str, _seconds: float) -> Posted:
        name = url.removeprefix("https://").partition(".")[0]
        assert url == f"https://{name}.test/add-checkpoint"
        self.asked.append((name, body))
        if name in self.away:
            raise PostError("unreachable")
        if name in self.says:
            return self.says[name](body)
        reply = self.made[name].witness.add_checkpoint(body)
        return Posted(reply.status, reply.content_type, reply.body)

    def witnesses(self, bench: Bench, deadline: float = _PATIENT) -> Witnesses:
        return Witnesses(lambda: self.rule, lambda: self.post, bench.clock, self.told.append, deadline)

    def cosigned(self, note: bytes) -> set[str]:
        found = parse_note(note)
        keys = [made.key for made in self.made.values()]
        return {name.partition(".")[0] for name in cosigned_by(found.checkpoint, found.signatures, keys)}


class _KeyOnly(MemoryLog):
    def __init__(self, key: LogKey) -> None:
        super().__init__(key.name)
        self._key = key

    @property
    def key(self) -> LogKey:
        return self._key


@pytest.fixture
def town(bench: Bench, tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "town", bench.key)
    yield made
    for witness in made.made.values():
        witness.memory.close()


def sequencer_of(bench: Bench, town: Town, deadline: float = _PATIENT) -> Sequencer:
    sequencer = bench.sequencer()
    sequencer._witnesses = town.witnesses(bench, deadline)
    return sequencer


@pytest.fixture
def sequencer(bench: Bench, town: Town) -> Sequencer:
    bench.begin()
    made = sequencer_of(bench, town)
    made.start()
    return made


def published(bench: Bench) -> bytes:
    return (bench.directory / "checkpoint").read_bytes()


def test_each_checkpoint_is_published_with_a_quorum(bench: Bench, town: Town, sequencer: Sequencer) -> None:
    writer = bench.writer()
    for count in (1, 3, 300):
        for _ in range(count):
            bench.exchange(writer)
        sequencer.step()
        assert len(town.cosigned(published(bench))) >= 2
    assert bench.whole_log()
    assert all(found.reached for found in town.told)


def test_all_are_waited_for_where_all_are_demanded(bench: Bench, town: Town, sequencer: Sequencer) -> None:
    town.demand(3)
    bench.exchange(bench.writer())
    sequencer.step()
    assert town.cosigned(published(bench)) == {"one", "two", "three"}


def test_open_publishes_without_and_says_so_and_asks_again(bench: Bench, town: Town, sequencer: Sequencer) -> None:
    town.away = {"two", "three"}
    bench.exchange(bench.writer())
    assert sequencer.step() > 0
    assert town.cosigned(published(bench)) == {"one"}
    assert town.told[-1].failed == (("three", "unreachable"), ("two", "unreachable"))
    assert [found.reached for found in town.told][-1:] == [False]
    asked = len(town.asked)
    assert sequencer.step() == 0
    assert len(town.asked) == asked  # not again at once
    town.away = set()
    sequencer._witnesses._again = 0.0  # type: ignore[union-attr]  # the pause is over
    assert sequencer.step() == 0
    assert len(town.cosigned(published(bench))) >= 2
    assert town.told[-1].reached
    assert sequencer.step() == 0
    assert bench.whole_log()


def test_closed_waits_while_exchanges_go_on(bench: Bench, town: Town, sequencer: Sequencer) -> None:
    writer = bench.writer()
    bench.exchange(writer)
    sequencer.step()
    before = published(bench)
    town.demand(2, waits=True)
    town.away = {"two", "three"}
    bench.exchange(writer)
    with pytest.raises(WitnessesMissingError):
        sequencer.step()
    for _ in range(2):
        bench.exchange(writer)  # recorded all the same
        with pytest.raises(WitnessesMissingError):
            sequencer.start()
        assert published(bench) == before
    town.away = {"three"}
    sequencer.start()
    sequencer.step()
    assert town.cosigned(published(bench)) == {"one", "two"}
    assert len(bench.whole_log()) == Log(bench.database()).state().size


def test_what_was_signed_before_a_crash_is_published_with_cosignatures(bench: Bench, town: Town) -> None:
    bench.begin()
    lonely = bench.sequencer()
    lonely.start()
    lonely.step()
    (bench.directory / "checkpoint").unlink()
    again = sequencer_of(bench, town)
    again.start()
    assert len(town.cosigned(published(bench))) >= 2
    # and where only the note of it was lost, the cosignatures that are there stay, whoever is away now
    town.away = {"one", "two", "three"}
    Log(bench.database()).forget_published(0)
    note = published(bench)
    sequencer_of(bench, town).start()
    assert published(bench) == note


def test_a_database_that_was_put_back_is_refused_by_what_a_witness_remembers(
    bench: Bench, town: Town, sequencer: Sequencer, tmp_path: Path
) -> None:
    town.demand(3)
    writer = bench.writer()
    bench.exchange(writer)
    sequencer.step()
    size = Log(bench.database()).state().size
    ahead = MemoryLog(bench.key.name, bench.keystore._key).grow(size + 5)
    witness = town.made["two"]
    for path in witness.folder.glob("*.checkpoint"):
        path.write_bytes(ahead.note())
    with pytest.raises(LogBehindError, match=rf"witness two has seen \({size} < {size + 5}\)"):
        sequencer_of(bench, town).start()
    # the error is none that waiting mends: the sequencer ends, and the alarm log_refused tells
    with pytest.raises(LedgerError):
        sequencer_of(bench, town).run(threading.Event())


def test_another_log_of_the_same_size_is_refused(bench: Bench, town: Town, sequencer: Sequencer) -> None:
    town.demand(3)
    bench.exchange(bench.writer())
    sequencer.step()
    size = Log(bench.database()).state().size
    fork = MemoryLog(bench.key.name, bench.keystore._key).grow(size)
    for path in town.made["one"].folder.glob("*.checkpoint"):
        path.write_bytes(fork.note())
    with pytest.raises(LogBehindError, match="witness one has seen another log"):
        sequencer_of(bench, town).start()


def test_witnesses_that_are_away_at_the_start_keep_nobody_from_it(bench: Bench, town: Town) -> None:
    bench.begin()
    town.away = {"one", "two", "three"}
    sequencer = sequencer_of(bench, town)
    sequencer.start()
    assert sequencer.step() > 0
    assert not town.told[-1].reached


_ANSWERS: dict[str, tuple[str, Callable[[bytes], Posted]]] = {
    "of another key": ("invalid", lambda _: Posted(200, "text/plain", "— two.test/w AAAAAAAA\n".encode())),
    "nothing": ("invalid", lambda _: Posted(200, "text/plain", b"")),
    "no text": ("invalid", lambda _: Posted(200, "text/plain", b"\xff\xfe")),
    "a size that is none": ("invalid", lambda _: Posted(409, "text/x.tlog.size", b"-1\n")),
    "a size without end": ("invalid", lambda _: Posted(409, "text/x.tlog.size", b"1" * 5000)),
    "a conflict without a size": ("http_409", lambda _: Posted(409, "text/html", b"<html>")),
    "always the same size": ("http_409", lambda _: Posted(409, "text/x.tlog.size", b"0\n")),
    "a page": ("http_502", lambda _: Posted(502, "text/html", b"<html>")),
    "elsewhere": ("http_302", lambda _: Posted(302, "text/html", b"")),
}


@pytest.mark.parametrize("name", _ANSWERS)
def test_a_witness_that_answers_something_else_does_not_count(
    name: str, bench: Bench, town: Town, sequencer: Sequencer
) -> None:
    why, town.says["two"] = _ANSWERS[name]
    town.demand(3)
    bench.exchange(bench.writer())
    assert sequencer.step() > 0
    assert town.cosigned(published(bench)) == {"one", "three"}
    assert town.told[-1].failed == (("two", why),)


def test_a_cosignature_of_another_checkpoint_does_not_count(bench: Bench, town: Town, sequencer: Sequencer) -> None:
    writer = bench.writer()
    bench.exchange(writer)
    sequencer.step()
    old = next(body for name, body in town.asked if name == "two")
    reply = town.made["two"].witness
    town.says["two"] = lambda _: Posted(200, "text/plain", reply.add_checkpoint(old).body)
    town.demand(3)
    bench.exchange(writer)
    sequencer.step()
    assert ("two", "invalid") in town.told[-1].failed


def test_one_that_hangs_is_not_waited_for_nor_asked_again_meanwhile(bench: Bench, town: Town) -> None:
    bench.begin()
    town.demand(3)
    release = threading.Event()

    def hang(_body: bytes) -> Posted:
        release.wait(60)
        raise PostError("too_slow")

    town.says["two"] = hang
    sequencer = sequencer_of(bench, town, deadline=0.3)
    sequencer.start()
    writer = bench.writer()
    try:
        for _ in range(2):
            bench.exchange(writer)
            assert sequencer.step() > 0
            assert "two" not in town.cosigned(published(bench))
        assert dict(town.told[-1].failed)["two"] == "late"
        assert [name for name, _ in town.asked].count("two") == 1
    finally:
        release.set()


def test_without_witnesses_nobody_is_asked(bench: Bench, town: Town, sequencer: Sequencer) -> None:
    town.rule = WitnessRule()
    bench.exchange(bench.writer())
    sequencer.step()
    assert not town.told
    assert len(parse_note(published(bench)).signatures) == 1
