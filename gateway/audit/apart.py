"""What evidence holds sealed to officers (C5): opened where the auditor has their key, and said to be unproven else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from certs.profiles import Profile
from gateway.audit.evidence_schema import read_message
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError
from gateway.ledger.sealing import open_apart

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import ApartMessagePart, MessagePart, RestMessagePart
    from gateway.audit.policies import Policy


class Apart:
    """Opens parts of evidence; ``keys`` are raw private keys by the hex SHA-256 of their public side."""

    def __init__(self, certificates: Certificates, keys: Mapping[str, bytes]) -> None:
        self._certificates = certificates
        self._keys = keys
        #: Whether anything stayed sealed so far.
        self.unopened = False

    def open(
        self, part: ApartMessagePart, exchange_id: str, signer: str, upstream: str, policy: Policy, at: datetime
    ) -> MessagePart | RestMessagePart | None:
        """The message as it would stand in evidence; None where only officers can open it.

        Raises Problem where the policy does not say that this upstream's are sealed apart, and to this key: else
        whoever holds the gateway could hide a message that proves nothing.
        """
        if policy.bundle.parties[upstream].sealed_apart != part.officers:
            raise Problem(Fault.UPSTREAM_DIFFERS, "sealed apart, where the policy does not say so")
        self._certificates.check(part.signing, Profile.SIGNING, signer, policy, at)
        private = self._keys.get(part.officers)
        if private is None:
            self.unopened = True
            return None
        try:
            opened = read_message(open_apart(private, part.sealed, UUID(exchange_id)))
        except FormatError:
            raise Problem(Fault.UPSTREAM_DIFFERS, "sealed apart, and does not open") from None
        if opened.signing != part.signing:
            raise Problem(Fault.UPSTREAM_DIFFERS, "sealed apart under another certificate than it names")
        return opened
