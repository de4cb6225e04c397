"""What every kept SOAP message must be, whoever signed it: sound, within its time, named without words (S4)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import encode64
from gateway.signing.soap_facts import check_signed_part
from gateway.signing.soap_names import SoapSignatureError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.signing.soap_facts import SignedPartFacts

#: How long a Timestamp may span (S4).
LONGEST_SPAN = timedelta(minutes=5)
#: The MessageID of a caller's request, the only one that evidence may hold (C6): it has no room for words.
MESSAGE_ID_FORM = re.compile(r"urn:uuid:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: Where it is the signature, or what it is over, that is another.
_UNSIGNED = frozenset({"signature_invalid", "algorithm_refused", "certificate_malformed", "digest_mismatch"})


def signed_facts(
    signed_info: bytes,
    signature: bytes,
    headers: Mapping[str, bytes],
    certificate: bytes,
    faults: tuple[Fault, Fault],
) -> SignedPartFacts:
    """What the signature covers, once it holds under the certificate (DER) and each block is the one it names.

    ``faults``: of a message that is not what was signed, and of a signature that is not by this key. Raises Problem.
    """
    try:
        return check_signed_part(signed_info, signature, headers, certificate)
    except SoapSignatureError as error:
        raise Problem(faults[error.reason in _UNSIGNED], error.reason) from None


def as_content_digest(digest: bytes) -> str:
    """A SHA-256 as evidence writes the digest of an answer: ``sha-256=:base64:``."""
    return f"sha-256=:{encode64(digest)}:"


def span(facts: SignedPartFacts) -> tuple[datetime, datetime]:
    """The Timestamp's begin and end, if it spans something and not too much; raises Problem (time_differs)."""
    created, expires = facts.created, facts.expires
    if created is None or expires is None or not timedelta(0) < expires - created <= LONGEST_SPAN:
        raise Problem(Fault.TIME_DIFFERS, "a timestamp that spans nothing or too much")
    return created, expires
