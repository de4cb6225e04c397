"""Receipts on demand: a JWS that an exchange stands in the log, with its inclusion proof (S3).

Signed under a key of their own with a ``typ`` of their own, so that nothing else of ours can pass for one.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    from gateway.ports import Clock, Keystore

RECEIPT_KEY = "receipts"
RECEIPT_TYPE = "passerelle-receipt+jwt"
_COORDINATE = 32


def _url64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


class _ThroughKeystore(jwt.algorithms.Algorithm):
    """ES256 for PyJWT, whose key is a name: the key itself stays behind the port (S7)."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore

    def prepare_key(self, key: str) -> str:
        return key

    def sign(self, msg: bytes, key: str) -> bytes:
        return self._keystore.sign(key, msg)

    def verify(self, msg: bytes, key: str, sig: bytes) -> NoReturn:
        raise NotImplementedError("receipts are verified with the public key, by whoever holds them")

    @staticmethod
    def to_jwk(key_obj: object, as_dict: bool = False) -> NoReturn:  # noqa: FBT001, FBT002  PyJWT's signature
        raise NotImplementedError("the key has no form outside its store")

    @staticmethod
    def from_jwk(jwk: object) -> NoReturn:
        raise NotImplementedError("the key has no form outside its store")


class ReceiptIssuer:
    """Issues receipts as ``gateway``, and publishes the key that verifies them."""

    def __init__(self, keystore: Keystore, keys: Callable[[], Mapping[str, bytes]], gateway: str, clock: Clock) -> None:
        """``keys`` gives SubjectPublicKeyInfo in DER of every generation by its key's name, the one in use first."""
        self._keys = keys
        self._gateway = gateway
        self._clock = clock
        self._jws = jwt.PyJWS()
        self._jws.unregister_algorithm("ES256")
        self._jws.register_algorithm("ES256", _ThroughKeystore(keystore))
        self._in_use()

    def jwks(self) -> bytes:
        """The JWK set (RFC 7517) of the receipts' keys: the one in use, the next, and the former ones."""
        return json.dumps({"keys": [_jwk(key) for key in self._keys().values()]}, separators=(",", ":")).encode()

    def issue(self, *, party: str, exchange_id: str, leaf_hash: str, index: int, proof: str) -> bytes:
        """The compact JWS; ``proof`` is a c2sp.org/tlog-proof@v1, ``leaf_hash`` the Ledger-Leaf of the answer."""
        claims = {
            "iss": self._gateway,
            "sub": party,
            "iat": int(self._clock.now().timestamp()),
            "exchange_id": exchange_id,
            "ledger_leaf": leaf_hash,
            "index": index,
            "proof": proof,
        }
        payload = json.dumps(claims, separators=(",", ":")).encode()
        name, jwk = self._in_use()
        header = {"typ": RECEIPT_TYPE, "kid": jwk["kid"]}
        return self._jws.encode(payload, name, algorithm="ES256", headers=header).encode()

    def _in_use(self) -> tuple[str, dict[str, str]]:
        name, public_key = next(iter(self._keys().items()))
        return name, _jwk(public_key)


def _jwk(public_key: bytes) -> dict[str, str]:
    key = serialization.load_der_public_key(public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("receipts are signed with P-256")
    numbers = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _url64(numbers.x.to_bytes(_COORDINATE)),
        "y": _url64(numbers.y.to_bytes(_COORDINATE)),
        "use": "sig",
        "alg": "ES256",
        "kid": _url64(sha256(public_key).digest()),
    }
