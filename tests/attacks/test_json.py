"""JSON (section 10, C7): rightly signed bytes that two parsers would read in two ways, or that no parser should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.arena import Arena

_OTHER = b'"0000000000000",'


def _more(text: bytes) -> Callable[[bytes], bytes]:
    """The good object with one member more."""
    return lambda body: body[:-1] + b"," + text + b"}"


def _named(text: bytes) -> Callable[[bytes], bytes]:
    """The good object with this inside a name."""
    return lambda body: body.replace(b'"given_names": "', b'"given_names": "' + text)


#: attack -> what it makes of the body of a good verification
ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "duplicate_keys": lambda body: b'{"nirec":' + _OTHER + body[1:],
    "duplicate_keys_by_escape": lambda body: b'{"nir\\u0065c":' + _OTHER + body[1:],
    "duplicate_keys_below": _more(b'"x":{"a":1,"a":2}'),
    "nan": _more(b'"x":NaN'),
    "infinity": _more(b'"x":-Infinity'),
    "big_number": _more(b'"x":123456789012345678901234567890'),
    "number_just_past_2_53": _more(b'"x":9007199254740992'),
    "number_past_the_range": _more(b'"x":1e999'),
    "thousands_of_digits": _more(b'"x":' + b"9" * 5000),
    "deep": _more(b'"x":' + b"[" * 5000 + b"]" * 5000),
    "deep_and_open": lambda _: b"[" * 60_000,
    "invalid_utf8": _named(b"\xff"),
    "surrogate_in_utf8": _named(b"\xed\xa0\x80"),
    "half_a_surrogate_pair": _named(b"\\ud800"),
    "utf16": lambda body: body.decode().encode("utf-16"),
    "byte_order_mark": lambda body: b"\xef\xbb\xbf" + body,
    "trailing_text": lambda body: body + b" {}",
    "no_object": lambda body: b"[" + body + b"]",
    "no_json": lambda _: b"nirec=0000000000000",
    "single_quotes": lambda body: body.replace(b'"', b"'"),
    "comment": lambda body: body[:-1] + b"/**/}",
    "control_character": _named(b"\x00"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(arena: Arena, attack: str) -> None:
    good = arena.verification()
    arena.accepted(good.signed())
    fresh = arena.verification()
    spoilt = ATTACKS[attack](fresh.body)
    assert spoilt != fresh.body
    problem = arena.refused(fresh.but(body=spoilt).signed(), "400 body_malformed")
    assert problem["bound"] is False
