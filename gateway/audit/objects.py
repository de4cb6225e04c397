"""What evidence names by its hash: certificates, revocation lists, policies, contracts (DESIGN L3)."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.answers import Answer
from certs.lists import RevocationList
from contracts.loader import Contract, load_contract
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.tiles import object_path
from gateway.policy.bundle import Bundle, read_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.x509.ocsp import OCSPResponse

    from gateway.audit.files import Source
    from gateway.audit.report import Report

_T = TypeVar("_T")
_KEPT = 1024


class Objects:
    """``objects/`` of one log; each object is read when it is named, and the newest ones are kept."""

    def __init__(self, folder: Source) -> None:
        self._folder = folder
        self.bytes = lru_cache(maxsize=_KEPT)(self._read)
        self.certificate = lru_cache(maxsize=_KEPT)(self._certificate)
        self.revocation = lru_cache(maxsize=_KEPT)(self._revocation)
        self.bundle = lru_cache(maxsize=64)(self._bundle)
        self.contract = lru_cache(maxsize=64)(self._contract)

    def check(self, paths: Sequence[str], report: Report, tell: Callable[[int], None]) -> None:
        """Each file is what its name says, and one of the five things that have a place there."""
        for done, path in enumerate(paths, 1):
            digest = path.rpartition("/")[2]
            try:
                self._read(digest)
                self._check_kind(digest)
            except Problem as problem:
                report.problem(problem, file=path)
            tell(done)

    def _check_kind(self, digest: str) -> None:
        # a contract last: what is none is read once more, for the line that is wrong
        for kind in (self.certificate, self.revocation, self.bundle, self.contract):
            try:
                kind(digest)
            except Problem:
                continue
            return
        raise Problem(
            Fault.OBJECT_INVALID, "no certificate, revocation list, OCSP answer, policy or contract in its one form"
        )

    def _read(self, digest: str) -> bytes:
        path = object_path(digest)
        try:
            data = self._folder.read(path)
        except Problem as problem:
            fault = Fault.OBJECT_MISSING if problem.fault is Fault.FILE_MISSING else problem.fault
            raise Problem(fault, "evidence names an object that cannot be read", file=path) from None
        if sha256(data).hexdigest() != digest:
            raise Problem(Fault.OBJECT_INVALID, "the content is not what the name says", file=path)
        return data

    def _certificate(self, digest: str) -> x509.Certificate:
        data = self.bytes(digest)
        return _parsed(digest, lambda: x509.load_der_x509_certificate(data), lambda item: _der(item) == data)

    def _revocation(self, digest: str) -> RevocationList | Answer:
        """A revocation list, or else an OCSP answer."""
        data = self.bytes(digest)
        return _parsed(
            digest,
            lambda: _told(RevocationList.read(data) or Answer.read(data)),
            lambda item: _der(item.parsed) == data,
        )

    def _bundle(self, digest: str) -> Bundle:
        data = self.bytes(digest)
        return _parsed(digest, lambda: read_bundle(data)[0])

    def _contract(self, digest: str) -> Contract:
        data = self.bytes(digest)
        return _parsed(digest, lambda: load_contract(data))


def _parsed(digest: str, load: Callable[[], _T], is_canonical: Callable[[_T], bool] = lambda _: True) -> _T:
    try:
        item = load()
        canonical = is_canonical(item)
    except Exception:  # noqa: BLE001  a stranger's bytes: whatever a parser makes of them, they are not what was said
        canonical = False
    if not canonical:
        raise Problem(Fault.OBJECT_INVALID, "not what evidence says it is", file=object_path(digest))
    return item


def _told(item: RevocationList | Answer | None) -> RevocationList | Answer:
    if item is None:
        raise ValueError("neither a list nor an answer")
    return item


def _der(item: x509.Certificate | x509.CertificateRevocationList | OCSPResponse) -> bytes:
    return item.public_bytes(Encoding.DER)
