"""docs/profile.md held against itself and against the gateway: its example, its tables, its limits."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from certs.profiles import Profile, check_profile, dns_names
from contracts.loader import load_contracts
from gateway.client.signer import SignedRequest
from gateway.client.verifier import AnswerError, AnswerVerifier
from gateway.http.connection import PATIENCE_SECONDS
from gateway.messages.table import load_table
from gateway.model import CertificateProof, Party, Received, Signer
from gateway.places import contracts_folder
from gateway.settings import Listen
from gateway.signing.base import DERIVED, FIELDS
from gateway.signing.head import read_head
from gateway.signing.request import NEWEST, OLDEST, RequestVerifier
from gateway.translation.salt import decode_salt

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = (Path(__file__).parents[2] / "docs" / "profile.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("## 10. An example")[2]
VECTORS = dict(line.split(": ", 1) for line in EXAMPLE.partition("```vectors\n")[2].partition("```")[0].splitlines())
ORIGIN = "https://passerelle.example"
AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
#: RFC 9421, appendix B.1.3 and B.1.4: the published public keys.
RFC_P256 = "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivAxzic30tMM4GF-hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ"
RFC_ED25519 = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def block(title: str) -> str:
    """The example's block below a heading."""
    return EXAMPLE.partition(f"### {title}\n")[2].partition("```")[2].partition("\n")[2].partition("\n```")[0]


def message(title: str) -> tuple[str, dict[str, str], bytes]:
    """First line, headers in lower case, body."""
    head, _, body = block(title).partition("\n\n")
    first, *rows = head.splitlines()
    return first, {name.lower(): value for name, value in (row.split(": ", 1) for row in rows)}, body.encode()


def unpadded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def certificate(name: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(b64decode(VECTORS[name]))


def binary(headers: Mapping[str, str], label: str) -> bytes:
    return b64decode(headers["signature"].removeprefix(f"{label}=:").removesuffix(":"), validate=True)


def digest(body: bytes) -> str:
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def rebuilt(parameters: str, values: Mapping[str, str]) -> str:
    """A signature base by the page's words alone: the lines that the parameters name, then the parameters."""
    names = parameters.partition("(")[2].partition(")")[0].split(" ")
    return "".join(f"{name}: {values[name]}\n" for name in names) + f'"@signature-params": {parameters}'


def request_values() -> dict[str, str]:
    first, headers, _ = message("The request")
    method, target, _ = first.split(" ")
    covered = ("content-digest", "content-type", "exchange-agreement", "exchange-purpose")
    return {'"@method"': method, '"@target-uri"': ORIGIN + target, **{f'"{name}"': headers[name] for name in covered}}


def answer_values() -> dict[str, str]:
    first, headers, _ = message("The answer")
    asked = message("The request")[1]
    own = {f'"{name}"': headers[name] for name in ("content-digest", "exchange-id", "ledger-leaf", "ledger-by")}
    bound = {f"{name};req": request_values()[name] for name in ('"@method"', '"@target-uri"', '"content-digest"')}
    return {
        '"@status"': first.split(" ")[1],
        **own,
        **bound,
        '"signature";req;key="sig1"': asked["signature"].removeprefix("sig1="),
        '"signature-input";req;key="sig1"': asked["signature-input"].removeprefix("sig1="),
    }


def test_the_keys_are_the_rfc_s_and_the_keyids_those_of_the_certificates() -> None:
    caller, gateway = certificate("caller-certificate"), certificate("gateway-certificate")
    key, other = caller.public_key(), gateway.public_key()
    assert isinstance(key, ed25519.Ed25519PublicKey)
    assert isinstance(other, ec.EllipticCurvePublicKey)
    assert unpadded(key.public_bytes_raw()) == RFC_ED25519
    numbers = other.public_numbers()
    assert unpadded(numbers.x.to_bytes(32) + numbers.y.to_bytes(32)) == RFC_P256
    for name in ("caller", "gateway"):
        check_profile(certificate(f"{name}-certificate"), Profile.SIGNING)
        assert VECTORS[f"{name}-keyid"] == unpadded(sha256(b64decode(VECTORS[f"{name}-certificate"])).digest())
    assert dns_names(gateway) == ("passerelle.example",)


def test_the_request_s_digest_base_and_signature_are_reproduced() -> None:
    _, headers, body = message("The request")
    assert headers["content-length"] == str(len(body))
    assert headers["content-digest"] == digest(body)
    parameters = headers["signature-input"].removeprefix("sig1=")
    base = rebuilt(parameters, request_values())
    assert base == block("The request's signature base")
    jwk = json.loads(VECTORS["caller-key"])
    private = ed25519.Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(jwk["d"] + "="))
    assert unpadded(private.public_key().public_bytes_raw()) == jwk["x"] == RFC_ED25519
    assert private.sign(base.encode()) == binary(headers, "sig1")


