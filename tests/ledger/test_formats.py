"""The vectors in docs/formats.md, and what is refused because it is not that form."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.ledger.encoding import (
    FormatError,
    canonical_json,
    decode64,
    encode64,
    parse_canonical_json,
    parse_timestamp,
    period_of,
    timestamp,
)
from gateway.ledger.leaf import KINDS, SIZE, Leaf, binding, unpack_leaf
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import Checkpoint, LogKey, verify_note
from gateway.ledger.record import Record, open_record, seal_record, unpack_record
from gateway.ledger.sealing import new_period_key, open_data_key, period_public_key, seal_data_key

DOCUMENT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
VECTORS = dict(line.split(": ", 1) for line in DOCUMENT.partition("```vectors\n")[2].partition("```")[0].splitlines())
WRITER = UUID("22222222-2222-4222-8222-222222222222")
LEAF = Leaf(
    "refusal",
    UUID("11111111-1111-4111-8111-111111111111"),
    WRITER,
    7,
    datetime(2026, 11, 22, 20, 17, 43, 123456, tzinfo=UTC),
    bytes.fromhex(VECTORS["binding"]),
)


def raw(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name])


def test_leaf_vector() -> None:
    assert LEAF.pack() == raw("leaf")
    assert unpack_leaf(raw("leaf")) == LEAF
    assert encode64(leaf_hash(raw("leaf"))) == VECTORS["ledger-leaf"]
    assert len(raw("leaf")) == SIZE == 105
    assert binding(raw("salt32"), VECTORS["evidence"].encode()) == LEAF.binding


def test_record_vector() -> None:
    record = Record(
        raw("salt32"), VECTORS["evidence"].encode(), VECTORS["answer-base"].encode(), raw("answer-signature")
    )
    assert record.pack() == raw("record")
    assert unpack_record(raw("record")) == record
    record.check_binding(LEAF.binding)
    with pytest.raises(FormatError):
        record.check_binding(bytes(32))


def test_sealed_record_vector() -> None:
    key = AESGCM(raw("data-key"))
    assert seal_record(key, raw("leaf"), 7, raw("record")) == raw("sealed-record")
    assert open_record(key, raw("leaf"), 7, raw("sealed-record")) == raw("record")
    for other in (
        (AESGCM(bytes(32)), raw("leaf"), 7),
        (key, raw("leaf")[:-1], 7),
        (key, raw("leaf"), 8),
    ):
        with pytest.raises(FormatError):
            open_record(*other, raw("sealed-record"))
    with pytest.raises(FormatError):
        open_record(key, raw("leaf"), 7, b"")


def test_data_key_vector() -> None:
    private, sealed = raw("period-private"), decode64(VECTORS["sealed-data-key"])
    assert sha256(period_public_key(private)).hexdigest() == VECTORS["period-public-sha256"]
    assert len(sealed) == 1120 + 32 + 16
    assert open_data_key(private, sealed, WRITER, 202611) == raw("data-key")
    for writer, period in ((UUID(int=0), 202611), (WRITER, 202612)):
        with pytest.raises(FormatError):
            open_data_key(private, sealed, writer, period)


def test_data_keys_open_with_their_own_period_s_key_only() -> None:
    (private, public), (other, _) = new_period_key(), new_period_key()
    assert (len(private), len(public)) == (96, 1216)
    assert period_public_key(private) == public
    sealed = seal_data_key(public, bytes(32), WRITER, 202611)
    assert open_data_key(private, sealed, WRITER, 202611) == bytes(32)
    for key, data in ((other, sealed), (private, sealed[:-1]), (private[:-1], sealed), (private, b"")):
        with pytest.raises(FormatError):
            open_data_key(key, data, WRITER, 202611)
    with pytest.raises(FormatError):
        seal_data_key(public[:-1], bytes(32), WRITER, 202611)
    with pytest.raises(FormatError):
        period_public_key(private[:-1])


def test_checkpoint_vector() -> None:
    seed = Ed25519PrivateKey.from_private_bytes(raw("log-seed"))
    key = LogKey("log.example/passerelle", seed.public_key().public_bytes_raw())
    assert key.vkey == VECTORS["vkey"]
    note = VECTORS["checkpoint"].replace("\\n", "\n").encode()
    assert verify_note(note, key) == Checkpoint(key.name, 1, leaf_hash(raw("leaf")))


def test_evidence_vector_is_canonical() -> None:
    text = VECTORS["evidence"]
    assert canonical_json(json.loads(text)) == text.encode()
    assert parse_canonical_json(text.encode())["party"] == "ministère"


def test_the_document_names_every_kind() -> None:
    for kind, number in KINDS.items():
        assert f"| {kind} | {number} |" in DOCUMENT


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        raw("leaf")[:-1],
        raw("leaf") + b"\x00",
        b"\x02" + raw("leaf")[1:],
        raw("leaf")[:1] + b"\x0d" + raw("leaf")[2:],
        raw("leaf")[:5] + b"\x78" + raw("leaf")[6:],
        raw("leaf")[:6] + bytes(16) + raw("leaf")[22:],
        raw("leaf")[:22] + bytes(16) + raw("leaf")[38:],
        raw("leaf").replace(b"T20", b" 20"),
        raw("leaf").replace(b"Z", b"z"),
        raw("leaf").replace(b"2026-11-22", b"2026-11-31"),
        raw("leaf").replace(b"2026-11-22", b"\xff026-11-22"),
    ],
)
def test_other_leaves_are_refused(leaf: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_leaf(leaf)


@pytest.mark.parametrize("record", [b"", raw("record")[:31], raw("record")[:-1], raw("record") + b"\x00"])
def test_other_records_are_refused(record: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_record(record)


@pytest.mark.parametrize("text", ["AB==", "AA=", "AA", "A A=", "AA==\n", "é", "-_8="])
def test_other_base64_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        decode64(text)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":NaN}', b'{"a":"\\u00e9"}', b'{"a":"\xe9"}'],
)
def test_other_json_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_canonical_json(data)


def test_json_too_deep_is_refused() -> None:
    with pytest.raises(FormatError):
        parse_canonical_json(b'{"a":' + b"[" * 100_000)


def test_times_are_utc_with_microseconds() -> None:
    at = datetime.fromisoformat("2026-11-30T19:00:00-05:00")
    assert timestamp(at) == "2026-12-01T00:00:00.000000Z"
    assert period_of(at) == 202612
    assert parse_timestamp(timestamp(at)) == at
    for other in ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00.000000+00:00", "2026-12-01T00:00:00.000000", "x"):
        with pytest.raises(FormatError):
            parse_timestamp(other)
