"""JSON read strictly (C7): arbitrary bytes are our error, or an object that says itself again."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.translation.json import JsonError, parse_object

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.floats(-1e15, 1e15), st.text(max_size=20)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_PIECES = st.sampled_from(
    [*(bytes([byte]) for byte in b'{}[]"a:,1e.-\\ '), b"u00e9", b"NaN", b"null", b"\xff", b"\xc3\xa9"]
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=5), _VALUES, max_size=4))
def test_an_object_is_read_as_it_is(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode()) == value
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.lists(_PIECES, max_size=40).map(b"".join)))
def test_arbitrary_bytes_are_our_error_or_an_object(body: bytes) -> None:
    try:
        value = parse_object(body)
    except JsonError:
        return
    assert isinstance(value, dict)
    assert parse_object(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"b":{"a":1,"a":2}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1e400}',
        b'{"a":1e16}',
        b'{"a":' + b"[" * 16 + b"]" * 16 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        b"[]",
        b'"a"',
        b"",
        b"{",
        b"{'a':1}",
        b'{"a":01}',
        b'{"a":1}x',
    ],
    ids=[
        "duplicate_keys", "duplicate_keys_below", "nan", "infinity", "minus_infinity", "big_number",
        "big_negative_number", "thousands_of_digits", "overflow", "big_float", "depth", "depth_of_lists",
        "depth_of_objects", "invalid_utf8", "surrogate_in_utf8", "byte_order_mark", "list", "string", "empty",
        "unfinished", "single_quotes", "leading_zero", "text_after",
    ],
)  # fmt: skip
def test_what_is_refused_and_never_quoted(body: bytes) -> None:
    with pytest.raises(JsonError) as refused:
        parse_object(body)
    assert len(str(refused.value)) < 60
    assert refused.value.__cause__ is None


def test_the_deepest_and_the_largest_that_are_accepted() -> None:
    assert parse_object(b'{"a":' + b"[" * 15 + b"]" * 15 + b"}")
    assert parse_object(b'{"a":9007199254740991,"b":0.5}') == {"a": 2**53 - 1, "b": 0.5}
    brackets = '{"a":"' + "[" * 100 + '\\"{"}'
    assert parse_object(brackets.encode())["a"] == "[" * 100 + '"{'
    assert math.isfinite(parse_object(b'{"a":1.5e3}')["a"])
