from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import EMPTY_ROOT, leaf_hash
from gateway.ledger.note import Checkpoint, LogKey, parse_note, sign_checkpoint, verify_note

from .conftest import LogKeystore

KEY = LogKey("log.test/passerelle", LogKeystore().public)
CHECKPOINT = Checkpoint(KEY.name, 5, leaf_hash(b"root"))
NOTE = sign_checkpoint(CHECKPOINT, KEY, LogKeystore())


def test_what_was_signed_is_what_is_read() -> None:
    assert verify_note(NOTE, KEY) == CHECKPOINT
    assert LogKey.parse(KEY.vkey) == KEY


def test_vkey_of_the_go_sumdb_parses() -> None:
    vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    assert LogKey.parse(vkey).vkey == vkey


def test_signatures_of_others_are_left_to_the_caller() -> None:
    witness = Ed25519PrivateKey.generate()
    other = LogKey("witness.test", witness.public_key().public_bytes_raw())
    line = sign_checkpoint(CHECKPOINT, other, LogKeystore()).split(b"\n\n")[1]
    note = parse_note(NOTE + line)
    assert note.verify(KEY) == CHECKPOINT
    assert [one.name for one in note.signatures] == [KEY.name, "witness.test"]


def _replaced(old: bytes, new: bytes) -> bytes:
    assert old in NOTE
    return NOTE.replace(old, new, 1)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"junk\n",
        NOTE + NOTE.split(b"\n\n")[1],
        NOTE.split(b"\n\n")[0] + b"\n\n",
        NOTE.split(b"\n\n")[0] + b"\n",
        _replaced(b"\n5\n", b"\n6\n"),
        _replaced(b"\n5\n", b"\n05\n"),
        _replaced(b"\n5\n", b"\n+5\n"),
        _replaced(b"\n5\n", b"\n\xd9\xa5\n"),
        _replaced(b"\n5\n", b"\n99999999999999999999\n"),
        _replaced(b"\n\n", b"\nextension\n\n"),
        _replaced(b"\n\n", b"\n\n\n"),
        _replaced(b"log.test/passerelle\n", b"log.test/other\n"),
        _replaced(b"log.test/passerelle\n", b"log.test/passerelle\r\n"),
        _replaced("— ".encode(), b"- "),
        _replaced(b"\n5\n", b"\n5\xff\n"),
        _replaced(b"\n5\n", b"\n" + b"9" * 5000 + b"\n"),
    ],
)
def test_what_we_would_not_write_is_refused(note: bytes) -> None:
    with pytest.raises(FormatError):
        verify_note(note, KEY)


def test_base64_that_is_not_canonical_is_refused() -> None:
    # 32 bytes end in one base64 digit with two idle bits: setting them gives the same bytes
    lines = NOTE.decode().split("\n")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = lines[2][-2]
    lines[2] = lines[2][:-2] + digits[digits.index(last) + 1] + "="
    with pytest.raises(FormatError, match="not canonical"):
        parse_note("\n".join(lines).encode())


def test_a_signature_by_another_key_under_our_name_is_refused() -> None:
    other = LogKey(KEY.name, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(FormatError, match="not signed once"):
        verify_note(NOTE, other)
    forged = sign_checkpoint(Checkpoint(KEY.name, 6, EMPTY_ROOT), KEY, LogKeystore())
    spliced = NOTE.split(b"\n\n")[0] + b"\n\n" + forged.split(b"\n\n")[1]
    with pytest.raises(FormatError, match="does not hold"):
        verify_note(spliced, KEY)


@pytest.mark.parametrize(
    "vkey", ["", "name", "name+00000000", KEY.vkey[:-1], KEY.vkey.replace("+", "+0", 1), "a b" + KEY.vkey[19:]]
)
def test_malformed_vkeys_are_refused(vkey: str) -> None:
    with pytest.raises(FormatError):
        LogKey.parse(vkey)
