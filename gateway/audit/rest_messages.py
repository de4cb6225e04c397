"""A REST exchange between the gateway and an upstream, from the two bases that evidence keeps (S1, S2, L1)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certs.profiles import Profile
from gateway.audit.request_check import base_values, keyid_of, strict_head
from gateway.audit.verdict import Fault, Problem
from gateway.signing.algorithms import algorithm_of, verify
from gateway.signing.base import parse_base
from gateway.signing.structured import MalformedFieldError
from gateway.signing.upstream_answer import UpstreamRefusedError, check_coverage, expected_values, read_answer_head

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.audit.certificates import Certificates
    from gateway.audit.delivery_schema import Delivery
    from gateway.audit.evidence_schema import Exchange, RestMessagePart
    from gateway.audit.policies import Policy

_REQUIRED = ("@method", "@target-uri", "exchange-agreement", "exchange-purpose")
_OPTIONAL = '"content-type"'
#: No message is older when it is taken: the window of S1, and the longest attempt.
_OLDEST = timedelta(minutes=7)


class RestMessages:
    """Checks the bases of attempts under the keys of their time."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    def check_request(
        self, message: RestMessagePart, evidence: Exchange | Delivery, gateway: str, policy: Policy, at: datetime
    ) -> str:
        """The nonce of a request of ours, which says what evidence says; raises Problem."""
        head = strict_head(message.label, message.parameters, message.signature)
        values = _values(message)
        if missing := [name for name in _REQUIRED if name not in head.components]:
            raise Problem(Fault.UPSTREAM_DIFFERS, f"our request does not sign {missing[0]}")
        said = {"exchange-agreement": evidence.agreement, "exchange-purpose": evidence.purpose}
        if any(values[f'"{name}"'] != value for name, value in said.items()):
            raise Problem(Fault.UPSTREAM_DIFFERS, "our request was made under another agreement or purpose")
        self._check_signed(message, head.keyid, head.created, gateway, policy, at)
        return head.nonce

    def check_answer(
        self, asked: RestMessagePart, said: RestMessagePart, upstream: str, policy: Policy, at: datetime
    ) -> None:
        """Returns if this is the upstream's signed answer to that request; raises Problem."""
        values = _values(said)
        _, member = parse_base(said.base.encode("ascii"))
        status, digest = values.get('"@status"', ""), values.get('"content-digest"', "")
        expected = expected_values(_values(asked), asked.label, asked.signature, asked.parameters)
        expected |= {'"@status"': status, '"content-digest"': digest}
        try:
            check_coverage(list(values), expected | {_OPTIONAL: ""})
            head = read_answer_head(member)
        except UpstreamRefusedError as error:
            raise Problem(Fault.UPSTREAM_DIFFERS, f"their answer: {error.reason}") from None
        if not status.isdecimal() or any(values[name] != value for name, value in expected.items()):
            raise Problem(Fault.UPSTREAM_DIFFERS, "their answer is to another request")
        self._check_signed(said, head.keyid, head.created, upstream, policy, at)
        if head.alg not in {None, said.algorithm}:
            raise Problem(Fault.UPSTREAM_DIFFERS, "their answer names another algorithm")

    def _check_signed(
        self, message: RestMessagePart, keyid: str, created: int, party: str, policy: Policy, at: datetime
    ) -> None:
        if keyid != keyid_of(message.signing.sha256):
            raise Problem(Fault.UPSTREAM_DIFFERS, "keyid")
        if abs(created - at.timestamp()) > _OLDEST.total_seconds():
            raise Problem(Fault.TIME_DIFFERS, "a message of another time than its attempt")
        certificate = self._certificates.check(message.signing, Profile.SIGNING, party, policy, at)
        algorithm = algorithm_of(certificate)
        if algorithm is None or algorithm != message.algorithm:
            raise Problem(Fault.UPSTREAM_DIFFERS, "algorithm")
        if not verify(certificate, algorithm, message.signature, message.base.encode("ascii")):
            raise Problem(Fault.UPSTREAM_SIGNATURE_INVALID, "signature_invalid")


def _values(message: RestMessagePart) -> dict[str, str]:
    try:
        values = dict(base_values(message.base))
    except (MalformedFieldError, UnicodeEncodeError):
        raise Problem(Fault.UPSTREAM_DIFFERS, "not a signature base") from None
    if not message.base.endswith(f'\n"@signature-params": {message.parameters}'):
        raise Problem(Fault.UPSTREAM_DIFFERS, "signature parameters")
    return values
