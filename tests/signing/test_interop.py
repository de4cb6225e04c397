"""A second implementation of RFC 9421 agrees with ours, both ways: in memory, then with a real gateway."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from http_message_signatures import InvalidSignature

from gateway.errors import Code
from gateway.identity.parties import keyid
from gateway.model import AnswerToSign, Content
from gateway.signing.answer import RestSigning
from gateway.signing.answer_key import AnswerKey
from gateway.system import SystemClock
from tests.adapters.fakes import MemoryKeystore, prove
from tests.exchange.live import read_issued
from tests.signing import foreign
from tests.signing.conftest import ORIGIN

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway
    from tests.signing.conftest import Bench

BODY = b'{"message":"from elsewhere"}'
TERMS = {"exchange_agreement": "ESSAI-MIN", "exchange_purpose": "essai"}


@pytest.mark.parametrize("algorithm", foreign.ALGORITHMS)
def test_what_the_library_signs_we_accept(bench: Bench, algorithm: str) -> None:
    request = foreign.sign(bench.keys[algorithm], algorithm, ORIGIN, "/v1/echo", BODY, **TERMS)
    now = SystemClock().now()
    assert bench.verify(request, at=now).signature.algorithm == algorithm
    assert bench.refusal(request, at=now, body=b"{}").code is Code.DIGEST_MISMATCH


def test_what_we_sign_the_library_accepts_with_its_request(bench: Bench) -> None:
    request = bench.draft.but(created=int(SystemClock().now().timestamp())).signed()
    verified = bench.verify(request, at=SystemClock().now())
    signing = RestSigning(bench.verifier, AnswerKey(MemoryKeystore(bench.other), prove), ORIGIN, SystemClock())
    content = Content(200, "application/json", b"{}")
    digest = signing.content_digest(verified.received, content)
    answer = AnswerToSign(content, digest, "id", "leaf", "2026-11-22T12:00:00Z", verified.received, verified)
    headers = {name.lower(): value for name, value in signing.sign_answer(answer).released.headers}
    covered = foreign.verify(bench.other, ORIGIN, request, 200, headers, b"{}")
    assert covered['"signature";req;key="sig1"'] == request.headers["signature"].removeprefix("sig1=")
    assert covered['"@target-uri";req'] == ORIGIN + "/v1/echo"
    for spoilt in (replace(request, target="/v1/other"), replace(request, method="GET")):
        with pytest.raises(InvalidSignature):
            foreign.verify(bench.other, ORIGIN, spoilt, 200, headers, b"{}")


@pytest.mark.parametrize("algorithm", foreign.ALGORITHMS)
def test_the_library_and_a_real_gateway_understand_each_other(live: LiveGateway, algorithm: str) -> None:
    key = live.more.get(algorithm) or live.signing("ministry")
    request = foreign.sign(key, algorithm, live.origin, "/v1/echo", BODY, **TERMS)
    shown = live.exchange(request)
    assert shown.status == 200
    assert json.loads(shown.body) == json.loads(BODY)
    gateway = read_issued(live.keys / "signing")
    covered = foreign.verify(gateway, live.origin, request, shown.status, shown.headers, shown.body)
    assert {'"@status"', '"ledger-leaf"', '"content-digest";req', '"signature-input";req;key="sig1"'} <= set(covered)
    assert keyid(gateway.der) in covered['"@signature-params"']
    with pytest.raises(InvalidSignature):
        foreign.verify(gateway, live.origin, request, 201, shown.headers, shown.body)
    with pytest.raises(InvalidSignature):
        foreign.verify(gateway, live.origin, request, shown.status, shown.headers, shown.body + b" ")
