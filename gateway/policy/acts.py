"""What an officer signs: a short text that a person can read, one field a line (P1), and its one form.

    passerelle-act/v1
    act policy
    origin passerelle.development
    subject <hex SHA-256 of the bytes that are approved>
    version 2
    previous <hex SHA-256 of the policy in force>
    officer officer-1
    at 2026-11-23T02:40:00.000000Z
                                        (a blank line)
    signature <base64 of 64 bytes>

The signature covers everything up to and with the newline before the blank line.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from gateway.policy.officer_keys import SIGNATURE_SIZE, decode64, holds, load_officer_key
from gateway.policy.reasons import PolicyRefused, Reason

FORMAT = "passerelle-act/v1"
LARGEST_APPROVAL = 4096

_HASH = r"[0-9a-f]{64}"
_LINES = re.compile(
    rf"{re.escape(FORMAT)}\n"
    r"act (?P<kind>[a-z-]+)\n"
    r"origin (?P<origin>[A-Za-z0-9][A-Za-z0-9._-]{0,62})\n"
    rf"subject (?P<subject>{_HASH})\n"
    r"version (?P<version>[1-9][0-9]{0,17})\n"
    rf"previous (?P<previous>{_HASH})\n"
    r"officer (?P<officer>[a-z0-9][a-z0-9.-]{0,62})\n"
    r"at (?P<at>[0-9TZ:.-]{27})\n"
    r"\n"
    r"signature (?P<signature>[A-Za-z0-9+/=]+)\n"
)


class ActKind(StrEnum):
    """The acts that take several officers; only the first two change the policy."""

    POLICY = "policy"
    RECOVERY = "recovery"
    LOCKDOWN_OFF = "lockdown-off"
    DESTRUCTION = "destruction"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class Act:
    """One officer's statement: this, of this origin, after that policy.

    Attributes:
        kind: what is approved.
        origin: the log's name, so that an act counts on one gateway only.
        subject: hex SHA-256 of the bytes that are approved.
        version: of the bundle approved; in an act of another kind, of the policy in force.
        previous: hex SHA-256 of the policy in force, so that an act counts once.
        officer: the name under which the policy in force has the officer's key.
        at: when it was signed by the officer's clock, UTC.
    """

    kind: ActKind
    origin: str
    subject: str
    version: int
    previous: str
    officer: str
    at: datetime

    def text(self) -> bytes:
        """What is signed: up to and with the newline before the blank line."""
        lines = (
            FORMAT,
            f"act {self.kind.value}",
            f"origin {self.origin}",
            f"subject {self.subject}",
            f"version {self.version}",
            f"previous {self.previous}",
            f"officer {self.officer}",
            f"at {act_time(self.at)}",
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


@dataclass(frozen=True, slots=True)
class Approval:
    """An act with its officer's signature, 64 bytes; not verified yet."""

    act: Act
    signature: bytes = field(repr=False)

    def document(self) -> bytes:
        """The file that an officer hands over, and that the leaf keeps."""
        signature = b64encode(self.signature).decode("ascii")
        return self.act.text() + f"\nsignature {signature}\n".encode("ascii")


def act_time(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always 27 characters."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def read_approval(content: bytes) -> Approval:
    """The approval in a file; raises PolicyRefused (approval_malformed) for anything that we would not write."""
    try:
        found = _LINES.fullmatch(content.decode("ascii")) if len(content) <= LARGEST_APPROVAL else None
        approval = _approval(found) if found else None
    except ValueError:
        approval = None
    # one form only: what differs from its own re-encoding would be another document under the same signature
    if approval is None or approval.document() != content:
        raise PolicyRefused(Reason.APPROVAL_MALFORMED)
    return approval


def verify_approval(approval: Approval, public_key: str) -> None:
    """Raises PolicyRefused (approval_signature_wrong) unless this key, as a bundle writes it, signed the act."""
    try:
        key = load_officer_key(public_key)
    except ValueError:
        raise PolicyRefused(Reason.APPROVAL_SIGNATURE_WRONG, officer=approval.act.officer) from None
    if not holds(key, approval.signature, approval.act.text()):
        raise PolicyRefused(Reason.APPROVAL_SIGNATURE_WRONG, officer=approval.act.officer)


def _approval(found: re.Match[str]) -> Approval:
    signature = decode64(found["signature"])
    if len(signature) != SIGNATURE_SIZE:
        raise ValueError("not 64 bytes")
    act = Act(
        kind=ActKind(found["kind"]),
        origin=found["origin"],
        subject=found["subject"],
        version=int(found["version"]),
        previous=found["previous"],
        officer=found["officer"],
        at=datetime.fromisoformat(found["at"]),
    )
    return Approval(act, signature)
