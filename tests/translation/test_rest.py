"""Step 3: bytes to a canonical message, salt and identifier first."""

from __future__ import annotations

import json
import pickle
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.loader import load_contracts
from gateway.errors import Code, Refusal
from gateway.model import CertificateProof, Grant, Message, Nirec, Party, Received, RequestSignature, VerifiedRequest
from gateway.translation.salt import decode_salt
from gateway.translation.translation import Translation
from tests.adapters.fakes import ShiftedClock, SystemRandomness
from tests.signing.drafts import fresh_salt

PROOF = CertificateProof("00" * 32, (), ())
NIREC = "1234567890123"


@pytest.fixture(scope="module")
def translation() -> Translation:
    contracts = load_contracts(Path(__file__).parents[2] / "contracts")
    return Translation(contracts, SystemRandomness(), r"\d{13}")


def verified(body: bytes, *, nonce: str = "n" * 24, **changes: Any) -> VerifiedRequest:
    headers = {
        "content-type": "application/json",
        "exchange-agreement": "ENT-2026-02",
        "exchange-purpose": "admissibilite",
    }
    given: dict[str, Any] = {"method": "POST", "target": "/v1/nirec/verifications"} | changes
    headers |= given.pop("headers", {})
    received = Received(
        exchange_id=UUID(int=4), headers=headers, body=body, tls_certificate=b"", at=ShiftedClock().now(), **given
    )
    signature = RequestSignature("sig1", "", b"", b"", "ed25519", nonce, 0, PROOF)
    return VerifiedRequest(Party("ministry", PROOF), received, signature, None)


def fields(**changes: Any) -> bytes:
    given = {"nirec": NIREC, "family_name": "Tremblay", "given_names": "Zoé", "birth_date": "2024-02-29"}
    data = {name: value for name, value in (given | {"salt": fresh_salt()} | changes).items() if value is not None}
    return json.dumps(data).encode()


def refusal(translation: Translation, request: VerifiedRequest) -> Refusal:
    with pytest.raises(Refusal) as refused:
        translation.translate_in(request)
    assert NIREC not in str(refused.value)
    return refused.value


def test_a_message_holds_its_identifier_masked_and_its_salt_apart(translation: Translation) -> None:
    salt = fresh_salt()
    message = translation.translate_in(verified(fields(salt=salt)))
    assert message.salt == b64decode(salt)
    assert "salt" not in message.fields
    nirec = message.fields["nirec"]
    assert isinstance(nirec, Nirec)
    assert nirec.reveal() == NIREC
    assert NIREC not in repr(message)
    assert (message.agreement, message.purpose, message.upstream) == ("ENT-2026-02", "admissibilite", "civil-registry")
    assert message.disclosable == {"outcome", "handle"}


def test_a_nirec_shows_itself_nowhere() -> None:
    nirec = Nirec(NIREC)
    for text in (repr(nirec), str(nirec), f"{nirec}", f"{nirec:>20}", f"{nirec!r}", "%s" % nirec, repr([nirec])):  # noqa: UP031  every way to show it
        assert NIREC not in text
        assert "NIREC(•••)" in text
    with pytest.raises(TypeError):
        pickle.dumps(nirec)
    with pytest.raises(TypeError):
        json.dumps({"nirec": nirec})


