"""Timestamps of an authority that is not ours: RFC 3161 tokens over a checkpoint and the log's signature of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import rfc3161_client as rfc3161
from cryptography import x509

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import DASH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gateway.ledger.note import LogKey
    from gateway.ledger.post import Post

_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"
_OK = 200
SECONDS = 4.0
#: A token whose time is further than this from our own clock is not kept. An anchor that names it stays for ever, and
#: an audit would hold each leaf around it against that time (60 s to spare, some of which other nodes' clocks need).
FARTHEST = timedelta(seconds=30)


class NoTokenError(LedgerError):
    """An authority gave no token that can be kept; ``reason`` is one stable word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """An authority of the policy.

    Attributes:
        name: in the policy; a part of file names.
        url: where it is asked.
        root: DER of the certificate that its own leads to.
        policy: the policy of its tokens, a dotted OID; None takes any.
    """

    name: str
    url: str
    root: bytes = field(repr=False)
    policy: str | None = None


def stamped(note: bytes, key: LogKey) -> bytes:
    """What a token is over: the checkpoint's text, a blank line and the log's signature line, without others' lines.

    Raises FormatError where the log's line is not there once.
    """
    body, _, tail = note.partition(b"\n\n")
    begin = f"{DASH}{key.name} ".encode()
    lines = [line for line in tail.splitlines(keepends=True) if line.startswith(begin)]
    if len(lines) != 1:
        raise FormatError("not one signature line of the log")
    return body + b"\n\n" + lines[0]


def fetch_token(
    authority: TimestampAuthority, message: bytes, post: Post, now: Callable[[], datetime], seconds: float = SECONDS
) -> bytes:
    """A TimeStampResp, DER, which verifies for this message, this nonce, this authority and the present time.

    Raises NoTokenError (``http_503``, ``invalid``, ``other_time``) and what ``post`` raises.
    """
    request = (
        rfc3161.TimestampRequestBuilder()
        .data(message)
        .hash_algorithm(rfc3161.HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    answer = post(authority.url, request.as_bytes(), _QUERY, seconds)
    if answer.status != _OK or answer.content_type.partition(";")[0].strip() != _REPLY:
        raise NoTokenError(f"http_{answer.status}")
    try:
        at = verify_token(answer.body, message, [authority.root], policy=authority.policy, nonce=request.nonce)
    except FormatError as error:
        raise NoTokenError("invalid") from error
    if abs(now() - at) > FARTHEST:
        raise NoTokenError("other_time")
    return answer.body


def verify_token(
    token: bytes, message: bytes, roots: Sequence[bytes], *, policy: str | None = None, nonce: int | None = None
) -> datetime:
    """The time in a token, aware, if it is over the message's SHA-256 and leads to one of the roots (DER).

    The signer's certificate must be valid at that time and be for timestamping alone (RFC 3161, 2.3).
    Raises FormatError.
    """
    try:
        response = rfc3161.decode_timestamp_response(token)
        if response.as_bytes() != token:
            raise FormatError("token has more bytes than its own")
        builder = rfc3161.VerifierBuilder(
            roots=[x509.load_der_x509_certificate(root) for root in roots],
            policy_id=None if policy is None else x509.ObjectIdentifier(policy),
            nonce=nonce,
        )
        builder.build().verify(response, sha256(message).digest())
        at = response.tst_info.gen_time
    except (rfc3161.VerificationError, ValueError) as error:
        raise FormatError("token does not verify") from error
    return at
