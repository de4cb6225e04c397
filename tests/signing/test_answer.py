"""The answer's one signature: bound to its request (S2), and to no digest of one whose salt is unproven (C6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.client.verifier import PROBLEM, AnswerError, AnswerVerifier
from gateway.model import AnswerToSign, Content
from gateway.signing.answer import RestSigning
from gateway.signing.answer_key import AnswerKey
from gateway.signing.digest import content_digest
from gateway.signing.structured import parse_dictionary
from tests.adapters.fakes import MemoryKeystore, ShiftedClock, prove
from tests.signing.conftest import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.client.signer import SignedRequest
    from tests.signing.conftest import Bench

BODY = b'{"message":"bonjour"}'


def answered(
    bench: Bench, request: SignedRequest, status: int = 200, *, proven: bool = True, recorded: bool = True
) -> dict[str, str]:
    """The headers of an answer with BODY."""
    received = bench.received(request)
    signing = RestSigning(bench.verifier, AnswerKey(MemoryKeystore(bench.other), prove), ORIGIN, ShiftedClock())
    content = Content(status, "application/json" if status == 200 else PROBLEM, BODY)
    answer = AnswerToSign(
        content,
        signing.content_digest(received, content),
        "b3b9a6a0-7a5c-4a7e-8f59-0d9d3f6d0f0e",
        "leaf" if recorded else None,
        "2026-11-22T12:00:10Z" if recorded else None,
        received,
        bench.verify(request) if proven else None,
    )
    released = signing.sign_answer(answer).released
    assert (released.status, released.body) == (status, BODY)
    headers = {name.lower(): value for name, value in released.headers}
    assert headers["signature"].startswith("answer=:")
    return headers


def verify(bench: Bench, request: SignedRequest, status: int, headers: Mapping[str, str], body: bytes = BODY) -> bool:
    return AnswerVerifier(bench.other.der, ORIGIN).verify(request, status, headers, body).bound


def covered(headers: Mapping[str, str]) -> str:
    assert "answer" in parse_dictionary(headers["signature-input"])
    return headers["signature-input"].partition(")")[0]


def test_an_answer_covers_what_s2_names(bench: Bench) -> None:
    request = bench.draft.signed()
    headers = answered(bench, request)
    assert covered(headers) == (
        'answer=("@status" "content-digest" "exchange-id" "ledger-leaf" "ledger-by" "@method";req "@target-uri";req '
        '"content-digest";req "signature";req;key="sig1" "signature-input";req;key="sig1"'
    )
    assert verify(bench, request, 200, headers) is True


@pytest.mark.parametrize("status", [400, 503])
def test_an_answer_to_an_unproven_salt_covers_no_digest_of_the_request(bench: Bench, status: int) -> None:
    request = bench.draft.signed()
    headers = answered(bench, request, status, proven=False)
    assert covered(headers) == (
        'answer=("@status" "content-digest" "exchange-id" "ledger-leaf" "ledger-by" '
        '"@method";req "signature-input";req;key="sig1"'
    )
    assert verify(bench, request, status, headers) is False


def test_a_signature_input_that_is_not_strictly_valid_is_not_repeated(bench: Bench) -> None:
    request = bench.draft.but(without=("nonce",)).signed()
    headers = answered(bench, request, 400, proven=False)
    assert "signature-input" not in covered(headers).partition("(")[2]


def test_a_client_takes_an_unbound_answer_for_problems_only(bench: Bench) -> None:
    request = bench.draft.signed()
    with pytest.raises(AnswerError, match="answer_lacks"):
        verify(bench, request, 200, answered(bench, request, proven=False))


def test_an_answer_without_a_leaf_is_a_503_problem_or_nothing(bench: Bench) -> None:
    request = bench.draft.signed()
    assert verify(bench, request, 503, answered(bench, request, 503, recorded=False)) is True
    for status in (200, 400):
        with pytest.raises(AnswerError, match="ledger-leaf"):
            verify(bench, request, status, answered(bench, request, status, recorded=False))


def _without(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda headers: {key: value for key, value in headers.items() if key != name}


def _with(name: str, value: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda headers: headers | {name: value}


_SPOILT: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "unsigned": _without("signature"),
    "signature_unreadable": _with("signature", "answer=("),
    "signature_of_another_label": _with("signature", "other=:AAAA:"),
    "another_leaf": _with("ledger-leaf", "other"),
    "leaf_removed": _without("ledger-leaf"),
    "another_promise": _with("ledger-by", "2027-11-22T12:00:10Z"),
    "another_exchange_id": _with("exchange-id", "other"),
    "another_digest": _with("content-digest", content_digest(b"{}")),
    "tag_of_another_profile": lambda headers: (
        headers | {"signature-input": headers["signature-input"].replace("passerelle", "other")}
    ),
    "status_not_covered": lambda headers: (
        headers | {"signature-input": headers["signature-input"].replace('"@status" ', "")}
    ),
    "covers_what_nobody_can_know": lambda headers: (
        headers | {"signature-input": headers["signature-input"].replace('"@status"', '"@status" "x-secret"')}
    ),
}


@pytest.mark.parametrize("attack", _SPOILT)
def test_a_spoilt_answer_is_refused(bench: Bench, attack: str) -> None:
    request = bench.draft.signed()
    headers = answered(bench, request)
    assert verify(bench, request, 200, headers) is True
    with pytest.raises(AnswerError):
        verify(bench, request, 200, _SPOILT[attack](headers))


@pytest.mark.parametrize("attack", ["answer_bound_to_another_request", "other_target", "other_method", "other_status"])
def test_answer_bound_to_another_request(bench: Bench, attack: str) -> None:
    request = bench.draft.signed()
    headers = answered(bench, request)
    asked = {
        "answer_bound_to_another_request": bench.draft.signed(),
        "other_target": replace(request, target="/v1/other"),
        "other_method": replace(request, method="PUT"),
    }.get(attack, request)
    with pytest.raises(AnswerError):
        verify(bench, asked, 201 if attack == "other_status" else 200, headers)


def test_a_body_that_was_not_signed(bench: Bench) -> None:
    request = bench.draft.signed()
    with pytest.raises(AnswerError, match="body"):
        verify(bench, request, 200, answered(bench, request), BODY + b" ")


def test_an_answer_of_another_key(bench: Bench) -> None:
    request = bench.draft.signed()
    with pytest.raises(AnswerError, match="key"):
        AnswerVerifier(bench.keys["ecdsa-p256-sha256"].der, ORIGIN).verify(request, 200, answered(bench, request), BODY)
