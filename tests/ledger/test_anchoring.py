"""Anchors: what a minute leaves beside the log and in it; what a crash, a dead authority, a busy minute change."""

from __future__ import annotations

import threading
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import LedgerError
from gateway.ledger.anchoring import Anchored, Anchoring, AnchorRule, Anchors
from gateway.ledger.note import verify_note
from gateway.ledger.post import PostError
from gateway.ledger.side_files import SideFiles
from gateway.ledger.storage import AnchorRows
from gateway.ledger.timestamps import TimestampAuthority, stamped, verify_token
from gateway.system import SystemClock
from tests.witness.made import MadeWitness

from .conftest import evidence_of
from .test_witnessing import Town, sequencer_of
from .tsa import POLICY, Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.ledger.post import Posted
    from gateway.ledger.sequencer import Sequencer

    from .conftest import Bench


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "one")


class Minute:
    """One sequencer with its anchors, minute by minute."""

    def __init__(self, bench: Bench, authority: Authority) -> None:
        self.bench = bench
        self.authority = authority
        self.down: set[str] = set()
        self.told: list[Anchored] = []
        self.failed: list[Exception] = []
        self.expected: list[str] = []
        self.rule = AnchorRule(tuple(self._named(name) for name in ("first", "second")))
        self.writer = bench.writer()
        self.anchors = Anchors(AnchorRows(bench.database()))
        self.anchoring = self.made()
        self.sequencer = bench.sequencer()

    def _named(self, name: str) -> TimestampAuthority:
        return TimestampAuthority(name, f"http://{name}.test", self.authority.root_der, POLICY)

    def made(self) -> Anchoring:
        """As in a new process."""
        bench = self.bench
        return Anchoring(
            rule=lambda: self.rule,
            anchors=Anchors(AnchorRows(bench.database())),
            files=SideFiles(bench.directory, bench.folder / "log.tmp"),
            checkpoint=lambda: self.note,
            key=bench.key,
            writer=bench.writer(role="sequencer", seals=False),
            post=self._post,
            clock=SystemClock(),  # an authority's time is held against it, and openssl's responder lives in real time
            randomness=bench.randomness,
            tell=self.told.append,
            alarm=self.failed.append,
        )

    def _post(self, url: str, body: bytes, content_type: str, seconds: float) -> Posted:
        if url.removeprefix("http://").partition(".")[0] in self.down:
            raise PostError("unreachable")
        return self.authority.asked(url, body, content_type, seconds)

    @property
    def note(self) -> bytes:
        return (self.bench.directory / "checkpoint").read_bytes()

    def exchange(self, count: int = 1) -> int:
        """So many exchanges, published; gives the log's size."""
        for _ in range(count):
            self.bench.exchange(self.writer)
        self.sequencer.step()
        return verify_note(self.note, self.bench.key).size

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.bench.directory / "anchors").glob("*")}

    def said(self) -> list[dict[str, Any]]:
        """The evidence of each anchor, once it is sequenced."""
        self.sequencer.step()
        return [evidence_of(record) for leaf, record in whole(self.bench) if leaf.kind == "anchor"]


def whole(bench: Bench) -> Any:
    """The log without its side files, which ``whole_log`` does not know."""
    side = bench.directory / "anchors"
    aside = bench.folder / "aside"
    if side.exists():
        side.rename(aside)
    try:
        return bench.whole_log()
    finally:
        if aside.exists():
            aside.rename(side)


@pytest.fixture
def minute(bench: Bench, authority: Authority) -> Iterator[Minute]:
    bench.begin()
    made = Minute(bench, authority)
    made.sequencer.start()
    yield made
    assert [str(error) for error in made.failed] == made.expected


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_a_token_a_kept_checkpoint_and_a_leaf_that_names_them(minute: Minute) -> None:
    size = minute.exchange(3)
    note = minute.note
    assert minute.anchoring.attempt()
    assert minute.told == [Anchored(size, "first")]
    files = minute.files()
    assert files == {f"{size}.checkpoint": note, f"{size}.first.tsr": files[f"{size}.first.tsr"]}
    assert verify_token(files[f"{size}.first.tsr"], stamped(note, minute.bench.key), [minute.authority.root_der])
    (anchor,) = minute.said()
    assert anchor == {
        "v": 1,
        "kind": "anchor",
        "size": size,
        "files": {name: digest(content) for name, content in files.items()},
        "previous": None,
        "quorum": None,
        "cosigned": [],
    }


def test_each_anchor_names_the_token_before_it(minute: Minute) -> None:
    sizes = []
    for _ in range(3):
        sizes.append(minute.exchange())
        assert minute.anchoring.attempt()
    tokens = [digest(minute.files()[f"{size}.first.tsr"]) for size in sizes]
    assert [anchor["previous"] for anchor in minute.said()] == [None, *tokens[:-1]]


def test_an_idle_log_is_not_anchored_again_and_again(minute: Minute) -> None:
    minute.exchange()
    minute.anchoring.attempt()
    for _ in range(3):
        minute.sequencer.step()
        assert minute.anchoring.attempt()
    assert [found.size for found in minute.told][1:] == [None, None, None]
    assert minute.anchors.waiting_since() is None
    assert len(minute.said()) == 1


