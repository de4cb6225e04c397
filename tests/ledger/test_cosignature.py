"""Cosignatures byte by byte: C2SP's own example of a line's form, keys that are not a log's, lines that do not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.ledger.cosignature import WitnessKey, cosign, cosigned_by, read_cosignatures, verify_cosignature
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import Checkpoint, LogKey

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = WitnessKey("witness.example.com/w1", PRIVATE.public_key().public_bytes_raw())
CHECKPOINT = Checkpoint("example.com/behind-the-sofa", 20852163, leaf_hash(b"root"))
LINE = cosign(CHECKPOINT, KEY, 1679315147, PRIVATE.sign)


def test_the_signed_message_is_c2sp_s() -> None:
    (line,) = read_cosignatures(LINE)
    message = b"cosignature/v1\ntime 1679315147\n" + CHECKPOINT.text
    Ed25519PublicKey.from_public_bytes(KEY.public).verify(line.signature[8:], message)
    assert line.signature[:8] == (1679315147).to_bytes(8)
    assert LINE.startswith("— witness.example.com/w1 ".encode())
    assert verify_cosignature(CHECKPOINT, line, KEY) == 1679315147


def test_the_key_id_is_not_that_of_a_log_with_the_same_key() -> None:
    assert KEY.key_id != LogKey(KEY.name, KEY.public).key_id
    assert WitnessKey.parse(KEY.vkey) == KEY
    with pytest.raises(FormatError):
        WitnessKey.parse(LogKey(KEY.name, KEY.public).vkey)
    with pytest.raises(FormatError):
        LogKey.parse(KEY.vkey)


@pytest.mark.parametrize("change", ["", "name", "id", "base64", "+"])
def test_a_vkey_of_another_form(change: str) -> None:
    text = {
        "": "",
        "name": KEY.vkey.replace("w1", "w2"),
        "id": KEY.vkey.replace(KEY.key_id.hex(), KEY.key_id.hex().upper() + "0"),
        "base64": KEY.vkey[:-2],
        "+": KEY.vkey.replace("witness", "wit+ness"),
    }[change]
    with pytest.raises(FormatError):
        WitnessKey.parse(text)


@pytest.mark.parametrize("at", range(8 + 64))
def test_each_byte_of_a_cosignature_counts(at: int) -> None:
    (line,) = read_cosignatures(LINE)
    changed = bytearray(line.signature)
    changed[at] ^= 0x40
    with pytest.raises(FormatError):
        verify_cosignature(CHECKPOINT, replace(line, signature=bytes(changed)), KEY)


def test_a_cosignature_of_another_checkpoint_witness_or_length() -> None:
    (line,) = read_cosignatures(LINE)
    for changed in (replace(line, name="witness.example.com/w2"), replace(line, key_id=bytes(4))):
        with pytest.raises(FormatError, match="another witness"):
            verify_cosignature(CHECKPOINT, changed, KEY)
    with pytest.raises(FormatError, match="length"):
        verify_cosignature(CHECKPOINT, replace(line, signature=line.signature + b"\0"), KEY)
    with pytest.raises(FormatError, match="does not hold"):
        verify_cosignature(replace(CHECKPOINT, size=20852164), line, KEY)


def test_only_witnesses_that_are_asked_for_count_and_each_once() -> None:
    other = Ed25519PrivateKey.generate()
    stranger = WitnessKey("stranger.test/1", other.public_key().public_bytes_raw())
    forged = cosign(CHECKPOINT, KEY, 5, other.sign)
    lines = read_cosignatures(LINE + LINE + cosign(CHECKPOINT, stranger, 5, other.sign) + forged)
    assert cosigned_by(CHECKPOINT, lines, [KEY]) == {KEY.name}
    assert cosigned_by(CHECKPOINT, lines[3:], [KEY]) == set()
    assert cosigned_by(CHECKPOINT, lines, [KEY, stranger]) == {KEY.name, stranger.name}


@pytest.mark.parametrize("text", [b"", b"\n", LINE[:-1], LINE + b"\n", LINE.replace(b"\xe2\x80\x94", b"-"), b"\xff\n"])
def test_an_answer_that_is_no_line(text: bytes) -> None:
    with pytest.raises(FormatError):
        read_cosignatures(text)
