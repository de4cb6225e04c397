"""Who is behind a certificate: step 1, and whose key a keyid names."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certs.paths import Authority, fingerprint, vet
from certs.profiles import CertificateRefusedError, Profile, dns_names
from certs.revocation import Revocation
from certs.said import UNREADABLE
from gateway.errors import Code, Refusal
from gateway.model import CertificateProof, Party, Signer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping
    from datetime import datetime

    from certs.paths import Vetted
    from certs.revocation import RevocationFolder
    from gateway.model import Received

_REFUSED_FOR = timedelta(seconds=60)
_STALE_TOLD = timedelta(hours=1)
_MOST_VERDICTS = 4096


@dataclass(frozen=True, slots=True)
class KnownParty:
    """A party as the policy knows it.

    Attributes:
        signers: its signing certificates, DER.
        grace: for so long after its date, its authority's revocation data is accepted still.
    """

    name: str
    names: frozenset[str]
    roots: tuple[bytes, ...] = field(repr=False)
    intermediates: tuple[bytes, ...] = field(repr=False)
    signers: tuple[bytes, ...] = field(repr=False)
    suspended: bool = False
    grace: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """``reason`` is why a certificate was refused, in one word; ``names`` are those of one that was accepted."""

    party: str | None
    proof: CertificateProof | None
    code: Code
    until: datetime
    reason: str | None = None
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Trust:
    """The parties' authorities as one look at the revocation folder makes them."""

    revocation: Revocation
    authorities: Mapping[str, Authority]


