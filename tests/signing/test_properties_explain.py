"""Whatever somebody saved: explained, or refused as no request; never a parser's own exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.signing.compare import compare_bases
from gateway.signing.explain import Explainer, NamedCertificate
from gateway.signing.saved import SavedRequestError, parse_saved
from tests.signing.explained import NOW, ORIGIN, draft, raw

if TYPE_CHECKING:
    from certs.authority import Issued


@pytest.fixture(scope="module")
def key() -> Issued:
    return DevAuthority("ministry", NOW.replace(microsecond=0)).issue(Profile.SIGNING, ["ministry.passerelle.test"])


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda data: b"POST /v1/echo HTTP/1.1\r\n" + data))
def test_any_bytes_are_a_request_or_none(content: bytes) -> None:
    try:
        saved = parse_saved(content)
    except SavedRequestError:
        return
    assert saved.method
    assert saved.body in content


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 900), byte=st.integers(0, 255))
def test_one_byte_changed_holds_only_where_nothing_signed_changed(key: Issued, at: int, byte: int) -> None:
    request = draft(key).signed()
    content = bytearray(raw(request))
    content[at % len(content)] = byte
    try:
        saved = parse_saved(bytes(content))
    except SavedRequestError:
        return
    found = Explainer(ORIGIN, [NamedCertificate("key", key.der)], NOW, arrived=True).explain(saved)
    if found.holds:
        assert (found.base, saved.body) == (request.base, request.body)
    else:
        assert found.troubles


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_two_bases_are_compared(ours: bytes, theirs: bytes) -> None:
    found = compare_bases(ours, theirs) if ours.isascii() else None
    assert (found is None) == (ours == theirs or not ours.isascii())
