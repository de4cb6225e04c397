"""Structured fields: arbitrary text is our error, or a value that says itself again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.signing.structured import (
    InnerList,
    Item,
    MalformedFieldError,
    Token,
    decode_base64,
    parse_dictionary,
    serialise,
)

_KEYS = st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,10}", fullmatch=True)
_BARE = st.one_of(
    st.booleans(),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    st.binary(max_size=20),
    st.from_regex(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]{0,10}", fullmatch=True).map(Token),
)
_PARAMETERS = st.dictionaries(_KEYS, _BARE, max_size=3).map(lambda found: tuple(found.items()))
_ITEMS = st.builds(Item, _BARE, _PARAMETERS)
_MEMBERS = st.one_of(_ITEMS, st.builds(InnerList, st.lists(_ITEMS, max_size=4).map(tuple), _PARAMETERS))
#: Text made of what the grammar is made of finds more than letters do.
_LOOKALIKES = st.lists(
    st.sampled_from(
        ['"', "\\", "(", ")", ";", ",", "=", ":", "?", "*", "a", "b", "A", "1", "-", ".", " ", "\t", "\n", "é", "?0"]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_KEYS, _MEMBERS, min_size=1, max_size=4))
def test_what_is_serialised_is_read_again(members: dict[str, Item | InnerList]) -> None:
    text = ", ".join(f"{key}={serialise(member)}" for key, member in members.items())
    assert parse_dictionary(text) == members


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), _LOOKALIKES, _LOOKALIKES.map(lambda text: f"a={text}")))
def test_arbitrary_text_is_our_error_or_says_itself_again(text: str) -> None:
    try:
        members = parse_dictionary(text)
    except MalformedFieldError as error:
        assert not text or text not in str(error)  # noqa: PT017  either outcome is right
        return
    again = ", ".join(f"{key}={serialise(member)}" for key, member in members.items())
    assert parse_dictionary(again) == members


@pytest.mark.parametrize(
    "text",
    [
        "a=1, a=2",
        "a=1;b;b",
        "a=(1 2",
        "a=(1)x",
        'a=("x""y")',
        "a=1,",
        "a=1 b=2",
        ",a=1",
        "A=1",
        "a=",
        "a=1.5",
        "a=1234567890123456",
        "a=:AB==:",
        "a=:A A:",
        "a=:AAAA",
        'a="',
        'a="\\n"',
        'a="é"',
        'a="\t"',
        "a=?2",
        "a=()é",
        "a=" + "1" * 9000,
    ],
)
def test_what_the_grammar_does_not_allow_is_refused(text: str) -> None:
    with pytest.raises(MalformedFieldError):
        parse_dictionary(text)


def test_an_empty_field_has_no_member() -> None:
    assert parse_dictionary("") == {}


@pytest.mark.parametrize("text", ["AB==", "AA", "AA==\n", "A===", "AA=A", "_-8=", "A A="])
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(MalformedFieldError):
        decode_base64(text)
    assert decode_base64("AA==") == b"\0"
