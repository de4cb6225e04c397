"""Which signing certificates a party takes for the gateway's: those that it was given, and those that follow them.

The gateway's key is renewed over the years. A new certificate is believed where it leads to the root that the party was
given, is valid now, is a signing certificate and nothing else, and bears a name of one that the party was given
(docs/profile.md, section 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification

from certs.profiles import CertificateRefusedError, Profile, check_profile, dns_names
from gateway.errors import ConfigurationError
from gateway.signing.answer import keyid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gateway.ports import Clock


class GatewayKeys:
    """The gateway's signing certificates by their keyid, DER."""

    def __init__(
        self,
        given: Sequence[x509.Certificate],
        roots: Sequence[x509.Certificate],
        fetch: Callable[[], bytes],
        clock: Clock,
    ) -> None:
        """What the party was given.

        Args:
            given: signing certificates, believed as they are.
            roots: what others must lead to.
            fetch: the gateway's published certificates, PEM, asked for when an answer names a key that is not known;
                whatever it gives is believed for nothing but what it proves.
            clock: for the moment at which others must be valid.
        """
        self._known = {_keyid(one): _der(one) for one in given}
        self._names = frozenset(name for one in given for name in dns_names(one))
        self._roots = list(roots)
        self._fetch = fetch
        self._clock = clock

    @property
    def given(self) -> bytes:
        """The first that the party was given."""
        return next(iter(self._known.values()))

    def find(self, keyid: object) -> bytes | None:
        """The certificate that this keyid names; None where it is not the gateway's, or not any more."""
        if not isinstance(keyid, str):
            return None
        if keyid not in self._known:
            self._learn(keyid)
        return self._known.get(keyid)

    def _learn(self, keyid: str) -> None:
        try:
            published = x509.load_pem_x509_certificates(self._fetch())
        except ValueError:
            return
        found = next((one for one in published if _keyid(one) == keyid), None)
        if found is not None and self._follows(found, published):
            self._known[keyid] = _der(found)

    def _follows(self, certificate: x509.Certificate, others: list[x509.Certificate]) -> bool:
        # Of a signer TLS's rules ask nothing: its usage is checked by our own profile, exactly.
        anyone = verification.ExtensionPolicy.permit_all()
        above = verification.ExtensionPolicy.webpki_defaults_ca()
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(self._roots))
            .time(self._clock.now())
            .extension_policies(ca_policy=above, ee_policy=anyone)
            .build_client_verifier()
        )
        try:
            verifier.verify(certificate, [one for one in others if one != certificate])
            check_profile(certificate, Profile.SIGNING)
        except (verification.VerificationError, CertificateRefusedError):
            return False
        return not self._names.isdisjoint(dns_names(certificate))


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Every certificate in a PEM file; raises ConfigurationError."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
    except ValueError:
        raise ConfigurationError("party_invalid", path=path, detail="PEM") from None


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _keyid(certificate: x509.Certificate) -> str:
    return keyid_of(certificate.fingerprint(hashes.SHA256()).hex())
