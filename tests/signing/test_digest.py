"""Content-Digest (RFC 9530) over the body as received."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha512

import pytest

from gateway.signing.digest import content_digest, digest_holds

BODY = b'{"hello": "world"}'
SHA512 = f"sha-512=:{b64encode(sha512(BODY).digest()).decode()}:"


def test_the_rfcs_example() -> None:
    # RFC 9530, appendix B.1, without its line feed; the value is that of RFC 9421, section B.2
    assert content_digest(BODY) == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"


@pytest.mark.parametrize("header", [content_digest(BODY), SHA512, f"{content_digest(BODY)}, {SHA512}"])
def test_every_digest_that_we_know_holds(header: str) -> None:
    assert digest_holds(header, BODY)
    assert not digest_holds(header, BODY + b" ")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha-256",
        "sha-256=1",
        "sha-256=(:AAAA:)",
        content_digest(BODY).replace("=:", ":"),
        content_digest(BODY).replace("sha-256", "md5"),
        f"{content_digest(BODY)}, md5=:AAAA:",
        f"{content_digest(BODY)}, {content_digest(b'')}",
        content_digest(BODY)[:-3] + ":",
    ],
    ids=[
        "empty", "no_value", "number", "list", "malformed", "unknown", "one_unknown_beside", "repeated", "loose_base64",
    ],
)  # fmt: skip
def test_what_is_no_digest_that_we_know_does_not_hold(header: str) -> None:
    assert not digest_holds(header, BODY)
