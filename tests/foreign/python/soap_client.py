"""A SOAP client from the served WSDL and docs/profile.md: zeep, xmlsec, requests; nothing of Passerelle.

``python soap_client.py FOLDER``: FOLDER holds client.properties and the files of the page's section 1; a JSON report on
stdout. zeep reads the WSDL and builds the messages; ``signature.py`` beside this signs and verifies.
"""

from __future__ import annotations

import json
import secrets
import sys
import uuid
from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests
import zeep
import zeep.exceptions
from lxml import etree
from signature import (  # type: ignore[import-not-found]  # it stands beside this script, which is run as such
    EXCHANGE,
    SOAP,
    SOAP12,
    WSA,
    AnswerRefusedError,
    Signature,
)
from zeep.helpers import serialize_object
from zeep.plugins import Plugin
from zeep.transports import Transport

SERVICES = (
    "echo", "nirec", "subjects", "acknowledgement", "waitlist", "registrations", "registration_changes", "batches",
    "placements",
)  # fmt: skip
CHILD = ("nirec", "family_name", "given_names", "birth_date")
#: Of the waiting list: every region, one of them, and a day before anything was counted.
QUESTIONS = {
    "all": {"as_of": "2026-10-31"},
    "one": {"as_of": "2027-06-01", "region": "13"},
    "none": {"as_of": "2024-12-31"},
}


class Addressing(Plugin):
    """The header blocks that a request signs, in place of those that zeep makes itself.

    Of a WSDL with an Action for the request and one for the answer, zeep takes the answer's.
    """

    def __init__(self) -> None:
        self.terms: tuple[str, str] = ("", "")

    def egress(self, envelope: Any, http_headers: Any, operation: Any, binding_options: Any) -> Any:
        header = envelope.find(f"{{{etree.QName(envelope).namespace}}}Header")
        for block in list(header):
            header.remove(block)
        blocks = {
            f"{{{WSA}}}To": binding_options["address"],
            f"{{{WSA}}}Action": operation.soapaction,
            f"{{{WSA}}}MessageID": f"urn:uuid:{uuid.uuid4()}",
            f"{{{EXCHANGE}}}Exchange-Agreement": self.terms[0],
            f"{{{EXCHANGE}}}Exchange-Purpose": self.terms[1],
            f"{{{EXCHANGE}}}Idempotency-Key": str(uuid.uuid4()),
        }
        for tag, text in blocks.items():
            etree.SubElement(header, tag).text = text
        return envelope, http_headers


class Client:
    """One party: its folder, its two keys, the gateway's certificate, and a zeep client for each service."""

    def __init__(self, folder: Path) -> None:
        rows = (folder / "client.properties").read_text(encoding="utf-8").splitlines()
        self.settings = dict(row.split("=", 1) for row in rows)
        self.soap = SOAP12 if self.settings["soap"] == "1.2" else SOAP
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(folder / "gateway-root.pem")
        self.session.cert = (str(folder / "tls.pem"), str(folder / "tls.key"))
        self.addressing = Addressing()
        self.signature = Signature(folder, self.settings["algorithm"], self.settings["reference"])
        self.operations: dict[str, Any] = {}
        for service in SERVICES:
            self._read(f"{self.settings['origin']}/soap/{service}/v1?wsdl")

    def _read(self, address: str) -> None:
        """The operations of one WSDL, by name, bound to the SOAP version that was asked for."""
        transport = Transport(session=self.session, operation_timeout=20)  # type: ignore[no-untyped-call]  # zeep's own
        client = zeep.Client(  # type: ignore[no-untyped-call]  # zeep's own
            address,
            wsse=self.signature,
            plugins=[self.addressing],
            transport=transport,
            settings=zeep.Settings(forbid_dtd=True),
        )
        for service in client.wsdl.services.values():
            for port in service.ports.values():
                if port.binding.nsmap["soap-env"] == self.soap:
                    bound = client.bind(service.name, port.name)
                    self.operations |= {name: bound[name] for name in port.binding.all()}

    def call(self, name: str, operation: str, **fields: Any) -> dict[str, Any]:
        """The report of one exchange, its answer or its Fault verified."""
        self.addressing.terms = (self.settings[f"{name}.agreement"], self.settings[f"{name}.purpose"])
        try:
            answer = self.operations[operation](**fields)
        except zeep.exceptions.Fault as fault:
            return self.report() | {"code": fault.detail.findtext(f".//{{{EXCHANGE}}}code")}
        found = serialize_object(answer)  # type: ignore[no-untyped-call]  # zeep's own
        # a WSDL that declares the answer's header blocks makes zeep hand back both
        found = found.get("body", found) if isinstance(found, dict) else found
        return self.report() | {"fields": found if isinstance(found, dict) else {"": found}}

    def statistics(self, **asked: str) -> dict[str, Any]:
        """The report of one question about the waiting list."""
        found = self.call("waitlist.statistics", "WaitlistStatistics", **asked)
        return found | {"fields": unwrapped(found["fields"])}

    def report(self) -> dict[str, Any]:
        """What the last answer's signature covers, and its header blocks."""
        proven = self.signature.proven
        return {"covered": sorted(proven.covered), **proven.own, "body-digest": digest(proven.body)}

    def replay(self) -> dict[str, Any]:
        """The last request once more, byte for byte."""
        sent = self.signature.sent
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{sent.action}"'}
        if self.soap == SOAP12:
            headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{sent.action}"'}
        answer = self.session.post(sent.to, sent.data, headers=headers, timeout=20)
        envelope = etree.fromstring(answer.content)  # noqa: TID251  a stranger has a parser of its own
        self.signature.verify(envelope)
        return self.report() | {"code": envelope.findtext(f".//{{{EXCHANGE}}}code")}

    def notices(self) -> dict[str, bool]:
        """Whether each change of the last answer is seen."""
        return {name: self._refuses(change) for name, change in CHANGES.items()}

    def _refuses(self, change: Any) -> bool:
        envelope = etree.fromstring(self.signature.received)  # noqa: TID251  the same
        self.signature.verify(envelope)
        change(envelope)
        try:
            self.signature.verify(envelope)
        except AnswerRefusedError:
            return True
        return False