def test_the_next_authority_is_asked_and_none_leaves_nothing(minute: Minute) -> None:
    size = minute.exchange()
    minute.down = {"first", "second"}
    assert not minute.anchoring.attempt()
    assert minute.told[-1] == Anchored(None, None, (("first", "unreachable"), ("second", "unreachable")))
    assert minute.files() == {}
    assert minute.anchors.waiting_since() is not None
    minute.down = {"first"}
    assert minute.anchoring.attempt()
    assert minute.told[-1] == Anchored(size, "second", (("first", "unreachable"),))
    assert set(minute.files()) == {f"{size}.checkpoint", f"{size}.second.tsr"}


def test_a_record_that_came_meanwhile_waits_for_the_next_anchor(minute: Minute) -> None:
    minute.exchange()
    minute.bench.exchange(minute.writer)  # recorded, and not yet in the tree that is stamped
    minute.anchoring.attempt()
    waiting = minute.anchors.waiting_since()
    assert waiting is not None
    assert minute.bench.clock.now() - waiting < timedelta(seconds=1)
    minute.sequencer.step()
    assert minute.anchoring.attempt()
    assert minute.anchors.waiting_since() is None


@pytest.mark.parametrize("lost", ["leaf", "leaf and checkpoint"])
def test_a_crash_before_the_leaf_leaves_files_that_the_next_anchor_names(lost: str, minute: Minute) -> None:
    size = minute.exchange()

    def crash(*_: object) -> None:
        raise LedgerError("killed")

    minute.expected = ["killed"]
    minute.anchoring._write = crash  # type: ignore[method-assign, assignment]  # the crash
    assert not minute.anchoring.attempt()
    if lost == "leaf and checkpoint":
        (minute.bench.directory / "anchors" / f"{size}.checkpoint").unlink()
    token = minute.files()[f"{size}.first.tsr"]
    assert minute.made().attempt()
    (anchor,) = minute.said()
    assert anchor["files"][f"{size}.first.tsr"] == digest(token)
    assert set(anchor["files"]) == set(minute.files()) == {f"{size}.checkpoint", f"{size}.first.tsr"}


def test_files_of_a_crash_are_named_though_the_log_has_grown_since(minute: Minute) -> None:
    before = minute.exchange()
    minute.anchoring._files.add(f"{before}.checkpoint", minute.note)
    size = minute.exchange()
    assert minute.made().attempt()
    (anchor,) = minute.said()
    assert set(anchor["files"]) == {f"{before}.checkpoint", f"{size}.checkpoint", f"{size}.first.tsr"}


def test_who_comes_late_names_nothing_after_what_its_successor_named(minute: Minute) -> None:
    """A lead that was lost while an authority was asked: else an older anchor stood after a newer one, for ever."""
    minute.exchange()
    successor, sizes = minute.made(), list[int]()
    ask = minute.authority.asked

    def meanwhile(url: str, body: bytes, content_type: str, seconds: float) -> Posted:
        if not sizes:
            sizes.append(minute.exchange())
            assert successor.attempt()
        return ask(url, body, content_type, seconds)

    minute.anchoring._post = meanwhile
    assert minute.anchoring.attempt()
    assert minute.told[-1].size is None
    assert [anchor["size"] for anchor in minute.said()] == sizes
    assert set(minute.files()) == {f"{sizes[0]}.checkpoint", f"{sizes[0]}.first.tsr"}


def test_witnesses_alone_are_anchored_too_and_how_many_there_were(minute: Minute, bench: Bench, tmp_path: Path) -> None:
    town = Town(tmp_path / "town", bench.key)
    town.away = {"three"}
    minute.rule = AnchorRule((), town.demand(3))
    minute.sequencer = sequencer_of(bench, town)
    minute.sequencer.start()
    size = minute.exchange()
    assert minute.anchoring.attempt()
    (anchor,) = minute.said()
    assert (anchor["quorum"], anchor["cosigned"]) == (3, ["one.test/w", "two.test/w"])
    assert list(minute.files()) == [f"{size}.checkpoint"]
    assert town.cosigned(minute.files()[f"{size}.checkpoint"]) == {"one", "two"}
    for witness in town.made.values():
        assert isinstance(witness, MadeWitness)
        witness.memory.close()


def test_without_a_rule_there_is_no_anchor(minute: Minute) -> None:
    minute.exchange()
    minute.rule = AnchorRule()
    assert minute.anchoring.attempt()
    assert minute.files() == {}
    assert minute.said() == []


def test_the_sequencer_ends_with_an_anchor_that_it_publishes(bench: Bench, authority: Authority) -> None:
    bench.begin()
    minute = Minute(bench, authority)
    bench.exchange(minute.writer)
    stop = threading.Event()

    class Beside:
        """Sets the stop as soon as it is begun."""

        def start(self, _stop: object, leads: object) -> None:
            assert callable(leads)
            stop.set()

        def finish(self) -> None:
            minute.anchoring.attempt()

    sequencer: Sequencer = bench.sequencer()
    sequencer._anchors = Beside()
    sequencer.run(stop)
    minute.sequencer = bench.sequencer()
    minute.sequencer.start()
    (anchor,) = minute.said()
    assert anchor["size"] >= 3
    assert not minute.failed
