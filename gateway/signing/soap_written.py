"""SignedInfo in the one form that our own signer gives it, read by being written again.

Most SOAP messages that a log keeps are ours. Their SignedInfo is written here once more, of the names and digests that
seem to stand in it: where each byte is the same, these are what stands in it, and no parser could find another meaning.
Where one byte differs, nothing is said, and the strict reader (soap_info.py) reads it. So what looks for names and
digests decides nothing; the comparison does.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING

from gateway.signing import soap_names as n

if TYPE_CHECKING:
    from collections.abc import Iterable

_BEGIN = (
    f'<ds:SignedInfo xmlns:ds="{n.DS}">'
    f'<ds:CanonicalizationMethod Algorithm="{n.EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="{n.ECDSA_SHA256}"></ds:SignatureMethod>'
)
_NAME = '<ds:Reference URI="#'
_BETWEEN = (
    f'"><ds:Transforms><ds:Transform Algorithm="{n.EXCLUSIVE_C14N}"></ds:Transform></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{n.SHA256}"></ds:DigestMethod><ds:DigestValue>'
)
_AFTER = "</ds:DigestValue></ds:Reference>"
_END = "</ds:SignedInfo>"
#: Names and digests without a character that XML would write in another way; a digest is 32 bytes in canonical base64.
_REFERENCE = re.compile(
    f"{_NAME}([A-Za-z0-9_-]{{1,128}}){re.escape(_BETWEEN)}([A-Za-z0-9+/]{{42}}[AEIMQUYcgkosw048]=)".encode("ascii")
)
#: With names of 128 characters at most, far inside the limits of the strict reader.
_MOST = 64


def write_references(references: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The canonical SignedInfo of such references, as our signer makes it: wsu:Ids and digests in base64."""
    middle = "".join([f"{_NAME}{name.decode()}{_BETWEEN}{digest.decode()}{_AFTER}" for name, digest in references])
    return f"{_BEGIN}{middle}{_END}".encode("ascii")


def read_references(data: bytes) -> dict[str, bytes] | None:
    """The digests by wsu:Id, in their order, of a SignedInfo that our signer could have written (ecdsa-sha256).

    None for every other: those with two references to one thing, none at all, or more than 64 too.
    """
    found = _REFERENCE.findall(data)
    digests = {name.decode(): a2b_base64(digest) for name, digest in found}
    if not found or len(found) > _MOST or len(digests) != len(found) or write_references(found) != data:
        return None
    return digests
