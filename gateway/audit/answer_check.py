"""The answer that left, which is the receipt: it covers what S2 or S4 says, is bound to its request and leaf (S3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from certs.profiles import Profile
from gateway.audit.evidence_schema import EarlyRefusal, Exchange, SoapRequestPart
from gateway.audit.request_check import base_values, keyid_of, strict_head
from gateway.audit.soap_answer import check_soap_answer, is_soap_base
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import encode64, seconds_timestamp
from gateway.ledger.merkle import leaf_hash
from gateway.signing.algorithms import ECDSA_P256, algorithm_of, verify
from gateway.signing.base import TAG, parse_base
from gateway.signing.structured import Item, MalformedFieldError, parse_dictionary

if TYPE_CHECKING:
    from cryptography import x509

    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import RequestPart
    from gateway.audit.opening import Opened
    from gateway.audit.policies import Policy
    from gateway.audit.soap_request import AskedBySoap
    from gateway.signing.structured import InnerList

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_HALF = 32
_SIGNED_WITHIN = timedelta(seconds=60)
_PARAMETERS = frozenset({"created", "keyid", "tag"})
_METHOD = '"@method";req'


def check_answer(
    evidence: Exchange | EarlyRefusal,
    opened: Opened,
    policy: Policy,
    certificates: Certificates,
    asked: AskedBySoap | None = None,
) -> None:
    """Returns if the gateway signed this answer to this request, naming this leaf; raises Problem.

    ``asked`` is the request where the caller used SOAP; None by REST, and of a refusal before its salt was claimed.
    """
    leaf, record = opened.leaf, opened.record
    gateway = policy.bundle.gateway
    certificate = certificates.check(evidence.answer.signing, Profile.SIGNING, gateway, policy, leaf.time)
    if algorithm_of(certificate) != ECDSA_P256:
        raise Problem(Fault.ANSWER_SIGNATURE_INVALID, "not by a key of the gateway's kind")
    if int.from_bytes(record.answer_signature[_HALF:]) > _ORDER // 2:
        raise Problem(Fault.ANSWER_SIGNATURE_INVALID, "a signature with a high s has a second form")
    if asked is not None or (isinstance(evidence, EarlyRefusal) and is_soap_base(record.answer_base)):
        signed_at, by = check_soap_answer(evidence, opened, asked, certificate.public_bytes(Encoding.DER))
    else:
        signed_at, by = _check_rest(evidence, opened, certificate)
    _check_promise(by, leaf.time)
    if abs(signed_at - leaf.time.timestamp()) > _SIGNED_WITHIN.total_seconds():
        raise Problem(Fault.TIME_DIFFERS, "the answer was signed at another time than its leaf's")


def _check_rest(evidence: Exchange | EarlyRefusal, opened: Opened, certificate: x509.Certificate) -> tuple[float, str]:
    """When an answer by REST was signed (seconds since 1970), and its Ledger-By; raises Problem."""
    record = opened.record
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
        expected |= _request(evidence.request)
    else:
        expected |= _early_request(values, evidence.nonce)
    if values.keys() != expected.keys():
        name = min(values.keys() ^ expected.keys())
        raise Problem(Fault.ANSWER_NOT_COVERED, name.partition(";key=")[0])
    for name, value in expected.items():
        if values[name] != value:
            raise Problem(Fault.ANSWER_DIFFERS, name.partition(";key=")[0])
    # 3  signed by the gateway's key of that time
    created = _created(member, evidence.answer.signing.sha256)
    if not verify(certificate, ECDSA_P256, record.answer_signature, record.answer_base):
        raise Problem(Fault.ANSWER_SIGNATURE_INVALID, "not the gateway's signature over this base")
    return created, by


def _request(request: RequestPart | SoapRequestPart) -> dict[str, str]:
    if isinstance(request, SoapRequestPart):
        raise Problem(Fault.ANSWER_MALFORMED, "in another form than its request")
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


def _created(member: InnerList, certificate_sha256: str) -> int:
    parameters = dict(member.parameters)
    if parameters.keys() != _PARAMETERS or parameters["tag"] != TAG:
        raise Problem(Fault.ANSWER_MALFORMED, "signature parameters")
    if parameters["keyid"] != keyid_of(certificate_sha256):
        raise Problem(Fault.ANSWER_DIFFERS, "keyid")
    created = parameters["created"]
    if not isinstance(created, int) or isinstance(created, bool):
        raise Problem(Fault.ANSWER_MALFORMED, "created")
    return created
