"""The names of SOAP 1.1, WS-Addressing, WS-Security 1.1 and XML Signature that we read and write, and no others.

Element names are in Clark notation, ``{namespace}local``.
"""

from __future__ import annotations

from typing import Final

from gateway.errors import PasserelleError
from gateway.signing import algorithms

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
WSA: Final = "http://www.w3.org/2005/08/addressing"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSSE11: Final = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"

EXCLUSIVE_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

#: Signature methods that are accepted (S4), by the algorithm that the key must have (S5).
SIGNATURE_METHODS: Final = {algorithms.ECDSA_P256: ECDSA_SHA256, algorithms.RSA_PKCS1: RSA_SHA256}

X509V3: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

ENVELOPE: Final = f"{{{SOAP}}}Envelope"
HEADER: Final = f"{{{SOAP}}}Header"
BODY: Final = f"{{{SOAP}}}Body"
FAULT: Final = f"{{{SOAP}}}Fault"
MUST_UNDERSTAND: Final = f"{{{SOAP}}}mustUnderstand"
TO: Final = f"{{{WSA}}}To"
ACTION: Final = f"{{{WSA}}}Action"
MESSAGE_ID: Final = f"{{{WSA}}}MessageID"
RELATES_TO: Final = f"{{{WSA}}}RelatesTo"
SECURITY: Final = f"{{{WSSE}}}Security"
TOKEN: Final = f"{{{WSSE}}}BinarySecurityToken"
TOKEN_REFERENCE: Final = f"{{{WSSE}}}SecurityTokenReference"
TOKEN_URI: Final = f"{{{WSSE}}}Reference"
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
INCLUSIVE_NAMESPACES: Final = f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces"

#: What a request must sign, Body apart, which is always asked for (S4).
REQUEST_PARTS: Final = frozenset({TIMESTAMP, TO, ACTION, MESSAGE_ID})
#: What an answer must sign, Body apart.
ANSWER_PARTS: Final = frozenset({TIMESTAMP, ACTION, MESSAGE_ID, RELATES_TO, CONFIRMATION})


class SoapSignatureError(PasserelleError):
    """A SOAP message is not what its signer signed, or not by whom, when or for what we expect.

    ``reason`` is a stable word (those of ``XmlRefusedError`` too), never a value and never a parser's text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
