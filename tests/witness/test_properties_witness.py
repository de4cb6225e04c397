"""Whatever is asked, in whatever order, a witness never cosigns two histories of one log."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import root_of
from gateway.ledger.note import verify_note
from gateway.witness.request import read_request, write_request

from .made import MadeWitness, MemoryLog

_LOG = MemoryLog().grow(12)
_FORK = _LOG.branch(6).grow(8, b"fork")
_ASKED = st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 12), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(_ASKED, max_size=12))
def test_what_it_cosigned_is_one_history(asked: list[tuple[bool, int, int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = MadeWitness(Path(folder) / "memory", _LOG)
        sizes: list[int] = [0]
        roots: dict[int, bytes] = {}
        for forked, old, size, crash in asked:
            log = _FORK if forked else _LOG
            reply = made.witness.add_checkpoint(log.request(min(old, size), size))
            assert reply.status in {200, 409, 422}
            if reply.status == 200:
                assert size >= sizes[-1]
                sizes.append(size)
                assert roots.setdefault(size, root_of(log.hashes[:size])) == root_of(log.hashes[:size])
                last = made.memory.last(_LOG.key)
                assert size == 0 or (last is not None and last.size == size)
            if crash:
                made.again()
        made.memory.close()
        # all that it signed are sizes of one log
        seen = set(roots.items())
        assert any(seen <= {(size, root_of(log.hashes[:size])) for size in range(15)} for log in (_LOG, _FORK))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for tried in (body, b"old 3\n" + body, b"old 0\n\n" + body, _LOG.request(3, 9)[:-1] + body):
        try:
            found = read_request(tried)
        except FormatError:
            continue
        assert write_request(found.old, found.proof, found.note) == tried


@given(st.integers(0, 12), st.integers(0, 12))
def test_a_request_is_read_as_it_was_written(old: int, size: int) -> None:
    old, size = sorted((old, size))
    found = read_request(_LOG.request(old, size))
    assert (found.old, found.signed.checkpoint.size) == (old, size)
    assert verify_note(found.note, _LOG.key) == found.signed.checkpoint
