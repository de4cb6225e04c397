"""Policies and officers for the tests: a sound bundle that each test changes in one place, and keys to sign it with."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs.authority import DevAuthority
from gateway.keys.raw import raw_low_s
from gateway.policy.acts import Act, ActKind, Approval
from gateway.policy.bundle import Bundle, read_bundle
from gateway.policy.judge import InForce
from gateway.policy.officer_keys import officer_key_text

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 23, 2, 40, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORIGIN = "passerelle.example"
Policy = dict[str, Any]


@cache
def authority(name: str) -> DevAuthority:
    return DevAuthority(name, NOW)


@dataclass(frozen=True)
class Officer:
    """One who signs."""

    name: str
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @property
    def public(self) -> str:
        return officer_key_text(self.key.public_key())

    def sign(self, act: Act) -> Approval:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return Approval(act, self.key.sign(act.text()))
        return Approval(act, raw_low_s(self.key.sign(act.text(), ec.ECDSA(hashes.SHA256()))))


@cache
def officer(name: str) -> Officer:
    """The third and the fifth have P-256 keys, as a token may want."""
    if name in {"officer-3", "last-2"}:
        return Officer(name, ec.generate_private_key(ec.SECP256R1()))
    return Officer(name, ed25519.Ed25519PrivateKey.generate())


@cache
def _base() -> Policy:
    validity = {"since": "2026-11-01T00:00:00Z", "until": "2027-11-01T00:00:00Z"}
    roles = {"passerelle": "gateway", "cooperative": "cooperative", "ministry": "ministry"}
    return {
        "origin": ORIGIN,
        "version": 1,
        "previous": None,
        "validity": dict(validity),
        "gateway": "passerelle",
        "officers": {
            "threshold": 2,
            "keys": {name: officer(name).public for name in ("officer-1", "officer-2", "officer-3")},
            "recovery": {name: officer(name).public for name in ("last-1", "last-2", "last-3")},
            "recovery_threshold": 2,
            "recovery_delay_hours": 72,
            "widening_delay_hours": 24,
        },
        "authorities": {
            name: {
                "roots": [authority(name).root.pem.decode()],
                "intermediates": [authority(name).issuing.pem.decode()],
            }
            for name in roles
        },
        "parties": {
            name: {
                "title": {"fr": f"Partie {name}", "en": f"Party {name}"},
                "role": role,
                "authority": name,
                "names": [f"{name}.passerelle.test"],
                "suspended": False,
            }
            for name, role in roles.items()
        },
        "agreements": {
            "ENT-1": _agreement("ministry", "nirec.verify", ["admissibilite"], ["outcome", "handle"], validity),
            "ENT-2": _agreement("cooperative", "nirec.verify", ["inscription"], ["outcome"], validity),
        },
        "guard": {"refusals_per_minute": 60, "canaries": ["témoin-1"], "revocation_grace_hours": 0},
        "periods": {"202611": "a" * 64, "202612": "b" * 64},
        "retention": {"months": 60, "auditors": {"auditor-1": officer("auditor-1").public}},
    }


def _agreement(party: str, operation: str, purposes: list[str], fields: list[str], validity: Policy) -> Policy:
    return {
        "party": party,
        "operation": operation,
        "purposes": purposes,
        "legal_basis": {"fr": "Entente fictive", "en": "Fictitious agreement"},
        "fields": fields,
        "tells_not_found": False,
        "budget": {"subjects": 100, "window_hours": 24},
        "validity": dict(validity),
    }


def policy(*edits: Callable[[Policy], None]) -> Policy:
    """A sound first policy, changed by each edit."""
    made = deepcopy(_base())
    for edit in edits:
        edit(made)
    return made


def put(*path: str, value: object) -> Callable[[Policy], None]:
    """An edit that sets what is at a path."""

    def edit(made: Policy) -> None:
        at = made
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = deepcopy(value)

    return edit


def drop(*path: str) -> Callable[[Policy], None]:
    """An edit that removes what is at a path."""

    def edit(made: Policy) -> None:
        at = made
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return edit


def content(made: Policy) -> bytes:
    return yaml.safe_dump(made, allow_unicode=True, sort_keys=False).encode()


def bundle(*edits: Callable[[Policy], None]) -> Bundle:
    return read_bundle(content(policy(*edits)))[0]


def first(*edits: Callable[[Policy], None]) -> tuple[bytes, InForce]:
    """A first policy's bytes, in force since an hour before NOW."""
    made = content(policy(*edits))
    read, digest = read_bundle(made)
    return made, InForce(read, digest, NOW - HOUR)


def following(before: InForce, *edits: Callable[[Policy], None], version: int = 2) -> bytes:
    """The bytes of a policy that follows one made of ``_base``, changed by each edit."""
    return content(policy(put("version", value=version), put("previous", value=before.sha256), *edits))


def approval(
    who: str,
    before: InForce,
    subject: bytes,
    *,
    kind: ActKind = ActKind.POLICY,
    at: datetime = NOW,
    **changes: Any,
) -> bytes:
    """A document by which an officer approves these bytes, changed where a test says so."""
    read, digest = read_bundle(subject)
    act = Act(kind, before.bundle.origin, digest, read.version, before.sha256, who, at)
    return officer(changes.pop("by", who)).sign(replace(act, **changes)).document()


def digest_of(made: bytes) -> str:
    return sha256(made).hexdigest()