def test_the_answer_s_digest_base_and_signature_hold() -> None:
    _, headers, body = message("The answer")
    assert headers["content-length"] == str(len(body))
    assert headers["content-digest"] == digest(body)
    parameters = headers["signature-input"].removeprefix("answer=")
    base = rebuilt(parameters, answer_values())
    assert base == block("The answer's signature base")
    signature = binary(headers, "answer")
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    assert s <= P256_ORDER // 2
    key = certificate("gateway-certificate").public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(encode_dss_signature(r, s), base.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(encode_dss_signature(r, s), base.encode() + b" ", ec.ECDSA(hashes.SHA256()))


class OneSigner:
    """ports.Signers: the page's caller."""

    def signer(self, keyid: str, at: datetime) -> Signer:
        assert (keyid, at) == (VECTORS["caller-keyid"], AT)
        der = b64decode(VECTORS["caller-certificate"])
        return Signer("ministry", der, CertificateProof(sha256(der).hexdigest(), (), ()))


def test_the_gateway_takes_the_page_s_request_and_a_party_its_answer() -> None:
    first, headers, body = message("The request")
    method, target, _ = first.split(" ")
    received = Received(UUID(int=0), method, target, headers, body, b"", AT)
    proof = CertificateProof("", (), ())
    verified = RequestVerifier(ORIGIN, OneSigner()).verify(received, Party("ministry", proof))
    assert verified.signature.public == block("The request's signature base")
    assert len(decode_salt(json.loads(body)["salt"], verified.signature.public)) >= 16
    head = read_head(headers)
    request = SignedRequest(method, target, headers, body, head.parameters, head.value, b"")
    status, said, answered = message("The answer")
    verifier = AnswerVerifier(b64decode(VECTORS["gateway-certificate"]), ORIGIN)
    assert verifier.verify(request, int(status.split(" ")[1]), said, answered).bound
    with pytest.raises(AnswerError):
        verifier.verify(request, 200, said, answered + b"\n")


def test_every_code_has_its_row() -> None:
    """A row that differs is printed as it must stand."""
    rows = {
        f"| `{code}` | {row.status}{', Retry-After' * bool(row.retry_after)} | {row.title['en']} | {row.next['en']} |"
        for code, row in load_table().items()
    }
    table = PAGE.partition("## 9. Problems")[2].partition("## 10.")[0]
    shown = {line for line in table.splitlines() if line.startswith("| `")}
    assert rows - shown == set()
    assert shown - rows == set()


def test_every_operation_target_and_field_is_on_the_page() -> None:
    for contract in load_contracts(contracts_folder()):
        for name, operation in contract.operations.items():
            row = re.search(rf"^\| `{re.escape(name)}` \|.*$", PAGE, re.MULTILINE)
            assert row is not None, name
            assert f"`{operation.rest.path}`" in row[0]
            for field in (*operation.request["properties"], *operation.response["properties"]):
                assert f"`{field}`" in row[0], field
            for limit in (operation.limits.request_bytes, operation.limits.response_bytes):
                assert f"{limit} bytes" in PAGE


def test_every_component_header_parameter_and_limit_is_on_the_page() -> None:
    for name in DERIVED | FIELDS:
        assert re.search(rf"`\"?{name}\"?`", PAGE, re.IGNORECASE), name
    for name in ("created", "nonce", "keyid", "tag", "alg", "expires"):
        assert f"| `{name}` |" in PAGE
    headers = [
        "Exchange-Agreement", "Exchange-Purpose", "Exchange-Id", "Ledger-Leaf", "Ledger-By", "Content-Digest",
        "Signature-Input", "Signature", "Retry-After", "Idempotency-Key", "Accept-Language", "Authorization",
    ]  # fmt: skip
    for header in headers:
        assert f"`{header}`" in PAGE
    assert f"at most {OLDEST} s old and {NEWEST} s ahead" in PAGE
    for limit in ("65536 bytes", "1048576 bytes", "16 to 64", "22 to 128", "nesting of 16", "last 24 hours"):
        assert limit in PAGE
    for limit in (f"{PATIENCE_SECONDS:.0f} s each", f"kept for {Listen(origin=ORIGIN).keepalive_seconds} s"):
        assert limit in PAGE
    server = (Path(__file__).parents[2] / "gateway" / "http" / "server.py").read_text(encoding="utf-8")
    for name, most in (("line", 2048), ("fields", 40), ("field_size", 8190)):
        assert f'"limit_request_{name}": {most},' in server
    assert "| request line | 2048 bytes |\n| header fields | 40, each of 8190 bytes or less" in PAGE
    for oid in (item.value.dotted_string for item in (Profile.TLS_CLIENT, Profile.SIGNING)):
        assert f"`{oid}`" in PAGE