@pytest.mark.parametrize(
    ("changes", "code", "component"),
    [
        ({"target": "/v1/nirec/verifications/"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/v1/nirec/verifications?nirec=1"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/v1/nirec%2fverifications"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/v1/x/%2e%2e/nirec/verifications"}, Code.OPERATION_UNKNOWN, None),
        ({"method": "PUT"}, Code.METHOD_NOT_ALLOWED, None),
        ({"headers": {"content-type": "text/plain"}}, Code.MEDIA_TYPE_UNSUPPORTED, "content-type"),
        ({"headers": {"content-type": ""}}, Code.MEDIA_TYPE_UNSUPPORTED, "content-type"),
        ({"headers": {"exchange-agreement": "a/b"}}, Code.FIELD_INVALID, "exchange-agreement"),
        ({"headers": {"exchange-purpose": "a" * 64}}, Code.FIELD_INVALID, "exchange-purpose"),
    ],
    ids=[
        "trailing_slash", "query", "encoded_slash", "encoded_traversal", "method", "media_type", "no_media_type",
        "agreement_no_word", "purpose_too_long",
    ],
)  # fmt: skip
def test_a_request_that_is_no_operation(
    translation: Translation, changes: dict[str, Any], code: Code, component: str | None
) -> None:
    found = refusal(translation, verified(fields(), **changes))
    assert (found.code, found.component) == (code, component)


@pytest.mark.parametrize(
    ("changes", "component"),
    [
        ({"nirec": "12"}, "nirec"),
        ({"nirec": int(NIREC)}, "nirec"),
        ({"nirec": None}, "nirec"),
        ({"nirec": f"{NIREC}\n"}, "nirec"),
        ({"birth_date": "29-02-2024"}, "birth_date"),
        ({"birth_date": "2023-02-29"}, "birth_date"),
        ({"family_name": "x" * 121}, "family_name"),
        ({"given_names": None}, "given_names"),
        ({"given_names": {"a": NIREC}}, "given_names"),
        ({NIREC: "x"}, "unknown field"),
    ],
)
def test_a_field_that_breaks_the_contract(translation: Translation, changes: dict[str, Any], component: str) -> None:
    found = refusal(translation, verified(fields(**changes)))
    assert (found.code, found.component) == (Code.FIELD_INVALID, component)


def test_a_pattern_stricter_than_the_contracts(translation: Translation) -> None:
    contracts = load_contracts(Path(__file__).parents[2] / "contracts")
    strict = Translation(contracts, SystemRandomness(), r"9\d{12}")
    assert refusal(strict, verified(fields())).component == "nirec"
    assert translation.translate_in(verified(fields())).fields["family_name"] == "Tremblay"


def test_a_body_past_the_contracts_limit(translation: Translation) -> None:
    assert refusal(translation, verified(fields(family_name="x" * 66_000))).code is Code.BODY_TOO_LARGE


def test_an_operation_of_public_fields_needs_no_salt_and_takes_none(translation: Translation) -> None:
    assert translation.translate_in(verified(b'{"message":"a"}', target="/v1/echo")).salt is None
    found = refusal(translation, verified(b'{"message":"a","salt":"x"}', target="/v1/echo"))
    assert (found.code, found.component) == (Code.FIELD_INVALID, "unknown field")


RIGHT = bytes(range(16))


@pytest.mark.parametrize(
    "text",
    [
        "",
        b64encode(RIGHT[:15]).decode(),
        b64encode(bytes(16)).decode(),
        b64encode(b"\xff" * 32).decode(),
        b64encode(bytes(range(65))).decode(),
        b64encode(RIGHT).decode().rstrip("="),
        b64encode(RIGHT).decode() + "\n",
        b64encode(RIGHT).decode().replace("w==", "x=="),
        "é" * 24,
        RIGHT.hex() + "!",
    ],
    ids=[
        "empty", "short", "all_zero", "all_the_same", "long", "no_padding", "line_feed", "loose_bits", "not_ascii",
        "no_base64",
    ],
)  # fmt: skip
def test_salt_is_128_bits_in_strict_base64(text: str) -> None:
    assert decode_salt(b64encode(RIGHT).decode(), "nonce") == RIGHT
    with pytest.raises(Refusal) as refused:
        decode_salt(text, "nonce")
    assert (refused.value.code, refused.value.component) == (Code.SALT_INVALID, "salt")


_BYTES = bytes.fromhex("fbefbefbefbefbefbefbefbefbefbefb")


@pytest.mark.parametrize(
    "nonce",
    [
        b64encode(_BYTES).decode(),
        b64encode(_BYTES).decode().rstrip("="),
        b64encode(_BYTES, altchars=b"-_").decode(),
        b64encode(_BYTES, altchars=b"-_").decode().rstrip("="),
        _BYTES.hex(),
        _BYTES.hex().upper(),
    ],
)
def test_salt_equal_to_the_nonce_in_any_spelling(nonce: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode_salt(b64encode(_BYTES).decode(), nonce)
    assert refused.value.code is Code.SALT_INVALID


def grant(message: Message) -> Grant:
    return Grant(message, "a", "p", frozenset({"outcome"}), tells_not_found=True, policy_sha256="00")


def test_an_answer_has_a_fresh_salt_and_only_what_the_contract_knows(translation: Translation) -> None:
    message = translation.translate_in(verified(fields()))
    answers = [json.loads(translation.translate_out(grant(message), {"outcome": "confirmed"})) for _ in range(2)]
    assert answers[0]["outcome"] == "confirmed"
    assert answers[0]["salt"] != answers[1]["salt"]
    assert len(b64decode(answers[0]["salt"])) == 16


@pytest.mark.parametrize("answer", [{}, {"outcome": "maybe"}, {"outcome": "confirmed", "nirec": NIREC}, {"outcome": 1}])
def test_an_answer_that_would_break_our_own_contract(translation: Translation, answer: dict[str, object]) -> None:
    message = translation.translate_in(verified(fields()))
    with pytest.raises(Refusal) as refused:
        translation.translate_out(grant(replace(message)), answer)
    assert refused.value.code is Code.UPSTREAM_MALFORMED
