"""One call: signed, sent over mutual TLS, its answer verified and kept, its place in the log proven."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import requests

from gateway.client.failed import CallError, kept
from gateway.client.gateway_keys import GatewayKeys
from gateway.client.proof import ProofError, check_proof, load_log_key
from gateway.client.receipts import keep
from gateway.client.verifier import AnswerError, AnswerVerifier, VerifiedAnswer
from gateway.errors import ConfigurationError
from gateway.keys.files import check_private
from gateway.system import SystemClock
from gateway.translation.address import address, path_fields
from gateway.translation.xml_error import LexicalError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from contracts.declaration import RestBinding
    from gateway.client.party import PartyFolder
    from gateway.client.signer import RequestSigner, SignedRequest
    from gateway.ledger.note import LogKey
    from gateway.ports import Clock, Randomness

_RECEIPT_TYPE = "passerelle-receipt+jwt"
_CERTIFICATES = "/.well-known/passerelle-signing.pem"
_SALT_BYTES = 16


class UnreachableError(CallError):
    """The gateway could not be reached, or ended the connection; the text says how."""


@dataclass(frozen=True, slots=True)
class ProvenPlace:
    """Where an answer's leaf stands in the log, proven under the log's key; the receipt that says so."""

    index: int
    receipt: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An acknowledgement, which is an exchange of its own, and the verified answer to it."""

    request: SignedRequest
    answer: VerifiedAnswer


