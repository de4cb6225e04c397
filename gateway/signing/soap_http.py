"""What HTTP says of a SOAP request, before its bytes are looked at (SOAP 1.1, section 6; 1.2 Adjuncts, section 7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from gateway.model import Form, Received

PREFIX = "/soap/"
_MEDIA_TYPES = {"soap11": "text/xml", "soap12": "application/soap+xml"}
_PARAMETER = re.compile(r"\s*([A-Za-z]+)=(?:\"([^\"\\]*)\"|([^\s\";,]+))\s*")
_QUOTED = re.compile(r"\"([^\"\\]+)\"")


def form_of(target: str, content_type: str) -> Form:
    """In which form a request is to be answered: by the target's prefix, and then by the media type alone."""
    if not target.startswith(PREFIX):
        return "rest"
    return "soap12" if content_type.lower().startswith(_MEDIA_TYPES["soap12"]) else "soap11"


def check_http(received: Received) -> str | None:
    """The action that HTTP names; None where SOAP 1.2 names none. Raises Refusal.

    One XML document in UTF-8 and nothing else: no MTOM or other multipart, no compression.
    """
    if received.method != "POST":
        raise Refusal(Code.METHOD_NOT_ALLOWED)
    if "authorization" in received.headers:
        raise Refusal(Code.AUTHORIZATION_REFUSED, component="authorization")
    if received.oversize:
        raise Refusal(Code.BODY_TOO_LARGE)
    if "content-encoding" in received.headers:
        raise Refusal(Code.MEDIA_TYPE_UNSUPPORTED, component="content-encoding")
    media_type, _, rest = received.headers.get("content-type", "").partition(";")
    parameters = _parameters(rest)
    allowed = {"charset"} if received.form == "soap11" else {"charset", "action"}
    if media_type.strip().lower() != _MEDIA_TYPES[received.form] or parameters.keys() - allowed:
        raise Refusal(Code.MEDIA_TYPE_UNSUPPORTED, component="content-type")
    if parameters.get("charset", "utf-8").lower() != "utf-8":
        raise Refusal(Code.MEDIA_TYPE_UNSUPPORTED, component="charset")
    return parameters.get("action") if received.form == "soap12" else _soap_action(received)


def _parameters(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in filter(None, text.split(";")):
        match = _PARAMETER.fullmatch(part)
        if match is None or match[1].lower() in parameters:
            raise Refusal(Code.MEDIA_TYPE_UNSUPPORTED, component="content-type")
        parameters[match[1].lower()] = match[3] if match[2] is None else match[2]
    return parameters


def _soap_action(received: Received) -> str:
    match = _QUOTED.fullmatch(received.headers.get("soapaction", "").strip())
    if match is None:
        raise Refusal(Code.OPERATION_UNKNOWN, component="SOAPAction")
    return match[1]
