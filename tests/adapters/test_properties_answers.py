"""The registry's answers, their bytes edited: our refusal, or the meaning that was signed; never anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Code
from gateway.model import UpstreamRefusal
from gateway.signing.xml import XmlRefusedError, canonical, parse
from tests.adapters.test_answers import call

if TYPE_CHECKING:
    from adapters.soap import SoapRequest
    from tests.adapters.conftest import World
    from tests.adapters.test_answers import Craft, CraftingClient

_REFUSED = {Code.UPSTREAM_UNTRUSTED, Code.UPSTREAM_MALFORMED}
#: What XML is made of finds more than random bytes do.
_PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [
            b"<", b">", b"/>", b"</", b"&", b"&amp;", b"&#0;", b"&#x41;", b"<!--", b"-->", b"<![CDATA[", b"]]>",
            b"<?a?>", b"<!DOCTYPE a>", b'"', b"'", b"=", b" ", b"\n", b"\r\n", b"\t", b"\x00", b"\xff",
            b"\xef\xbb\xbf", b"CONFIRME", b"NON_", b"xmlns:a='urn:b'", b"#part-1", b"wsu:Id", b"AAAA", b"\xe2\x80\xa8",
        ]
    ),
)  # fmt: skip
_EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 8), _PIECES), min_size=1, max_size=3)
_MOVES = st.tuples(st.integers(0, 10_000), st.integers(0, 400), st.integers(0, 10_000))


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, cut, new in edits:
        data = data[: at % len(data)] + new + data[at % len(data) + cut :]
    return data


def moved(data: bytes, move: tuple[int, int, int]) -> bytes:
    """A slice of the message, once more in another place."""
    start, length, to = move
    piece = data[start % len(data) : start % len(data) + length]
    return data[: to % len(data)] + piece + data[to % len(data) :]


def judged(world: World, spoil: Craft) -> None:
    outcome = call(world, spoil)
    if isinstance(outcome, UpstreamRefusal):
        assert outcome.code in _REFUSED
        (attempt,) = outcome.attempts
        assert attempt.answer is None
    else:
        assert outcome == "confirmed"


@settings(max_examples=250, deadline=None)
@given(edits=_EDITS)
def test_an_edited_answer_is_refused_or_means_the_same(running: World, edits: list[tuple[int, int, bytes]]) -> None:
    def craft(client: CraftingClient, request: SoapRequest) -> bytes:
        return edited(client.answer(request, b"s" * 15 + b"t"), edits)

    judged(running, craft)


@settings(max_examples=150, deadline=None)
@given(move=_MOVES)
def test_an_answer_with_a_part_of_it_repeated_is_refused_or_means_the_same(
    running: World, move: tuple[int, int, int]
) -> None:
    judged(running, lambda client, request: moved(client.answer(request, b"s" * 15 + b"t"), move))


@settings(max_examples=100, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.lists(_PIECES, max_size=20).map(b"".join)))
def test_arbitrary_bytes_are_refused(running: World, content: bytes) -> None:
    outcome = call(running, lambda _client, _request: content)
    assert isinstance(outcome, UpstreamRefusal)
    assert outcome.code in _REFUSED


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=100), st.lists(_PIECES, max_size=12).map(lambda p: b"<a>" + b"".join(p) + b"</a>")
    )
)
def test_the_parser_gives_a_tree_that_says_itself_again_or_our_error(content: bytes) -> None:
    try:
        root = parse(content)
        form = canonical(root)
    except XmlRefusedError as error:
        assert error.reason.startswith("xml_")  # noqa: PT017  either outcome is right
        return
    assert canonical(parse(form)) == form
