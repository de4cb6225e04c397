"""`passerelle init --policy`: a gateway that is its officers' own from its first leaf (P1)."""

from __future__ import annotations

import shutil
import stat
from base64 import b64decode
from copy import deepcopy
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import yaml

from gateway.errors import KeystoreError
from gateway.keys.periods import apart_key
from gateway.ledger.encoding import FormatError
from gateway.ledger.sealing import open_apart, seal_apart
from gateway.policy.bundle import read_bundle
from gateway.settings import load_settings
from gateway.system import SystemClock
from tests.cli.desk import Desk, Policy, narrower

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Founders:
    """Those who make a gateway: its officers and its auditor, each with a key of their own."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.folder = folder
        self.periods = folder / "periods"

    def policy(self, *edits: Callable[[Policy], object]) -> Path:
        policy = yaml.safe_load(self.desk.current.read_bytes())
        keys = {}
        for name in ("alice", "bob", "carol"):
            made = self.desk.told("policy", "new-officer", name, "--out", self.folder / f"{name}.key")
            keys[name] = made["public"]
        month = SystemClock().now().strftime("%Y%m")
        made = self.desk.told("policy", "new-period", month, "--out", self.periods)
        policy |= {
            "origin": "passerelle.example",
            "officers": {"threshold": 2, "keys": keys, "widening_delay_hours": 48},
            "periods": {month: made["sha256"]},
        }
        # of a folder that only the development set-up's settings name
        theirs = {"ministry.notice", "benefits.notice"}
        policy["agreements"] = {
            word: one for word, one in policy["agreements"].items() if one["operation"] not in theirs
        }
        for edit in edits:
            edit(policy)
        path = self.folder / "first.yaml"
        path.write_text(yaml.safe_dump(policy, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return path

    def init(self, path: Path, expect: int = 0) -> str:
        return self.desk.run("init", self.folder / "new", "--policy", path, "--periods", self.periods, expect=expect)


@pytest.fixture
def founders(desk: Desk, tmp_path: Path) -> Founders:
    return Founders(desk, tmp_path)


def test_a_gateway_is_founded_by_a_policy_that_names_its_officers(founders: Founders) -> None:
    path = founders.policy()
    said = founders.init(path)
    genesis = sha256(path.read_bytes()).hexdigest()
    made = founders.folder / "new"
    assert genesis in said
    assert "alice, bob, carol" in said
    assert (made / "trust" / "genesis").read_text(encoding="ascii").strip() == genesis
    assert (made / "gateway" / "policy.yaml").read_bytes() == path.read_bytes()
    private = [*made.rglob("*.key"), *made.rglob("*.mac")]
    assert len(private) > 10
    assert {stat.S_IMODE(each.stat().st_mode) for each in private} == {0o600}
    assert not list(made.rglob("alice.key"))
    assert load_settings(made / "passerelle.toml", {}).keystore.process, "keys in files are one process's alone (S7)"
    assert not list((made / "gateway" / "keys" / "periods").glob("*.key"))
    shown = founders.desk.told("policy", "show", "--config", made / "passerelle.toml")
    assert (shown["origin"], shown["threshold"], shown["single"]) == ("passerelle.example", 2, False)


def test_its_officers_change_it(founders: Founders, capsys: pytest.CaptureFixture[str]) -> None:
    founders.init(founders.policy())
    made = Desk(founders.folder / "new", capsys)
    shutil.copytree(founders.folder, made.folder / "sandbox" / "officers", ignore=shutil.ignore_patterns("new", "dev"))
    path = made.write("v2.yaml", narrower)
    made.propose(path)
    assert made.activate(path, *(made.approve(path, name) for name in ("alice", "carol")))["version"] == 2


_BAD_FIRSTS: dict[str, tuple[Callable[[Policy], object], int, str]] = {
    "one_officer_is_enough": (lambda p: p["officers"].update(threshold=1), 1, "policy_invalid"),
    "not_the_first": (lambda p: p.update(previous="a" * 64), 2, "previous"),
    "not_yet": (
        lambda p: p.update(validity={"since": "2100-01-01T00:00:00Z", "until": "2101-01-01T00:00:00Z"}), 2, "validity",
    ),
    "without_this_month": (lambda p: p.update(periods={}), 2, "periods"),
    "another_month_s_key": (lambda p: p["periods"].update(dict.fromkeys(p["periods"], "a" * 64)), 2, ".pub"),
    "overlap": (
        lambda p: p["agreements"].update(TWICE=deepcopy(p["agreements"]["ENT-2026-01"])),
        1, "agreements_overlap",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", _BAD_FIRSTS)
def test_a_first_policy_that_will_not_do(founders: Founders, case: str) -> None:
    edit, code, word = _BAD_FIRSTS[case]
    assert word in founders.init(founders.policy(edit), expect=code)
    assert not (founders.folder / "new" / "gateway" / "db").exists()


def test_init_without_a_policy_says_what_it_needs(tmp_path: Path, desk: Desk) -> None:
    for more in ((), ("--policy", desk.current), ("--dev", "--policy", desk.current), ("--dev", "--periods", tmp_path)):
        assert "--periods" in desk.run("init", tmp_path / "x", *more, expect=2)
    assert not (tmp_path / "x").exists()


def test_founding_overwrites_nothing(founders: Founders) -> None:
    path = founders.policy()
    founders.init(path)
    before = (founders.folder / "new" / "gateway" / "keys" / "signing.key").read_bytes()
    founders.init(path, expect=2)
    assert (founders.folder / "new" / "gateway" / "keys" / "signing.key").read_bytes() == before


@pytest.mark.parametrize("period", ["202613", "2026-12", "../202612", ""])
def test_a_month_is_a_month(desk: Desk, period: str, tmp_path: Path) -> None:
    desk.run("policy", "new-period", period, "--out", tmp_path / "p", expect=2)
    assert not (tmp_path / "p").exists()


def test_the_officers_key_for_what_is_sealed_apart(desk: Desk, tmp_path: Path) -> None:
    """The gateway finds the public side by the hash that the policy names, and no other in its place (C5)."""
    made = desk.told("policy", "new-apart", "--out", tmp_path / "apart")
    public = apart_key(tmp_path, made["sha256"])
    exchange = uuid4()
    private = b64decode((tmp_path / "apart" / f"{made['sha256']}.key").read_bytes())
    assert open_apart(private, seal_apart(public, b"signed", exchange), exchange) == b"signed"
    for other in (uuid4(), UUID(int=0)):
        with pytest.raises(FormatError):
            open_apart(private, seal_apart(public, b"signed", exchange), other)
    with pytest.raises(KeystoreError):
        apart_key(tmp_path, "ab" * 32)
    (tmp_path / "apart" / f"{made['sha256']}.pub").write_bytes(bytes([public[0] ^ 1]) + public[1:])
    with pytest.raises(KeystoreError):
        apart_key(tmp_path, made["sha256"])


def test_the_first_policy_of_development_names_three_officers(desk: Desk) -> None:
    bundle, _ = read_bundle(desk.current.read_bytes())
    assert (bundle.officers.threshold, len(bundle.officers.keys)) == (2, 3)
    assert sorted(path.stem for path in desk.key("x").parent.glob("*.key")) == sorted(bundle.officers.keys)
