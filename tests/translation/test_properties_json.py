"""JSON against the standard library's reader: what we accept it reads the same, and we say which part of it that is."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.translation.json import JsonError, parse_object

_LARGEST = 2**53 - 1
_DEEPEST = 16
_NUMBERS = st.one_of(
    st.integers(-(2**60), 2**60),
    st.integers(_LARGEST - 2, _LARGEST + 2),
    st.floats(allow_nan=True, allow_infinity=True),
)
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(max_size=8))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
_KEYS = st.sampled_from(["a", "b", "c", '"', "é", "\\u0061"])


class _RepeatedError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise _RepeatedError
    return dict(pairs)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def plain(value: object) -> bool:
    """By another way than the reader's: no number that JSON, or a double, does not hold exactly as such."""
    if isinstance(value, dict):
        return all(map(plain, value)) and all(map(plain, value.values()))
    if isinstance(value, list):
        return all(map(plain, value))
    if isinstance(value, str):
        return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
    return isinstance(value, bool) or value is None or (isinstance(value, int | float) and abs(value) <= _LARGEST)


def expected(body: bytes) -> dict[str, Any] | None:
    """What ought to come of these bytes; None for a refusal."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError, _RepeatedError):
        return None
    return value if isinstance(value, dict) and depth(value) <= _DEEPEST and plain(value) else None


def found(body: bytes) -> dict[str, Any] | None:
    try:
        return parse_object(body)
    except JsonError as error:
        assert len(str(error)) < 60  # noqa: PT017  either outcome is right
        return None


@settings(max_examples=300, deadline=None)
@given(value=st.dictionaries(st.text(max_size=4), _VALUES, max_size=4), ascii_only=st.booleans())
@example(value={"a": float("nan")}, ascii_only=False)
@example(value={"a": _LARGEST + 1}, ascii_only=False)
@example(value={"a": "\ud800"}, ascii_only=True)
def test_we_accept_what_is_plain_and_nothing_else(value: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001  a column
    try:
        body = json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair has no bytes
    assert found(body) == expected(body)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(_KEYS, st.sampled_from(["1", "[]", "{}", '{"a":1,"a":2}', "NaN", "1e400", "-0"])), max_size=4)
)
def test_keys_are_there_once_at_every_depth(pairs: list[tuple[str, str]]) -> None:
    body = ("{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}").encode()
    assert found(body) == expected(body)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 40), st.sampled_from([b'{"a":', b"["]))
def test_depth_ends_where_we_say(levels: int, opening: bytes) -> None:
    closing = b"}" if opening != b"[" else b"]"
    body = b'{"x":' + opening * levels + b"1" + closing * levels + b"}"
    assert (found(body) is not None) == (levels + 1 <= _DEEPEST)
    assert found(body) == expected(body)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.text(max_size=4), _VALUES, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3),
)
def test_edited_bytes_are_our_error_or_the_same_value(
    value: dict[str, Any], edits: list[tuple[int, int, bytes]]
) -> None:
    body = json.dumps(value).encode()
    for at, cut, new in edits:
        body = body[: at % len(body) if body else 0] + new + body[(at % len(body) if body else 0) + cut :]
    assert found(body) == expected(body)
