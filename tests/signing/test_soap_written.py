"""SignedInfo read by being written again: the strict reader would have said the same, or nothing is said."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.signing import soap_names as n
from gateway.signing.soap_info import parse_signed_info, read_signed_info
from gateway.signing.soap_names import SoapSignatureError
from gateway.signing.soap_written import read_references, write_references
from tests.signing.soap_messages import make_signed


def digest(text: str) -> bytes:
    return b64encode(sha256(text.encode()).digest())


PLAIN = write_references([(b"id-Timestamp", digest("a")), (b"id-To", digest("b")), (b"id-Body", digest("c"))])
_ID = st.text("abcXYZ019_-", min_size=1, max_size=12).map(str.encode)
_PIECES = (
    b"<", b">", b'"', b"'", b"/", b"&", b"&#35;", b" ", b"\n", b"\x00", b"=", b"#", b"ds:", b"<!--x-->", b"<?x?>",
    b"]]>", b' Id="x"', b'<ds:Reference URI="#x">', b"</ds:Reference>", b"<ds:DigestValue>", b"A", b"sha256", b"(",
    b"\xc3\xa9",
)  # fmt: skip


def test_what_our_signer_writes_is_read_so() -> None:
    signed_info = make_signed().part.signed_info
    references = read_references(signed_info)
    assert references is not None
    assert list(references.digests) == ["id-Timestamp", "id-To", "id-Action", "id-MessageID", "id-Body"]
    assert read_signed_info(signed_info) == parse_signed_info(signed_info)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_ID, st.binary(min_size=32, max_size=32).map(b64encode)), min_size=1, max_size=8))
def test_what_is_written_is_what_the_strict_reader_reads(references: list[tuple[bytes, bytes]]) -> None:
    data = write_references(references)
    if len({name for name, _ in references}) < len(references):
        assert read_references(data) is None
        with pytest.raises(SoapSignatureError, match="reference_repeated"):
            read_signed_info(data)
        return
    assert read_references(data) is not None
    assert read_signed_info(data) == parse_signed_info(data)


#: As libxmlsec1 writes it: a line for each element.
LINES = re.sub(rb"(?<=>)(?=<(?!/ds:(Canon|Signature|Transform>|DigestM)))", b"\n", PLAIN)


def under(prefix: bytes, data: bytes = PLAIN) -> bytes:
    """The same under another prefix; none of them is the default namespace."""
    return data.replace(b"ds:", prefix + b":" if prefix else b"").replace(
        b"xmlns:ds", b"xmlns:" + prefix if prefix else b"xmlns"
    )


@pytest.mark.parametrize("method", [n.ECDSA_SHA256, n.RSA_SHA256])
@pytest.mark.parametrize("prefix", [b"", b"ds", b"dsig", b"ns-1_a", b"N" * 8])
@pytest.mark.parametrize("form", [PLAIN, LINES], ids=["ours", "xmlsec"])
def test_the_plainest_forms_under_any_prefix_are_read_so(form: bytes, prefix: bytes, method: str) -> None:
    data = under(prefix, form).replace(n.ECDSA_SHA256.encode(), method.encode())
    read = read_references(data)
    assert read is not None
    assert read.method == method
    assert read_signed_info(data) == parse_signed_info(data)


@pytest.mark.parametrize("prefix", [b"xmlns", b"xml", b"N" * 9, b"1a", "é".encode(), b"a:b"])
def test_a_prefix_that_is_none_or_is_rare_is_not_read_so(prefix: bytes) -> None:
    assert read_references(under(prefix)) is None


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([PLAIN, LINES, under(b""), under(b"dsig", LINES)]),
    st.integers(0, len(PLAIN)),
    st.integers(0, 40),
    st.sampled_from(_PIECES) | st.binary(max_size=2),
)
def test_whatever_is_changed_the_strict_reader_says_the_same(plain: bytes, at: int, cut: int, new: bytes) -> None:
    data = plain[:at] + new + plain[at + cut :]
    if read_references(data) is not None:
        assert read_signed_info(data) == parse_signed_info(data)


_OTHERS = {
    "another_method": (n.ECDSA_SHA256, n.ECDSA_SHA256.replace("256", "1")),
    "another_transform": (f'Transform Algorithm="{n.EXCLUSIVE_C14N}"', 'Transform Algorithm="urn:x"'),
    "another_digest_method": (n.SHA256, n.SHA256.replace("256", "1")),
    "another_namespace": (n.DS, "urn:x"),
    "an_attribute": ('URI="#id-To"', 'URI="#id-To" Id="x"'),
    "a_comment": ("</ds:Transforms>", "<!--x--></ds:Transforms>"),
    "a_line_break": ("<ds:Reference", "\n<ds:Reference"),
    "a_second_element": ("</ds:SignedInfo>", "</ds:SignedInfo><ds:SignedInfo></ds:SignedInfo>"),
    "a_parameter": ("</ds:SignatureMethod>", "<ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>"),
    "a_name_with_more": ("#id-To", "#id-To&quot;"),
    "an_empty_name": ("#id-To", "#"),
    "loose_base64": (digest("a").decode()[-2:], digest("a").decode()[-2:].replace("s=", "t=")),
}


@pytest.mark.parametrize("case", _OTHERS)
def test_no_other_form_is_read_so(case: str) -> None:
    old, new = _OTHERS[case]
    data = PLAIN.decode().replace(old, new).encode()
    assert data != PLAIN
    assert read_references(data) is None


def test_neither_is_one_of_none_or_of_too_many_or_with_a_name_too_long() -> None:
    assert read_references(write_references([])) is None
    assert read_references(write_references([(b"n" * 129, digest("a"))])) is None
    assert read_references(write_references([(b"n" * 128, digest("a"))])) is not None
    most = [(f"id-{number}".encode(), digest("a")) for number in range(65)]
    assert read_references(write_references(most)) is None
    assert read_references(write_references(most[:64])) is not None


def test_the_largest_is_one_that_the_strict_reader_reads() -> None:
    data = under(b"N" * 8, write_references([(f"{number:0128}".encode(), digest("a")) for number in range(64)]))
    assert read_references(data) is not None
    assert read_signed_info(data) == parse_signed_info(data)