class Parties:
    """ports.Identity and ports.Signers; a verdict is kept per certificate until revocation data changes."""

    def __init__(
        self, parties: Mapping[str, KnownParty], revocation: RevocationFolder, shelf: MutableMapping[str, bytes]
    ) -> None:
        """``shelf`` receives, by hex SHA-256, everything that a proof names (``objects/``, L3)."""
        self._shelf = shelf
        self._parties = parties
        self._revocation = revocation
        self._verdicts: dict[tuple[Profile, bytes], tuple[Revocation, _Verdict]] = {}
        self._by_keyid = {keyid(der): der for known in parties.values() for der in known.signers}
        self._of_two = frozenset(keyid(der) for der in keys_of_two_parties(parties.values()))
        self._trust = self._trusting(Revocation(0))
        self._stale_told: dict[str, datetime] = {}
        self._log = structlog.get_logger("certificates")

    def identify(self, received: Received) -> Party:
        """Step 1; raises Refusal: certificate_refused with its reason, party_unknown, party_suspended."""
        verdict = self._verdict(received.tls_certificate, Profile.TLS_CLIENT, received.at)
        if verdict.party is None or verdict.proof is None:
            raise Refusal(verdict.code, reason=verdict.reason)
        if self._parties[verdict.party].suspended:
            raise Refusal(Code.PARTY_SUSPENDED)
        return Party(verdict.party, verdict.proof)

    def signer(self, keyid: str, at: datetime) -> Signer:
        """Whose signing certificate this keyid names; raises Refusal: key_unknown, key_refused with its reason."""
        certificate = self._by_keyid.get(keyid)
        if certificate is None:
            raise Refusal(Code.KEY_UNKNOWN, component="keyid")
        if keyid in self._of_two:
            raise Refusal(Code.KEY_REFUSED, component="keyid", reason="key_of_two_parties")
        verdict = self._verdict(certificate, Profile.SIGNING, at)
        if verdict.party is None or verdict.proof is None:
            raise Refusal(Code.KEY_REFUSED, component="keyid", reason=verdict.reason or "not_this_party")
        return Signer(verdict.party, certificate, verdict.proof)

    def certificates(self, party: str) -> tuple[bytes, ...]:
        """A party's known signing certificates (DER), none of them vetted yet."""
        return self._parties[party].signers

    def counterpart(self, party: str, certificate: bytes, at: datetime) -> CertificateProof:
        """The proof that a signing certificate, sent along with an answer, is this party's.

        Raises CertificateRefusedError.
        """
        return self._proof(party, certificate, Profile.SIGNING, at)

    def server(self, party: str, certificate: bytes, at: datetime) -> CertificateProof:
        """The proof that a TLS server's certificate is this party's; raises CertificateRefusedError."""
        return self._proof(party, certificate, Profile.TLS_SERVER, at)

    def take_over(self, former: Parties) -> None:
        """Keeps what was accepted under the policy before, where this one says the same of its party.

        So a change of policy costs no verdict anew but those that it touches. Of parties that read the same revocation
        folder; what was refused, and what another party's names touch now, is judged anew.
        """
        for key, (judged_on, verdict) in list(former._verdicts.items()):
            if verdict.party is not None and self._says_the_same(former, verdict.party, verdict.names):
                self._verdicts[key] = (judged_on, verdict)
        self._stale_told = dict(former._stale_told)

    def _says_the_same(self, former: Parties, party: str, names: frozenset[str]) -> bool:
        before, now = former._parties[party], self._parties.get(party)
        if now is None or _judged_by(before) != _judged_by(now):
            return False
        return all(known.names.isdisjoint(names) for name, known in self._parties.items() if name != party)

    def keep_warm(self, at: datetime) -> None:
        """Once a second, in a thread of its own: judges on new revocation data before it is in force.

        No exchange then waits for a verdict but that of a certificate never seen.
        """
        self._revocation.prepare(lambda found: self._judge_again(found, at))

    def _judge_again(self, found: Revocation, at: datetime) -> None:
        trust = self._trusting(found)
        for (profile, certificate), (_, verdict) in list(self._verdicts.items()):
            if verdict.proof is not None:
                self._verdicts[profile, certificate] = (found, self._judge(certificate, profile, trust, at))
        self._trust = trust

    def _trusting(self, revocation: Revocation) -> _Trust:
        return _Trust(
            revocation,
            {
                name: Authority(
                    name,
                    known.roots,
                    known.intermediates,
                    revocation.lists.get(name, ()),
                    revocation.answers.get(name, ()),
                    known.grace,
                )
                for name, known in self._parties.items()
            },
        )

    def _proof(self, party: str, certificate: bytes, profile: Profile, at: datetime) -> CertificateProof:
        verdict = self._verdict(certificate, profile, at)
        if verdict.party != party or verdict.proof is None:
            raise CertificateRefusedError(verdict.reason or "not_this_party")
        return verdict.proof

    def _verdict(self, certificate: bytes, profile: Profile, at: datetime) -> _Verdict:
        # Read before the verdict: one that was judged on older lists is never taken for a newer one.
        revocation = self._revocation.current()
        key = (profile, certificate)
        judged_on, kept = self._verdicts.get(key, (None, None))
        if kept is None or judged_on is not revocation or at >= kept.until:
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            trust = self._trust
            if trust.revocation is not revocation:
                trust = self._trust = self._trusting(revocation)
            kept = self._judge(certificate, profile, trust, at)
            self._verdicts[key] = (revocation, kept)
        return kept

    def _judge(self, certificate: bytes, profile: Profile, trust: _Trust, at: datetime) -> _Verdict:
        code, reason = Code.PARTY_UNKNOWN, None
        for name, known in self._parties.items():
            authority = trust.authorities[name]
            try:
                vetted = vet(certificate, profile, authority, at)
                names = frozenset(dns_names(x509.load_der_x509_certificate(certificate)))
                if known.names.isdisjoint(names):
                    continue
                self._check_names(name, names)
            except CertificateRefusedError as refused:
                if refused.reason != "wrong_authority":
                    code, reason = Code.CERTIFICATE_REFUSED, refused.reason
                continue
            self._keep(certificate, authority, vetted)
            self._tell_of_staleness(name, vetted, at)
            proof = CertificateProof(vetted.sha256, vetted.chain, vetted.revocation)
            return _Verdict(name, proof, code, vetted.until, names=names)
        if reason is not None:
            name = fingerprint(certificate)
            self._log.warning("certificate_refused", reason=reason, profile=profile.name, sha256=name)
        return _Verdict(None, None, code, at + _REFUSED_FOR, reason)

    def _check_names(self, party: str, names: frozenset[str]) -> None:
        """One certificate speaks for one party: where two share an authority, a second name would decide nothing."""
        if any(not known.names.isdisjoint(names) for name, known in self._parties.items() if name != party):
            raise CertificateRefusedError("name_of_another_party")

    def _keep(self, certificate: bytes, authority: Authority, vetted: Vetted) -> None:
        named = {vetted.sha256, *vetted.chain, *vetted.revocation}
        for der in (certificate, *authority.roots, *authority.intermediates, *authority.crls, *authority.ocsp):
            if (name := fingerprint(der)) in named:
                self._shelf[name] = der

    def _tell_of_staleness(self, party: str, vetted: Vetted, at: datetime) -> None:
        """Accepted within the policy's grace: said once an hour for each party."""
        told = self._stale_told.get(party)
        if vetted.stale_since is not None and (told is None or at - told >= _STALE_TOLD):
            self._stale_told[party] = at
            self._log.error("revocation_stale", party=party, since=vetted.stale_since.isoformat())


def _judged_by(known: KnownParty) -> tuple[object, ...]:
    """All of a party that a certificate's verdict hangs on; that it is suspended is looked at after it."""
    return known.name, known.names, known.roots, known.intermediates, known.grace


def keyid(certificate: bytes) -> str:
    """base64url without padding of the certificate's SHA-256 (S1)."""
    return urlsafe_b64encode(sha256(certificate).digest()).decode().rstrip("=")


def keys_of_two_parties(parties: Iterable[KnownParty]) -> frozenset[bytes]:
    """The signing certificates (DER) whose key stands in a certificate of another party too (S1)."""
    holders: dict[bytes, set[str]] = defaultdict(set)
    pairs = [(known.name, der, _public_key(der)) for known in parties for der in known.signers]
    for name, _, key in pairs:
        holders[key].add(name)
    return frozenset(der for _, der, key in pairs if len(holders[key]) > 1)


def _public_key(certificate: bytes) -> bytes:
    """SubjectPublicKeyInfo in DER; of what cannot be read, the bytes themselves."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except UNREADABLE:
        return certificate
