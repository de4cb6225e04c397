"""Two sequencers at once, kept from it by no lock: the compare stops one, and the directory stays valid (L5, L6)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.errors import LedgerError, PasserelleError
from gateway.ledger.publish import Publisher
from tests.adapters.fakes import until
from tests.ledger.conftest import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
EXCHANGES = 40


class HeldUp(Publisher):
    """Is held up between the commit and the publication, for as long as ``meanwhile`` takes."""

    def __init__(self, bench: Bench, meanwhile: Callable[[], None]) -> None:
        super().__init__(bench.directory, bench.folder / "log.tmp")
        self._meanwhile = meanwhile

    @contextmanager
    def alone(self, *, anew: bool = False) -> Iterator[None]:
        if not anew:
            self._meanwhile()
        with super().alone(anew=anew):
            yield


def test_an_older_checkpoint_never_comes_over_a_newer_one(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()

    def another_leads() -> None:
        other = bench.sequencer()
        other.start()  # publishes what the first has committed
        bench.exchange(writer)
        other.step()

    held_up = bench.sequencer(HeldUp(bench, another_leads))
    held_up.start()
    bench.exchange(writer)
    with pytest.raises(LedgerError, match="another sequencer has published"):
        held_up.step()
    size = len(bench.whole_log())
    again = bench.sequencer()
    again.start()
    bench.exchange(writer)
    again.step()
    assert len(bench.whole_log()) > size


def test_two_sequencers_in_threads(bench: Bench) -> None:
    bench.begin()
    stop = threading.Event()
    stopped: list[PasserelleError] = []
    threads = [threading.Thread(target=lead, args=(bench, stop.is_set, stopped.append)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        ids = append(bench, lambda: bool(stopped))
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not [thread for thread in threads if thread.is_alive()]
    # each of the two begins anew whenever the other was faster, by either of the two compares
    assert {type(error) for error in stopped} == {LedgerError}
    complete(bench, ids)


def test_two_sequencers_in_processes(bench: Bench) -> None:
    bench.begin()
    command = [sys.executable, "-m", "tests.ledger.test_crash_two_sequencers", str(bench.folder), bench.url]
    children = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "begun\n"
        ids = append(bench, lambda: all((bench.folder / f"led.{child.pid}").exists() for child in children))
    finally:
        (bench.folder / "stop").touch()
        said = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert {line for each in said for line in each.splitlines()} <= {"another sequencer"}
    complete(bench, ids)


def lead(
    bench: Bench,
    is_stopped: Callable[[], bool],
    stopped: Callable[[PasserelleError], object],
    led: Callable[[], object] = lambda: None,
) -> None:
    """A sequencer's steps without the lock that says who leads, and another sequencer when one is stopped."""
    while not is_stopped():
        sequencer = bench.sequencer()
        try:
            sequencer.start()
            while not is_stopped():
                if sequencer.step():
                    led()
        except PasserelleError as error:
            stopped(error)


def append(bench: Bench, enough: Callable[[], bool]) -> set[str]:
    """Exchanges, each answered, until both have had their part of them."""
    writer = bench.writer()
    ids = {str(bench.exchange(writer))}

    def one_more() -> bool:
        ids.add(str(bench.exchange(writer)))
        return enough() and len(ids) >= EXCHANGES

    assert until(one_more, 60)
    return ids


def complete(bench: Bench, ids: set[str]) -> None:
    """The directory is as one sequencer would have left it, and so is the database."""
    if (bench.directory / "checkpoint").exists():
        bench.whole_log()
    last = bench.sequencer()
    last.start()
    last.step()
    found = [str(leaf.exchange_id) for leaf, _ in bench.whole_log() if leaf.kind == "exchange"]
    assert sorted(found) == sorted(ids)


def main(folder: Path, url: str) -> None:
    bench = Bench(folder, url)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    lead(bench, (folder / "stop").exists, tell, (folder / f"led.{os.getpid()}").touch)


def tell(error: PasserelleError) -> None:
    if not isinstance(error, LedgerError):
        raise error
    sys.stdout.write("another sequencer\n" if "another sequencer" in str(error) else f"{error}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
