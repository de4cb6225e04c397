"""Step 8's signature for SOAP (S3, S4): Body and header blocks under one, written in canonical form from the start.

Nothing is parsed or canonicalised on the way out (soap_text.py).
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.model import Released, SignedAnswer, SoapSignature
from gateway.signing import soap_names as n
from gateway.signing import soap_text
from gateway.signing.digest import content_digest
from gateway.signing.soap_written import write_references
from gateway.signing.xml import digest

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.model import AnswerToSign, CertificateProof, Content, Form, Party, Received, VerifiedRequest
    from gateway.ports import Clock
    from gateway.signing.answer_key import AnswerKey
    from gateway.signing.soap_request import SoapRequestVerifier

_LIFETIME = timedelta(minutes=5)
_LEAST_ERROR = 400
_VERSIONS: dict[Form, soap_text.Version] = {
    "soap11": soap_text.Version("soap", n.SOAP),
    "soap12": soap_text.Version("soap", n.SOAP12),
}


class SoapSigning:
    """ports.Signing for SOAP 1.1 and 1.2: verifies requests, signs answers in the version in which they were asked."""

    def __init__(self, verifier: SoapRequestVerifier, key: AnswerKey, clock: Clock) -> None:
        """``clock`` is for answers that have no leaf."""
        self._verifier = verifier
        self._key = key
        self._clock = clock

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        """Step 2; raises Refusal."""
        return self._verifier.verify(received, party)

    def signing_key(self) -> CertificateProof:
        """The certificate under which an answer that begins now is signed."""
        return self._key.proof()

    def content_digest(self, received: Received, content: Content) -> str:
        """The digest of the canonical Body: the headers, with the leaf, are outside it (S3)."""
        return content_digest(_body(received.form, content))

    def sign_answer(self, answer: AnswerToSign) -> SignedAnswer:
        """The envelope, and what the record keeps of it; raises KeystoreError."""
        content = answer.content
        body = _body(answer.received.form, content)
        # of one moment with the leaf, though the clock be set in between
        security = _security_blocks(answer, answer.at or self._clock.now())
        header = _header_blocks(answer)
        signed = {**security, **header, "id-Body": body}
        signed_info = write_references((block.encode(), b64encode(digest(form))) for block, form in signed.items())
        name, _ = self._key.of(answer)
        signature = self._key.sign(name, signed_info)
        headers = {block: b64encode(form).decode() for block, form in (security | header).items()}
        base = {"headers": headers, "signed_info": b64encode(signed_info).decode()}
        parts = (header.values(), security.values(), signed_info, signature, self._key.certificate(name), body)
        released = Released(
            content.status,
            (("Content-Type", content.content_type), *content.headers),
            soap_text.envelope(*parts, soap=_VERSIONS[answer.received.form]),
            recorded=answer.ledger_leaf is not None,
        )
        return SignedAnswer(json.dumps(base, sort_keys=True, separators=(",", ":")).encode(), signature, released)


def _body(form: Form, content: Content) -> bytes:
    return soap_text.body(content.body, _VERSIONS[form])


def _security_blocks(answer: AnswerToSign, at: datetime) -> dict[str, bytes]:
    """Timestamp and SignatureConfirmation, by wsu:Id; before a salt was claimed nothing is confirmed (C6)."""
    blocks = {"id-Timestamp": soap_text.timestamp(at, at + _LIFETIME)}
    if answer.request is not None:
        blocks["id-SignatureConfirmation"] = soap_text.confirmation(answer.request.signature.value)
    return blocks


def _header_blocks(answer: AnswerToSign) -> dict[str, bytes]:
    """The addressing headers and ours, by wsu:Id; a fresh MessageID from the exchange id of this very request."""
    addressing = {
        "Action": _action(answer),
        "MessageID": f"urn:uuid:{answer.received.exchange_id}",
        "RelatesTo": _asked(answer),
    }
    ours = {"Exchange-Id": answer.exchange_id, "Ledger-Leaf": answer.ledger_leaf, "Ledger-By": answer.ledger_by}
    return {
        f"id-{name}": soap_text.block(prefix, namespace, name, text)
        for prefix, namespace, texts in (("wsa", n.WSA, addressing), ("px", n.EXCHANGE, ours))
        for name, text in texts.items()
        if text is not None
    }


def _asked(answer: AnswerToSign) -> str | None:
    """The MessageID that is answered: as signed, or as evidence keeps it of a request that proved nothing."""
    return answer.nonce if answer.request is None else answer.request.signature.nonce


def _action(answer: AnswerToSign) -> str:
    if answer.content.status >= _LEAST_ERROR or answer.request is None:
        return n.FAULT_ACTION
    signature = answer.request.signature
    if not isinstance(signature, SoapSignature):
        raise TypeError("a REST request is not answered by SOAP")
    return f"{signature.action}Response"
