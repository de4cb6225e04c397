"""Receipts (JWS): their own key and type, and the known attacks on tokens (section 10)."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.client.client import _verified_receipt
from gateway.client.verifier import AnswerError, VerifiedAnswer
from gateway.keys.raw import raw_low_s
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import Checkpoint, LogKey, sign_checkpoint
from gateway.signing.receipt import RECEIPT_TYPE, ReceiptIssuer
from tests.adapters.fakes import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Callable

LEAF = leaf_hash(b"leaf")
ID = "b3b9a6a0-7a5c-4a7e-8f59-0d9d3f6d0f0e"
_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
_DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class _Keys:
    """ports.Keystore of a receipts' key and a log's."""

    def __init__(self) -> None:
        self.receipts = ec.generate_private_key(ec.SECP256R1())
        self.log = ed25519.Ed25519PrivateKey.generate()

    def sign(self, key_id: str, data: bytes) -> bytes:
        if key_id == "receipts":
            return raw_low_s(self.receipts.sign(data, ec.ECDSA(hashes.SHA256())))
        return self.log.sign(data)

    def mac(self, key_id: str, data: bytes) -> bytes:
        raise NotImplementedError(key_id)

    def certificate(self, key_id: str) -> bytes:
        raise NotImplementedError(key_id)


class Desk:
    """An issuer, a log of one leaf, and the answer whose place they prove."""

    def __init__(self) -> None:
        self.keys = _Keys()
        self.log = LogKey("test.log", self.keys.log.public_key().public_bytes_raw())
        public = self.keys.receipts.public_key().public_bytes(*_DER)
        self.issuer = ReceiptIssuer(self.keys, lambda: {"receipts": public}, "passerelle", ShiftedClock())
        note = sign_checkpoint(Checkpoint("test.log", 1, LEAF), self.log, self.keys)
        self.proof = f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note.decode()}"
        self.answer = VerifiedAnswer(200, {}, b"", ID, b64encode(LEAF).decode(), bound=True)

    def receipt(self, **changes: Any) -> str:
        given: dict[str, Any] = {
            "party": "ministry", "exchange_id": ID, "leaf_hash": b64encode(LEAF).decode(), "index": 0,
            "proof": self.proof,
        }  # fmt: skip
        return self.issuer.issue(**(given | changes)).decode()

    def read(self, receipt: str) -> int:
        return _verified_receipt(receipt, json.loads(self.issuer.jwks()), self.answer, self.log, "ministry").index

    def forged(self, header: dict[str, object], sign: Callable[[bytes], bytes], **more: object) -> str:
        claims = jwt.decode(self.receipt(), options={"verify_signature": False}) | more
        text = ".".join(_url64(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{_url64(sign(text.encode()))}"

    @property
    def kid(self) -> str:
        kid: str = json.loads(self.issuer.jwks())["keys"][0]["kid"]
        return kid


def _url64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def test_a_receipt_holds_under_the_published_key_with_its_own_type(desk: Desk) -> None:
    receipt = desk.receipt()
    header = jwt.get_unverified_header(receipt)
    assert header == {"alg": "ES256", "typ": RECEIPT_TYPE, "kid": desk.kid}
    key = jwt.PyJWK(json.loads(desk.issuer.jwks())["keys"][0])
    claims = jwt.decode(receipt, key, algorithms=["ES256"])
    assert (claims["iss"], claims["sub"], claims["exchange_id"]) == ("passerelle", "ministry", ID)
    assert desk.read(receipt) == 0


def _attacks(desk: Desk) -> dict[str, str]:
    header: dict[str, object] = {"typ": RECEIPT_TYPE, "alg": "ES256", "kid": desk.kid}
    public = desk.keys.receipts.public_key().public_bytes(*_PEM)
    own = ec.generate_private_key(ec.SECP256R1())
    numbers = own.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": _url64(numbers.x.to_bytes(32)), "y": _url64(numbers.y.to_bytes(32))}

    def sign(data: bytes) -> bytes:

        return raw_low_s(own.sign(data, ec.ECDSA(hashes.SHA256())))

    def right(data: bytes) -> bytes:
        return desk.keys.sign("receipts", data)

    rsa_key = rsa.generate_private_key(65537, 2048)
    good = desk.receipt()
    return {
        "alg_none": desk.forged(header | {"alg": "none"}, lambda _: b""),
        "alg_none_in_capitals": desk.forged(header | {"alg": "NONE"}, lambda _: b""),
        "hmac_with_the_public_key": desk.forged(
            header | {"alg": "HS256"}, lambda data: hmac.digest(public, data, "sha256")
        ),
        "rsa_confusion": jwt.encode({"exchange_id": ID}, rsa_key, "RS256", {"typ": RECEIPT_TYPE, "kid": desk.kid}),
        "jwk_in_the_header": desk.forged(header | {"jwk": jwk}, sign),
        "jwk_in_the_header_though_rightly_signed": desk.forged(header | {"jwk": jwk}, right),
        "jku_in_the_header": desk.forged(header | {"jku": "https://evil.test/jwks"}, right),
        "crit_in_the_header": desk.forged(header | {"crit": ["exp"], "exp": 1}, right),
        "wrong_typ": desk.forged(header | {"typ": "JWT"}, right),
        "no_typ": desk.forged({"alg": "ES256", "kid": desk.kid}, right),
        "no_kid": desk.forged({"alg": "ES256", "typ": RECEIPT_TYPE}, right),
        "expired": desk.forged(header, right, exp=1),
        "not_yet_valid": desk.forged(header, right, nbf=1 << 40),
        "x5u_in_the_header": desk.forged(header | {"x5u": "https://evil.test/key"}, right),
        "unknown_kid": desk.forged(header | {"kid": "other"}, right),
        "signed_by_another": desk.forged(header, sign),
        "signature_removed": good.rpartition(".")[0] + ".",
        "no_token": "x",
    }


def test_attacks_on_tokens(desk: Desk, subtests: pytest.Subtests) -> None:
    for attack, receipt in _attacks(desk).items():
        with subtests.test(attack), pytest.raises(AnswerError):
            desk.read(receipt)


@pytest.mark.parametrize(
    "changes",
    [{"exchange_id": "other"}, {"leaf_hash": b64encode(leaf_hash(b"other")).decode()}, {"party": "cooperative"}],
    ids=["of_another_exchange", "of_another_leaf", "of_another_party"],
)
def test_a_receipt_for_another_exchange(desk: Desk, changes: dict[str, str]) -> None:
    with pytest.raises(AnswerError, match="another_exchange"):
        desk.read(desk.receipt(**changes))


def test_a_receipt_whose_proof_proves_nothing(desk: Desk) -> None:
    other = Desk()
    forged = f"c2sp.org/tlog-proof@v1\nindex 0\n\n{desk.proof.partition('index 0')[2].strip()}".replace("1\n", "2\n", 1)
    for proof in (
        "",
        "c2sp.org/tlog-proof@v1\nindex x\n\n",
        other.proof,
        forged,
        desk.proof.replace("index 0", "index 1"),
    ):
        with pytest.raises(AnswerError, match="proves_nothing"):
            desk.read(desk.receipt(proof=proof))


def test_only_p256_signs_receipts(desk: Desk) -> None:
    public = desk.keys.log.public_key().public_bytes(*_DER)
    with pytest.raises(TypeError):
        ReceiptIssuer(desk.keys, lambda: {"receipts": public}, "passerelle", ShiftedClock())
