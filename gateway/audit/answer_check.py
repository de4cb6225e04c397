"""The answer that left, which is the receipt: it covers what S2 says, is bound to its request and its leaf (S3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from certs.profiles import Profile
from gateway.audit.evidence_schema import Exchange
from gateway.audit.request_check import base_values, keyid_of, strict_head
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import encode64, seconds_timestamp
from gateway.ledger.merkle import leaf_hash
from gateway.signing.algorithms import ECDSA_P256, algorithm_of, verify
from gateway.signing.base import TAG, parse_base
from gateway.signing.structured import Item, MalformedFieldError, parse_dictionary

if TYPE_CHECKING:
    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import EarlyRefusal
    from gateway.audit.opening import Opened
    from gateway.audit.policies import Policy
    from gateway.signing.structured import InnerList

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_HALF = 32
_SIGNED_WITHIN = timedelta(seconds=60)
_PARAMETERS = frozenset({"created", "keyid", "tag"})
_METHOD = '"@method";req'


def check_answer(evidence: Exchange | EarlyRefusal, opened: Opened, policy: Policy, certificates: Certificates) -> None:
    """Returns if the gateway signed this answer to this request, naming this leaf; raises Problem."""
    leaf, record = opened.leaf, opened.record
    try:
        values, member = parse_base(record.answer_base)
    except MalformedFieldError:
        raise Problem(Fault.ANSWER_MALFORMED, "not a signature base") from None
    # 1  the answer is the one that evidence tells of, and names its leaf
    by = values.pop('"ledger-by"', "")
    expected = {
        '"@status"': str(evidence.answer.status),
        '"content-digest"': evidence.answer.content_digest,
        '"exchange-id"': evidence.exchange_id,
        '"ledger-leaf"': encode64(leaf_hash(opened.packed)),
    }
    # 2  and it is bound to its request: to all of it, or to the little that C6 allows
    if isinstance(evidence, Exchange):
        expected |= _request(evidence)
    else:
        expected |= _early_request(values, evidence.nonce)
    if values.keys() != expected.keys():
        name = min(values.keys() ^ expected.keys())
        raise Problem(Fault.ANSWER_NOT_COVERED, name.partition(";key=")[0])
    for name, value in expected.items():
        if values[name] != value:
            raise Problem(Fault.ANSWER_DIFFERS, name.partition(";key=")[0])
    _check_promise(by, leaf.time)
    # 3  signed by the gateway's key of that time
    _check_parameters(member, evidence.answer.signing.sha256, leaf.time)
    gateway = policy.bundle.gateway
    certificate = certificates.check(evidence.answer.signing, Profile.SIGNING, gateway, policy, leaf.time)
    signature = record.answer_signature
    if int.from_bytes(signature[_HALF:]) > _ORDER // 2:
        raise Problem(Fault.ANSWER_SIGNATURE_INVALID, "a signature with a high s has a second form")
    if algorithm_of(certificate) != ECDSA_P256 or not verify(certificate, ECDSA_P256, signature, record.answer_base):
        raise Problem(Fault.ANSWER_SIGNATURE_INVALID, "not the gateway's signature over this base")


def _request(evidence: Exchange) -> dict[str, str]:
    request = evidence.request
    values = base_values(request.base)
    bound = {
        _METHOD: values['"@method"'],
        '"@target-uri";req': values['"@target-uri"'],
        f'"signature";req;key="{request.label}"': f":{encode64(request.signature)}:",
        f'"signature-input";req;key="{request.label}"': request.parameters,
    }
    if request.content_digest is not None:
        bound['"content-digest";req'] = request.content_digest
    return bound


def _early_request(values: dict[str, str], nonce: str | None) -> dict[str, str]:
    """What C6 lets the answer cover: @method, and one strictly valid signature-input, whose nonce is evidence's."""
    bound = {_METHOD: values.get(_METHOD, "")}
    for name, value in values.items():
        if name.startswith('"signature-input";req;key='):
            label = _label(name)
            head = strict_head(label, value, b"\x00")
            if nonce not in {None, head.nonce}:
                raise Problem(Fault.ANSWER_DIFFERS, "nonce")
            bound[name] = value
            break
    return bound


def _label(name: str) -> str:
    item = parse_dictionary(f"x={name}")["x"]
    label = dict(item.parameters).get("key") if isinstance(item, Item) else None
    if not isinstance(label, str):
        raise Problem(Fault.ANSWER_MALFORMED, "signature-input without its label")
    return label


def _check_promise(by: str, leaf_time: datetime) -> None:
    try:
        promised = datetime.fromisoformat(by)
    except ValueError:
        raise Problem(Fault.ANSWER_NOT_COVERED, "ledger-by") from None
    if promised.tzinfo is None or seconds_timestamp(promised) != by or promised < leaf_time.replace(microsecond=0):
        raise Problem(Fault.ANSWER_DIFFERS, "ledger-by")


def _check_parameters(member: InnerList, certificate_sha256: str, leaf_time: datetime) -> None:
    parameters = dict(member.parameters)
    if parameters.keys() != _PARAMETERS or parameters["tag"] != TAG:
        raise Problem(Fault.ANSWER_MALFORMED, "signature parameters")
    if parameters["keyid"] != keyid_of(certificate_sha256):
        raise Problem(Fault.ANSWER_DIFFERS, "keyid")
    created = parameters["created"]
    if not isinstance(created, int) or isinstance(created, bool):
        raise Problem(Fault.ANSWER_MALFORMED, "created")
    if abs(created - leaf_time.timestamp()) > _SIGNED_WITHIN.total_seconds():
        raise Problem(Fault.TIME_DIFFERS, "the answer was signed at another time than its leaf's")
