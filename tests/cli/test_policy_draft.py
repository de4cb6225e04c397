"""`passerelle policy draft`: where each change of the policy begins."""

from __future__ import annotations

from hashlib import sha256

import yaml

from gateway.policy.bundle import read_bundle
from tests.cli.desk import Desk, narrower


def test_a_draft_is_the_policy_in_force_but_for_two_lines(desk: Desk) -> None:
    content = desk.current.read_bytes()
    path = desk.folder / "next.yaml"
    told = desk.told("policy", "draft", path, "--config", desk.config)
    assert (told["version"], told["previous"]) == (2, sha256(content).hexdigest())
    lines, before = path.read_text("utf-8").splitlines(), content.decode().splitlines()
    differing = [now for now, then in zip(lines, before, strict=True) if now != then]
    assert differing == ["version: 2", f'previous: "{sha256(content).hexdigest()}"']


def test_a_changed_draft_comes_into_force(desk: Desk) -> None:
    path = desk.folder / "next.yaml"
    desk.run("policy", "draft", path, "--config", desk.config)
    policy = yaml.safe_load(path.read_bytes())
    narrower(policy)
    path.write_text(yaml.safe_dump(policy, allow_unicode=True, sort_keys=False), encoding="utf-8")
    desk.change(path)
    assert desk.show()["version"] == 2


def test_a_draft_is_of_what_is_in_force_whatever_the_copy_says(desk: Desk) -> None:
    inside = desk.current.read_bytes()
    desk.current.write_bytes(inside.replace(b"threshold: 2", b"threshold: 1"))
    path = desk.folder / "next.yaml"
    desk.run("policy", "draft", path, "--config", desk.config)
    bundle, _ = read_bundle(path.read_bytes())
    assert (bundle.officers.threshold, bundle.previous) == (2, sha256(inside).hexdigest())


def test_a_draft_overwrites_nothing(desk: Desk) -> None:
    path = desk.folder / "next.yaml"
    path.write_bytes(b"somebody's work")
    assert "existe déjà" in desk.run("policy", "draft", path, "--config", desk.config, expect=2)
    assert path.read_bytes() == b"somebody's work"


def test_a_policy_in_another_form_is_not_drafted_wrongly(desk: Desk) -> None:
    """JSON is YAML too, and has no line of its own for the version."""
    policy = yaml.safe_load(desk.write("v2.yaml", narrower).read_bytes())
    path = desk.folder / "flow.yaml"
    path.write_text(yaml.dump(policy, default_flow_style=True, default_style='"', width=10_000), encoding="utf-8")
    desk.change(path)
    said = desk.run("policy", "draft", desk.folder / "next.yaml", "--config", desk.config, expect=2)
    assert "à la main" in said
    assert not (desk.folder / "next.yaml").exists()
