"""An upstream's signed REST answer, and every way in which it is not the answer to our request (S2)."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from certs.profiles import Profile
from gateway.errors import Code, Refusal
from gateway.model import RestPart, Signer
from gateway.signing.answer import keyid_of
from gateway.signing.base import lines, parse_base
from gateway.signing.digest import content_digest
from gateway.signing.outgoing import LABEL, RequestSigner
from gateway.signing.upstream_answer import UpstreamAnswerVerifier, UpstreamRefusedError
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, SystemRandomness, prove

if TYPE_CHECKING:
    from collections.abc import Callable

GATEWAY = Organisation("passerelle", Profile.TLS_CLIENT)
THEM = Organisation("them", Profile.TLS_SERVER)
CLOCK = ShiftedClock()
BODY = b'{"waiting":12}'
Pairs = list[tuple[str, str]]


def asked() -> RestPart:
    signer = RequestSigner(MemoryKeystore(GATEWAY.signing), CLOCK, SystemRandomness(), "https://them.test")
    signed = signer.sign("POST", "/v1/x", b"{}", agreement="ENT-1", purpose="essai")
    key = prove(GATEWAY.signing.der)
    return RestPart(signed.base, signed.signature, LABEL, signed.parameters, "ecdsa-p256-sha256", key)


def signer(keyid: str) -> Signer:
    if keyid != keyid_of(prove(THEM.signing.der).sha256):
        raise Refusal(Code.KEY_UNKNOWN)
    return Signer("them", THEM.signing.der, THEM.vet(THEM.signing.der))


def said(request: RestPart, change: Callable[[Pairs], Pairs] = list, more: str = "", **how: Any) -> dict[str, str]:
    """The headers of an answer, right in all that a test does not say otherwise."""
    values, _ = parse_base(request.base)
    digest = content_digest(BODY)
    pairs = change(
        [
            ('"@status"', "200"),
            ('"content-digest"', digest),
            ('"@method";req', "POST"),
            ('"@target-uri";req', values['"@target-uri"']),
            ('"content-digest";req', values['"content-digest"']),
            ('"signature";req;key="sig1"', f":{b64encode(request.signature).decode()}:"),
            ('"signature-input";req;key="sig1"', request.parameters),
        ]
    )
    by = how.get("by", THEM)
    created = int(CLOCK.now().timestamp()) + how.get("shift", 0)
    keyid = keyid_of(prove(how.get("named", by).signing.der).sha256)
    names = " ".join(name for name, _ in pairs)
    parameters = f'({names});created={created};keyid="{keyid}";tag="{how.get("tag", "passerelle")}"{more}'
    value = b64encode(MemoryKeystore(by.signing).sign("signing", lines(pairs, parameters))).decode()
    return {"content-digest": digest, "signature-input": f"a={parameters}", "signature": f"a=:{value}:"}


def verified(request: RestPart, headers: dict[str, str], status: int = 200, body: bytes = BODY) -> RestPart:
    return UpstreamAnswerVerifier(signer, CLOCK).verify(request, status, headers, body)


def test_a_sound_answer_is_taken_and_its_base_kept() -> None:
    request = asked()
    part = verified(request, said(request))
    assert part.base.startswith(b'"@status": 200\n')
    assert part.key == THEM.vet(THEM.signing.der)


def test_it_may_cover_its_content_type_and_name_its_algorithm() -> None:
    request = asked()
    headers = said(request, lambda pairs: [*pairs, ('"content-type"', "application/json")], ';alg="ecdsa-p256-sha256"')
    assert verified(request, headers | {"content-type": "application/json"}).algorithm == "ecdsa-p256-sha256"


@pytest.mark.parametrize("missing", range(7))
def test_what_it_must_cover(missing: int) -> None:
    request = asked()
    headers = said(request, lambda pairs: [pair for number, pair in enumerate(pairs) if number != missing])
    with pytest.raises(UpstreamRefusedError, match="not_covered"):
        verified(request, headers)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"shift": -400}, "created_out_of_window"),
        ({"shift": 100}, "created_out_of_window"),
        ({"tag": "other"}, "not_signed"),
        ({"more": ";expires=1"}, "signature_malformed"),
        ({"more": ';alg="hmac-sha256"'}, "signature_invalid"),
        ({"by": GATEWAY, "named": THEM}, "signature_invalid"),
        ({"change": lambda pairs: [*pairs, ('"x-name"', "a")]}, "covers_unknown"),
        ({"change": lambda pairs: [*pairs, pairs[0]]}, "covers_unknown"),
    ],
)
def test_refused(how: dict[str, Any], reason: str) -> None:
    request = asked()
    with pytest.raises(UpstreamRefusedError, match=reason):
        verified(request, said(request, **how))


def test_answer_to_another_request() -> None:
    with pytest.raises(UpstreamRefusedError, match="signature_invalid"):
        verified(asked(), said(asked()))


def test_status_or_body_replaced() -> None:
    request = asked()
    with pytest.raises(UpstreamRefusedError, match="signature_invalid"):
        verified(request, said(request), status=201)
    with pytest.raises(UpstreamRefusedError, match="digest_mismatch"):
        verified(request, said(request), body=BODY + b" ")


def test_key_of_somebody_else() -> None:
    request = asked()
    with pytest.raises(Refusal):
        verified(request, said(request, by=GATEWAY))


@pytest.mark.parametrize(
    "headers", [{}, {"signature": "a=:AAAA:"}, {"signature-input": "a=1", "signature": "a=:AA==:"}]
)
def test_no_signature_at_all(headers: dict[str, str]) -> None:
    with pytest.raises(UpstreamRefusedError, match="not_signed"):
        verified(asked(), {"content-digest": content_digest(BODY), **headers})


def test_two_signatures_are_none() -> None:
    request = asked()
    one = said(request)
    twice = {
        name: f"{value}, {value.replace('a=', 'b=', 1)}" for name, value in one.items() if name != "content-digest"
    }
    with pytest.raises(UpstreamRefusedError, match="not_signed"):
        verified(request, one | twice)
