"""The demo's officers: two of three suspend a party, then let it in again, while the gateway runs (P1, P2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from certs.files import write_public
from gateway.cli.officer import Asked, approve
from gateway.cli.officer_keys import officer_key
from gateway.cli.output import Exit, Output
from gateway.cli.policy_draft import draft
from gateway.cli.policy_gateway import activate, propose
from gateway.development import OFFICERS
from gateway.waiting import Threads

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ports import Clock

_WARNING = "policy.development"
#: Every worker has switched by then.
_SWITCHED_SECONDS = 1.2


class _Silent(Output):
    """What the four commands would say: the demo tells it in one line. What fails is still shown."""

    def say(self, key: str, **values: object) -> None:
        """Nothing."""

    def result(self, content: object) -> None:
        """Nothing."""

    def fail(self, key: str, **values: object) -> None:
        """What went wrong; that these are development officers was said above, and not eight times more."""
        if key != _WARNING:
            super().fail(key, **values)


class DemoOfficers:
    """They go the commands' own way: draft, propose, approve, activate."""

    def __init__(self, output: Output, folder: Path, clock: Clock) -> None:
        """``folder`` is the demo's."""
        self._out = _Silent(output.t, output.as_json)
        self._config = folder / "passerelle.toml"
        self._keys = folder / "sandbox" / "officers"
        # what they agree on is nobody's secret, and lies apart from their keys
        self._desk = folder / "policies"
        self._clock = clock

    def suspend(self, party: str) -> bool:
        """Refused from within a second on; False where the policy did not come into force."""
        return self._agreed(f"{party}-suspended", party, suspended=True)

    def reinstate(self, party: str) -> bool:
        """Served again from within a second on; False where the policy did not come into force."""
        return self._agreed(f"{party}-reinstated", party, suspended=False)

    def _agreed(self, name: str, party: str, *, suspended: bool) -> bool:
        self._desk.mkdir(exist_ok=True)
        policy = self._desk / f"{name}.yaml"
        return self._written(policy, party, suspended=suspended) and self._in_force(policy, self._approved(policy))

    def _written(self, policy: Path, party: str, *, suspended: bool) -> bool:
        drafted = policy.with_suffix(".draft")
        draft(self._out, self._config, drafted)
        content = yaml.safe_load(drafted.read_bytes())
        content["parties"][party]["suspended"] = suspended
        write_public(policy, yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=110).encode())
        return propose(self._out, self._config, policy) is Exit.HOLDS

    def _approved(self, policy: Path) -> list[Path]:
        approvals = []
        for name in OFFICERS[:2]:
            out = policy.with_name(f"{policy.stem}.{name}.approval")
            key = officer_key(self._keys / f"{name}.key", None, None, None, None)
            approve(self._out, Asked(policy, name, out=out), key, self._clock)
            approvals.append(out)
        return approvals

    def _in_force(self, policy: Path, approvals: list[Path]) -> bool:
        began = self._clock.monotonic()
        if activate(self._out, self._config, policy, approvals) is not Exit.HOLDS:
            return False
        # the greater part of it has gone by until the log was published
        Threads().pause(max(0.0, began + _SWITCHED_SECONDS - self._clock.monotonic()))
        return True
