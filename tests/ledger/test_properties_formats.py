"""Notes, keys, names and bundles of the log: any bytes are our error, or exactly what we would have written."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError, canonical_json, decode64, encode64, parse_canonical_json
from gateway.ledger.leaf import KINDS, Leaf, unpack_leaf
from gateway.ledger.note import Checkpoint, LogKey, parse_note, sign_checkpoint, verify_note
from gateway.ledger.record import Record, unpack_record
from gateway.ledger.tiles import (
    pack_entries,
    pack_evidence,
    tile_name,
    tiles_of,
    unpack_entries,
    unpack_evidence,
)

from .conftest import LogKeystore

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

KEY = LogKey("log.test/passerelle", LogKeystore().public)
_NOTE = sign_checkpoint(Checkpoint(KEY.name, 5, b"r" * 32), KEY, LogKeystore())
_EDITS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=2)
_CHECKPOINTS = st.builds(Checkpoint, st.just(KEY.name), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
_VERSION_4 = st.uuids(version=4)


def edited(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, cut, new in edits:
        content = content[: at % (len(content) + 1)] + new + content[at % (len(content) + 1) + cut :]
    return content


@settings(max_examples=60, deadline=None)
@given(_CHECKPOINTS)
def test_a_signed_checkpoint_is_read_as_it_was_meant(checkpoint: Checkpoint) -> None:
    assert verify_note(sign_checkpoint(checkpoint, KEY, LogKeystore()), KEY) == checkpoint


@settings(max_examples=300, deadline=None)
@given(_CHECKPOINTS, _EDITS)
def test_an_edited_note_is_our_error_or_says_the_same(
    checkpoint: Checkpoint, edits: list[tuple[int, int, bytes]]
) -> None:
    note = sign_checkpoint(checkpoint, KEY, LogKeystore())
    spoilt = edited(note, edits)
    try:
        assert verify_note(spoilt, KEY) == checkpoint
    except FormatError:
        assert spoilt != note


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=100).map(str.encode), _EDITS.map(lambda edits: edited(_NOTE, edits))
    )
)
@example(b"a\n0\n\n\n\n")
@example("a\n1\n\n\n\u2014 a AAAAAAA=\n".encode())
def test_what_is_read_as_a_note_is_what_we_would_write(content: bytes) -> None:
    try:
        note = parse_note(content)
    except FormatError:
        return
    lines = [f"\u2014 {one.name} {encode64(one.key_id + one.signature)}\n" for one in note.signatures]
    assert note.checkpoint.text + b"\n" + "".join(lines).encode() == content


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=80), _EDITS.map(lambda edits: edited(KEY.vkey.encode(), edits).decode("latin-1"))))
def test_a_vkey_is_our_error_or_says_itself_again(text: str) -> None:
    try:
        key = LogKey.parse(text)
    except FormatError:
        return
    assert key.vkey == text.strip()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.from_regex(r"[A-Za-z0-9+/]{0,20}={0,3}", fullmatch=True)))
def test_base64_is_our_error_or_says_itself_again(text: str) -> None:
    try:
        raw = decode64(text)
    except FormatError:
        return
    assert encode64(raw) == text


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**12), st.integers(1, 256))
def test_a_tiles_name_says_its_number(index: int, width: int) -> None:
    name = tile_name(index, width)
    assert re.fullmatch(r"(x\d{3}/)*\d{3}(\.p/([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]))?", name)
    number, _, partial = name.partition(".p/")
    assert int(number.replace("x", "").replace("/", "")) == index
    assert int(partial or 256) == width


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.sampled_from([0, 1, 255, 256, 257, 65535, 65536, 65537, 70_000]), st.integers(0, 200_000)))
def test_a_log_has_the_tiles_that_its_size_says(size: int) -> None:
    """C2SP tlog-tiles: floor(size / 256**level) hashes at each level, in tiles of 256, the last one partial."""
    tiles = list(tiles_of(size))
    assert len(set(tiles)) == len(tiles)
    for level in range(-1, 4):
        count = size // 256 ** max(level, 0)
        widths = [tile.width for tile in sorted((t for t in tiles if t.level == level), key=lambda t: t.index)]
        assert widths == [256] * (count // 256) + ([count % 256] if count % 256 else [])


_PACKS: dict[str, tuple[Callable[[list[bytes]], bytes], Callable[[bytes], list[bytes]]]] = {
    "entries": (pack_entries, unpack_entries),
    "evidence": (pack_evidence, unpack_evidence),
}


@pytest.mark.parametrize("kind", _PACKS)
@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.binary(max_size=20), max_size=20), edits=_EDITS)
def test_a_bundle_is_our_error_or_packs_again(
    kind: str, parts: list[bytes], edits: list[tuple[int, int, bytes]]
) -> None:
    pack, unpack = _PACKS[kind]
    bundle = pack(parts)
    assert unpack(bundle) == parts
    spoilt = edited(bundle, edits)
    try:
        assert pack(unpack(spoilt)) == spoilt
    except FormatError:
        assert spoilt != bundle


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)), _VERSION_4, _VERSION_4, st.integers(0, 2**63 - 1),
    st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)), st.binary(min_size=32, max_size=32), _EDITS,  # noqa: DTZ001  UTC is put on below
)  # fmt: skip
def test_a_leaf_is_our_error_or_packs_again(
    kind: str, one: UUID, two: UUID, counter: int, at: datetime, binding: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    leaf = Leaf(kind, one, two, counter, at.replace(tzinfo=UTC), binding)  # type: ignore[arg-type]  # a literal's values
    packed = leaf.pack()
    assert unpack_leaf(packed) == leaf
    for content in (edited(packed, edits), b"".join(new for _, _, new in edits)):
        try:
            assert unpack_leaf(content).pack() == content
        except FormatError:
            assert content != packed


@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=32, max_size=32), st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=30), _EDITS
)
def test_a_record_is_our_error_or_packs_again(
    salt: bytes, evidence: bytes, base: bytes, signature: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    record = Record(salt, evidence, base, signature)
    assert unpack_record(record.pack()) == record
    spoilt = edited(record.pack(), edits)
    try:
        assert unpack_record(spoilt).pack() == spoilt
    except FormatError:
        assert spoilt != record.pack()


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), _EDITS.map(lambda edits: edited(b'{"a":1,"b":[true,null,"\xc3\xa9"]}', edits)))
)
@example(b'{"a":' * 2000)
@example(b'{"a":1e999}')
@example(b'{"a":NaN}')
@example(b'{"a":"\\ud800"}')
@example(b"\xff")
def test_evidence_is_our_error_or_canonical(content: bytes) -> None:
    try:
        value = parse_canonical_json(content)
    except LedgerError:
        return
    assert canonical_json(value) == content


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(_JSON)
@example(1e16)
@example(-0.0)
@example(2**70)
@example('\x7f\u2028\x00"\\/')
@example({"\uffff": 1, "\U00010000": 2})
def test_what_is_written_canonically_is_read(value: object) -> None:
    assert parse_canonical_json(canonical_json({"a": value})) == {"a": value}


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=3), _JSON, min_size=2, max_size=3))
def test_keys_in_another_order_are_refused_at_every_depth(members: dict[str, object]) -> None:
    turned = dict(sorted(members.items(), reverse=True))
    for value in (turned, {"a": {"b": [turned]}}):
        with pytest.raises(FormatError):
            parse_canonical_json(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
