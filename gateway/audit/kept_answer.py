"""One receipt by REST as `call` leaves it: an answer with its signature, and what of its request that covers.

Nothing of it is believed: the signature over its base is what counts, and whose key made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations when the models are built
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.audit.evidence_schema import Bytes, Id, Name, One  # noqa: TC001  the same
from gateway.audit.request_check import keyid_of
from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError, decode64
from gateway.signing.algorithms import ECDSA_P256, verify
from gateway.signing.base import TAG, lines
from gateway.signing.digest import digest_holds
from gateway.signing.structured import InnerList, Item, MalformedFieldError, parse_dictionary, serialise

if TYPE_CHECKING:
    from pathlib import Path

_FORBIDDEN = ConfigDict(extra="forbid", frozen=True, strict=True)
#: Of a receipt, in bytes.
LARGEST = 1 << 24
_ALWAYS = frozenset({'"@status"', '"content-digest"', '"exchange-id"'})
_LEDGER = frozenset({'"ledger-leaf"', '"ledger-by"'})


class _Asked(BaseModel):
    """What the answer can cover of its request."""

    model_config = _FORBIDDEN

    method: str
    target_uri: str
    content_digest: str | None
    label: str
    signature_input: str
    signature: Bytes


class _File(BaseModel):
    """A receipt's file, version 1."""

    model_config = _FORBIDDEN

    v: One
    party: Name
    status: int = Field(ge=200, le=599)
    headers: Mapping[str, str]
    body: str
    request: _Asked
    signer: Bytes


class _Line(_File):
    """One of a batch's: with the line of the party's file that it is of, and what its salt was made of."""

    line: int = Field(ge=1)
    drawn: str = Field(pattern="^[0-9a-f]{16}$")


