"""An answer, verified by the party that asked (S2): signed by the gateway, and bound to this very request."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.client.failed import CallError
from gateway.client.signer import LABEL
from gateway.signing.algorithms import ECDSA_P256, verify
from gateway.signing.answer import keyid_of
from gateway.signing.base import TAG, lines
from gateway.signing.digest import digest_holds
from gateway.signing.structured import InnerList, Item, MalformedFieldError, parse_dictionary, serialise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.client.signer import SignedRequest

PROBLEM = "application/problem+json"
_ALWAYS = ('"@status"', '"content-digest"', '"exchange-id"', '"@method";req')
_LEDGER = ('"ledger-leaf"', '"ledger-by"')


class AnswerError(CallError):
    """An answer that does not prove itself; the text says which part failed."""


@dataclass(frozen=True, slots=True)
class VerifiedAnswer:
    """An answer whose signature holds, under the gateway's certificate ``signer`` (DER).

    ``bound`` when it covers the request's signature too (not for C6).
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    exchange_id: str
    ledger_leaf: str | None
    bound: bool
    signer: bytes = field(default=b"", repr=False)


class AnswerVerifier:
    """Verifies under a signing certificate of the gateway's, which the party was given or which follows one."""

    def __init__(
        self, certificate: bytes, origin: str, find: Callable[[object], bytes | None] = lambda _keyid: None
    ) -> None:
        """``find`` gives the certificate (DER) of another keyid, where it is the gateway's too."""
        self._known = {keyid_of(sha256(certificate).hexdigest()): x509.load_der_x509_certificate(certificate)}
        self._find = find
        self._origin = origin

    def verify(self, request: SignedRequest, status: int, headers: Mapping[str, str], body: bytes) -> VerifiedAnswer:
        """The verified answer; raises AnswerError."""
        member, signature = _one_signature(headers)
        parameters = dict(member.parameters)
        signer = self._signer(parameters.get("keyid"))
        if signer is None or parameters.get("tag") != TAG:
            raise AnswerError("answer_of_another_key")
        names = [serialise(item) for item in member.items]
        known = self._values(request, status, headers)
        if unknown := [name for name in names if name not in known]:
            raise AnswerError("answer_covers_unknown", component=unknown[0])
        self._check_coverage(request, status, headers, names)
        base = lines([(name, known[name]) for name in names], serialise(member))
        if not verify(signer, ECDSA_P256, signature, base):
            raise AnswerError("answer_signature_invalid")
        if not digest_holds(headers["content-digest"], body):
            raise AnswerError("answer_body_differs")
        bound = _request_name("signature") in names
        der = signer.public_bytes(Encoding.DER)
        return VerifiedAnswer(status, headers, body, headers["exchange-id"], headers.get("ledger-leaf"), bound, der)

    def _signer(self, keyid: object) -> x509.Certificate | None:
        known = self._known.get(str(keyid))
        if known is None and (found := self._find(keyid)) is not None:
            known = self._known[str(keyid)] = x509.load_der_x509_certificate(found)
        return known

    def _values(self, request: SignedRequest, status: int, headers: Mapping[str, str]) -> dict[str, str]:
        values = {
            '"@status"': str(status),
            '"@method";req': request.method,
            '"@target-uri";req': self._origin + request.target,
            _request_name("signature"): f":{b64encode(request.signature).decode()}:",
            _request_name("signature-input"): request.parameters,
        }
        if request.body:
            values['"content-digest";req'] = request.headers["content-digest"]
        for name in ("content-digest", "exchange-id", "ledger-leaf", "ledger-by"):
            if name in headers:
                values[f'"{name}"'] = headers[name]
        return values

    def _check_coverage(
        self, request: SignedRequest, status: int, headers: Mapping[str, str], names: Iterable[str]
    ) -> None:
        required = list(_ALWAYS)
        problem = headers.get("content-type") == PROBLEM and status >= 400  # noqa: PLR2004  RFC 9457
        not_recorded = problem and "ledger-leaf" not in headers and status == 503  # noqa: PLR2004  section 1
        if not not_recorded:
            required += _LEDGER
        if not problem:
            # A request whose salt was not proven is not covered, and only a problem may answer it (C6).
            required += ['"@target-uri";req', _request_name("signature"), _request_name("signature-input")]
            required += ['"content-digest";req'] if request.body else []
        if missing := [name for name in required if name not in names]:
            raise AnswerError("answer_lacks", component=missing[0])


def _request_name(name: str) -> str:
    return f'"{name}";req;key="{LABEL}"'


def _one_signature(headers: Mapping[str, str]) -> tuple[InnerList, bytes]:
    try:
        inputs = parse_dictionary(headers["signature-input"])
        values = parse_dictionary(headers["signature"])
    except (KeyError, MalformedFieldError):
        raise AnswerError("answer_not_signed") from None
    for label, member in inputs.items():
        value = values.get(label)
        if isinstance(member, InnerList) and isinstance(value, Item) and isinstance(value.value, bytes):
            return member, value.value
    raise AnswerError("answer_not_signed")
