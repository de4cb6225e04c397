"""A SoftHSM2 token of a test's own: Debian's software token, a real PKCS #11 module with its state in files."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.keys.token import Token
from gateway.settings import KeystoreSettings
from gateway.system import SystemClock

if TYPE_CHECKING:
    from gateway.ports import Clock

LABEL = "passerelle-test"
PIN = "2468"
_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/pkcs11/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")


@dataclass(frozen=True)
class SoftHsm:
    """An initialised token; ``away`` takes it out, ``back`` puts it in again."""

    folder: Path
    module: Path

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    @property
    def state(self) -> Path:
        return self.folder / "tokens"

    def settings(self) -> KeystoreSettings:
        return KeystoreSettings(kind="pkcs11", module=self.module, token=LABEL, pin_file=self.pin_file)

    def token(self, clock: Clock | None = None) -> Token:
        return Token(self.module, LABEL, self.pin_file, clock or SystemClock())

    def set_pin(self, pin: str) -> None:
        self.pin_file.unlink(missing_ok=True)
        self.pin_file.write_text(pin + "\n")
        self.pin_file.chmod(0o600)

    def away(self) -> None:
        self.state.rename(self.folder / "elsewhere")

    def back(self) -> None:
        (self.folder / "elsewhere").rename(self.state)


def make_token(folder: Path) -> SoftHsm:
    """A token in a folder; SOFTHSM2_CONF must name ``folder/softhsm2.conf`` in every process that uses it."""
    util = shutil.which("softhsm2-util")
    module = next((path for path in map(Path, _MODULES) if path.exists()), None)
    if util is None or module is None:
        pytest.skip("SoftHSM2 is not here: apt install softhsm2")
    folder.mkdir(parents=True)
    hsm = SoftHsm(folder, module)
    hsm.state.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {hsm.state}\nobjectstore.backend = file\nlog.level = ERROR\n")
    command = [util, "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"SOFTHSM2_CONF": str(configuration)})
    hsm.set_pin(PIN)
    return hsm
