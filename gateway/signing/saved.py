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
_SENT_AS_TEXT = re.compile(rb"^=> Send (?:header|data), [^\n]*\n(?![0-9a-f]{4,}: [0-9a-f]{2} )", re.MULTILINE)
_VERBOSE = re.compile(rb"(?:^|(?<=[0-9])|(?<=\r))> [A-Za-z]+ [\x21-\x7e]+ HTTP/", re.MULTILINE)
#: curl's progress has no line of its own: what it says next begins behind it.
_SAID = re.compile(rb"^(?:[^\n]*\r)? *(?:[0-9][0-9.:kMGTP -]*)?(?=[*<>{}] )", re.MULTILINE)
_OF_CURL = re.compile(rb"^(?:[*<] |[{}] \[)", re.MULTILINE)
_TRACED = re.compile(rb"^[0-9a-f]{4,}: ((?:[0-9a-f]{2} ){1,16})", re.MULTILINE)
_LENGTH = re.compile(r"[0-9]{1,12}")
_LARGEST = 1 << 22


class SavedRequestError(PasserelleError):
    """Bytes that are no HTTP request; ``reason`` is one of too_large, no_request_line, header, chunked, trace_ascii."""

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
        bodiless: a body was sent and is not here, since `curl -v` shows none; then it is empty.
    """

    method: str
    target: str
    fields: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    beyond: int
    bodiless: bool = False

    @property
    def headers(self) -> Mapping[str, str]:
        """As the gateway sees them: repeated fields joined by a comma, in order."""
        joined: dict[str, str] = {}
        for name, raw in self.fields:
            value = raw.strip(" \t")
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return joined


def parse_saved(content: bytes, body: bytes | None = None) -> SavedRequest:
    """The request in a file: raw bytes, lines ended by CRLF or LF; also `curl --trace`, or what `curl -v` says.

    ``body`` is the body that was saved apart. Raises SavedRequestError.
    """
    if len(content) > _LARGEST:
        raise SavedRequestError("too_large")
    content, shown = (_from_trace(content), True) if _TRACE.search(content[:4096]) else _from_verbose(content)
    head, found = _split(content)
    rows = head.decode("latin-1").split("\n")
    match = _REQUEST_LINE.fullmatch(rows[0].rstrip("\r"))
    if match is None:
        raise SavedRequestError("no_request_line")
    fields = [_field(row.rstrip("\r")) for row in rows[1:] if row.rstrip("\r")]
    names = dict(fields)
    if "transfer-encoding" in names:
        raise SavedRequestError("chunked")
    length = names.get("content-length", "").strip()
    sent = found if body is None else body
    declared = int(length) if _LENGTH.fullmatch(length) else len(sent)
    if body is None and not shown and length not in {"", "0"}:
        return SavedRequest(match["method"], match["target"], fields, b"", 0, bodiless=True)
    return SavedRequest(match["method"], match["target"], fields, sent[:declared], len(sent) - declared)


def _from_verbose(content: bytes) -> tuple[bytes, bool]:
    """The lines that curl marks as sent, first request only, and whether the body can be there; else all as it is."""
    began = None if _REQUEST_LINE.match(content[:4096].decode("latin-1")) else _VERBOSE.search(content)
    if began is None:
        return content, True
    real = _OF_CURL.search(content) is not None
    said = _SAID.sub(b"", content) if real else content
    rows = said[said.index(began[0]) :].splitlines(keepends=True)
    sent = [row[2:] if row.startswith(b"> ") else row[1:] for row in rows if row.startswith(b">")]
    end = next((at for at, row in enumerate(sent) if not row.strip()), len(sent))
    head = b"".join(sent[: end + 1])
    if real:
        return head, False
    # only the lines of the head were marked by hand: what is behind them is the body
    return head + b"".join(rows[end + 1 :]), True


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
    if _SENT_AS_TEXT.search(content):
        # --trace-ascii: what is no letter is a dot there, and line ends are guesses
        raise SavedRequestError("trace_ascii")
    parts: list[bytes] = []
    for block in re.split(rb"(?m)^(?=[=<]=|=>|<=)", content):
        if block.startswith(b"<= Recv header") and parts:
            break
        if block.startswith(b"=> Send SSL") or not block.startswith(b"=> Send"):
            continue
        parts += [bytes.fromhex(match[1].decode()) for match in _TRACED.finditer(block)]
    return b"".join(parts)
