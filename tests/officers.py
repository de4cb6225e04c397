"""The officers of a development set-up: they sign what a test hands them, and the log is told."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.composition import Composition
from gateway.places import policy_log
from gateway.policy.acts import Act, ActKind, Approval
from gateway.policy.bundle import read_bundle
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from gateway.ledger.policy_acts import By, PolicyLog

CLOCK = SystemClock()


class _Plain(yaml.SafeDumper):
    """Without aliases, which a bundle may not have."""

    def ignore_aliases(self, data: object) -> bool:
        _ = data
        return True


class Officers:
    """All officers of the set-up in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = load_settings(folder / "passerelle.toml", {})

    def log(self, by: By = "command") -> PolicyLog:
        return policy_log(self.settings, CLOCK, SystemRandomness(), by)

    def content(self) -> bytes:
        """The bytes of the policy in force."""
        composition = Composition(self.settings, CLOCK, SystemRandomness())
        return composition.objects()[composition.policy_sha256]

    def next(self, change: Callable[[dict[str, Any]], object], before: bytes | None = None) -> bytes:
        """The policy in force (or ``before``), changed, as the next version."""
        content = before or self.content()
        bundle = yaml.safe_load(content)
        bundle |= {"version": bundle["version"] + 1, "previous": sha256(content).hexdigest()}
        change(bundle)
        return yaml.dump(bundle, Dumper=_Plain, allow_unicode=True, sort_keys=False).encode()

    def approvals(self, content: bytes, names: Sequence[str] | None = None, at: datetime | None = None) -> list[bytes]:
        """As many approvals as the threshold asks for, or those of these officers."""
        bundle, digest = read_bundle(content)
        known = sorted(path.stem for path in (self.folder / "sandbox" / "officers").glob("*.key"))
        found = []
        for name in names or known[: bundle.officers.threshold]:
            key = load_pem_private_key((self.folder / "sandbox" / "officers" / f"{name}.key").read_bytes(), None)
            assert isinstance(key, ed25519.Ed25519PrivateKey)
            act = Act(
                kind=ActKind.POLICY,
                origin=bundle.origin,
                subject=digest,
                version=bundle.version,
                previous=bundle.previous or "",
                officer=name,
                at=at or CLOCK.now(),
            )
            found.append(Approval(act, key.sign(act.text())).document())
        return found

    def propose(self, content: bytes) -> None:
        bundle, _ = read_bundle(content)
        with self.log() as log:
            log.acts()
            log.propose(content, bundle.version, bundle.previous or "")

    def activate(self, content: bytes, approvals: Sequence[bytes] | None = None) -> str:
        """Proposes, approves and activates; nobody here judges. Gives the policy's hex SHA-256."""
        bundle, digest = read_bundle(content)
        given = self.approvals(content) if approvals is None else list(approvals)
        with self.log() as log:
            log.acts()
            log.propose(content, bundle.version, bundle.previous or "")
            for approval in given:
                log.approve(approval, digest)
            log.activate(digest, bundle.version, bundle.previous or "", given)
        return digest

    def change(self, change: Callable[[dict[str, Any]], object]) -> str:
        """The next policy, in force as the officers want it."""
        return self.activate(self.next(change))