class PartyClient:
    """A party's side of the gateway."""

    def __init__(
        self,
        party: PartyFolder,
        signer: RequestSigner,
        randomness: Randomness,
        timeout: float = 30,
        clock: Clock | None = None,
    ) -> None:
        """``timeout`` in seconds; ``clock`` for the moment at which the gateway's certificates must be valid."""
        self._party = party
        self._signer = signer
        self._randomness = randomness
        self._timeout = timeout
        self._keys = keys = GatewayKeys(
            party.gateway_certificates(), party.gateway_roots(), self._published, clock or SystemClock()
        )
        self._verifier = AnswerVerifier(keys.given, party.origin, keys.find)
        self._session = requests.Session()
        check_private(party.folder / "tls.key")
        # The environment must not choose whom we trust (FACTS).
        self._session.trust_env = False
        self._session.verify = str(party.authority)
        self._session.cert = (str(party.folder / "tls.pem"), str(party.folder / "tls.key"))

    def prepare(
        self,
        operation: str,
        fields: dict[str, Any],
        *,
        salted: bool,
        rest: RestBinding | None = None,
        idempotency_key: str | None = None,
    ) -> SignedRequest:
        """The signed request for an operation; ``salted`` adds a fresh salt where none is given (C4).

        ``idempotency_key``: that of the request which this one repeats, a UUID; a POST without it has a fresh one.

        ``rest``: how a version's contract says that it is called, instead of what the party's folder says. Raises
        ConfigurationError where that has no agreement for it, or a field that its address needs is not there.
        """
        agreed = self._party.operations.get(operation)
        if agreed is None:
            known = ", ".join(sorted(self._party.operations))
            raise ConfigurationError("no_such_operation", operation=operation, known=known)
        if salted and "salt" not in fields:
            fields = {**fields, "salt": b64encode(self._randomness.bytes(_SALT_BYTES)).decode()}
        method, path = (agreed.method, agreed.path) if rest is None else (rest.method, rest.path)
        # what is asked with a GET stands in its path and query: such operations have public fields only (C4)
        asked = [name for name in fields if name not in path_fields(path)]
        query = asked if method == "GET" else () if rest is None else rest.query
        try:
            target, left = address(path, query, fields)
        except (KeyError, LexicalError):
            raise ConfigurationError("fields_unfit_for_address", path=path) from None
        body = json.dumps(left, ensure_ascii=False, separators=(",", ":")).encode() if method != "GET" else b""
        if idempotency_key is None and method != "GET":
            idempotency_key = str(self._randomness.uuid())
        return self._signer.sign(
            method, target, body,
            agreement=agreed.agreement, purpose=agreed.purpose, idempotency_key=idempotency_key,
        )  # fmt: skip

    def send(self, request: SignedRequest) -> VerifiedAnswer:
        """The verified answer; raises UnreachableError, AnswerError."""
        response = self._get(request.method, request.target, dict(request.headers), request.body)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self.verify(request, response.status_code, headers, response.content)

    def verify(self, request: SignedRequest, status: int, headers: Mapping[str, str], body: bytes) -> VerifiedAnswer:
        """An answer that came another way, its headers in small letters; raises AnswerError."""
        return self._verifier.verify(request, status, headers, body)

    def exchange(self, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of what is answered to a POST, neither of them verified; raises UnreachableError."""
        response = self._get("POST", target, headers, body)
        return response.status_code, response.content

    def gateway_key(self, keyid: str) -> bytes | None:
        """DER of the gateway's certificate of this keyid; None where it is not the gateway's."""
        return self._keys.find(keyid)

    def _get(self, method: str, target: str, headers: dict[str, str], body: bytes) -> requests.Response:
        try:
            return self._session.request(
                method, self._party.origin + target, headers=headers, data=body, timeout=self._timeout,
                allow_redirects=False,
            )  # fmt: skip
        except requests.exceptions.SSLError as error:
            raise UnreachableError("tls_refused", detail=_innermost(error)) from None
        except requests.exceptions.RequestException as error:
            raise UnreachableError("unreachable", detail=_innermost(error)) from None

    def _published(self) -> bytes:
        response = self._get("GET", _CERTIFICATES, {}, b"")
        return response.content if response.ok else b""

    def keep(self, request: SignedRequest, answer: VerifiedAnswer, receipts: Path) -> Path:
        """Keeps the answer as a receipt, and both bodies in the party's own folder; gives the receipt's path.

        Raises UnkeptError.
        """
        with kept():
            return keep(self._party, request, answer, receipts)

    def acknowledge(self, request: SignedRequest, answer: VerifiedAnswer, *, handle: str | None) -> Acknowledgement:
        """Says under our signature which answer we have (L12): its leaf, its digest, the handle in it.

        Under the agreement and purpose of the request that was answered. Raises AnswerError for an answer without a
        leaf, or one that does not prove itself, UnreachableError; a refusal is in the answer.
        """
        if answer.ledger_leaf is None:
            raise AnswerError("nothing_to_acknowledge")
        said = {
            "answer_digest": answer.headers["content-digest"],
            "handle": handle,
            "ledger_leaf": answer.ledger_leaf,
        }
        # in its one form, see contracts/acknowledgement
        body = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        signed = self._signer.sign(
            "POST",
            f"/v1/exchanges/{answer.exchange_id}/acknowledgement",
            body,
            agreement=request.headers["exchange-agreement"],
            purpose=request.headers["exchange-purpose"],
        )
        return Acknowledgement(signed, self.send(signed))

    def prove(self, answer: VerifiedAnswer, *, within: float) -> ProvenPlace | None:
        """The receipt with the inclusion proof, verified; None while the log does not show it, after ``within`` s.

        Raises AnswerError when the receipt is not the gateway's or names another leaf.
        """
        target = f"/v1/exchanges/{answer.exchange_id}/receipt"
        deadline = time.monotonic() + within
        while (response := self._get("GET", target, {}, b"")).status_code == 202:  # noqa: PLR2004  not yet
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.05)
        if not response.ok:
            raise AnswerError("no_receipt", status=response.status_code)
        try:
            jwks = self._get("GET", "/.well-known/jwks.json", {}, b"").json()
        except requests.exceptions.JSONDecodeError:
            raise AnswerError("receipt_invalid") from None
        log = load_log_key(self._party.folder / "log.vkey")
        return _verified_receipt(response.text, jwks, answer, log, self._party.name)


def _verified_receipt(
    receipt: str, jwks: dict[str, Any], answer: VerifiedAnswer, log: LogKey, party: str
) -> ProvenPlace:
    try:
        header = jwt.get_unverified_header(receipt)
        if header.get("typ") != _RECEIPT_TYPE or header.keys() - {"typ", "alg", "kid"}:
            raise AnswerError("receipt_of_another_type")
        key = next(key for key in jwks["keys"] if key["kid"] == header.get("kid"))
        claims = jwt.decode(receipt, jwt.PyJWK(key).key, algorithms=["ES256"], options={"verify_aud": False})
    except (jwt.PyJWTError, StopIteration, LookupError, TypeError):
        raise AnswerError("receipt_invalid") from None
    said = tuple(claims.get(name) for name in ("sub", "exchange_id", "ledger_leaf"))
    if said != (party, answer.exchange_id, answer.ledger_leaf):
        raise AnswerError("receipt_of_another_exchange")
    leaf_hash = b64decode(answer.ledger_leaf or "")
    try:
        return ProvenPlace(check_proof(str(claims.get("proof")), leaf_hash, log), receipt)
    except ProofError:
        raise AnswerError("receipt_proves_nothing") from None


def _innermost(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return str(error).split("\n", 1)[0]
