"""Receipts that parties kept, held against the log: each promised leaf is there, and is the one promised (S3, L11)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.paths import Authority, vet
from certs.profiles import CertificateRefusedError, Profile, dns_names
from gateway.audit.batch_receipts import BESIDE, SUFFIX, read_lines
from gateway.audit.counts import ReceiptCount
from gateway.audit.evidence_schema import Exchange
from gateway.audit.kept import check_handle
from gateway.audit.kept_answer import read_kept_answer, read_proof
from gateway.audit.soap_receipt import read_soap_receipt
from gateway.audit.tree import KnownRoot
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.proof import verify_proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import EarlyRefusal
    from gateway.audit.kept_answer import KeptAnswer
    from gateway.audit.leaves import Shown
    from gateway.audit.objects import Objects
    from gateway.audit.policies import Policies
    from gateway.audit.report import Report
    from gateway.audit.tree import Entry
    from gateway.audit.trust import Trust
    from gateway.ledger.leaf import Leaf
    from gateway.ledger.note import Checkpoint

PREFIX = "receipts/"
#: ``created`` is in whole seconds: the log may begin in the very second of its first answer.
_WITHIN_ITS_SECOND = timedelta(microseconds=999_999)
#: A receipt by REST is what `call` wrote; one by SOAP is the envelope as it came.
_READ_BY = {".json": read_kept_answer, ".xml": read_soap_receipt}
_READ = frozenset({*_READ_BY, SUFFIX})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the log has an exchange; ``digest`` of its answer where its evidence is open and it was released."""

    index: int
    leaf: bytes
    digest: str | None


@dataclass(slots=True)
class _Kept:
    """One receipt, and the proof that came with it."""

    answer: KeptAnswer
    index: int | None = None
    checkpoint: Checkpoint | None = None
    place: _Place | None = field(default=None)


def has_receipts(folder: Path) -> bool:
    """Whether a folder holds a file that may be a receipt."""
    return bool(_receipts(folder))


def _receipts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _READ and path.name not in BESIDE)


def _stem(name: str) -> str:
    """One for a receipt and its proof; of a batch's, the file and the line."""
    return name.rpartition(".")[0] if ":" not in name else name


