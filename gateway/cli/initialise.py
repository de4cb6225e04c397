"""`passerelle init`: writes once, overwrites nothing, says what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway.cli.founding import Founding
from gateway.cli.output import Exit
from gateway.cli.policy_files import policy_file
from gateway.cli.policy_words import refuse, warn_of_few
from gateway.development import Development, Ports
from gateway.errors import ConfigurationError
from gateway.policy.reasons import PolicyRefused
from gateway.settings import KeystoreSettings
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output


def keys_in(
    kind: Literal["files", "pkcs11"], module: Path | None, token: str | None, pin_file: Path | None
) -> KeystoreSettings:
    """Where the gateway's keys are to be made; the paths are the caller's, as they would be typed."""
    return KeystoreSettings(
        kind=kind,
        module=None if module is None else module.resolve(),
        token=token,
        pin_file=None if pin_file is None else pin_file.resolve(),
    )


def initialise(
    output: Output, folder: Path, keystore: KeystoreSettings, *, dev: bool, policy: Path | None, periods: Path | None
) -> Exit:
    """A development set-up, or a gateway of one's own from its first policy.

    Raises ConfigurationError where something is there already, or what is asked for is neither or both; KeystoreError.
    """
    if dev and policy is None and periods is None:
        return _develop(output, folder, keystore)
    if dev or policy is None or periods is None:
        raise ConfigurationError("init_needs_policy")
    return _found(output, folder, policy, periods, keystore)


def _develop(output: Output, folder: Path, keystore: KeystoreSettings) -> Exit:
    ports = Ports()
    Development(folder, ports, SystemClock(), SystemRandomness(), keystore).create()
    output.result({"folder": folder, "gateway_port": ports.gateway, "registry_port": ports.registry})
    output.say("init.made", folder=folder)
    output.say("init.development_officers")
    output.say("init.next", folder=folder)
    return Exit.HOLDS


def _found(output: Output, folder: Path, policy: Path, periods: Path, keystore: KeystoreSettings) -> Exit:
    try:
        founding = Founding(folder, policy_file(policy), SystemClock(), SystemRandomness(), keystore)
    except PolicyRefused as refused:
        return refuse(output, refused)
    genesis = founding.create(periods)
    officers = founding.bundle.officers
    output.result(
        {
            "folder": folder,
            "origin": founding.bundle.origin,
            "genesis": genesis,
            "officers": sorted(officers.keys),
            "threshold": officers.threshold,
            "single": officers.single,
        }
    )
    output.say("init.founded", folder=folder, threshold=officers.threshold, officers=", ".join(sorted(officers.keys)))
    output.say("init.genesis", genesis=genesis, folder=folder)
    output.say("init.founded_next", folder=folder)
    warn_of_few(output, founding.bundle)
    return Exit.HOLDS
