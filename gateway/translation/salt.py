"""The salt of a message (C4): without it, whoever reads the evidence finds the NIREC behind its digest."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from gateway.errors import Code, Refusal

_SHORTEST = 16
_LONGEST = 64


def decode_salt(text: str, public: str) -> bytes:
    """16 to 64 bytes from strict base64; raises Refusal(salt_invalid).

    ``public`` is what evidence keeps of the request in the clear, the nonce among it: a salt that stands there, in
    any spelling, would be no secret.
    """
    try:
        salt = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Refusal(Code.SALT_INVALID, component="salt") from None
    if b64encode(salt).decode() != text or not _SHORTEST <= len(salt) <= _LONGEST or len(set(salt)) == 1:
        raise Refusal(Code.SALT_INVALID, component="salt")
    bare = text.rstrip("=")
    hexadecimal = public.replace("-", "").lower()  # dashes are a UUID's
    if bare in public.replace("-", "+").replace("_", "/") or bare in public or salt.hex() in hexadecimal:
        raise Refusal(Code.SALT_INVALID, component="salt")
    return salt
