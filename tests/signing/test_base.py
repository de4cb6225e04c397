"""The signature base, made and read again; RFC 9421's own vectors."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.signing.base import component, lines, parse_base
from gateway.signing.structured import MalformedFieldError, serialise
from tests.signing.conftest import ORIGIN, Bench


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("@method", "POST"),
        ("@target-uri", "https://passerelle.test/v1/echo?a=%2F"),
        ("@authority", "passerelle.test"),
        ("@scheme", "https"),
        ("@request-target", "/v1/echo?a=%2F"),
        ("@path", "/v1/echo"),
        ("@query", "?a=%2F"),
        ("exchange-purpose", "essai"),
        ("@unknown", None),
        ("accept", None),
    ],
)
def test_component_values_come_from_the_raw_target_and_our_origin(bench: Bench, name: str, value: str | None) -> None:
    received = bench.received(bench.draft.signed(), target="/v1/echo?a=%2F")
    assert component(received, ORIGIN, name) == value


def test_an_absent_query_is_a_question_mark(bench: Bench) -> None:
    # RFC 9421, section 2.2.7
    assert component(bench.received(bench.draft.signed()), ORIGIN, "@query") == "?"


def test_a_base_is_read_as_it_was_written(bench: Bench) -> None:
    request = bench.draft.signed()
    found, member = parse_base(request.base)
    assert serialise(member) == request.parameters
    assert found['"@method"'] == "POST"


_GOOD = lines([('"@method"', "POST"), ('"@path"', "/")], '("@method" "@path");created=1')


@pytest.mark.parametrize(
    "base",
    [
        _GOOD.replace(b'"@path": /\n', b""),
        _GOOD.replace(b'"@path": /', b'"@path": /\n"@path": /'),
        _GOOD.replace(b"POST", "PÖST".encode()),
        _GOOD + b"\n",
        _GOOD.replace(b";created=1", b"; created=1"),
        _GOOD.replace(b'("@method" "@path");created=1', b"1"),
        _GOOD.replace(b'"@signature-params"', b'"@signature"'),
        lines([('"@method"', "a"), ('"@method"', "b")], '("@method" "@method")'),
        b"",
    ],
    ids=[
        "line_missing", "line_repeated", "not_ascii", "line_after", "other_form", "no_list", "no_parameters",
        "component_repeated", "empty",
    ],
)  # fmt: skip
def test_a_base_that_is_not_what_its_parameters_name_is_refused(base: bytes) -> None:
    assert parse_base(_GOOD)[0] == {'"@method"': "POST", '"@path"': "/"}
    with pytest.raises(MalformedFieldError):
        parse_base(base)


def test_rfc_9421_ed25519_vector() -> None:
    # RFC 9421, section B.2.6 over the request of B.2, key test-key-ed25519 of B.1.4
    key = load_pem_public_key(
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n"
        b"-----END PUBLIC KEY-----\n"
    )
    parameters = '("date" "@method" "@path" "@authority" "content-type" "content-length")'
    parameters += ';created=1618884473;keyid="test-key-ed25519"'
    base = lines(
        [
            ('"date"', "Tue, 20 Apr 2021 02:07:55 GMT"),
            ('"@method"', "POST"),
            ('"@path"', "/foo"),
            ('"@authority"', "example.com"),
            ('"content-type"', "application/json"),
            ('"content-length"', "18"),
        ],
        parameters,
    )
    signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    key.verify(b64decode(signature), base)  # type: ignore[union-attr,call-arg]  # an Ed25519 key, as the RFC says
    assert serialise(parse_base(base)[1]) == parameters
