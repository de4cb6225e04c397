"""An officer whose key never leaves a token signs like the others: SoftHSM2, both kinds of key (P1, S7)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.cli.main import run
from gateway.keys.names import KeyNames
from gateway.keys.pkcs11 import TokenKeyMaker, TokenKeystore
from gateway.policy.acts import read_approval, verify_approval
from gateway.policy.officer_keys import OfficerKey, officer_key_text
from gateway.settings import load_settings
from gateway.system import SystemClock
from tests.keys.softhsm import LABEL, SoftHsm, make_token
from tests.policy.made import content, first, following, policy, put

if TYPE_CHECKING:
    from pathlib import Path

KEY = "PIV AUTH key"


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "hsm" / "softhsm2.conf"))
    return make_token(tmp_path / "hsm")


def _made(hsm: SoftHsm, *, edwards: bool) -> str:
    """A key made inside the token, under a label as tokens have them; its public side as a bundle writes it."""
    token = hsm.token()
    token.write()
    maker = TokenKeyMaker(token)
    (maker.make_ed25519 if edwards else maker.make_p256)(KEY)
    token.close()

    class Labels(KeyNames):
        def __contains__(self, name: str) -> bool:
            return name in self.exact

    store = TokenKeystore(hsm.token(), Labels(frozenset({KEY})), hsm.folder)
    public = load_der_public_key(store.public_key(KEY))
    store.close()
    assert isinstance(public, OfficerKey)
    return officer_key_text(public)


def _approve(hsm: SoftHsm, folder: Path, name: str = KEY, token: str = LABEL) -> int:
    arguments = ["policy", "approve", str(folder / "v2.yaml"), "--officer", "officer-1", "--against"]
    arguments += [str(folder / "v1.yaml"), "--out", str(folder / "approval"), "--pkcs11", str(hsm.module)]
    return run([*arguments, "--token", token, "--pin-file", str(hsm.pin_file), "--label", name])


@pytest.mark.parametrize("edwards", [False, True], ids=["p256", "ed25519"])
def test_an_officer_signs_on_a_token(hsm: SoftHsm, tmp_path: Path, *, edwards: bool) -> None:
    public = _made(hsm, edwards=edwards)
    office = put("officers", "keys", "officer-1", value=public)
    made, before = first(office)
    second = following(before, office, put("agreements", "ENT-1", "fields", value=["outcome"]))
    (tmp_path / "v1.yaml").write_bytes(made)
    (tmp_path / "v2.yaml").write_bytes(second)
    assert _approve(hsm, tmp_path) == 0
    approval = read_approval((tmp_path / "approval").read_bytes())
    verify_approval(approval, public)
    assert approval.act.subject == sha256(second).hexdigest()


def test_another_key_of_the_token_is_not_the_officer_s(hsm: SoftHsm, tmp_path: Path) -> None:
    _made(hsm, edwards=False)
    made, before = first()
    (tmp_path / "v1.yaml").write_bytes(made)
    (tmp_path / "v2.yaml").write_bytes(following(before, put("agreements", "ENT-1", "fields", value=["outcome"])))
    assert _approve(hsm, tmp_path) == 1
    assert not (tmp_path / "approval").exists()


@pytest.mark.parametrize("wrong", ["label", "token", "pin"])
def test_a_token_that_will_not_sign_says_why(
    hsm: SoftHsm, tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _made(hsm, edwards=False)
    (tmp_path / "v1.yaml").write_bytes(first()[0])
    (tmp_path / "v2.yaml").write_bytes(following(first()[1], put("agreements", "ENT-1", "fields", value=["outcome"])))
    if wrong == "pin":
        hsm.set_pin("1357")
    name, token = ("other", LABEL) if wrong == "label" else (KEY, "absent") if wrong == "token" else (KEY, LABEL)
    assert _approve(hsm, tmp_path, name, token) == 2
    named = {"label": "other", "token": "absent", "pin": str(hsm.pin_file)}[wrong]
    assert named in capsys.readouterr().err
    assert not (tmp_path / "approval").exists()


def test_a_gateway_of_one_s_own_has_its_keys_in_the_token(hsm: SoftHsm, tmp_path: Path) -> None:
    month = SystemClock().now().strftime("%Y%m")
    assert run(["policy", "new-period", month, "--out", str(tmp_path / "periods")]) == 0
    digest = sha256((tmp_path / "periods" / f"{month}.pub").read_bytes()).hexdigest()
    made = policy(put("periods", value={month: digest}), put("agreements", value={}))
    (tmp_path / "first.yaml").write_bytes(content(made))
    where = ["--keystore", "pkcs11", "--module", str(hsm.module), "--token", LABEL, "--pin-file", str(hsm.pin_file)]
    files = ["--policy", str(tmp_path / "first.yaml"), "--periods", str(tmp_path / "periods")]
    assert run(["init", str(tmp_path / "new"), *files, *where]) == 0
    settings = load_settings(tmp_path / "new" / "passerelle.toml", {})
    assert (settings.keystore.kind, settings.keystore.token) == ("pkcs11", LABEL)
    keys = tmp_path / "new" / "gateway" / "keys"
    assert {path.stem for path in keys.glob("*.key")} <= {"tls-server", "tls-client", "log"}
    assert not list(keys.glob("*.mac"))
