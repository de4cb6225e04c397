"""A log of more than a year ago, really exchanged and really signed; what is destroyed in it is long due today."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.composition import Composition
from gateway.development import Development, Ports
from gateway.ledger.encoding import period_of
from gateway.ledger.tiles import WIDTH
from gateway.policy.acts import Approval
from gateway.policy.destruction import Destruction, destruction_act, due_date
from gateway.policy.officer_keys import officer_key_text
from gateway.policy.verdict import SignedVerdict, Verdict
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness
from tests.audit.gateway_run import Gateway
from tests.officers import Officers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from gateway.policy.judge import InForce

AGO = timedelta(days=430)
MONTHS = 3


class Past(SystemClock):
    """The system's clock, more than a year behind."""

    def now(self) -> datetime:
        return super().now() - AGO


class Archive(Gateway):
    """A gateway of then, with a full bundle of exchanges, whose policy lets them be destroyed today."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock, self.randomness = Past(), SystemRandomness()
        Development(folder, Ports(), self.clock, self.randomness).create(births=300)
        self.settings = load_settings(folder / "passerelle.toml", {})
        self.composition = Composition(self.settings, self.clock, self.randomness)
        self.composition.prepare()
        self.worker = self._worker()
        self.period = period_of(self.clock.now())
        while self.composition.backlog() < WIDTH:
            self.echo()
        self.worker.close()
        self.sequence()
        self.auditor = ed25519.Ed25519PrivateKey.generate()
        self.officers = Officers(folder)
        self.officers.change(self._with_retention)
        self.sequence()
        self.composition = Composition(self.settings, SystemClock(), self.randomness)

    def _with_retention(self, bundle: dict[str, Any]) -> None:
        bundle["retention"] = {
            "months": MONTHS,
            "auditors": {"auditor-1": officer_key_text(self.auditor.public_key())},
        }
        bundle["validity"]["until"] = "2099-01-01T00:00:00Z"

    @property
    def force(self) -> InForce:
        return self.composition.follower.current


def destruction(archive: Archive, verdict: bytes, **changes: Any) -> bytes:
    """What officers sign: the first bundle, due when the policy says."""
    said: dict[str, Any] = {
        "origin": archive.force.bundle.origin,
        "period": archive.period,
        "first": 0,
        "end": WIDTH,
        "due": due_date(archive.period, MONTHS),
        "verdict": sha256(verdict).hexdigest(),
    }
    return Destruction(**(said | changes)).document()


def signed_verdict(archive: Archive, key: ed25519.Ed25519PrivateKey | None = None, **changes: Any) -> bytes:
    """An auditor's word over the first bundle."""
    said: dict[str, Any] = {
        "origin": archive.force.bundle.origin,
        "first": 0,
        "end": WIDTH,
        "root": "a" * 64,
        "report": "b" * 64,
        "auditor": "auditor-1",
        "at": SystemClock().now(),
    }
    verdict = Verdict(**(said | changes))
    return SignedVerdict(verdict, (key or archive.auditor).sign(verdict.text())).document()


def approvals(archive: Archive, document: bytes, names: Sequence[str] = ("officer-1", "officer-2")) -> list[bytes]:
    """What officers hand over."""
    found = []
    for name in names:
        act = destruction_act(archive.force, document, name, SystemClock().now())
        pem = (archive.folder / "sandbox" / "officers" / f"{name}.key").read_bytes()
        key = load_pem_private_key(pem, None)
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        found.append(Approval(act, key.sign(act.text())).document())
    return found