class Receipts:
    """The receipts of one folder; a Watcher of the leaves, and of the roots on the way."""

    def __init__(self, folder: Path, now: datetime, trust: Trust, objects: Objects, report: Report) -> None:
        """``now`` is the auditor's present: an answer's promise that has passed must be kept by then."""
        self._now = now
        self._trust = trust
        self._objects = objects
        self._report = report
        self._kept: list[_Kept] = []
        self._by_id: dict[str, list[_Kept]] = {}
        self._failed: set[str] = set()
        for path in _receipts(folder):
            if path.suffix == SUFFIX:
                self._load_lines(path)
            else:
                self._load(path)
        names = ((path.name, path.suffix) for path in folder.iterdir())
        self._ignored = sum(suffix not in {*_READ, ".jws"} and name not in BESIDE for name, suffix in names)

    def _load_lines(self, path: Path) -> None:
        for name, read in read_lines(path):
            if isinstance(read, Problem):
                self._problem(read, name)
            else:
                self._take(read)

    def _take(self, answer: KeptAnswer) -> _Kept:
        kept = _Kept(answer)
        self._kept.append(kept)
        self._by_id.setdefault(answer.exchange_id, []).append(kept)
        return kept

    def _load(self, path: Path) -> None:
        try:
            kept = self._take(_READ_BY[path.suffix](path))
        except Problem as problem:
            self._problem(problem, path.name)
            return
        leaf = kept.answer.ledger_leaf
        try:
            proof = read_proof(path.with_suffix(".jws")) if leaf is not None else None
            if proof is not None and leaf is not None:
                kept.index, kept.checkpoint = verify_proof(proof, leaf, self._trust.log_key)
        except Problem as problem:
            self._problem(problem, path.with_suffix(".jws").name, kept)
        except FormatError:
            differs = Problem(Fault.RECEIPT_PROOF_DIFFERS, "its proof does not hold under the log's key")
            self._problem(differs, path.with_suffix(".jws").name, kept)

    @property
    def wanted(self) -> frozenset[str]:
        """The exchanges that receipts are of."""
        return frozenset(self._by_id)

    def roots(self) -> Iterator[KnownRoot]:
        """Each root that a party was shown."""
        for kept in self._kept:
            if kept.checkpoint is not None:
                file = PREFIX + _stem(kept.answer.name) + ".jws"
                differs = Problem(Fault.RECEIPT_PROOF_DIFFERS, "a party was shown another log", file=file)
                yield KnownRoot(kept.checkpoint.size, kept.checkpoint.root, differs)

    def leaf(self, leaf: Leaf, entry: Entry, evidence: Exchange | EarlyRefusal | None) -> None:
        """Notes where an exchange stands; of two leaves with one id, which is a finding by itself, the first."""
        # a refusal may be answered more than once in its minute, in either language
        released = isinstance(evidence, Exchange) and evidence.kind == "exchange"
        digest = evidence.answer.content_digest if evidence is not None and released else None
        for kept in self._by_id.get(str(leaf.exchange_id), ()):
            kept.place = kept.place or _Place(entry.index, leaf_hash(entry.leaf), digest)
            if kept.answer.body and isinstance(evidence, Exchange) and released:
                try:
                    check_handle(kept.answer.body, evidence, self._objects)
                except Problem as problem:
                    self._problem(problem, kept.answer.name, kept)

    def finish(self, certificates: Certificates, policies: Policies, shown: Shown) -> None:
        """Judges every receipt once the last leaf is read."""
        states = Counter[str]()
        for kept in self._kept:
            try:
                self._check_signer(kept.answer, certificates, policies, shown)
                state = self._state(kept, shown.last)
            except Problem as problem:
                self._problem(problem, kept.answer.name, kept)
                continue
            if _stem(kept.answer.name) not in self._failed:
                states[state] += 1
        self._report.receipts = ReceiptCount(**states, failed=len(self._failed), ignored=self._ignored)
        if self._ignored:
            self._report.unproven.add(Unproven.FILES_IGNORED)

    def _state(self, kept: _Kept, last: datetime | None) -> str:
        answer, place = kept.answer, kept.place
        if answer.ledger_leaf is None or answer.ledger_by is None:
            return "unrecorded"
        if place is None:
            if self._report.is_lost(answer.exchange_id, answer.created):
                return "lost"
            # the log's own clock has gone on past the promise: nothing explains it
            if last is not None and last > answer.ledger_by:
                raise Problem(Fault.RECEIPT_MISSING, "the log goes on past the promise, without this exchange")
            if self._now > answer.ledger_by or kept.index is not None:
                raise Problem(Fault.RECEIPT_OVERDUE, "promised by now; this copy is too old, or its end was cut off")
            return "pending"
        if place.leaf != answer.ledger_leaf:
            raise Problem(Fault.RECEIPT_LEAF_DIFFERS, "the log has another leaf for this exchange")
        if place.digest is not None and place.digest != answer.content_digest:
            raise Problem(Fault.RECEIPT_ANSWER_DIFFERS, "evidence tells of another answer")
        if kept.index is not None and kept.index != place.index:
            raise Problem(Fault.RECEIPT_PROOF_DIFFERS, "proven at another place than the log's")
        return "held"

    def _check_signer(self, answer: KeptAnswer, certificates: Certificates, policies: Policies, shown: Shown) -> None:
        """Whether the certificate was the gateway's: as the log proves it, else by the auditor's own lists."""
        at = answer.created + _WITHIN_ITS_SECOND
        policy = policies.at(at)
        gateway = policy.bundle.gateway
        proofs = [proof for proof in shown.signers if proof.sha256 == answer.signer_sha256]
        refused = Problem(Fault.RECEIPT_NOT_OURS, "")
        for proof in proofs:
            try:
                certificates.check(proof, Profile.SIGNING, gateway, policy, at)
            except Problem as problem:
                refused = problem
                continue
            return
        party = policy.bundle.parties[gateway]
        pems = policy.bundle.authorities[party.authority].intermediates
        authority = Authority(
            name=gateway,
            roots=self._trust.roots.get(gateway, ()),
            intermediates=tuple(
                x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER) for pem in pems
            ),
            crls=self._trust.crls.get(gateway, ()),
        )
        try:
            vet(answer.signer, Profile.SIGNING, authority, at)
        except CertificateRefusedError as error:
            why = refused.detail or error.reason
            raise Problem(Fault.RECEIPT_NOT_OURS, f"its certificate: {why}") from None
        if set(party.names).isdisjoint(dns_names(x509.load_der_x509_certificate(answer.signer))):
            raise Problem(Fault.RECEIPT_NOT_OURS, "signed under another party's certificate")

    def _problem(self, problem: Problem, name: str, kept: _Kept | None = None) -> None:
        self._failed.add(_stem(name))
        self._report.problem(
            problem,
            file=PREFIX + name,
            index=kept.place.index if kept is not None and kept.place is not None else None,
            exchange_id=None if kept is None else kept.answer.exchange_id,
        )
