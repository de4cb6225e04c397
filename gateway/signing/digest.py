"""Content-Digest (RFC 9530), over the body as received."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256, sha512
from hmac import compare_digest

from gateway.signing.structured import Item, MalformedFieldError, parse_dictionary

_ALGORITHMS = {"sha-256": sha256, "sha-512": sha512}


def content_digest(body: bytes) -> str:
    """The header's value for a body of ours: ``sha-256=:...:``."""
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def digest_holds(header: str, body: bytes) -> bool:
    """Whether every digest in the header is one that we know and is that of the body; at least one."""
    try:
        members = parse_dictionary(header)
    except MalformedFieldError:
        return False
    return bool(members) and all(_holds(name, member, body) for name, member in members.items())


def _holds(name: str, member: object, body: bytes) -> bool:
    algorithm = _ALGORITHMS.get(name)
    if algorithm is None or not isinstance(member, Item) or not isinstance(member.value, bytes):
        return False
    return compare_digest(algorithm(body).digest(), member.value)
