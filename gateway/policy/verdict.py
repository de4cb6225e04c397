"""An auditor's signed word that a log holds, as officers need it before they destroy evidence (L9).

    passerelle-verdict/v1
    verdict holds
    origin passerelle.development
    first 0
    end 1290
    root <hex of the tree's root at that size>
    report <hex SHA-256 of the report that was signed>
    auditor auditor-1
    at 2032-12-02T15:04:05.000000Z
                                        (a blank line)
    signature <base64 of 64 bytes>

The signature covers everything up to and with the newline before the blank line.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.policy.acts import act_time
from gateway.policy.judge import AHEAD
from gateway.policy.officer_keys import SIGNATURE_SIZE, decode64, holds, load_officer_key
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from gateway.policy.judge import InForce

FORMAT = "passerelle-verdict/v1"
LARGEST_VERDICT = 4096
_HASH = r"[0-9a-f]{64}"
_LINES = re.compile(
    rf"{re.escape(FORMAT)}\n"
    r"verdict holds\n"
    r"origin (?P<origin>[A-Za-z0-9][A-Za-z0-9._-]{0,62})\n"
    r"first (?P<first>0|[1-9][0-9]{0,17})\n"
    r"end (?P<end>[1-9][0-9]{0,17})\n"
    rf"root (?P<root>{_HASH})\n"
    rf"report (?P<report>{_HASH})\n"
    r"auditor (?P<auditor>[a-z0-9][a-z0-9.-]{0,62})\n"
    r"at (?P<at>[0-9TZ:.-]{27})\n"
    r"\n"
    r"signature (?P<signature>[A-Za-z0-9+/=]+)\n"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an auditor says: that the leaves from ``first`` up to, not with, ``end`` hold.

    Attributes:
        origin: the log's name.
        first, end: the range of the audit; ``end`` is the size of the tree that was audited.
        root: hex of its root.
        report: hex SHA-256 of the JSON report.
        auditor: the name under which the policy's retention has the auditor's key.
        at: when it was signed by the auditor's clock, UTC.
    """

    origin: str
    first: int
    end: int
    root: str
    report: str
    auditor: str
    at: datetime

    def text(self) -> bytes:
        """What is signed: up to and with the newline before the blank line."""
        lines = (
            FORMAT,
            "verdict holds",
            f"origin {self.origin}",
            f"first {self.first}",
            f"end {self.end}",
            f"root {self.root}",
            f"report {self.report}",
            f"auditor {self.auditor}",
            f"at {act_time(self.at)}",
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


@dataclass(frozen=True, slots=True)
class SignedVerdict:
    """A verdict with its auditor's signature, 64 bytes; not verified yet."""

    verdict: Verdict
    signature: bytes = field(repr=False)

    def document(self) -> bytes:
        """The file that an auditor hands over, and that the destruction's leaf keeps."""
        signature = b64encode(self.signature).decode("ascii")
        return self.verdict.text() + f"\nsignature {signature}\n".encode("ascii")


def read_verdict(content: bytes) -> SignedVerdict:
    """The verdict in a file; raises PolicyRefused (verdict_malformed) for anything that we would not write."""
    try:
        found = _LINES.fullmatch(content.decode("ascii")) if len(content) <= LARGEST_VERDICT else None
        signed = _signed(found) if found else None
    except ValueError:
        signed = None
    if signed is None or signed.document() != content:
        raise PolicyRefused(Reason.VERDICT_MALFORMED)
    return signed


def check_verdict(before: InForce, signed: SignedVerdict, first: int, end: int, at: datetime) -> Verdict:
    """The verdict, if an auditor of the policy in force signed it, and it covers these leaves.

    Raises PolicyRefused: retention_not_set, verdict_not_by_auditor, verdict_signature_wrong, verdict_of_another,
    verdict_date_wrong.
    """
    verdict, retention = signed.verdict, before.bundle.retention
    if retention is None:
        raise PolicyRefused(Reason.RETENTION_NOT_SET)
    public_key = retention.auditors.get(verdict.auditor)
    if public_key is None:
        raise PolicyRefused(Reason.VERDICT_NOT_BY_AUDITOR, auditor=verdict.auditor)
    if not holds(load_officer_key(public_key), signed.signature, verdict.text()):
        raise PolicyRefused(Reason.VERDICT_SIGNATURE_WRONG, auditor=verdict.auditor)
    if verdict.origin != before.bundle.origin or not verdict.first <= first < end <= verdict.end:
        raise PolicyRefused(Reason.VERDICT_OF_ANOTHER, first=verdict.first, end=verdict.end)
    if verdict.at > at + AHEAD:
        raise PolicyRefused(Reason.VERDICT_DATE_WRONG, auditor=verdict.auditor)
    return verdict


def _signed(found: re.Match[str]) -> SignedVerdict:
    signature = decode64(found["signature"])
    if len(signature) != SIGNATURE_SIZE:
        raise ValueError("not 64 bytes")
    verdict = Verdict(
        origin=found["origin"],
        first=int(found["first"]),
        end=int(found["end"]),
        root=found["root"],
        report=found["report"],
        auditor=found["auditor"],
        at=datetime.fromisoformat(found["at"]),
    )
    return SignedVerdict(verdict, signature)