class _Headers(BaseModel):
    """Of the answer's headers, those that matter here."""

    model_config = ConfigDict(frozen=True, strict=True)

    exchange_id: Id


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A receipt whose signature holds under the certificate that it brings; whose that is, the audit says.

    Attributes:
        name: of its file.
        exchange_id: covered, as all below.
        ledger_leaf: the leaf's hash; None where the answer says that nothing was recorded.
        ledger_by: the promise.
        content_digest: of the answer.
        created: when it was signed.
        signer: the certificate, DER.
        body: of a batch's answer, which is kept nowhere else; empty of others.
    """

    name: str
    exchange_id: str
    ledger_leaf: bytes | None
    ledger_by: datetime | None
    content_digest: str
    created: datetime
    signer: bytes = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def signer_sha256(self) -> str:
        """Hex SHA-256 of the certificate."""
        return sha256(self.signer).hexdigest()


def read_kept_answer(path: Path) -> KeptAnswer:
    """The receipt in a file; raises Problem (receipt_unreadable, receipt_not_ours)."""
    try:
        if path.stat().st_size > LARGEST:
            raise Problem(Fault.RECEIPT_UNREADABLE, "too large")
        content = path.read_bytes()
    except OSError as error:
        raise Problem(Fault.RECEIPT_UNREADABLE, error.strerror or "cannot be read") from None
    return _proven(_File, content, path.name)


def read_line(content: bytes, name: str, signer: bytes) -> KeptAnswer:
    """The receipt of a batch's line, with its body; raises Problem as ``read_kept_answer``.

    ``signer`` is a certificate of before: where it is this one's too, it is not held twice.
    """
    answer = _proven(_Line, content, name)
    return replace(answer, signer=signer) if answer.signer == signer else answer


def _proven(form: type[_File], content: bytes, name: str) -> KeptAnswer:
    try:
        kept = form.model_validate_json(content)
        exchange_id = _Headers(exchange_id=kept.headers.get("exchange-id", "")).exchange_id
        certificate = x509.load_der_x509_certificate(kept.signer)
        member, signature = _one_signature(kept.headers)
        names = [serialise(item) for item in member.items]
        values = _values(kept)
        base = lines([(name, values[name]) for name in names], serialise(member))
        created = _created(member)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise Problem(Fault.RECEIPT_UNREADABLE, f"at {where[:80] or 'its top'}") from None
    except (ValueError, KeyError, OverflowError, MalformedFieldError, FormatError):
        raise Problem(Fault.RECEIPT_UNREADABLE, "its signature, or what it covers, cannot be read") from None
    recorded = "ledger-leaf" in kept.headers
    if not (_ALWAYS | (_LEDGER if recorded else frozenset())) <= set(names):
        raise Problem(Fault.RECEIPT_NOT_OURS, "the signature does not cover what it must")
    if dict(member.parameters).get("keyid") != keyid_of(sha256(kept.signer).hexdigest()):
        raise Problem(Fault.RECEIPT_NOT_OURS, "signed under another certificate than the one that it brings")
    if not verify(certificate, ECDSA_P256, signature, base):
        raise Problem(Fault.RECEIPT_NOT_OURS, "the signature does not hold")
    if not digest_holds(kept.headers["content-digest"], kept.body.encode(errors="surrogatepass")):
        raise Problem(Fault.RECEIPT_NOT_OURS, "the body is not the one that was signed")
    return KeptAnswer(
        name=name,
        exchange_id=exchange_id,
        ledger_leaf=read_leaf(kept.headers["ledger-leaf"]) if recorded else None,
        ledger_by=read_promise(kept.headers["ledger-by"]) if recorded else None,
        content_digest=kept.headers["content-digest"],
        created=created,
        signer=kept.signer,
        body=kept.body.encode() if isinstance(kept, _Line) else b"",
    )


def read_proof(path: Path) -> str | None:
    """The tlog-proof inside a receipt's JWS; None where there is none. Raises Problem (receipt_unreadable).

    The JWS is not verified: a proof stands for itself, under the log's key.
    """
    try:
        payload = path.read_text(encoding="ascii").split(".")[1]
        claims = json.loads(decode64(_padded(payload)))
        proof = claims["proof"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError, FormatError):
        raise Problem(Fault.RECEIPT_UNREADABLE, "no receipt with a proof") from None
    return str(proof)


def _padded(text: str) -> str:
    return text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)


def _one_signature(headers: Mapping[str, str]) -> tuple[InnerList, bytes]:
    inputs, values = parse_dictionary(headers["signature-input"]), parse_dictionary(headers["signature"])
    for label, member in inputs.items():
        value = values.get(label)
        ours = isinstance(member, InnerList) and dict(member.parameters).get("tag") == TAG
        if ours and isinstance(member, InnerList) and isinstance(value, Item) and isinstance(value.value, bytes):
            return member, value.value
    raise MalformedFieldError("no signature of ours")


def _values(kept: _File) -> dict[str, str]:
    asked = kept.request
    values = {f'"{name}"': value for name, value in kept.headers.items()} | {
        '"@status"': str(kept.status),
        '"@method";req': asked.method,
        '"@target-uri";req': asked.target_uri,
        f'"signature";req;key="{asked.label}"': serialise(Item(asked.signature)),
        f'"signature-input";req;key="{asked.label}"': asked.signature_input,
    }
    if asked.content_digest is not None:
        values['"content-digest";req'] = asked.content_digest
    return values


def _created(member: InnerList) -> datetime:
    created = dict(member.parameters)["created"]
    if isinstance(created, bool) or not isinstance(created, int):
        raise MalformedFieldError("created is no time")
    return datetime.fromtimestamp(created, UTC)


def read_leaf(text: str) -> bytes:
    """The hash in Ledger-Leaf; raises Problem (receipt_unreadable)."""
    try:
        return decode64(text)
    except FormatError:
        raise Problem(Fault.RECEIPT_UNREADABLE, "ledger-leaf") from None


def read_promise(text: str) -> datetime:
    """The moment in Ledger-By; raises Problem (receipt_unreadable)."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Problem(Fault.RECEIPT_UNREADABLE, "ledger-by") from None
