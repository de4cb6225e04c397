"""One receipt of a SOAP exchange: the answer's envelope as it came, which has all in it that proves it (S3, S4).

Nothing of it is believed: the signature is what counts, and whose key made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from gateway.audit.evidence_schema import Id
from gateway.audit.kept_answer import LARGEST, KeptAnswer, read_leaf, read_promise
from gateway.audit.soap_blocks import as_content_digest, span
from gateway.audit.soap_kept import LIMITS
from gateway.audit.verdict import Fault, Problem
from gateway.signing.soap_names import ACTION, MESSAGE_ID, SOAP_11, SOAP_12, TIMESTAMP, SoapSignatureError
from gateway.signing.soap_open import open_soap, proven
from gateway.signing.xml import XmlRefusedError, parse

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.signing.soap_facts import SignedPartFacts

_ALWAYS = frozenset({TIMESTAMP, ACTION, MESSAGE_ID})
_ID = TypeAdapter(Id)


def read_soap_receipt(path: Path) -> KeptAnswer:
    """The receipt in a file; raises Problem (receipt_unreadable, receipt_not_ours)."""
    try:
        if path.stat().st_size > LARGEST:
            raise Problem(Fault.RECEIPT_UNREADABLE, "too large")
        root = parse(path.read_bytes(), LIMITS)
        opened = open_soap(root, SOAP_12 if root.tag == SOAP_12.envelope else SOAP_11)
    except OSError as error:
        raise Problem(Fault.RECEIPT_UNREADABLE, error.strerror or "cannot be read") from None
    except (XmlRefusedError, SoapSignatureError) as error:
        raise Problem(Fault.RECEIPT_UNREADABLE, error.reason) from None
    if opened.token.kind != "token":
        raise Problem(Fault.RECEIPT_UNREADABLE, "without the certificate that it is signed under")
    try:
        facts = proven(opened, opened.token.value)
    except SoapSignatureError as error:
        raise Problem(Fault.RECEIPT_NOT_OURS, error.reason) from None
    return _receipt(path.name, facts, opened.token.value)


def _receipt(name: str, facts: SignedPartFacts, signer: bytes) -> KeptAnswer:
    said = facts.own
    try:
        exchange_id = _ID.validate_python(said.get("Exchange-Id"))
    except ValidationError:
        raise Problem(Fault.RECEIPT_NOT_OURS, "the signature does not cover what it must") from None
    recorded = "Ledger-Leaf" in said
    if not facts.parts >= _ALWAYS or recorded != ("Ledger-By" in said):
        raise Problem(Fault.RECEIPT_NOT_OURS, "the signature does not cover what it must")
    return KeptAnswer(
        name=name,
        exchange_id=exchange_id,
        ledger_leaf=read_leaf(said["Ledger-Leaf"]) if recorded else None,
        ledger_by=read_promise(said["Ledger-By"]) if recorded else None,
        content_digest=as_content_digest(facts.body_digest),
        created=span(facts)[0],
        signer=signer,
    )
