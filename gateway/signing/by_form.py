"""Verifies and signs in the form in which a request came: REST, or SOAP 1.1 or 1.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.model import (
        AnswerToSign,
        CertificateProof,
        Content,
        Form,
        Party,
        Received,
        SignedAnswer,
        VerifiedRequest,
    )
    from gateway.ports import Signing


class SigningByForm:
    """ports.Signing over one implementation per form; the answers of all are signed under the same key."""

    def __init__(self, rest: Signing, soap: Signing) -> None:
        self._rest = rest
        self._forms: dict[Form, Signing] = {"rest": rest, "soap11": soap, "soap12": soap}

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        """Step 2; raises Refusal."""
        return self._forms[received.form].verify(received, party)

    def content_digest(self, received: Received, content: Content) -> str:
        """The digest of the content in this request's form."""
        return self._forms[received.form].content_digest(received, content)

    def sign_answer(self, answer: AnswerToSign) -> SignedAnswer:
        """The answer in its request's form; raises KeystoreError."""
        return self._forms[answer.received.form].sign_answer(answer)

    def signing_key(self) -> CertificateProof:
        """The certificate under which an answer that begins now is signed."""
        return self._rest.signing_key()
