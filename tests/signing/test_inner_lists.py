"""An inner list that was read before is read as it was the first time, and as any other is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signing.structured import InnerList, MalformedFieldError, parse_dictionary, read_inner_list, serialise

_PIECES = (
    '"a"', '"@method"', '"@method";req', ";req", ";key", ';key="sig1"', ';key="a b"', ";req=?1", ";req=?0", ";req;req",
    " ", "  ", "(", ")", ";created=1", ';tag="x"', ";x=tok", "1", "tok", '"\\""', '"', ",y=1", ":AA==:", ";required",
)  # fmt: skip


def plainly(text: str) -> tuple[InnerList, tuple[str, ...]] | None:
    """The same without anything that is kept: parsed, then held against its own serialisation, item by item."""
    try:
        member = parse_dictionary(f"x={text}")["x"]
    except MalformedFieldError:
        return None
    if not isinstance(member, InnerList) or serialise(member) != text:
        return None
    return member, tuple(serialise(item) for item in member.items)


def read(text: str) -> tuple[InnerList, tuple[str, ...]] | None:
    try:
        return read_inner_list(text)
    except MalformedFieldError:
        return None


@given(st.lists(st.sampled_from(_PIECES), max_size=5), st.lists(st.sampled_from(_PIECES), max_size=2))
def test_an_inner_list_is_read_as_if_nothing_were_kept(items: list[str], after: list[str]) -> None:
    for text in (f"({' '.join(items)}){''.join(after)}", "".join([*items, *after])):
        assert read(text) == plainly(text)


@pytest.mark.parametrize(
    "good", ['("@method";req "a" "signature";req;key="sig1");created=1;tag="x"', "()", "(1 tok);a"]
)
def test_an_inner_list_in_its_one_form_is_read(good: str) -> None:
    expected = plainly(good)
    assert expected is not None
    assert read(good) == read(good) == expected


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param('( "a")', id="space before"),
        pytest.param('("a" )', id="space after"),
        pytest.param('("a"  "b")', id="two spaces"),
        *('("a"; req)', '("a";req=?1)', '("a";req;req)', '("a""b")', '"a"', "", "x"),
    ],
)
def test_another_form_of_an_inner_list_is_refused(bad: str) -> None:
    assert read(bad) is None
    assert read(bad) is None  # from what was kept
