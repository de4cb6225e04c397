"""Which policy was in force when: the genesis and the policy leaves, each with its bundle (DESIGN P1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, Problem

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.audit.evidence_schema import Genesis, PolicyChange
    from gateway.audit.objects import Objects
    from gateway.audit.trust import Trust
    from gateway.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Policy:
    """A bundle and the hex SHA-256 by which evidence names it."""

    sha256: str
    bundle: Bundle = field(repr=False)


class Policies:
    """Grows with the log: what stands here was in an earlier leaf."""

    def __init__(self, objects: Objects, trust: Trust) -> None:
        self._objects = objects
        self._trust = trust
        self._since: list[tuple[datetime, Policy]] = []

    def begin(self, genesis: Genesis, at: datetime) -> None:
        """The first policy; raises Problem (genesis_differs, object_missing, object_invalid)."""
        trust = self._trust
        if (genesis.origin, genesis.log_key) != (trust.log_key.name, trust.log_key.vkey):
            raise Problem(Fault.GENESIS_DIFFERS, "begun under another key or origin than the trusted one")
        if genesis.policy != trust.genesis:
            raise Problem(Fault.GENESIS_DIFFERS, "begun with another policy than the trusted one")
        self._since.append((at, Policy(genesis.policy, self._objects.bundle(genesis.policy))))

    def change(self, change: PolicyChange, at: datetime) -> None:
        """The next policy; raises Problem (policy_differs, object_missing, object_invalid)."""
        before = self.newest()
        after = self._objects.bundle(change.policy)
        if change.previous != before.sha256 or after.previous not in {None, before.sha256}:
            raise Problem(Fault.POLICY_DIFFERS, "does not follow the policy that was in force")
        if change.version != after.version or after.version <= before.bundle.version:
            raise Problem(Fault.POLICY_DIFFERS, "its version is not the bundle's, or not above the one before")
        self._since.append((at, Policy(change.policy, after)))

    def newest(self) -> Policy:
        """The policy of the latest leaf; raises Problem where the log has none."""
        if not self._since:
            raise Problem(Fault.POLICY_DIFFERS, "no policy is in force")
        return self._since[-1][1]

    def at(self, moment: datetime, named: str = "") -> Policy:
        """The policy in force at that moment; raises Problem where the log has none.

        A leaf that stands after a policy's and names it is under it, though its time be earlier: a clock can be set
        back. So a moment before the first policy is the first one's.
        """
        newest = self.newest()
        if newest.sha256 == named:
            return newest
        return next((policy for since, policy in reversed(self._since) if since <= moment), self._since[0][1])
