"""The refresher's loop: fetched before it ends, replaced only by what is good, tried again ever more rarely."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest

from certs.authority import DevAuthority
from certs.fetch import FetchError
from certs.refresh import Source, sources_of
from certs.refresher import Refresher, SourceState
from tests.certs.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Stop(Event):
    """Time passes at once for whoever waits."""

    def wait(self, _timeout: float | None = None) -> bool:
        return self.is_set()


@dataclass
class Net:
    """What each address gives: bytes, or a failure."""

    gives: dict[str, bytes | FetchError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, source: Source) -> bytes:
        self.asked.append(source.url)
        given = self.gives[source.url]
        if isinstance(given, FetchError):
            raise given
        return given


class Kept:
    """A refresher over a folder, for one authority that publishes its lists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.authority = DevAuthority("ministry", NOW, publishes="http://lists.test")
        self.net = Net()
        self.publish()
        ders = (self.authority.root.der, self.authority.issuing.der)
        self.sources = sources_of("ministry", [ders[1]], ders)
        self.path = folder / self.sources[0].file
        self.told: list[SourceState] = []
        self.refresher = self.made()

    def made(self) -> Refresher:
        return Refresher(
            sources=lambda: self.sources,
            fetch=self.net,
            folder=self.folder,
            now=lambda: self.now,
            fraction=lambda: 0.0,
            every_seconds=3600,
            tell=self.tell,
        )

    def tell(self, states: Iterable[SourceState]) -> None:
        self.told = list(states)

    def publish(self, *, at: datetime | None = None, number: int = 1) -> bytes:
        crl, _ = self.authority.revocation_lists(at=at or self.now, number=number)
        self.net.gives["http://lists.test/root.crl"] = crl
        return crl

    def look(self, after: timedelta = timedelta(0)) -> SourceState:
        self.now += after
        self.net.asked.clear()
        self.refresher.look(Stop())
        assert [state.file for state in self.told] == [self.path.name]
        return self.told[0]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "revocation")


def test_it_is_fetched_at_once_and_then_in_time(kept: Kept) -> None:
    first = kept.look()
    assert (first.fetched_at, first.until, first.reason) == (NOW, NOW + timedelta(days=30), None)
    assert kept.path.read_bytes() == kept.net.gives["http://lists.test/root.crl"]
    assert [path.name for path in kept.folder.iterdir()] == [kept.path.name]
    kept.look(timedelta(minutes=59))
    assert kept.net.asked == []
    later = kept.publish(number=2)
    kept.look(timedelta(minutes=1))
    assert kept.net.asked == ["http://lists.test/root.crl"]
    assert kept.path.read_bytes() == later


def test_what_ends_soon_is_fetched_sooner(kept: Kept) -> None:
    kept.publish(at=NOW - timedelta(days=30) + timedelta(minutes=20))
    assert kept.look().until == NOW + timedelta(minutes=20)
    kept.look(timedelta(minutes=10))
    assert len(kept.net.asked) == 1


def test_nothing_bad_replaces_what_is_good(kept: Kept) -> None:
    good = kept.publish(number=5)
    kept.look()
    for content, reason in (
        (kept.authority.revocation_lists(number=4)[0], "rollback"),
        (DevAuthority("ministry", NOW).revocation_lists(number=6)[0], "wrong_issuer"),
        (b"<html>not found</html>", "malformed"),
    ):
        kept.net.gives["http://lists.test/root.crl"] = content
        state = kept.look(timedelta(hours=2))
        assert (state.reason, state.refused) == (reason, True)
        assert state.until == NOW + timedelta(days=30)
        assert kept.path.read_bytes() == good
        assert len(kept.net.asked) == 1  # what is refused is not asked for again at once


def test_a_rollback_is_refused_after_a_restart_too(kept: Kept) -> None:
    good = kept.publish(number=5)
    kept.look()
    kept.refresher = kept.made()
    kept.publish(number=4)
    assert kept.look().reason == "rollback"
    assert kept.path.read_bytes() == good


def test_a_failed_fetch_is_tried_again_ever_more_rarely(kept: Kept) -> None:
    kept.net.gives["http://lists.test/root.crl"] = FetchError("unreachable")
    first = kept.look()
    assert (first.reason, first.refused, first.failing_since, first.tries) == ("unreachable", False, NOW, 1)
    assert len(kept.net.asked) == 3
    tried = []
    for _ in range(60):
        kept.look(timedelta(seconds=15))
        tried.append(bool(kept.net.asked))
    assert [number for number, asked in enumerate(tried, 1) if asked] == [1, 3, 7, 15, 31]
    assert kept.told[0].failing_since == NOW
    kept.publish()
    good = kept.look(timedelta(hours=1))
    assert (good.reason, good.failing_since, good.tries) == (None, None, 0)


def test_whatever_a_strangers_bytes_do_the_others_go_on(kept: Kept, tmp_path: Path) -> None:
    kept.net.gives["http://lists.test/root.crl"] = b"anything"
    kept.folder.parent.joinpath("revocation").mkdir()
    kept.path.mkdir()  # the place is taken: nothing can be written
    assert kept.look().reason == "not_written"


def test_what_no_certificate_names_any_more_is_forgotten(kept: Kept) -> None:
    kept.look()
    kept.sources = ()
    kept.now += timedelta(hours=1)
    kept.refresher.look(Stop())
    assert kept.path.exists()  # the file stays: it still tells of what was issued
    kept.sources = sources_of("ministry", [kept.authority.issuing.der], [kept.authority.root.der])
    assert kept.look().fetched_at == kept.now


def test_without_an_address_it_idles(tmp_path: Path) -> None:
    net, stop = Net(), Stop()
    told: list[list[SourceState]] = []

    def sources() -> tuple[Source, ...]:
        if told:
            stop.set()
        return ()

    def tell(states: Iterable[SourceState]) -> None:
        told.append(list(states))

    Refresher(
        sources=sources, fetch=net, folder=tmp_path, now=lambda: NOW, fraction=lambda: 0.0, every_seconds=1, tell=tell
    ).run(stop)
    assert (told, net.asked, list(tmp_path.iterdir())) == ([[]], [], [])
