from __future__ import annotations

import os
import signal
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import LedgerError
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.reader import LogReader
from gateway.ledger.storage import Log, Lookup
from gateway.ledger.tiles import entries_path, unpack_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ledger.record import Record
    from gateway.ledger.writer import Writer

    from .conftest import Bench

    EvidenceOf = Callable[[Record], dict[str, Any]]


def test_genesis_is_leaf_0_and_its_policy_is_an_object(bench: Bench, evidence: EvidenceOf) -> None:
    digest = bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()
    assert sequencer.step() >= 1
    leaf, record = bench.whole_log()[0]
    assert (leaf.kind, leaf.counter) == ("genesis", 0)
    assert evidence(record) == {
        "v": 1,
        "kind": "genesis",
        "origin": bench.key.name,
        "policy": digest,
        "log_key": bench.key.vkey,
    }
    assert (bench.directory / "objects" / digest).read_bytes() == b"version: 1\n"


def test_a_log_is_begun_once(bench: Bench) -> None:
    bench.begin()
    with pytest.raises(LedgerError, match="holds a log already"):
        bench.begin()


def test_exchanges_of_two_processes_become_one_valid_log(bench: Bench) -> None:
    bench.begin()
    bench.period_key(202611)  # before the fork, so that this process can open what the others seal
    children = [_fork(bench) for _ in range(2)]
    sequencer = bench.sequencer()
    sequencer.start()
    alive = set(children)
    while alive:
        sequencer.step()
        for child in list(alive):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert status == 0
                alive.discard(child)
    sequencer.step()
    opened = bench.whole_log()
    kinds = [leaf.kind for leaf, _ in opened]
    assert (kinds.count("exchange"), kinds.count("opening")) == (200, 2)
    # init and both children are dead, and none of them left a gap
    closings = [record.evidence for leaf, record in opened if leaf.kind == "closing"]
    assert len(closings) == 3
    assert all(b'"missing":[]' in closing for closing in closings)


def _fork(bench: Bench) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        _write_many(bench, bench.writer(), 25, 4)
        status = 0
    finally:
        os._exit(status)  # no fixture, no report: this is the writer's process, and it dies without closing


def test_what_a_killed_process_released_is_in_the_log(bench: Bench, evidence: EvidenceOf) -> None:
    bench.begin()
    bench.period_key(202611)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _release_for_ever(bench, writing)
    os.close(writing)
    released = b""
    while len(released) < 16 * 200:
        released += os.read(reading, 16 * 200)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while part := os.read(reading, 65536):
        released += part
    os.close(reading)
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    opened = bench.whole_log()
    recorded = {leaf.exchange_id.bytes: leaf for leaf, _ in opened if leaf.kind == "exchange"}
    assert {released[at : at + 16] for at in range(0, len(released) // 16 * 16, 16)} <= set(recorded)
    writer = next(iter(recorded.values())).writer
    counters = {leaf.counter for leaf, _ in opened if leaf.writer == writer}
    closing = next(evidence(r) for leaf, r in opened if leaf.kind == "closing" and str(writer).encode() in r.evidence)
    assert closing["highest"] == max(counters)
    assert closing["missing"] == sorted(set(range(max(counters))) - counters)


def _release_for_ever(bench: Bench, pipe: int) -> None:
    writer = bench.writer()

    def release() -> None:
        while True:
            os.write(pipe, bench.exchange(writer).bytes)

    threads = [threading.Thread(target=release) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(1)


def test_a_second_sequencer_waits_for_the_first(bench: Bench) -> None:
    bench.begin()
    stop_first, stop_second = threading.Event(), threading.Event()
    first = threading.Thread(target=bench.sequencer().run, args=(stop_first,), kwargs={"poll_seconds": 0.005})
    first.start()
    while not (bench.directory / "checkpoint").exists():
        stop_first.wait(0.005)
    second = threading.Thread(target=bench.sequencer().run, args=(stop_second,), kwargs={"poll_seconds": 0.005})
    second.start()
    writer = bench.writer()
    bench.exchange(writer)
    assert second.is_alive()
    stop_first.set()
    first.join()
    exchange_id = bench.exchange(writer)
    lookup = Lookup(bench.database())
    for _ in range(500):
        if not lookup.waiting():
            break
        stop_second.wait(0.01)
    stop_second.set()
    second.join()
    assert exchange_id in {leaf.exchange_id for leaf, _ in bench.whole_log()}


def _write_many(bench: Bench, writer: Writer, count: int, threads: int) -> None:
    workers = [threading.Thread(target=lambda: [bench.exchange(writer) for _ in range(count)]) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_sequencing_while_threads_write(bench: Bench) -> None:
    bench.begin()
    sequencer = bench.sequencer()
    stop = threading.Event()
    running = threading.Thread(target=sequencer.run, args=(stop,), kwargs={"poll_seconds": 0.005})
    running.start()
    writer = bench.writer()
    _write_many(bench, writer, 40, 8)
    stop.set()
    running.join()
    opened = bench.whole_log()
    assert [leaf.kind for leaf, _ in opened].count("exchange") == 320
    counters = sorted(leaf.counter for leaf, _ in opened if leaf.kind in {"exchange", "opening"})
    assert counters == list(range(321))
    assert all(record.answer_base == b"base" for leaf, record in opened if leaf.kind == "exchange")


def test_inclusion_is_proven_from_the_directory(bench: Bench) -> None:
    bench.begin()
    writer = bench.writer()
    ids = [bench.exchange(writer) for _ in range(5)]
    sequencer = bench.sequencer()
    reader = LogReader(bench.directory, bench.key)
    with pytest.raises(LedgerError, match="no checkpoint"):
        reader.checkpoint()
    sequencer.start()
    sequencer.step()
    found = Lookup(bench.database()).find(KINDS["exchange"], ids[-1])
    assert found is not None
    assert found.index is not None
    inclusion = reader.inclusion(found.index, leaf_hash(found.leaf))
    assert inclusion is not None
    head, _, tail = inclusion.text().partition("\n\n")
    assert head.startswith(f"c2sp.org/tlog-proof@v1\nindex {found.index}\n")
    assert tail == (bench.directory / "checkpoint").read_text()
    assert reader.inclusion(10_000, leaf_hash(found.leaf)) is None
    _, checkpoint = reader.checkpoint()
    assert reader.had(checkpoint.size, checkpoint.root)
    genesis, *_ = unpack_entries((bench.directory / entries_path(0, checkpoint.size)).read_bytes())
    assert reader.had(1, leaf_hash(genesis))
    assert not reader.had(checkpoint.size - 1, checkpoint.root)
    assert not reader.had(checkpoint.size + 1, checkpoint.root)
    with pytest.raises(LedgerError):
        reader.inclusion(found.index, leaf_hash(b"another"))


@pytest.mark.parametrize("size", [255, 256, 257, 600])
def test_files_are_whole_at_the_edges_of_tiles(bench: Bench, size: int) -> None:
    bench.begin()
    sequencer = bench.sequencer()
    sequencer.start()
    sequencer.step()
    records = bench.records()
    writer = bench.writer(records)
    present = Log(bench.database()).state().size
    drafts = [writer.draft("exchange", uuid.uuid4(), bench.clock.now(), b"{}") for _ in range(size - present - 1)]
    records.add([writer.row(draft) for draft in drafts])
    assert sequencer.step() == size - present
    assert len(bench.whole_log()) == size
    again = bench.sequencer()
    again.start()
    bench.exchange(writer)
    again.step()
    assert len(bench.whole_log()) > size
