"""The bodies that a party kept, held against opened evidence: request, answer, and the handle in it (DESIGN L12)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.audit.acknowledgements import disclosed_handle, handle_field
from gateway.audit.counts import KeptCount
from gateway.audit.evidence_schema import EarlyRefusal, SoapRequestPart
from gateway.audit.soap_kept import kept_answer, kept_request
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.errors import Code, Refusal
from gateway.signing.digest import digest_holds
from gateway.translation.again import canonical_answer

if TYPE_CHECKING:
    from pathlib import Path

    from lxml import etree

    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import Exchange, RequestPart
    from gateway.audit.leaves import Shown
    from gateway.audit.objects import Objects
    from gateway.audit.policies import Policies
    from gateway.audit.report import Report
    from gateway.audit.tree import Entry
    from gateway.ledger.leaf import Leaf

PREFIX = "kept/"
_FILE = re.compile(r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?P<part>request|answer)\.[a-z]+")


@dataclass(slots=True)
class _Bodies:
    """The files of one exchange: their paths by part, and whether the log has it."""

    files: dict[str, Path]
    seen: bool = False


def kept_files(folder: Path) -> tuple[dict[str, dict[str, Path]], int]:
    """The files of each exchange id by their part, ``request`` or ``answer``; and how many have other names."""
    files: dict[str, dict[str, Path]] = {}
    ignored = 0
    for path in sorted(folder.iterdir()):
        if match := _FILE.fullmatch(path.name):
            files.setdefault(match["id"], {})[match["part"]] = path
        else:
            ignored += 1
    return files, ignored


def has_kept(folder: Path) -> bool:
    """Whether a folder holds a body by the name that `call` gives it."""
    return any(_FILE.fullmatch(path.name) for path in folder.iterdir())


class Kept:
    """The kept bodies and envelopes of one folder; a Watcher of the leaves. They are read one exchange at a time."""

    def __init__(self, folder: Path, objects: Objects, report: Report) -> None:
        self._objects = objects
        self._report = report
        self._counts = dict.fromkeys(("compared", "uncovered", "sealed", "failed", "ignored"), 0)
        files, self._counts["ignored"] = kept_files(folder)
        self._bodies = {exchange_id: _Bodies(parts) for exchange_id, parts in files.items()}

    @property
    def wanted(self) -> frozenset[str]:
        """The exchanges that bodies are of."""
        return frozenset(self._bodies)

    def leaf(self, leaf: Leaf, entry: Entry, evidence: Exchange | EarlyRefusal | None) -> None:
        """Compares what was kept of this exchange."""
        kept = self._bodies.get(str(leaf.exchange_id))
        if kept is None or kept.seen:
            return
        kept.seen = True
        for part, path in kept.files.items():
            try:
                self._counts[self._compare(part, path, evidence)] += 1
            except Problem as problem:
                self._counts["failed"] += 1
                place = {"index": entry.index, "exchange_id": str(leaf.exchange_id)}
                self._report.problem(problem, file=PREFIX + path.name, **place)  # type: ignore[arg-type]  # two types

    def finish(self, _certificates: Certificates, _policies: Policies, _shown: Shown) -> None:
        """Names what has no counterpart, and what was not compared."""
        # ids stand in the clear: what is not there is not there, whatever stays sealed
        missing = [(name, path) for name, kept in self._bodies.items() if not kept.seen for path in kept.files.values()]
        for exchange_id, path in missing:
            problem = Problem(Fault.KEPT_MISSING, "no exchange of this id is in this copy")
            self._report.problem(problem, file=PREFIX + path.name, exchange_id=exchange_id)
        if self._counts["sealed"] or self._counts["uncovered"]:
            self._report.unproven.add(Unproven.KEPT_NOT_COMPARED)
        if self._counts["ignored"]:
            self._report.unproven.add(Unproven.FILES_IGNORED)
        absent = len(missing)
        self._report.kept = KeptCount(absent=absent, **self._counts)

    def _compare(self, part: str, path: Path, evidence: Exchange | EarlyRefusal | None) -> str:
        if evidence is None:
            return "sealed"
        try:
            body = path.read_bytes()
        except OSError:
            raise Problem(Fault.UNFORESEEN, "a kept body cannot be read") from None
        if part == "answer":
            return self._answer(body, evidence)
        if isinstance(evidence, EarlyRefusal):
            return "uncovered"  # C6: of a request whose salt was not claimed, evidence keeps no digest
        if request_content(body, evidence.request) is None:
            raise Problem(Fault.KEPT_REQUEST_DIFFERS, "not the bytes that the request's digest is of")
        return "compared"

    def _answer(self, body: bytes, evidence: Exchange | EarlyRefusal) -> str:
        repeated = isinstance(evidence, EarlyRefusal) and evidence.reason == Code.TOO_MANY_REFUSALS
        if repeated or (isinstance(evidence, EarlyRefusal) and evidence.party is None):
            return "uncovered"  # one leaf a minute stands for many such answers, each with a body of its own
        content = answer_content(body, evidence)
        if content is None:
            raise Problem(Fault.KEPT_ANSWER_DIFFERS, "not the bytes that the answer's digest is of")
        if not isinstance(evidence, EarlyRefusal) and evidence.kind == "exchange":
            check_handle(content, evidence, self._objects)
        return "compared"


def check_handle(content: bytes | etree._Element, evidence: Exchange, objects: Objects) -> None:
    """Returns if the answer gave the handle that evidence tells of (L12); raises Problem (kept_handle_differs)."""
    name = handle_field(evidence, objects)
    if name is None:
        return
    contract = objects.contract(evidence.contract.sha256)
    try:
        fields = canonical_answer(contract, evidence.operation, content)
    except Refusal:
        fields = {}
    if fields.get(name) != disclosed_handle(evidence, objects):
        raise Problem(Fault.KEPT_HANDLE_DIFFERS, "the answer gave another handle than evidence tells of")


def request_content(data: bytes, request: RequestPart | SoapRequestPart) -> bytes | etree._Element | None:
    """What this request says, if these bytes are what its caller signed: a body by REST, the one element of a Body."""
    if isinstance(request, SoapRequestPart):
        envelope = kept_request(data, request)
        return None if envelope is None else envelope.payload
    digest = request.content_digest
    same = not data if digest is None else digest_holds(digest, data)
    return data if same else None


def answer_content(data: bytes, evidence: Exchange | EarlyRefusal) -> bytes | etree._Element | None:
    """What this answer says, if its digest is that of these bytes: a body by REST, the one element of a SOAP Body.

    Evidence of a refusal before its salt was claimed does not say in which form it was answered.
    """
    digest = evidence.answer.content_digest
    by_soap = data[:1] == b"<" if isinstance(evidence, EarlyRefusal) else isinstance(evidence.request, SoapRequestPart)
    if by_soap:
        envelope = kept_answer(data, digest)
        return None if envelope is None else envelope.payload
    return data if digest_holds(digest, data) else None
