"""Headers as anybody may send them: bytes that are our refusal or a head that says itself again, and nothing else."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import Code, Refusal
from gateway.signing.base import lines, parse_base
from gateway.signing.digest import content_digest, digest_holds
from gateway.signing.head import SignatureHead, kept_head, read_head
from gateway.signing.structured import (
    InnerList,
    Item,
    MalformedFieldError,
    parse_dictionary,
    serialise,
)

_NAMES = ("@method", "@target-uri", "content-digest", "content-type", "exchange-agreement", "@path")
_GOOD = (
    'sig1=("@method" "@target-uri" "content-digest");created=1795390618;nonce="OBRzpvNGlG/Lx0WbCaXY5UcH"'
    ';keyid="tf9w2kKe1hUswN031UbGZ_0Tfb4kfF6g79hXL1VU7aQ";tag="passerelle"'
)
_SIGNATURE = f"sig1=:{b64encode(bytes(64)).decode()}:"
_REFUSED = {Code.SIGNATURE_MISSING, Code.SIGNATURE_MALFORMED, Code.NONCE_INVALID, Code.KEY_REFUSED}
#: As HTTP hands a field on: any byte is a character.
_FIELD = st.binary(max_size=120).map(lambda raw: raw.decode("latin-1"))
_EDIT = st.tuples(st.integers(0, len(_GOOD)), st.integers(0, 12), st.binary(max_size=6))


def edited(text: str, edits: list[tuple[int, int, bytes]]) -> str:
    """The text with a few bytes cut out and others put in."""
    for at, cut, new in edits:
        text = text[:at] + new.decode("latin-1") + text[at + cut :]
    return text


@settings(max_examples=300, deadline=None)
@given(_FIELD)
@example("a=" + "(" * 4000)
@example("a=1;" * 2000)
@example("a=(" + '"x" ' * 2000 + ")")
@example("é=1")
@example("a=\x00")
def test_arbitrary_bytes_are_our_error_or_a_dictionary_that_says_itself_again(field: str) -> None:
    try:
        members = parse_dictionary(field)
    except MalformedFieldError:
        return
    again = ", ".join(f"{key}={serialise(member)}" for key, member in members.items())
    assert parse_dictionary(again) == members
    assert [serialise(member) for member in parse_dictionary(again).values()] == [
        serialise(member) for member in members.values()
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(_EDIT, min_size=1, max_size=3))
def test_an_edited_head_is_refused_or_read_as_it_stands(edits: list[tuple[int, int, bytes]]) -> None:
    given_input = edited(_GOOD, edits)
    try:
        head = read_head({"signature-input": given_input, "signature": _SIGNATURE})
    except Refusal as refusal:
        assert refusal.code in _REFUSED  # noqa: PT017  either outcome is right
        assert refusal.component is None or len(refusal.component) <= 64  # noqa: PT017  either outcome is right
        return
    # What was understood is what the base's last line will say, so that the signature covers the understanding.
    members = parse_dictionary(given_input)
    member = members[head.label]
    assert isinstance(member, InnerList)
    assert serialise(member) == head.parameters
    assert tuple(item.value for item in member.items) == head.components
    assert len(set(head.components)) == len(head.components)
    assert 22 <= len(head.nonce) <= 128


@settings(max_examples=200, deadline=None)
@given(_FIELD, _FIELD)
def test_arbitrary_headers_are_a_refusal(signature_input: str, signature: str) -> None:
    try:
        read_head({"signature-input": signature_input, "signature": signature})
    except Refusal as refusal:
        assert refusal.code in _REFUSED  # noqa: PT017  either outcome is right
        assert refusal.nonce is None or 22 <= len(refusal.nonce) <= 128  # noqa: PT017  either outcome is right
    else:
        raise AssertionError("nobody writes a head by chance")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200), _FIELD)
def test_a_digest_holds_for_its_body_only(body: bytes, other: bytes, field: str) -> None:
    assert digest_holds(content_digest(body), body)
    assert digest_holds(content_digest(body), other) == (body == other)
    assert not digest_holds(field, body)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(_NAMES), unique=True, min_size=1),
    st.lists(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30), min_size=6, max_size=6),
)
def test_a_base_is_read_as_it_was_written(names: list[str], values: list[str]) -> None:
    pairs = [(serialise(Item(name)), value) for name, value in zip(names, values, strict=False)]
    member = InnerList(tuple(Item(name) for name in names), (("created", 1), ("tag", "passerelle")))
    found, read = parse_base(lines(pairs, serialise(member)))
    assert found == dict(pairs)
    assert read == member


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_an_edited_base_is_our_error_or_another_base(at: int, new: bytes) -> None:
    parameters = serialise(InnerList((Item("@method"), Item("@target-uri")), (("created", 1),)))
    base = lines([('"@method"', "POST"), ('"@target-uri"', "https://passerelle.test/v1/echo")], parameters)
    spoilt = base[: at % len(base)] + new + base[at % len(base) + 1 :]
    try:
        found, member = parse_base(spoilt)
    except MalformedFieldError:
        return
    assert lines(found.items(), serialise(member)) == spoilt


def kept(label: str, parameters: str, value: bytes) -> SignatureHead | None:
    try:
        return kept_head(label, parameters, value)
    except (Refusal, MalformedFieldError):
        return None


def as_received(label: str, parameters: str, value: bytes) -> SignatureHead | None:
    """The same by the reader of requests, where it says what was given."""
    signature = f"{label}=:{b64encode(value).decode()}:"
    try:
        head = read_head({"signature-input": f"{label}={parameters}", "signature": signature})
    except Refusal:
        return None
    return head if (head.label, head.parameters, head.value) == (label, parameters, value) else None


_GOOD_LABEL, _, _GOOD_PARAMETERS = _GOOD.partition("=")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["sig1", "a-b.*", "SIG", "", "a=1, sig1", "sig1;x", "sig1="]) | _FIELD, st.lists(_EDIT, max_size=2)
)
@example("sig1", [])
@example("sig1", [(len(_GOOD_PARAMETERS), 0, b", a=1")])
@example("sig1", [(len(_GOOD_PARAMETERS), 0, b";x=")])
@example("sig1", [(0, len(_GOOD), b"1")])
def test_a_kept_signature_is_read_as_it_was_when_it_came(label: str, edits: list[tuple[int, int, bytes]]) -> None:
    parameters = edited(_GOOD_PARAMETERS, edits)
    assert kept(label, parameters, bytes(64)) == as_received(label, parameters, bytes(64))


def test_a_good_kept_signature_is_read() -> None:
    assert kept(_GOOD_LABEL, _GOOD_PARAMETERS, bytes(64)) is not None
