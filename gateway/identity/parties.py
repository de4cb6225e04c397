"""Who is behind a certificate: step 1, and whose key a keyid names."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509

from certs.paths import Authority, fingerprint, vet
from certs.profiles import CertificateRefusedError, Profile, dns_names
from gateway.errors import Code, Refusal
from gateway.model import CertificateProof, Party, Signer

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from datetime import datetime

    from certs.revocation import RevocationFolder
    from gateway.model import Received

_REFUSED_FOR = timedelta(seconds=60)
_MOST_VERDICTS = 4096


@dataclass(frozen=True, slots=True)
class KnownParty:
    """A party as the policy knows it; ``signers`` are its signing certificates, DER."""

    name: str
    names: frozenset[str]
    roots: tuple[bytes, ...] = field(repr=False)
    intermediates: tuple[bytes, ...] = field(repr=False)
    signers: tuple[bytes, ...] = field(repr=False)
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class _Verdict:
    party: str | None
    proof: CertificateProof | None
    code: Code
    until: datetime


class Parties:
    """ports.Identity and ports.Signers; a verdict is kept per certificate until revocation data changes."""

    def __init__(
        self, parties: Mapping[str, KnownParty], revocation: RevocationFolder, shelf: MutableMapping[str, bytes]
    ) -> None:
        """``shelf`` receives, by hex SHA-256, every certificate and list that a proof names (``objects/``, L3)."""
        self._shelf = shelf
        self._parties = parties
        self._revocation = revocation
        self._verdicts: dict[tuple[Profile, bytes], tuple[int, _Verdict]] = {}
        self._by_keyid = {keyid(der): der for known in parties.values() for der in known.signers}

    def identify(self, received: Received) -> Party:
        """Step 1; raises Refusal: certificate_refused, party_unknown, party_suspended."""
        verdict = self._verdict(received.tls_certificate, Profile.TLS_CLIENT, received.at)
        if verdict.party is None or verdict.proof is None:
            raise Refusal(verdict.code)
        if self._parties[verdict.party].suspended:
            raise Refusal(Code.PARTY_SUSPENDED)
        return Party(verdict.party, verdict.proof)

    def signer(self, keyid: str, at: datetime) -> Signer:
        """Whose signing certificate this keyid names; raises Refusal: key_unknown, key_refused."""
        certificate = self._by_keyid.get(keyid)
        if certificate is None:
            raise Refusal(Code.KEY_UNKNOWN, component="keyid")
        verdict = self._verdict(certificate, Profile.SIGNING, at)
        if verdict.party is None or verdict.proof is None:
            raise Refusal(Code.KEY_REFUSED, component="keyid")
        return Signer(verdict.party, certificate, verdict.proof)

    def counterpart(self, party: str, certificate: bytes, at: datetime) -> CertificateProof:
        """The proof that a signing certificate, sent along with an answer, is this party's.

        Raises CertificateRefusedError.
        """
        return self._proof(party, certificate, Profile.SIGNING, at)

    def server(self, party: str, certificate: bytes, at: datetime) -> CertificateProof:
        """The proof that a TLS server's certificate is this party's; raises CertificateRefusedError."""
        return self._proof(party, certificate, Profile.TLS_SERVER, at)

    def _proof(self, party: str, certificate: bytes, profile: Profile, at: datetime) -> CertificateProof:
        verdict = self._verdict(certificate, profile, at)
        if verdict.party != party or verdict.proof is None:
            raise CertificateRefusedError("not_this_party")
        return verdict.proof

    def _verdict(self, certificate: bytes, profile: Profile, at: datetime) -> _Verdict:
        # Read before the verdict: one that was judged on older lists is never taken for a newer one.
        revision = self._revocation.revision()
        key = (profile, certificate)
        revised, kept = self._verdicts.get(key, (-1, None))
        if kept is None or revised != revision or at >= kept.until:
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            kept = self._judge(certificate, profile, at)
            self._verdicts[key] = (revision, kept)
        return kept

    def _judge(self, certificate: bytes, profile: Profile, at: datetime) -> _Verdict:
        code = Code.PARTY_UNKNOWN
        for known in self._parties.values():
            authority = Authority(known.name, known.roots, known.intermediates, self._revocation.lists(known.name))
            try:
                vetted = vet(certificate, profile, authority, at)
            except CertificateRefusedError as refused:
                if refused.reason != "wrong_authority":
                    code = Code.CERTIFICATE_REFUSED
                continue
            if known.names.isdisjoint(dns_names(x509.load_der_x509_certificate(certificate))):
                continue
            for der in (certificate, *authority.roots, *authority.intermediates, *authority.crls):
                self._shelf[fingerprint(der)] = der
            proof = CertificateProof(vetted.sha256, vetted.chain, vetted.revocation)
            return _Verdict(known.name, proof, code, vetted.until)
        return _Verdict(None, None, code, at + _REFUSED_FOR)


def keyid(certificate: bytes) -> str:
    """base64url without padding of the certificate's SHA-256 (S1)."""
    return urlsafe_b64encode(sha256(certificate).digest()).decode().rstrip("=")
