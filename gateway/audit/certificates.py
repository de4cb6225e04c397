"""Whether the certificates that evidence names were good at the time, under roots that the auditor brought.

The verdict is the gateway's own (certs.paths.vet), with the lists and OCSP answers that evidence says it used, and with
the grace of the policy of that time; each of them must have been signed by an authority of the path, an answer by a
responder that such an authority certified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.answers import is_answer_of
from certs.lists import RevocationList, is_list_of
from certs.paths import Authority, vet
from certs.profiles import CertificateRefusedError, dns_names
from gateway.audit.verdict import Fault, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certs.paths import Vetted
    from certs.profiles import Profile
    from gateway.audit.evidence_schema import Proof
    from gateway.audit.objects import Objects
    from gateway.audit.policies import Policy
    from gateway.policy.bundle import Bundle

_Key = tuple["Profile", str, str, str, tuple[str, ...], tuple[str, ...]]
_MOST_VERDICTS = 4096
#: What an auditor wants told apart; ``wrong_eku`` is a key for TLS that signed, or the reverse (S6).
_FAULTS = {
    "expired": Fault.CERTIFICATE_OUT_OF_DATE,
    "not_yet_valid": Fault.CERTIFICATE_OUT_OF_DATE,
    "revoked": Fault.CERTIFICATE_REVOKED,
    "wrong_eku": Fault.CERTIFICATE_OF_OTHER_USE,
}


@dataclass(frozen=True, slots=True)
class _Window:
    """A verdict, and from when until when nothing that it rests on changes."""

    certificate: x509.Certificate = field(repr=False)
    since: datetime
    until: datetime


class Certificates:
    """Vets the certificates of one log; a verdict is kept for as long as it cannot change."""

    def __init__(self, objects: Objects, roots: Mapping[str, tuple[bytes, ...]]) -> None:
        self._objects = objects
        self._roots = roots
        self._windows: dict[_Key, _Window] = {}

    def check(self, proof: Proof, profile: Profile, party: str, policy: Policy, at: datetime) -> x509.Certificate:
        """The certificate, valid for this profile at that moment, and this party's by its DNS names.

        Raises Problem: certificate_refused, certificate_out_of_date, certificate_revoked, certificate_of_other_use,
        certificate_of_another, certificate_proof_differs, object_missing ...
        """
        key = (profile, party, policy.sha256, proof.sha256, proof.chain, proof.revocation)
        window = self._windows.get(key)
        if window is None or not window.since <= at < window.until:
            if len(self._windows) >= _MOST_VERDICTS:
                self._windows.clear()
            window = self._windows[key] = self._judge(proof, profile, party, policy.bundle, at)
        return window.certificate

    def _judge(self, proof: Proof, profile: Profile, party: str, bundle: Bundle, at: datetime) -> _Window:
        known = bundle.parties.get(party)
        if known is None or party not in self._roots:
            raise Problem(Fault.CERTIFICATE_OF_ANOTHER, "the policy or the trusted roots do not know its party")
        pems = bundle.authorities[known.authority].intermediates
        try:
            intermediates = [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]
        except ValueError:
            raise Problem(Fault.CERTIFICATE_REFUSED, "an issuing authority in the policy is no certificate") from None
        kinds = {digest: self._objects.revocation(digest) for digest in proof.revocation}
        ders = {digest: self._objects.bytes(digest) for digest in proof.revocation}
        authority = Authority(
            name=party,
            roots=self._roots[party],
            intermediates=tuple(item.public_bytes(Encoding.DER) for item in intermediates),
            crls=tuple(ders[digest] for digest, item in kinds.items() if isinstance(item, RevocationList)),
            ocsp=tuple(ders[digest] for digest, item in kinds.items() if not isinstance(item, RevocationList)),
            grace=timedelta(hours=bundle.guard.revocation_grace_hours),
        )
        self._check_sources(proof, authority, at)
        certificate = self._objects.certificate(proof.sha256)
        try:
            vetted = vet(self._objects.bytes(proof.sha256), profile, authority, at)
        except CertificateRefusedError as refused:
            raise Problem(_FAULTS.get(refused.reason, Fault.CERTIFICATE_REFUSED), refused.reason) from None
        if vetted.chain != proof.chain:
            raise Problem(Fault.CERTIFICATE_PROOF_DIFFERS, "its chain is another one")
        if set(known.names).isdisjoint(dns_names(certificate)):
            raise Problem(Fault.CERTIFICATE_OF_ANOTHER, "its names are not the party's")
        return self._window(certificate, proof, vetted, at)

    def _check_sources(self, proof: Proof, authority: Authority, at: datetime) -> None:
        """Nothing foreign among what evidence names: each by an authority of the party's, and each once."""
        if len(set(proof.revocation)) != len(proof.revocation):
            raise Problem(Fault.CERTIFICATE_PROOF_DIFFERS, "a revocation list is named twice")
        issuers, sources = authority.certificates, authority.sources
        lists = [any(is_list_of(item.parsed, issuer) for issuer in issuers) for item in sources.lists]
        answers = [any(is_answer_of(item, issuer, sources.lists, at) for issuer in issuers) for item in sources.answers]
        if not all((*lists, *answers)):
            raise Problem(Fault.CERTIFICATE_PROOF_DIFFERS, "revocation data that no authority of its signed")

    def _window(self, certificate: x509.Certificate, proof: Proof, vetted: Vetted, at: datetime) -> _Window:
        path = [certificate, *(self._objects.certificate(digest) for digest in proof.chain)]
        told = [self._objects.revocation(digest) for digest in proof.revocation]
        lists = [item.parsed for item in told if isinstance(item, RevocationList)]
        # an entry could take effect inside the window: then every moment is judged by itself
        if any(crl.get_revoked_certificate_by_serial_number(item.serial_number) for crl in lists for item in path):
            return _Window(certificate, at, at)
        if len(lists) != len(told):
            return _Window(certificate, at, vetted.until)  # a responder's certificate begins too, sometime before
        starts = [item.not_valid_before_utc for item in path] + [crl.last_update_utc for crl in lists]
        return _Window(certificate, min(at, max(starts)), vetted.until)
