"""`passerelle init`: writes once, overwrites nothing, says what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.development import Development, Ports
from gateway.errors import ConfigurationError
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output


def initialise(output: Output, folder: Path, *, dev: bool) -> None:
    """Makes a development set-up; raises ConfigurationError where something is there already."""
    if not dev:
        raise ConfigurationError("dev_only")
    ports = Ports()
    Development(folder, ports, SystemClock(), SystemRandomness()).create()
    output.result({"folder": folder, "gateway_port": ports.gateway, "registry_port": ports.registry})
    output.say("init.made", folder=folder)
    output.say("init.single_officer")
    output.say("init.next", folder=folder)
