"""The PyPI library http-message-signatures as the other side: a second opinion, both ways."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

from gateway.client.signer import SignedRequest
from gateway.identity.parties import keyid
from gateway.signing.head import read_head
from tests.signing.drafts import COMPONENTS, fresh_nonce

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certs.authority import Issued

ALGORITHMS: dict[str, Any] = {
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "ed25519": algorithms.ED25519,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
}


@dataclass
class ForeignRequest:
    """A request as the library wants it."""

    method: str
    url: str
    headers: dict[str, str]


@dataclass
class ForeignAnswer:
    """An answer as the library wants it, with the request that it answers."""

    status_code: int
    headers: dict[str, str]
    request: ForeignRequest
    body: bytes = field(default=b"")


def sign(issued: Issued, algorithm: str, origin: str, target: str, body: bytes, **headers: str) -> SignedRequest:
    """A request signed by the library alone; ours only reads it back for the answer's verification."""
    given = {"content-type": "application/json"}
    request = ForeignRequest("POST", origin + target, given | {n.replace("_", "-"): v for n, v in headers.items()})
    name = keyid(issued.der)
    signer = HTTPMessageSigner(
        signature_algorithm=ALGORITHMS[algorithm],
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={name: issued.key}),  # type: ignore[dict-item]  # it takes these keys
    )
    signer.sign(
        request, key_id=name, nonce=fresh_nonce(), label="sig1", tag="passerelle", body=body,
        covered_component_ids=[name for name in COMPONENTS if name != "content-digest"],
        created=datetime.now(UTC),  # noqa: TID251  the library verifies against the wall clock
    )  # fmt: skip
    lowered = {key.lower(): value for key, value in request.headers.items()}
    head = read_head(lowered)
    return SignedRequest("POST", target, lowered, body, head.parameters, head.value, b"")


def verify(
    gateway: Issued, origin: str, request: SignedRequest, status: int, headers: Mapping[str, str], body: bytes
) -> Mapping[str, str]:
    """What the library finds covered by an answer's signature, its digest checked; raises InvalidSignature."""
    verifier = HTTPMessageVerifier(
        signature_algorithm=ALGORITHMS["ecdsa-p256-sha256"],
        key_resolver=MappingKeyResolver(
            public_keys={keyid(gateway.der): gateway.certificate.public_key()},  # type: ignore[dict-item]  # it takes these keys
            private_keys={},
        ),
    )
    answer = ForeignAnswer(
        status, dict(headers), ForeignRequest(request.method, origin + request.target, dict(request.headers))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its advice on labels is about choosing, and there is one
        found = verifier.verify(answer, expect_tag="passerelle", body=body)
    assert len(found) == 1
    return dict(found[0].covered_components)
