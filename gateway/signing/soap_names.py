"""The names of SOAP, WS-Addressing, WS-Security 1.1 and XML Signature that we read and write, and no others.

Element names are in Clark notation, ``{namespace}local``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.errors import PasserelleError
from gateway.signing import algorithms

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA: Final = "http://www.w3.org/2005/08/addressing"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSSE11: Final = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
#: Header blocks of ours.
EXCHANGE: Final = "urn:passerelle:exchange:v1"

EXCLUSIVE_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

#: Signature methods that are accepted (S4), by the algorithm that the key must have (S5).
SIGNATURE_METHODS: Final = {algorithms.ECDSA_P256: ECDSA_SHA256, algorithms.RSA_PKCS1: RSA_SHA256}

X509V3: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
THUMBPRINT: Final = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
SUBJECT_KEY: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier"
)
BASE64: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

ENVELOPE: Final = f"{{{SOAP}}}Envelope"
HEADER: Final = f"{{{SOAP}}}Header"
BODY: Final = f"{{{SOAP}}}Body"
FAULT: Final = f"{{{SOAP}}}Fault"
MUST_UNDERSTAND: Final = f"{{{SOAP}}}mustUnderstand"


class Soap(NamedTuple):
    """The names of one version of SOAP: its namespace, and Clark names in it."""

    namespace: str
    envelope: str
    header: str
    body: str
    fault: str
    must_understand: str


def _version(namespace: str) -> Soap:
    parts = ("Envelope", "Header", "Body", "Fault", "mustUnderstand")
    return Soap(namespace, *(f"{{{namespace}}}{part}" for part in parts))


SOAP_11: Final = _version(SOAP)
SOAP_12: Final = _version(SOAP12)
#: No header block is one of these.
BODIES: Final = frozenset({SOAP_11.body, SOAP_12.body})

TO: Final = f"{{{WSA}}}To"
ACTION: Final = f"{{{WSA}}}Action"
MESSAGE_ID: Final = f"{{{WSA}}}MessageID"
RELATES_TO: Final = f"{{{WSA}}}RelatesTo"
REPLY_TO: Final = f"{{{WSA}}}ReplyTo"
FAULT_TO: Final = f"{{{WSA}}}FaultTo"
ADDRESS: Final = f"{{{WSA}}}Address"
SECURITY: Final = f"{{{WSSE}}}Security"
TOKEN: Final = f"{{{WSSE}}}BinarySecurityToken"
TOKEN_REFERENCE: Final = f"{{{WSSE}}}SecurityTokenReference"
TOKEN_URI: Final = f"{{{WSSE}}}Reference"
KEY_IDENTIFIER: Final = f"{{{WSSE}}}KeyIdentifier"
CONFIRMATION: Final = f"{{{WSSE11}}}SignatureConfirmation"
TIMESTAMP: Final = f"{{{WSU}}}Timestamp"
CREATED: Final = f"{{{WSU}}}Created"
EXPIRES: Final = f"{{{WSU}}}Expires"
WSU_ID: Final = f"{{{WSU}}}Id"
SIGNATURE: Final = f"{{{DS}}}Signature"
SIGNED_INFO: Final = f"{{{DS}}}SignedInfo"
C14N_METHOD: Final = f"{{{DS}}}CanonicalizationMethod"
SIGNATURE_METHOD: Final = f"{{{DS}}}SignatureMethod"
REFERENCE: Final = f"{{{DS}}}Reference"
TRANSFORMS: Final = f"{{{DS}}}Transforms"
TRANSFORM: Final = f"{{{DS}}}Transform"
DIGEST_METHOD: Final = f"{{{DS}}}DigestMethod"
DIGEST_VALUE: Final = f"{{{DS}}}DigestValue"
SIGNATURE_VALUE: Final = f"{{{DS}}}SignatureValue"
KEY_INFO: Final = f"{{{DS}}}KeyInfo"
X509_DATA: Final = f"{{{DS}}}X509Data"
ISSUER_SERIAL: Final = f"{{{DS}}}X509IssuerSerial"
ISSUER_NAME: Final = f"{{{DS}}}X509IssuerName"
SERIAL_NUMBER: Final = f"{{{DS}}}X509SerialNumber"
INCLUSIVE_NAMESPACES: Final = f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces"

AGREEMENT: Final = f"{{{EXCHANGE}}}Exchange-Agreement"
PURPOSE: Final = f"{{{EXCHANGE}}}Exchange-Purpose"
IDEMPOTENCY_KEY: Final = f"{{{EXCHANGE}}}Idempotency-Key"
EXCHANGE_ID: Final = f"{{{EXCHANGE}}}Exchange-Id"
LEDGER_LEAF: Final = f"{{{EXCHANGE}}}Ledger-Leaf"
LEDGER_BY: Final = f"{{{EXCHANGE}}}Ledger-By"

#: The one address that answers go to: back on the connection (WS-Addressing 1.0, Core, 2.1).
ANONYMOUS: Final = f"{WSA}/anonymous"
#: The Action of a Fault (WS-Addressing 1.0, SOAP Binding, 6).
FAULT_ACTION: Final = f"{WSA}/fault"

#: What XML calls white space (XML 1.0, production 3), and nothing else that Python would strip.
SPACE: Final = " \t\r\n"

#: What a request must sign, Body apart, which is always asked for (S4).
REQUEST_PARTS: Final = frozenset({TIMESTAMP, TO, ACTION, MESSAGE_ID})
#: What a request to us must sign: agreement and purpose too (P3).
CALLER_PARTS: Final = REQUEST_PARTS | {AGREEMENT, PURPOSE}
#: What a request to us may sign: each of these has a form without room for words, and enters evidence as it stands.
REQUEST_MAY_SIGN: Final = CALLER_PARTS | {REPLY_TO, TOKEN, IDEMPOTENCY_KEY}
#: What an answer must sign, Body apart.
ANSWER_PARTS: Final = frozenset({TIMESTAMP, ACTION, MESSAGE_ID, RELATES_TO, CONFIRMATION})


class SoapSignatureError(PasserelleError):
    """A SOAP message is not what its signer signed, or not by whom, when or for what we expect.

    ``reason`` is a stable word (those of ``XmlRefusedError`` too), never a value and never a parser's text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
