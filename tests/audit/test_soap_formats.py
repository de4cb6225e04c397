"""The vectors of SOAP in docs/formats.md: each is the canonical form of itself, and what the others say of it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.audit.soap_answer import is_soap_base, read_soap_base
from gateway.audit.soap_blocks import as_content_digest
from gateway.ledger.encoding import canonical_json, encode64
from gateway.signing.soap_info import canonical_form, read_block, read_signed_info

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
VECTORS = dict(line.split(": ", 1) for line in PAGE.partition("```vectors\n")[2].partition("```")[0].splitlines())


def text(name: str) -> bytes:
    return VECTORS[f"soap-{name}"].encode()


@pytest.mark.parametrize("name", ["block", "body", "signed-info"])
def test_the_forms_are_canonical(name: str) -> None:
    assert canonical_form(read_block(text(name))) == text(name)


def test_what_signed_info_names() -> None:
    references = read_signed_info(text("signed-info")).references
    assert {name: reference.digest for name, reference in references.items()} == {
        "id-Ledger-Leaf": sha256(text("block")).digest(),
        "id-Body": sha256(text("body")).digest(),
    }
    assert as_content_digest(references["id-Body"].digest) == VECTORS["soap-content-digest"]
    assert VECTORS["ledger-leaf"].encode() in text("block")


def test_the_record_s_answer_base() -> None:
    base = read_soap_base(text("answer-base"))
    assert (base.signed_info, dict(base.headers)) == (text("signed-info"), {"id-Ledger-Leaf": text("block")})
    said = {"headers": {"id-Ledger-Leaf": encode64(text("block"))}, "signed_info": encode64(text("signed-info"))}
    assert canonical_json(said) == text("answer-base")
    assert is_soap_base(text("answer-base"))
    assert not is_soap_base(VECTORS["answer-base"].encode())


def test_the_signature_is_over_signed_info() -> None:
    key = load_der_public_key(bytes.fromhex(VECTORS["soap-public-key"]))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    raw = bytes.fromhex(VECTORS["soap-answer-signature"])
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(signature, text("signed-info"), ec.ECDSA(hashes.SHA256()))
    assert len(raw) == 64
