"""What other systems kept of their messages with the gateway, found by the digests that evidence has (L12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.audit.evidence_schema import ApartMessagePart, MessagePart, RestMessagePart, TlsMessagePart
from gateway.audit.places import RestAsked, raw_target
from gateway.audit.soap_blocks import as_content_digest
from gateway.audit.soap_kept import LIMITS, body_reference, read_envelope
from gateway.errors import ConfigurationError
from gateway.signing.base import parse_base
from gateway.signing.digest import content_digest
from gateway.signing.soap_names import SOAP_11, SOAP_12, SoapSignatureError
from gateway.signing.soap_open import open_soap
from gateway.signing.structured import MalformedFieldError
from gateway.signing.xml import XmlRefusedError, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lxml import etree

    Part = MessagePart | RestMessagePart | ApartMessagePart | TlsMessagePart

_OK = 200
_ADDRESSED = frozenset({'"@method"', '"@target-uri"'})


@dataclass(frozen=True, slots=True)
class OtherAnswer:
    """What another system answered: the one element of a Body, or a body by REST with its status."""

    content: etree._Element | bytes = field(repr=False)
    status: int = _OK


class OthersKept:
    """Folders of envelopes and bodies, by whatever names; each file is known by the digest of what was signed of it."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Raises ConfigurationError for a file that cannot be read."""
        self._paths: dict[str, Path] = {}
        for path in sorted(path for folder in folders for path in folder.iterdir() if path.is_file()):
            data = _read(path)
            self._paths[content_digest(data)] = path
            if (of_body := _digest_of(data)) is not None:
                self._paths[of_body] = path

    def request(self, part: MessagePart | RestMessagePart | ApartMessagePart) -> etree._Element | RestAsked | None:
        """What they kept of a request of ours; None where it is not among the files, or its digest is sealed apart."""
        if isinstance(part, ApartMessagePart):
            return None
        if isinstance(part, MessagePart):
            return self._payload(part)
        values = _values_of(part)
        body = b"" if '"content-digest"' not in values else self._bytes(values['"content-digest"'])
        if body is None or not values.keys() >= _ADDRESSED:
            return None
        return RestAsked(values['"@method"'], raw_target(values['"@target-uri"']), body)

    def answer(self, part: Part) -> OtherAnswer | None:
        """What they kept of an answer of theirs; None where it is not among the files."""
        if isinstance(part, MessagePart):
            payload = self._payload(part)
            return None if payload is None else OtherAnswer(payload)
        values = _values_of(part) if isinstance(part, RestMessagePart) else {}
        digest = part.content_digest if isinstance(part, TlsMessagePart) else values.get('"content-digest"')
        status = values.get('"@status"', str(_OK))
        body = self._bytes(digest)
        if body is None or not status.isdigit():
            return None
        # whoever signs nothing may still speak SOAP
        envelope = read_envelope(body)
        return OtherAnswer(body if envelope is None else envelope.payload, int(status))

    def _payload(self, part: MessagePart) -> etree._Element | None:
        signed = body_reference(part)
        data = None if signed is None else self._bytes(as_content_digest(signed.digest))
        envelope = None if data is None else read_envelope(data)
        return None if envelope is None else envelope.payload

    def _bytes(self, digest: str | None) -> bytes | None:
        path = self._paths.get(digest or "")
        return None if path is None else _read(path)


def _values_of(part: RestMessagePart) -> Mapping[str, str]:
    """The components of its signature base; none where it is no base, which is another check's finding."""
    try:
        return parse_base(part.base.encode())[0]
    except MalformedFieldError:
        return {}


def _digest_of(data: bytes) -> str | None:
    """Of an envelope's Body, as its own signature names it where it has one; None where these bytes are no envelope."""
    try:
        root = parse(data, LIMITS)
    except XmlRefusedError:
        return None
    try:
        return content_digest(open_soap(root, SOAP_12 if root.tag == SOAP_12.envelope else SOAP_11).body)
    except SoapSignatureError:
        # the Body that we signed, sent without the signature to a system that would not look at it
        envelope = read_envelope(data)
        return None if envelope is None else envelope.digest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
