"""A request as an integrator saved it: the bytes that were sent, or what curl shows of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import PasserelleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REQUEST_LINE = re.compile(r"(?P<method>[!#$%&'*+.^_`|~0-9A-Za-z-]+) (?P<target>[\x21-\x7e]+) HTTP/[0-9.]+")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TRACE = re.compile(rb"^(=> Send (header|data)|<= Recv|== Info)", re.MULTILINE)
_TRACED = re.compile(rb"^[0-9a-f]{4,}: ((?:[0-9a-f]{2} ){1,16})", re.MULTILINE)
_LENGTH = re.compile(r"[0-9]{1,12}")
_LARGEST = 1 << 22


class SavedRequestError(PasserelleError):
    """Bytes that are no HTTP request; ``reason`` is a word: too_large, no_request_line, header, chunked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SavedRequest:
    """A request.

    Attributes:
        method, target: of the request line, as they stand.
        fields: (lower-case name, raw value with its spaces) in order.
        body: after the blank line, cut to Content-Length where it says less.
        beyond: how many bytes the file has past Content-Length; negative where some are missing.
    """

    method: str
    target: str
    fields: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    beyond: int

    @property
    def headers(self) -> Mapping[str, str]:
        """As the gateway sees them: repeated fields joined by a comma, in order."""
        joined: dict[str, str] = {}
        for name, raw in self.fields:
            value = raw.strip(" \t")
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return joined


def parse_saved(content: bytes) -> SavedRequest:
    """The request in a file: raw bytes, lines ended by CRLF or LF; also `curl --trace` or the ``>`` lines of `curl -v`.

    Raises SavedRequestError.
    """
    if len(content) > _LARGEST:
        raise SavedRequestError("too_large")
    if _TRACE.search(content[:4096]):
        content = _from_trace(content)
    elif content.lstrip().startswith(b"> "):
        content = re.sub(rb"(?m)^> ?", b"", content.lstrip())
    head, body = _split(content)
    rows = head.decode("latin-1").split("\n")
    match = _REQUEST_LINE.fullmatch(rows[0].rstrip("\r"))
    if match is None:
        raise SavedRequestError("no_request_line")
    fields = [_field(row.rstrip("\r")) for row in rows[1:] if row.rstrip("\r")]
    names = dict(fields)
    if "transfer-encoding" in names:
        raise SavedRequestError("chunked")
    length = names.get("content-length", "").strip()
    declared = int(length) if _LENGTH.fullmatch(length) else len(body)
    return SavedRequest(match["method"], match["target"], fields, body[:declared], len(body) - declared)


def _split(content: bytes) -> tuple[bytes, bytes]:
    ends = [(at, len(end)) for end in (b"\r\n\r\n", b"\n\n") if (at := content.find(end)) >= 0]
    if not ends:
        return content, b""
    at, length = min(ends)
    return content[:at], content[at + length :]


def _field(row: str) -> tuple[str, str]:
    name, colon, value = row.partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise SavedRequestError("header")
    return name.lower(), value


def _from_trace(content: bytes) -> bytes:
    """The bytes that curl says it sent: of its hexadecimal dump, the first header and the data after it."""
    parts: list[bytes] = []
    for block in re.split(rb"(?m)^(?=[=<]=|=>|<=)", content):
        if block.startswith(b"<= Recv header") and parts:
            break
        if block.startswith(b"=> Send SSL") or not block.startswith(b"=> Send"):
            continue
        parts += [bytes.fromhex(match[1].decode()) for match in _TRACED.finditer(block)]
    return b"".join(parts)
