from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.keys.pkcs11 import TokenKeyMaker
from tests.keys.softhsm import SoftHsm, make_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.keys.token import Token


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "hsm" / "softhsm2.conf"))
    return make_token(tmp_path / "hsm")


@pytest.fixture
def token(hsm: SoftHsm) -> Iterator[Token]:
    """The token with a signing key, an Ed25519 key and a MAC key in it; its module is as new afterwards."""
    token = hsm.token()
    token.write()
    maker = TokenKeyMaker(token)
    maker.make_p256("signing")
    maker.make_ed25519("log")
    maker.make_mac("claims")
    yield token
    token.close()
