"""What an officer signs has one form, and holds under one key (P1)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.acts import Act, ActKind, Approval, read_approval, verify_approval
from gateway.policy.officer_keys import load_officer_key, officer_key_text
from gateway.policy.reasons import PolicyRefused, Reason
from tests.policy.made import NOW, ORIGIN, officer

ACT = Act(ActKind.POLICY, ORIGIN, "a" * 64, 2, "b" * 64, "officer-1", NOW)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_the_text_is_readable_one_field_a_line() -> None:
    approval = officer("officer-1").sign(ACT)
    assert approval.document().decode() == (
        "passerelle-act/v1\n"
        "act policy\n"
        "origin passerelle.example\n"
        f"subject {'a' * 64}\n"
        "version 2\n"
        f"previous {'b' * 64}\n"
        "officer officer-1\n"
        "at 2026-11-23T02:40:00.000000Z\n"
        "\n"
        f"signature {b64encode(approval.signature).decode()}\n"
    )


@pytest.mark.parametrize("who", ["officer-1", "officer-3"], ids=["ed25519", "p256"])
def test_what_is_written_is_read_and_holds_under_its_key_alone(who: str) -> None:
    signer = officer(who)
    approval = read_approval(signer.sign(ACT).document())
    assert approval.act == ACT
    verify_approval(approval, signer.public)
    for other in ("officer-2", "last-2"):
        with pytest.raises(PolicyRefused) as refused:
            verify_approval(approval, officer(other).public)
        assert refused.value.reason is Reason.APPROVAL_SIGNATURE_WRONG


def test_times_are_in_utc_whatever_zone_they_came_in() -> None:
    moved = replace(ACT, at=NOW.astimezone(timezone(timedelta(hours=-5))))
    assert moved.text() == ACT.text()


@pytest.mark.parametrize("line", range(10))
@pytest.mark.parametrize("who", ["officer-1", "officer-3"], ids=["ed25519", "p256"])
def test_a_byte_changed_in_any_line(line: int, who: str) -> None:
    """Each line, each byte of it: the document is malformed, or no signature of this act any more."""
    signer = officer(who)
    document = signer.sign(ACT).document()
    lines = document.split(b"\n")
    begin = sum(len(part) + 1 for part in lines[:line])
    refused = []
    for place in range(begin, begin + len(lines[line]) + 1):
        broken = bytearray(document)
        broken[place] ^= 1
        with pytest.raises(PolicyRefused) as error:
            verify_approval(read_approval(bytes(broken)), signer.public)
        refused.append(error.value.reason)
    assert len(refused) == len(lines[line]) + 1
    assert set(refused) <= {Reason.APPROVAL_MALFORMED, Reason.APPROVAL_SIGNATURE_WRONG}


GOOD = officer("officer-1").sign(ACT).document()
_MALFORMED = {
    "empty": b"",
    "garbage": bytes(range(256)),
    "nul": GOOD.replace(b"origin p", b"origin \0"),
    "nul_at_the_end": GOOD + b"\0",
    "not_ascii": GOOD.replace(b"officer-1", "officié".encode()),
    "crlf": GOOD.replace(b"\n", b"\r\n"),
    "no_last_newline": GOOD[:-1],
    "two_last_newlines": GOOD + b"\n",
    "no_blank_line": GOOD.replace(b"\n\n", b"\n"),
    "two_signatures": GOOD + GOOD.split(b"\n\n")[1],
    "two_documents": GOOD + GOOD,
    "a_line_more": GOOD.replace(b"\n\n", b"\nmore 1\n\n"),
    "a_line_twice": GOOD.replace(b"version 2\n", b"version 2\nversion 2\n"),
    "a_line_less": GOOD.replace(b"version 2\n", b""),
    "lines_swapped": GOOD.replace(b"version 2\nprevious " + b"b" * 64, b"previous " + b"b" * 64 + b"\nversion 2"),
    "another_format": GOOD.replace(b"act/v1", b"act/v2"),
    "unknown_act": GOOD.replace(b"act policy", b"act coup"),
    "version_with_zero": GOOD.replace(b"version 2", b"version 02"),
    "version_zero": GOOD.replace(b"version 2", b"version 0"),
    "version_huge": GOOD.replace(b"version 2", b"version " + b"9" * 40),
    "subject_in_capitals": GOOD.replace(b"a" * 64, b"A" * 64),
    "time_with_offset": GOOD.replace(b"02:40:00.000000Z", b"02:40:00.0-05:00"),
    "time_with_another_separator": GOOD.replace(b"23T02", b"23-02"),
    "time_that_is_none": GOOD.replace(b"2026-11-23", b"2026-13-23"),
    "signature_not_canonical": GOOD.replace(b"==\n", b"=\n"),
    "signature_short": GOOD.split(b"signature ")[0] + b"signature AAAA\n",
    "ten_megabytes": GOOD + b"x" * 10_000_000,
}


@pytest.mark.parametrize("case", _MALFORMED)
def test_what_is_no_approval(case: str) -> None:
    assert read_approval(GOOD).act == ACT
    with pytest.raises(PolicyRefused) as refused:
        read_approval(_MALFORMED[case])
    assert refused.value.reason is Reason.APPROVAL_MALFORMED


@given(st.binary(max_size=600))
def test_arbitrary_bytes_give_our_error_and_no_other(data: bytes) -> None:
    with pytest.raises(PolicyRefused):
        read_approval(data)


def test_an_approval_has_one_form_only() -> None:
    """Of the two values of s that a P-256 verifier takes, the high one is refused."""
    signer = officer("officer-3")
    approval = signer.sign(ACT)
    s = int.from_bytes(approval.signature[32:])
    other = Approval(ACT, approval.signature[:32] + (P256_ORDER - s).to_bytes(32))
    verify_approval(approval, signer.public)
    with pytest.raises(PolicyRefused) as refused:
        verify_approval(other, signer.public)
    assert refused.value.reason is Reason.APPROVAL_SIGNATURE_WRONG


_SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_SMALL = [
    "00" * 32,
    "01" + "00" * 31,
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "00" * 31 + "80",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]
_NO_KEYS = {
    "empty": "",
    "not_base64": "*",
    "not_canonical": officer("officer-1").public.replace("=", ""),
    "31_bytes": b64encode(bytes(range(31))).decode(),
    "33_bytes": b64encode(bytes(range(33))).decode(),
    "p384": b64encode(ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*_SPKI)).decode(),
    "rsa": b64encode(rsa.generate_private_key(65537, 2048).public_key().public_bytes(*_SPKI)).decode(),
    "ed25519_as_spki": b64encode(
        officer("officer-1").key.public_key().public_bytes(*_SPKI)
    ).decode(),
    "der_with_more_behind": b64encode(
        officer("officer-3").key.public_key().public_bytes(*_SPKI) + b"\0"
    ).decode(),
    **{f"small_order_{index}": b64encode(bytes.fromhex(text)).decode() for index, text in enumerate(_SMALL)},
}  # fmt: skip


@pytest.mark.parametrize("case", _NO_KEYS)
def test_what_is_no_officer_s_key(case: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_officer_key(_NO_KEYS[case])


def test_under_a_key_of_small_order_anybody_could_sign() -> None:
    """The neutral element as a key: s = 0 and R = the neutral element hold over any text, so it is no key here."""
    key = b64encode(bytes.fromhex(_SMALL[1])).decode()
    forged = Approval(ACT, bytes.fromhex(_SMALL[1]) + bytes(32))
    with pytest.raises(PolicyRefused) as refused:
        verify_approval(forged, key)
    assert refused.value.reason is Reason.APPROVAL_SIGNATURE_WRONG


@pytest.mark.parametrize("who", ["officer-1", "officer-3"])
def test_a_key_is_written_in_one_way(who: str) -> None:
    public = officer(who).public
    assert officer_key_text(load_officer_key(public)) == public
