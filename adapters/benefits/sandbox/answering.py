"""What the sandbox is told over SOAP 1.1, judged by its own schema, and the envelope that it answers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lxml import etree

from adapters.sandboxing.behaviour import Mode
from adapters.sandboxing.messages import Response
from gateway.signing.xml import XmlRefusedError, parse

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.sandboxing.notices import Notices
    from gateway.ports import Clock

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_NOTICES = "http://schemas.example.gouv.qc.ca/prestations/avis/v1"
_S, _A = f"{{{_SOAP}}}", f"{{{_NOTICES}}}"
_XML = {"Content-Type": "text/xml; charset=utf-8"}


class Reception:
    """The service behind its listener; used by all threads."""

    def __init__(self, documents: Path, notices: Notices, clock: Clock) -> None:
        """``documents`` is the folder with its XSD; raises OSError where there is none."""
        self._notices = notices
        self._clock = clock
        self._schema = etree.XMLSchema(parse((documents / "Avis.xsd").read_bytes()))
        self._schema_lock = threading.Lock()

    def answer(self, body: bytes, mode: Mode) -> Response:
        """The acknowledgement; a fault for what is no notice of its schema, or one whose time is over."""
        try:
            asked = self._asked(parse(body))
        except XmlRefusedError:
            asked = None
        if asked is None:
            return _fault("message non conforme au schéma", "schema_invalid")
        if datetime.fromisoformat(asked.findtext(f"{_A}entete/{_A}echeance", "")).astimezone(UTC) <= self._clock.now():
            return _fault("échéance passée", "expired")
        notice = _notice(asked)
        taken = "NOUVEAU" if self._notices.take(notice) else "DOUBLON"
        state = "PEUT-ETRE" if mode is Mode.MALFORMED else taken
        envelope, said = _envelope()
        answer = etree.SubElement(said, f"{_A}deposerAvisReponse", nsmap={"av": _NOTICES})
        etree.SubElement(answer, f"{_A}accuse", noAvis=notice["number"], etat=state)
        return Response(200, _XML, etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"), "answered")

    def _asked(self, envelope: etree._Element) -> etree._Element | None:
        """The Body's only child; None for what is not as the schema has it."""
        bodies = envelope.findall(f"{_S}Body") if envelope.tag == f"{_S}Envelope" else []
        if [len(one) for one in bodies] != [1] or bodies[0][0].tag != f"{_A}deposerAvis":
            return None
        with self._schema_lock:
            return bodies[0][0] if self._schema.validate(bodies[0][0]) else None


def _notice(asked: etree._Element) -> dict[str, str]:
    about = {name: asked.findtext(f"{_A}avis/{_A}{name}", "") for name in ("enfant", "noPermis", "region")}
    return {
        "number": asked.findtext(f"{_A}entete/{_A}noAvis", ""),
        "child": about["enfant"],
        "event": next(asked.iter(f"{_A}avis")).get("nature", ""),
        "day": asked.findtext(f"{_A}avis/{_A}dateEvenement", ""),
        "permit": about["noPermis"],
        "region": about["region"],
    }


def _envelope() -> tuple[etree._Element, etree._Element]:
    """A new one, and its Body."""
    envelope = etree.Element(f"{_S}Envelope", nsmap={"S": _SOAP})
    return envelope, etree.SubElement(envelope, f"{_S}Body")


def _fault(text: str, outcome: str) -> Response:
    """SOAP 1.1 section 4.4: it is the caller's, and it changes nothing."""
    envelope, body = _envelope()
    fault = etree.SubElement(body, f"{_S}Fault")
    etree.SubElement(fault, "faultcode").text = "S:Client"
    etree.SubElement(fault, "faultstring").text = text
    return Response(500, _XML, etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"), outcome)
