"""SignedInfo in one of the two plainest forms, under any prefix, read by being written again.

Our own signer writes it without white space, libxmlsec1 with a line for each element, both without lists of prefixes.
It is written here once more, of the names and digests that seem to stand in it: where each byte is the same, these are
what stands in it, and no parser could find another meaning. Where one byte differs, nothing is said, and the strict
reader (soap_info.py) reads it. So what looks for names and digests decides nothing; the comparison does.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from gateway.signing import soap_names as n

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "ds"
#: Short prefixes, without what is rare or reserved; none of them stands for the default namespace.
_START = re.compile(rb"<(?:(?!xml)([A-Za-z_][A-Za-z0-9_-]{0,7}):)?SignedInfo [^>]*>(\n?)", re.ASCII)
#: Bytes in which the method stands, where the form is plain.
_METHOD_BEFORE = 512
#: With names of 128 characters at most, far inside the limits of the strict reader.
_MOST = 64


class PlainInfo(NamedTuple):
    """The method's URI, and the digests by wsu:Id, in their order."""

    method: str
    digests: dict[str, bytes]


class _Form(NamedTuple):
    """The text around names and digests, under one prefix and method, and what finds these in it."""

    begin: str
    name: str
    between: str
    after: str
    end: str
    reference: re.Pattern[bytes]

    def written(self, references: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The canonical SignedInfo of such references."""
        middle = [
            f"{self.name}{name.decode()}{self.between}{digest.decode()}{self.after}" for name, digest in references
        ]
        return f"{self.begin}{''.join(middle)}{self.end}".encode("ascii")


@lru_cache(maxsize=32)
def _form(prefix: str, method: str, line: str) -> _Form:
    """``line`` ends each line: a line feed, or nothing."""
    p, declared = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")

    def empty(tag: str, algorithm: str) -> str:
        return f'<{p}{tag} Algorithm="{algorithm}"></{p}{tag}>{line}'

    name = f'<{p}Reference URI="#'
    transforms = f"<{p}Transforms>{line}{empty('Transform', n.EXCLUSIVE_C14N)}</{p}Transforms>{line}"
    between = f'">{line}{transforms}{empty("DigestMethod", n.SHA256)}<{p}DigestValue>'
    methods = empty("CanonicalizationMethod", n.EXCLUSIVE_C14N) + empty("SignatureMethod", method)
    return _Form(
        begin=f'<{p}SignedInfo {declared}="{n.DS}">{line}{methods}',
        name=name,
        between=between,
        after=f"</{p}DigestValue>{line}</{p}Reference>{line}",
        end=f"</{p}SignedInfo>",
        # Without a character that XML would write in another way; a digest is 32 bytes in canonical base64.
        reference=re.compile(
            f"{name}([A-Za-z0-9_-]{{1,128}}){re.escape(between)}([A-Za-z0-9+/]{{42}}[AEIMQUYcgkosw048]=)".encode(
                "ascii"
            )
        ),
    )


def write_references(references: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The canonical SignedInfo of such references, as our signer makes it: wsu:Ids and digests in base64."""
    return _form(_PREFIX, n.ECDSA_SHA256, "").written(references)


def read_references(data: bytes) -> PlainInfo | None:
    """What stands in a SignedInfo in one of the plainest forms.

    None for every other: those with two references to one thing, none at all, or more than 64 too.
    """
    start = _START.match(data)
    if start is None:
        return None
    method = n.RSA_SHA256 if n.RSA_SHA256.encode() in data[:_METHOD_BEFORE] else n.ECDSA_SHA256
    form = _form((start[1] or b"").decode(), method, start[2].decode())
    found = form.reference.findall(data)
    digests = {name.decode(): a2b_base64(digest) for name, digest in found}
    if not found or len(found) > _MOST or len(digests) != len(found) or form.written(found) != data:
        return None
    return PlainInfo(method, digests)
