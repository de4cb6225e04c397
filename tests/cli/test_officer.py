"""On an officer's machine: what is shown, what is signed, and by which key alone (P1)."""

from __future__ import annotations

import io
import shutil
import stat
from hashlib import sha256

import pytest

from tests.cli.desk import Desk, narrower, wider


def test_an_officer_sees_what_changes_before_signing(desk: Desk) -> None:
    path = desk.write("v2.yaml", wider)
    out = desk.folder / "a.approval"
    said = desk.run(
        "--lang", "en", "policy", "approve", path, "--officer", "officer-1", "--key", desk.key("officer-1"),
        "--against", desk.current, "--out", out,
    )  # fmt: skip
    assert "WIDENS    The agreement ENT-2026-01 now tells Coopérative Enfance Famille (cooperative)" in said
    assert sha256(path.read_bytes()).hexdigest() in said
    assert "officer-1 is about to sign version 2 of the policy of passerelle.development" in said
    blind = desk.run(
        "--lang", "en", "policy", "approve", path, "--officer", "officer-1", "--key", desk.key("officer-1")
    )
    assert "what changes is not shown" in blind
    assert (desk.folder / "v2.officer-1.approval").exists()


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 3), ("\n", 3)], ids=["yes", "no", "nothing"])
def test_where_somebody_is_there_nothing_is_signed_without_a_yes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    path, out = desk.write("v2.yaml", wider), desk.folder / "a.approval"
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    arguments = ("policy", "approve", path, "--officer", "officer-1", "--key", desk.key("officer-1"), "--out", out)
    assert "Signer?" in desk.run(*arguments, "--against", desk.current, expect=code)
    assert out.exists() == (code == 0)


def test_an_approval_overwrites_nothing(desk: Desk) -> None:
    path = desk.write("v2.yaml", wider)
    out = desk.approve(path, "officer-1")
    before = out.read_bytes()
    arguments = ("policy", "approve", path, "--officer", "officer-2", "--key", desk.key("officer-2"), "--out", out)
    assert str(out) in desk.run(*arguments, expect=2)
    assert out.read_bytes() == before


def test_an_officer_with_another_s_name_or_no_office_is_told_so(desk: Desk) -> None:
    path = desk.write("v2.yaml", wider)
    for name in ("officer-2", "officer-9"):
        arguments = (
            "policy",
            "approve",
            path,
            "--officer",
            name,
            "--key",
            desk.key("officer-1"),
            "--out",
            desk.folder / "x",
        )
        assert "approval_not_by_officer" in desk.run(*arguments, "--against", desk.current, expect=1)
        assert not (desk.folder / "x").exists()


def test_a_policy_that_does_not_follow_is_not_signed(desk: Desk) -> None:
    path = desk.write("v2.yaml", wider, lambda policy: policy.update(previous="a" * 64))
    arguments = ("policy", "approve", path, "--officer", "officer-1", "--key", desk.key("officer-1"))
    assert "previous_differs" in desk.run(*arguments, "--against", desk.current, expect=1)


@pytest.mark.parametrize("more", [(), ("--pkcs11", "x.so"), ("--key", "k.key", "--pkcs11", "x.so", "--label", "k")])
def test_the_officer_s_key_is_one(desk: Desk, more: tuple[str, ...]) -> None:
    path = desk.write("v2.yaml", wider)
    assert "--pin-file" in desk.run("policy", "approve", path, "--officer", "officer-1", *more, expect=2)


def test_a_key_that_others_can_read_does_not_sign(desk: Desk) -> None:
    desk.key("officer-1").chmod(0o644)
    arguments = (
        "policy",
        "approve",
        desk.write("v2.yaml", wider),
        "--officer",
        "officer-1",
        "--key",
        desk.key("officer-1"),
    )
    assert "chmod 600" in desk.run(*arguments, expect=2)


def test_a_new_officer_s_key_stays_private_and_fits_the_policy(desk: Desk) -> None:
    out = desk.folder / "new.key"
    made = desk.told("policy", "new-officer", "officer-4", "--out", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with_4 = desk.write("v2.yaml", lambda policy: policy["officers"]["keys"].update({"officer-4": made["public"]}))
    assert desk.change(with_4)["version"] == 2
    shutil.copy2(out, desk.key("officer-4"))
    path = desk.write("v3.yaml", narrower)
    desk.propose(path)
    assert desk.activate(path, *(desk.approve(path, name) for name in ("officer-4", "officer-1")))["version"] == 3
    assert "nouvelle" not in desk.run("policy", "new-officer", "officer-4", "--out", out, expect=2)


def test_missing_files_are_usage_errors(desk: Desk) -> None:
    nowhere = desk.folder / "nowhere.yaml"
    desk.run("policy", "propose", nowhere, "--config", desk.config, expect=2)
    desk.run("policy", "activate", nowhere, "--config", desk.config, expect=2)
    desk.run("policy", "approve", nowhere, "--officer", "officer-1", "--key", desk.key("officer-1"), expect=2)
    path = desk.write("v2.yaml", narrower)
    desk.run("policy", "activate", path, "--approval", nowhere, "--config", desk.config, expect=2)
    desk.run("policy", "activate", "--config", desk.config, expect=2)
    assert desk.recorded() == ["genesis"]
