"""The parties of a policy, with the certificates in the set-up's folders: for every process that judges them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import ConfigurationError
from gateway.identity.parties import KnownParty, Parties

if TYPE_CHECKING:
    from certs.revocation import RevocationFolder
    from gateway.policy.bundle import Bundle
    from gateway.settings import Folders


def known_parties(bundle: Bundle, folders: Folders, revocation: RevocationFolder, shelf: dict[str, bytes]) -> Parties:
    """Every party of the bundle; ``shelf`` gets what their verdicts rest on, by hash. Raises ConfigurationError."""
    known: dict[str, KnownParty] = {}
    for name, party in bundle.parties.items():
        authority = bundle.authorities[party.authority]
        known[name] = KnownParty(
            name=name,
            names=frozenset(party.names),
            roots=tuple(der_of(pem.encode()) for pem in authority.roots),
            intermediates=tuple(der_of(pem.encode()) for pem in authority.intermediates),
            signers=tuple(der_of(path.read_bytes()) for path in sorted(folders.signers.glob(f"{name}.*pem"))),
            suspended=party.suspended,
            grace=timedelta(hours=bundle.guard.revocation_grace_hours),
        )
    return Parties(known, revocation, shelf)


def der_of(pem: bytes) -> bytes:
    """DER of a certificate; raises ConfigurationError for what is none."""
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        raise ConfigurationError("certificate_not_pem") from None
