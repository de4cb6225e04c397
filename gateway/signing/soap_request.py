"""Step 2 for SOAP: a caller's signature over its message, 1.1 or 1.2, as S4 asks for it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.errors import Code, Refusal
from gateway.model import SignedPart, SoapSignature, VerifiedRequest
from gateway.signing import soap_names as n
from gateway.signing.algorithms import algorithm_of
from gateway.signing.answer import keyid_of
from gateway.signing.request import NEWEST, OLDEST, UUID_TEXT, load
from gateway.signing.soap_http import check_http
from gateway.signing.soap_kept import check_kept, check_understood, message_id
from gateway.signing.soap_open import open_soap, proven
from gateway.signing.soap_reasons import refusal_of
from gateway.signing.soap_token import named_among
from gateway.signing.soap_verify import check_fresh
from gateway.signing.xml import XmlLimits, XmlRefusedError, digest, parse

if TYPE_CHECKING:
    from datetime import datetime

    from lxml import etree

    from gateway.model import Party, Received, Signer
    from gateway.ports import KnownSigners
    from gateway.signing.soap_facts import SignedPartFacts
    from gateway.signing.soap_open import OpenedSoap

_LIMITS = XmlLimits(size=65_536)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_VERSIONS = {"soap11": n.SOAP_11, "soap12": n.SOAP_12}


class SoapRequestVerifier:
    """Verifies messages sent to endpoints below the origin that callers address us by (``https://name[:port]``)."""

    def __init__(self, origin: str, signers: KnownSigners) -> None:
        self._origin = origin
        self._signers = signers

    def verify(self, received: Received, party: Party) -> VerifiedRequest:
        """The request as signed by this party; raises Refusal with the component that failed."""
        # 1. HTTP says that it is one XML document, and by which action
        action = check_http(received)
        root = _envelope(received)
        nonce = message_id(root)
        try:
            return self._verified(received, party, root, action)
        except n.SoapSignatureError as error:
            raise refusal_of(error.reason, nonce) from None
        except Refusal as refusal:
            # Evidence of a refusal keeps the MessageID, where it was strictly valid (C6).
            refusal.nonce = nonce
            raise

    def _verified(self, received: Received, party: Party, root: etree._Element, action: str | None) -> VerifiedRequest:
        if next(root.iter(n.SIGNATURE), None) is None:
            raise Refusal(Code.SIGNATURE_MISSING, component="Signature")
        # 2. one of each, where it belongs, and nothing that we would have to understand and do not
        opened = open_soap(root, _VERSIONS[received.form])
        check_understood(opened)
        # 3. whose key it is, and what that key signed
        signer = self._signer(opened, party, received.at)
        facts = proven(opened, signer.certificate)
        # 4. all that must be signed, and nothing that evidence may not keep; now, and for us
        if missing := sorted(n.CALLER_PARTS - facts.parts):
            raise Refusal(Code.COMPONENT_NOT_COVERED, component=missing[0].partition("}")[2])
        check_kept(opened)
        if n.IDEMPOTENCY_KEY not in facts.parts and any(block.tag == n.IDEMPOTENCY_KEY for block in opened.header):
            raise Refusal(Code.COMPONENT_NOT_COVERED, component="Idempotency-Key")
        created = _check_time(facts, received.at)
        if facts.to != self._origin + received.target:
            raise Refusal(Code.ADDRESSED_ELSEWHERE, component="To")
        if action is not None and facts.action != action:
            raise Refusal(Code.OPERATION_UNKNOWN, component="SOAPAction")
        nonce = message_id(root)
        if nonce is None or facts.message_id != nonce:
            raise Refusal(Code.NONCE_INVALID, component="MessageID")
        signature = SoapSignature(
            part=SignedPart(opened.info.data, opened.signature, opened.headers, signer.proof),
            algorithm=algorithm_of(load(signer.certificate), soap=True) or "",
            nonce=nonce,
            created=created,
            action=facts.action or "",
            agreement=_word(facts, "Exchange-Agreement"),
            purpose=_word(facts, "Exchange-Purpose"),
            body=opened.body,
            idempotency_key=_key(facts),
        )
        return VerifiedRequest(party, received, signature, None, body=opened.payload)

    def _signer(self, opened: OpenedSoap, party: Party, at: datetime) -> Signer:
        """The certificate that the message names, among those that parties are known by, found valid."""
        token = opened.token
        named = token.value if token.kind == "token" else named_among(token, self._signers.certificates(party.name))
        if named is None:
            raise Refusal(Code.KEY_UNKNOWN, component="KeyInfo")
        signer = self._signers.signer(keyid_of(digest(named).hex()), at)
        if signer.party != party.name:
            raise Refusal(Code.KEY_OF_ANOTHER_PARTY, component="KeyInfo")
        return signer


def _envelope(received: Received) -> etree._Element:
    """The document; raises Refusal."""
    try:
        return parse(received.body, _LIMITS)
    except XmlRefusedError as refused:
        raise refusal_of(refused.reason, None) from None


def _check_time(facts: SignedPartFacts, at: datetime) -> int:
    """The Timestamp's begin in seconds since 1970, inside the window around its arrival (S1, S4); raises Refusal."""
    check_fresh(facts, at)
    created = facts.created
    if created is None or not at - timedelta(seconds=OLDEST) <= created <= at + timedelta(seconds=NEWEST):
        raise Refusal(Code.CREATED_OUT_OF_WINDOW, component="Timestamp")
    return int(created.timestamp())


def _key(facts: SignedPartFacts) -> str | None:
    """The signed Idempotency-Key, where there is one; raises Refusal for what leaves room for words."""
    value = facts.own.get("Idempotency-Key")
    if value is not None and not UUID_TEXT.fullmatch(value):
        raise Refusal(Code.SIGNATURE_MALFORMED, component="Idempotency-Key")
    return value


def _word(facts: SignedPartFacts, name: str) -> str:
    value = facts.own.get(name, "")
    if not _WORD.fullmatch(value):
        raise Refusal(Code.FIELD_INVALID, component=name)
    return value
