"""A caller's kept request: it said what evidence says, it was signed by the caller, and it came once (S1, S4)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from certs.profiles import Profile
from contracts.rest import path_pattern
from gateway.audit.evidence_schema import SoapRequestPart
from gateway.audit.soap_request import check_soap_request
from gateway.audit.verdict import Fault, Problem
from gateway.errors import Refusal
from gateway.signing.algorithms import algorithm_of, verify
from gateway.signing.base import parse_base
from gateway.signing.head import SignatureHead, kept_head
from gateway.signing.structured import MalformedFieldError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from contracts.loader import Contract, Operation
    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import Exchange, RequestPart
    from gateway.audit.intents import Intent
    from gateway.audit.policies import Policy
    from gateway.audit.soap_request import AskedBySoap
    from gateway.audit.traces import Traces

OLDEST = timedelta(seconds=300)
NEWEST = timedelta(seconds=30)
_REQUIRED = ("@method", "@target-uri", "exchange-agreement", "exchange-purpose")
_TARGET = re.compile(r"https://[a-z0-9.-]+(?::[0-9]+)?(?P<path>/[^?#]*)(?P<query>\?[^#]*)?")


@lru_cache(maxsize=256)
def keyid_of(sha256_hex: str) -> str:
    """A certificate's keyid (S1): base64url without padding of its SHA-256."""
    return urlsafe_b64encode(bytes.fromhex(sha256_hex)).decode().rstrip("=")


def check_request(
    evidence: Exchange | Intent, contract: Contract, policy: Policy, certificates: Certificates, traces: Traces
) -> AskedBySoap | None:
    """Returns if the caller signed this request: by SOAP, what its answer must be bound to. Raises Problem.

    ``contract`` is the one that evidence names, and has its operation.
    """
    request = evidence.request
    if isinstance(request, SoapRequestPart):
        return check_soap_request(evidence, request, contract, policy, certificates, traces)
    _check_rest(evidence, request, contract.operations[evidence.operation], policy, certificates, traces)
    return None


def _check_rest(
    evidence: Exchange | Intent,
    request: RequestPart,
    operation: Operation,
    policy: Policy,
    certificates: Certificates,
    traces: Traces,
) -> None:
    head = strict_head(request.label, request.parameters, request.signature)
    values = _values(request.base, request.parameters)
    # 1  it covers all that S1 asks for
    required = [*_REQUIRED, *(["content-digest"] if request.content_digest is not None else [])]
    if missing := [name for name in required if name not in head.components]:
        raise Problem(Fault.REQUEST_NOT_COVERED, missing[0])
    # 2  what it covers is what evidence says
    said = {
        "content-digest": request.content_digest,
        "exchange-agreement": evidence.agreement,
        "exchange-purpose": evidence.purpose,
    }
    for name, value in said.items():
        if values.get(f'"{name}"') != value:
            raise Problem(Fault.REQUEST_DIFFERS, name)
    _check_target(values, operation)
    # 3  its parameters: the key that evidence names, inside the window
    if head.keyid != keyid_of(request.signing.sha256):
        raise Problem(Fault.REQUEST_DIFFERS, "keyid")
    _check_time(head, evidence.received_at)
    # 4  the keys were the caller's at the time
    at, caller = evidence.received_at, evidence.parties.caller
    certificates.check(request.tls, Profile.TLS_CLIENT, caller, policy, at)
    certificate = certificates.check(request.signing, Profile.SIGNING, caller, policy, at)
    # 5  the signature holds
    algorithm = algorithm_of(certificate)
    if algorithm is None or algorithm != request.algorithm or head.alg not in {None, algorithm}:
        raise Problem(Fault.REQUEST_DIFFERS, "algorithm")
    if not verify(certificate, algorithm, request.signature, request.base.encode("ascii")):
        raise Problem(Fault.REQUEST_SIGNATURE_INVALID, "not the caller's signature over this base")
    # 6  and it came once: what the whole log says
    traces.nonce(request.signing.sha256, head.nonce, at)


def strict_head(label: str, parameters: str, signature: bytes) -> SignatureHead:
    """A Signature-Input member as the gateway itself reads it; raises Problem (request_malformed)."""
    try:
        return kept_head(label, parameters, signature)
    except MalformedFieldError:
        raise Problem(Fault.REQUEST_MALFORMED, "signature-input not in its one form") from None
    except Refusal as refusal:
        raise Problem(Fault.REQUEST_MALFORMED, f"signature-input: {refusal.code}") from None


@lru_cache(maxsize=4)
def base_values(base: str) -> Mapping[str, str]:
    """The components of a request's base, kept until its answer was looked at.

    Raises MalformedFieldError, UnicodeEncodeError.
    """
    return parse_base(base.encode("ascii"))[0]


def _values(base: str, parameters: str) -> Mapping[str, str]:
    try:
        values = base_values(base)
    except (MalformedFieldError, UnicodeEncodeError):
        raise Problem(Fault.REQUEST_MALFORMED, "not a signature base") from None
    if not base.endswith(f'\n"@signature-params": {parameters}'):
        raise Problem(Fault.REQUEST_DIFFERS, "signature parameters")
    return values


def _check_target(values: Mapping[str, str], operation: Operation) -> None:
    binding = operation.rest
    target = _TARGET.fullmatch(values['"@target-uri"'])
    if values['"@method"'] != binding.method or target is None or not _path(binding.path).fullmatch(target["path"]):
        raise Problem(Fault.REQUEST_DIFFERS, "method or target")
    if target["query"] is not None and not binding.query:
        raise Problem(Fault.REQUEST_DIFFERS, "query")
    if binding.method == "POST" and '"content-digest"' not in values:
        raise Problem(Fault.REQUEST_NOT_COVERED, "content-digest")


_path = lru_cache(maxsize=64)(path_pattern)


def _check_time(head: SignatureHead, received_at: datetime) -> None:
    now = received_at.timestamp()
    if not now - OLDEST.total_seconds() <= head.created <= now + NEWEST.total_seconds():
        raise Problem(Fault.TIME_DIFFERS, "the request was created too long before it came, or after")
    if head.expires is not None and head.expires <= now:
        raise Problem(Fault.TIME_DIFFERS, "the request had expired")