def _body(envelope: Any) -> None:
    envelope[1][0][0].text = "changed"


def _header(envelope: Any) -> None:
    envelope.find(f".//{{{EXCHANGE}}}Exchange-Id").text = "00000000-0000-4000-8000-000000000000"


def _wrapped(envelope: Any) -> None:
    """The signed Body moved aside, another in its place: the oldest attack on XML signatures."""
    body = envelope[1]
    other = etree.SubElement(envelope, body.tag)
    other.append(etree.fromstring(etree.tostring(body[0])))  # noqa: TID251  the same
    other[0][0].text = "changed"
    etree.SubElement(envelope[0], "{urn:wrapper}Wrapper").append(body)


def _request(envelope: Any) -> None:
    envelope.find(f".//{{{WSA}}}RelatesTo").text = f"urn:uuid:{uuid.uuid4()}"


CHANGES = {"body": _body, "header": _header, "wrapped": _wrapped, "request": _request}


#: A child who is to be born.
REGISTRATION: dict[str, Any] = {
    "family_name": "Tremblay", "expected_date": "2027-03-01", "region": "06", "desired_on": "2027-09-01",
    "service_wanted": "cpe", "service_held": "none",
    "parents": {"parent": [{"family_name": "Gagnon", "given_names": "Marie-Ève", "phone": "418-555-0100"}]},
}  # fmt: skip


def digest(body: bytes) -> str:
    """SHA-256 of the canonical Body, as an acknowledgement says it."""
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def unwrapped(said: dict[str, Any]) -> dict[str, Any]:
    """The statistics with plain lists: the schema has an element around each; zeep gives None for an empty one."""
    regions = said["regions"]["region"] if said["regions"] else []
    lists = [region | {"definitions": region["definitions"]["definition"]} for region in regions]
    return said | {"regions": lists}


def written(value: object) -> str:
    """What JSON has no form for, as REST has it: dates, times in UTC, decimals."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def main(folder: Path) -> int:
    client = Client(folder)
    child = {name: client.settings[name] for name in CHILD}

    def salted(**fields: Any) -> dict[str, Any]:
        return fields | {"salt": secrets.token_bytes(16)}

    report: dict[str, Any] = {"echo": client.call("echo", "Echo", message="d'ailleurs: été")}
    report["notices"] = client.notices()
    report["replayed"] = client.replay()
    report["refused"] = client.call("refused", "Echo", message="x")
    report["verification"] = verified = client.call("nirec.verify", "NirecVerify", **salted(**child))
    known = verified["fields"]["handle"]
    report["acknowledgement"] = client.call(
        "nirec.verify", "ExchangeAcknowledge", exchange_id=verified["Exchange-Id"],
        ledger_leaf=verified["Ledger-Leaf"], answer_digest=verified["body-digest"], handle=known,
    )  # fmt: skip
    person = {name: child[name] for name in ("family_name", "birth_date")}
    report["searched"] = client.call("registration.search", "RegistrationSearch", **salted(**person))
    batch = client.call("batch.open", "BatchOpen", records=1, rejected=0, commitment="0" * 64)
    line = {"batch": batch["fields"]["batch"], "line": "1", **child}
    report["batch"], report["record"] = batch, client.call("batch.verify", "BatchVerify", **salted(**line))
    report["again"] = client.call("batch.answer", "BatchAnswer", **salted(**line))
    report["progress"] = client.call("batch.get", "BatchGet", batch=line["batch"])
    notice = {"handle": known, "addressee": "ministry", "event": "offered", "date": "2026-11-23"}
    notice |= {"permit": "1234-5678", "region": "06"}
    report["notified"] = client.call("placement.notify", "PlacementNotify", **salted(**notice))
    report["registered"] = client.call("registration.get", "RegistrationGet", handle=known)
    report["expected"] = client.call("subject.expect", "SubjectExpect", **salted(reference="dossier 12"))
    expected = report["expected"]["fields"]["handle"]
    newborn = client.call("subject.expect", "SubjectExpect", **salted(reference="dossier 13"))["fields"]["handle"]
    born = {"handle": expected} | child
    report["known_already"] = client.call("subject.birth", "SubjectBirth", **salted(**born))
    report["merged"] = client.call(
        "subject.merge", "SubjectMerge", handle=expected, other_handle=known, reason="duplicate_file"
    )
    report["born"] = client.call("subject.birth", "SubjectBirth", **salted(**born))
    made = client.call("registration.create", "RegistrationCreate", **salted(handle=newborn, **REGISTRATION))
    report["created"] = made
    state = {"handle": newborn, "if_state": made["fields"]["state_after"]}
    report["changed"] = client.call("registration.change", "RegistrationChange", **salted(**state, region="03"))
    state["if_state"] = report["changed"]["fields"]["state_after"]
    report["withdrawn"] = client.call(
        "registration.withdraw", "RegistrationWithdraw", **salted(**state, reason="family_left")
    )
    report["statistics"] = {name: client.statistics(**asked) for name, asked in QUESTIONS.items()}
    report["counted"] = client.call("waitlist.counts", "WaitlistCounts", **QUESTIONS["all"])
    for part in report.values():
        if isinstance(fields := part.get("fields"), dict):
            fields.pop("salt", None)
    sys.stdout.write(json.dumps(report, default=written))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
