"""What the commands share: where the configuration is, and the composition behind it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from gateway.composition import Composition
    from gateway.settings import Settings

CONFIG = "passerelle.toml"
DEMO = Path("var") / "demo"


def find_config(given: Path | None) -> Path:
    """``--config``, else PASSERELLE_CONFIG, else ./passerelle.toml, else the demo's; raises ConfigurationError."""
    named = given or (Path(os.environ["PASSERELLE_CONFIG"]) if "PASSERELLE_CONFIG" in os.environ else None)
    for path in [named] if named else [Path(CONFIG), DEMO / CONFIG]:
        if path.is_file():
            return path
    raise ConfigurationError("config_missing", path=named or CONFIG)


def settings_of(config: Path | None) -> tuple[Path, Settings]:
    """The configuration's path and its settings; raises ConfigurationError."""
    path = find_config(config)
    return path, load_settings(path)


def compose(settings: Settings) -> Composition:
    """The composition over the system's clock and randomness; raises ConfigurationError."""
    from gateway.composition import Composition  # noqa: PLC0415  most of our imports, for those that compose

    return Composition(settings, SystemClock(), SystemRandomness())
