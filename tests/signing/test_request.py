"""Step 2: what a request's signature must cover, and each way to get round it (S1, section 10)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import Code
from gateway.identity.parties import keyid
from gateway.keys.raw import P256_ORDER
from gateway.signing.digest import content_digest
from tests.signing.drafts import COMPONENTS, fresh_nonce

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.client.signer import SignedRequest
    from tests.signing.conftest import Bench


@pytest.mark.parametrize("algorithm", ["ecdsa-p256-sha256", "ed25519", "rsa-pss-sha512"])
def test_a_right_signature_is_accepted_with_its_facts(bench: Bench, algorithm: str) -> None:
    request = bench.draft.but(key=bench.keys[algorithm]).signed()
    verified = bench.verify(request)
    assert verified.signature.algorithm == algorithm
    assert bench.signature(request).base == request.base
    assert verified.signature.value == request.signature
    assert verified.content_digest == request.headers["content-digest"]


def test_foreign_orders_of_components_and_parameters_are_accepted(bench: Bench) -> None:
    draft = bench.draft.but(components=(*reversed(COMPONENTS), "@authority", "@path"), label="their-own")
    request = draft.but(parameters={"expires": draft.created + 60, "alg": "ecdsa-p256-sha256"}).signed()
    assert bench.signature(request).label == "their-own"


def test_a_second_signature_with_another_tag_is_left_alone(bench: Bench) -> None:
    request = bench.draft.signed()
    headers = dict(request.headers)
    headers["signature-input"] = 'proxy=("@method");tag="other", ' + headers["signature-input"]
    headers["signature"] += ", proxy=:AAAA:"
    assert bench.signature(request, headers=headers).label == "sig1"


#: attack -> the draft's changes, the code, the component that the answer names
_DRAFTS: dict[str, tuple[dict[str, Any], Code, str | None]] = {
    "digest_present_but_not_covered": (
        {"components": tuple(name for name in COMPONENTS if name != "content-digest")},
        Code.COMPONENT_NOT_COVERED,
        "content-digest",
    ),
    "method_not_covered": ({"components": COMPONENTS[1:]}, Code.COMPONENT_NOT_COVERED, "@method"),
    "target_not_covered": (
        {"components": tuple(name for name in COMPONENTS if name != "@target-uri")},
        Code.COMPONENT_NOT_COVERED,
        "@target-uri",
    ),
    "path_instead_of_target_uri": (
        {"components": ("@path", *(name for name in COMPONENTS if name != "@target-uri"))},
        Code.COMPONENT_NOT_COVERED,
        "@target-uri",
    ),
    "agreement_not_covered": (
        {"components": tuple(name for name in COMPONENTS if name != "exchange-agreement")},
        Code.COMPONENT_NOT_COVERED,
        "exchange-agreement",
    ),
    "purpose_not_covered": (
        {"components": tuple(name for name in COMPONENTS if name != "exchange-purpose")},
        Code.COMPONENT_NOT_COVERED,
        "exchange-purpose",
    ),
    "content_type_not_covered": (
        {"components": tuple(name for name in COMPONENTS if name != "content-type")},
        Code.COMPONENT_NOT_COVERED,
        "content-type",
    ),
    "idempotency_key_not_covered": (
        {"headers": {"idempotency-key": "a"}},
        Code.COMPONENT_NOT_COVERED,
        "idempotency-key",
    ),
    "covered_header_that_is_absent": (
        {"components": (*COMPONENTS, "idempotency-key")},
        Code.SIGNATURE_INVALID,
        "idempotency-key",
    ),
    "repeated_component": (
        {"components": (*COMPONENTS, "@method")},
        Code.SIGNATURE_MALFORMED,
        "signature-input",
    ),
    "component_that_would_enter_evidence": (
        {"components": (*COMPONENTS, "cookie"), "headers": {"cookie": "session"}},
        Code.SIGNATURE_MALFORMED,
        "signature-input",
    ),
    "missing_nonce": ({"without": ("nonce",)}, Code.NONCE_INVALID, "nonce"),
    "short_nonce": ({"parameters": {"nonce": "A" * 21}}, Code.NONCE_INVALID, "nonce"),
    "nonce_that_is_a_number": ({"parameters": {"nonce": 7}}, Code.NONCE_INVALID, "nonce"),
    "missing_created": ({"without": ("created",)}, Code.SIGNATURE_MALFORMED, "created"),
    "created_that_is_a_flag": ({"parameters": {"created": True}}, Code.SIGNATURE_MALFORMED, "created"),
    "missing_keyid": ({"without": ("keyid",)}, Code.SIGNATURE_MALFORMED, "keyid"),
    "missing_tag": ({"without": ("tag",)}, Code.SIGNATURE_MISSING, "tag"),
    "tag_of_another_profile": ({"parameters": {"tag": "other"}}, Code.SIGNATURE_MISSING, "tag"),
    "unknown_parameter": ({"parameters": {"extra": "x"}}, Code.SIGNATURE_MALFORMED, "extra"),
    "unknown_key": ({"parameters": {"keyid": "A" * 43}}, Code.KEY_UNKNOWN, "keyid"),
    "algorithm_of_another_key": ({"parameters": {"alg": "hmac-sha256"}}, Code.KEY_REFUSED, "alg"),
    "digest_of_another_algorithm": (
        {"headers": {"content-digest": "md5=:AAAAAAAAAAAAAAAAAAAAAA==:"}},
        Code.DIGEST_MISMATCH,
        "content-digest",
    ),
}


@pytest.mark.parametrize("attack", _DRAFTS)
def test_refused_by_what_it_covers_or_says(bench: Bench, attack: str) -> None:
    changes, code, component = _DRAFTS[attack]
    refusal = bench.refusal(bench.draft.but(**changes).signed())
    assert (refusal.code, refusal.component) == (code, component)


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(-301, False), (-300, True), (30, True), (31, False)],
    ids=["created_too_old", "oldest", "newest", "created_in_the_future"],
)
def test_created_within_its_window(bench: Bench, seconds: int, accepted: bool) -> None:  # noqa: FBT001  a table's column
    request = bench.draft.but(created=bench.draft.created + seconds).signed()
    if accepted:
        assert bench.verify(request).signature.created == bench.draft.created + seconds
    else:
        refusal = bench.refusal(request)
        assert (refusal.code, refusal.component) == (Code.CREATED_OUT_OF_WINDOW, "created")


def test_expired_signature(bench: Bench) -> None:
    refusal = bench.refusal(bench.draft.but(parameters={"expires": bench.draft.created}).signed())
    assert (refusal.code, refusal.component) == (Code.CREATED_OUT_OF_WINDOW, "expires")


def _header(name: str, value: str | None) -> Callable[[SignedRequest], dict[str, object]]:
    def change(request: SignedRequest) -> dict[str, object]:
        headers = {key: text for key, text in request.headers.items() if key != name}
        return {"headers": headers if value is None else headers | {name: value}}

    return change


def _duplicate_label(request: SignedRequest) -> dict[str, object]:
    repeated = f"{request.headers['signature-input']}, {request.headers['signature-input']}"
    return {"headers": {**request.headers, "signature-input": repeated}}


def _two_of_ours(request: SignedRequest) -> dict[str, object]:
    repeated = f"{request.headers['signature-input']}, sig2={request.parameters}"
    return {"headers": {**request.headers, "signature-input": repeated}}


def _fake_signature(request: SignedRequest) -> dict[str, object]:
    value = bytearray(request.signature)
    value[-1] ^= 1
    return {"headers": {**request.headers, "signature": f"sig1=:{b64encode(bytes(value)).decode()}:"}}


def _der_signature(request: SignedRequest) -> dict[str, object]:
    return {"headers": {**request.headers, "signature": f"sig1=:{b64encode(b'0E' + request.signature).decode()}:"}}


def _other_body_with_its_digest(request: SignedRequest) -> dict[str, object]:
    body = b'{"message":"tampered"}'
    return {"body": body, "headers": {**request.headers, "content-digest": content_digest(body)}}


def _other_body_with_two_digests(request: SignedRequest) -> dict[str, object]:
    body = b'{"message":"tampered"}'
    sha512 = f"sha-512=:{b64encode(b'0' * 64).decode()}:"
    return {"body": body, "headers": {**request.headers, "content-digest": f"{content_digest(body)}, {sha512}"}}


#: attack -> what is changed after signing, the code, the component
_CHANGES: dict[str, tuple[Callable[[SignedRequest], dict[str, object]], Code, str | None]] = {
    "unsigned": (_header("signature", None), Code.SIGNATURE_MISSING, "signature"),
    "signature_input_missing": (_header("signature-input", None), Code.SIGNATURE_MISSING, "signature-input"),
    "signature_input_that_is_none": (_header("signature-input", "sig1=("), Code.SIGNATURE_MALFORMED, "signature-input"),
    "signature_input_that_is_an_item": (
        _header("signature-input", 'sig1="x";tag="passerelle"'),
        Code.SIGNATURE_MALFORMED,
        "signature",
    ),
    "signature_of_another_label": (_header("signature", "sig2=:AAAA:"), Code.SIGNATURE_MALFORMED, "signature"),
    "signature_that_is_text": (_header("signature", 'sig1="AAAA"'), Code.SIGNATURE_MALFORMED, "signature"),
    "signature_with_loose_base64": (_header("signature", "sig1=:AB==:"), Code.SIGNATURE_MALFORMED, "signature"),
    "duplicate_labels": (_duplicate_label, Code.SIGNATURE_MALFORMED, "signature-input"),
    "two_signatures_of_our_tag": (_two_of_ours, Code.SIGNATURE_MALFORMED, "tag"),
    "signature_by_nobody": (_fake_signature, Code.SIGNATURE_INVALID, "signature"),
    "signature_in_der": (_der_signature, Code.SIGNATURE_INVALID, "signature"),
    "digest_covered_but_body_differs": (
        lambda _: {"body": b'{"message":"tampered"}'},
        Code.DIGEST_MISMATCH,
        "content-digest",
    ),
    "body_and_digest_replaced": (_other_body_with_its_digest, Code.SIGNATURE_INVALID, "signature"),
    "one_of_two_digests_holds": (_other_body_with_two_digests, Code.DIGEST_MISMATCH, "content-digest"),
    "body_removed": (lambda _: {"body": b""}, Code.DIGEST_MISMATCH, "content-digest"),
    "digest_removed": (_header("content-digest", None), Code.COMPONENT_NOT_COVERED, "content-digest"),
    "method_replaced": (lambda _: {"method": "PUT"}, Code.SIGNATURE_INVALID, "signature"),
    "target_replaced": (lambda _: {"target": "/v1/echo2"}, Code.SIGNATURE_INVALID, "signature"),
    "target_encoded": (lambda _: {"target": "/v1/%65cho"}, Code.SIGNATURE_INVALID, "signature"),
    "query_added": (lambda _: {"target": "/v1/echo?"}, Code.SIGNATURE_INVALID, "signature"),
    "agreement_replaced": (_header("exchange-agreement", "ENT-2026-02"), Code.SIGNATURE_INVALID, "signature"),
    "purpose_replaced": (_header("exchange-purpose", "autre"), Code.SIGNATURE_INVALID, "signature"),
    "line_smuggled_into_a_field": (
        _header("exchange-purpose", 'essai\n"@method": GET'),
        Code.SIGNATURE_INVALID,
        "exchange-purpose",
    ),
    "field_not_ascii": (_header("exchange-purpose", "éssai"), Code.SIGNATURE_INVALID, "exchange-purpose"),
    "bearer_token": (_header("authorization", "Bearer x"), Code.AUTHORIZATION_REFUSED, "authorization"),
    "oversize_body": (lambda _: {"body": b"", "oversize": True}, Code.BODY_TOO_LARGE, None),
}


@pytest.mark.parametrize("attack", _CHANGES)
def test_refused_when_changed_after_signing(bench: Bench, attack: str) -> None:
    change, code, component = _CHANGES[attack]
    request = bench.draft.signed()
    refusal = bench.refusal(request, **change(request))
    assert (refusal.code, refusal.component) == (code, component)


def test_keyid_of_another_party(bench: Bench) -> None:
    refusal = bench.refusal(bench.draft.but(key=bench.other).signed())
    assert (refusal.code, refusal.component) == (Code.KEY_OF_ANOTHER_PARTY, "keyid")


@pytest.mark.parametrize("key", ["rsa-2048", "secp384r1"])
def test_keys_that_have_no_place_here(bench: Bench, key: str) -> None:
    refusal = bench.refusal(bench.draft.but(parameters={"keyid": keyid(bench.keys[key].der)}).signed())
    assert (refusal.code, refusal.component) == (Code.KEY_REFUSED, "alg")


def test_a_key_of_the_same_party_does_not_verify_for_another(bench: Bench) -> None:
    refusal = bench.refusal(bench.draft.but(parameters={"keyid": keyid(bench.keys["ed25519"].der)}).signed())
    assert refusal.code is Code.SIGNATURE_INVALID


def test_a_refusal_after_the_head_keeps_its_nonce_and_one_before_has_none(bench: Bench) -> None:
    nonce = fresh_nonce()
    assert bench.refusal(bench.draft.but(parameters={"nonce": nonce}).signed(), body=b"{}").nonce == nonce
    assert bench.refusal(bench.draft.but(parameters={"nonce": "not one"}).signed()).nonce is None


def test_both_forms_of_an_ecdsa_signature_are_one_request(bench: Bench) -> None:
    # (r, n - s) verifies too: what tells replays apart is therefore the nonce, never the signature's bytes.
    request = bench.draft.signed()
    s = P256_ORDER - int.from_bytes(request.signature[32:])
    twin = request.signature[:32] + s.to_bytes(32)
    headers = {**request.headers, "signature": f"sig1=:{b64encode(twin).decode()}:"}
    assert bench.verify(request, headers=headers).signature.nonce == bench.verify(request).signature.nonce
    assert b64decode(b64encode(twin)) != request.signature
