"""What docs/profile.md leaves to the client, a real gateway accepts; what it rules out beside it, it refuses."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256, sha512
from typing import TYPE_CHECKING, Any

import pytest

from tests.signing.drafts import COMPONENTS

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway

BODY = b'{"message":"bonjour"}'
SHA256 = f"sha-256=:{b64encode(sha256(BODY).digest()).decode()}:"
SHA512 = f"sha-512=:{b64encode(sha512(BODY).digest()).decode()}:"
LATER = 1 << 40

#: What the page allows, as changes of a good request.
ALLOWED: dict[str, dict[str, Any]] = {
    "another_label": {"label": "mine"},
    "components_in_another_order": {"components": tuple(reversed(COMPONENTS))},
    "authority_and_path_covered_too": {"components": (*COMPONENTS, "@authority", "@path")},
    "sha512": {"headers": {"content-digest": SHA512}},
    "both_digests": {"headers": {"content-digest": f"{SHA256}, {SHA512}"}},
    "charset_said": {"headers": {"content-type": "application/json; charset=utf-8"}},
    "idempotency_key": {
        "headers": {"idempotency-key": "0b9c3c8e-5a4f-4d0e-9a53-2f2f5f1d7c11"},
        "components": (*COMPONENTS, "idempotency-key"),
    },
    "alg_said": {"parameters": {"alg": "ecdsa-p256-sha256"}},
    "expires_said": {"parameters": {"expires": LATER}},
    "nonce_of_22": {"parameters": {"nonce": "a" * 21 + "1"}},
    "nonce_of_128": {"parameters": {"nonce": "b" * 127 + "1"}},
    "body_not_ascii": {"body": '{"message": "déjà vu"}'.encode()},
    "body_escaped": {"body": b'{ "message" : "d\\u00e9j\\u00e0 vu" }'},
}
#: What it rules out: the change, and the code of the answer.
RULED_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "digest_not_covered": ({"components": COMPONENTS[:4]}, "component_not_covered"),
    "idempotency_key_not_covered": ({"headers": {"idempotency-key": "x"}}, "component_not_covered"),
    "one_digest_of_two_wrong": (
        {"headers": {"content-digest": f"{SHA256}, sha-512=:{b64encode(bytes(64)).decode()}:"}},
        "digest_mismatch",
    ),
    "alg_of_another_key": ({"parameters": {"alg": "ed25519"}}, "key_refused"),
    "expired": ({"parameters": {"expires": 1}}, "created_out_of_window"),
    "nonce_of_21": ({"parameters": {"nonce": "a" * 21}}, "nonce_invalid"),
    "another_parameter": ({"parameters": {"context": "x"}}, "signature_malformed"),
    "another_component": (
        {"headers": {"user-agent": "x"}, "components": (*COMPONENTS, "user-agent")},
        "signature_malformed",
    ),
    "another_tag": ({"parameters": {"tag": "other"}}, "signature_missing"),
    "authorization": ({"headers": {"authorization": "Bearer x"}}, "authorization_refused"),
    "another_type": ({"headers": {"content-type": "text/json"}}, "media_type_unsupported"),
    "a_query": ({"target": "/v1/echo?"}, "operation_unknown"),
    "a_slash": ({"target": "/v1/echo/"}, "operation_unknown"),
    "a_member_more": ({"body": b'{"message":"a","more":1}'}, "field_invalid"),
    "a_member_twice": ({"body": b'{"message":"a","message":"b"}'}, "body_malformed"),
    "a_byte_order_mark": ({"body": b"\xef\xbb\xbf" + BODY}, "body_malformed"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_page_allows(live: LiveGateway, name: str) -> None:
    shown = live.exchange(live.draft().but(**ALLOWED[name]).signed())
    assert (shown.status, list(shown.json())) == (200, ["message"]), shown.json()


@pytest.mark.parametrize("name", RULED_OUT)
def test_what_the_page_rules_out(live: LiveGateway, name: str) -> None:
    change, code = RULED_OUT[name]
    shown = live.exchange(live.draft().but(**change).signed())
    assert shown.json()["code"] == code
