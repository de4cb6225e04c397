"""A set-up of development, and what its officers and its operator type."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml

from gateway.cli.main import run
from gateway.places import policy_log
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from gateway.ledger.policy_acts import PolicyAct

Policy = dict[str, Any]


class Desk:
    """A set-up, and what its officers and its operator type."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = str(folder / "passerelle.toml")
        self.current = folder / "gateway" / "policy.yaml"
        self._capsys = capsys

    def run(self, *arguments: object, expect: int = 0) -> str:
        """What a command printed, on both outputs."""
        code = run([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        assert code == expect, printed
        return printed.out + printed.err

    def told(self, *arguments: object, expect: int = 0) -> dict[str, Any]:
        """What a command said to scripts."""
        code = run([*(str(argument) for argument in arguments), "--json"])
        printed = self._capsys.readouterr()
        assert code == expect, printed
        return dict(json.loads(printed.out))

    def write(self, name: str, *edits: Callable[[Policy], object]) -> Path:
        """The policy in force, changed, as the next version."""
        content = self.current.read_bytes()
        policy = yaml.safe_load(content)
        policy |= {"version": policy["version"] + 1, "previous": sha256(content).hexdigest()}
        for edit in edits:
            edit(policy)
        path = self.folder / name
        path.write_text(yaml.safe_dump(policy, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return path

    def key(self, name: str) -> Path:
        return self.folder / "sandbox" / "officers" / f"{name}.key"

    def approve(self, path: Path, name: str, *more: object, expect: int = 0) -> Path:
        out = self.folder / f"{path.stem}.{name}.{len(list(self.folder.iterdir()))}.approval"
        self.run(
            "policy", "approve", path, "--officer", name, "--key", self.key(name), "--out", out, *more, expect=expect
        )
        return out

    def activate(self, path: Path, *approvals: Path, more: tuple[object, ...] = (), expect: int = 0) -> dict[str, Any]:
        given = [part for approval in approvals for part in ("--approval", approval)]
        return self.told("policy", "activate", path, *given, "--config", self.config, *more, expect=expect)

    def propose(self, path: Path, expect: int = 0) -> dict[str, Any]:
        return self.told("policy", "propose", path, "--config", self.config, expect=expect)

    def change(self, path: Path) -> dict[str, Any]:
        """Proposed, approved by two, activated."""
        self.propose(path)
        return self.activate(path, *(self.approve(path, name) for name in ("officer-1", "officer-2")))

    def show(self) -> dict[str, Any]:
        return self.told("policy", "show", "--config", self.config)

    def acts(self) -> tuple[PolicyAct, ...]:
        settings = load_settings(self.folder / "passerelle.toml", {})
        with policy_log(settings, SystemClock(), SystemRandomness()) as log:
            return log.acts()

    def recorded(self) -> list[str]:
        """What the log holds about the policy."""
        return [f"{act.act} {act.reason}" if act.reason else act.act for act in self.acts()]


def narrower(policy: Policy) -> None:
    policy["agreements"]["ENT-2026-02"]["tells_not_found"] = False


def wider(policy: Policy) -> None:
    policy["agreements"]["ENT-2026-01"]["tells_not_found"] = True


def with_delay(policy: Policy) -> None:
    policy["officers"]["widening_delay_hours"] = 24
