"""The sandboxes of outside systems, composed for development: beside app, which a gateway in service needs alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from adapters.civil_registry.adapter import contract_directory
from adapters.civil_registry.sandbox import births
from adapters.civil_registry.sandbox.server import serve
from adapters.civil_registry.sandbox.settings import SandboxSettings
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ports import Stop
    from gateway.settings import Settings


def create_births(path: Path, count: int) -> dict[str, dict[str, str]]:
    """Fills the sandbox registry's database; gives requests to try it with, by what they show."""
    births.create_births(path, count)
    shown = births.examples(path)
    people = {
        "confirmed": shown.confirmed,
        "wrong_name": shown.wrong_name,
        "unknown": shown.unknown,
        "namesake": replace(shown.namesakes[0], birth_date=shown.namesakes[1].birth_date),
        "twin": shown.twins[0],
    }
    return {name: asdict(person) for name, person in people.items()}


def run_sandbox(settings: Settings, stop: Stop, ready: Callable[[], None]) -> None:
    """Runs the sandbox civil registry until ``stop``; raises ConfigurationError when it is not configured."""
    sandbox = settings.sandbox_civil_registry
    if sandbox is None:
        raise ConfigurationError("no_sandbox")
    folder = sandbox.folder
    serve(
        SandboxSettings(
            host=sandbox.host,
            port=sandbox.port,
            control_port=sandbox.control_port,
            server_name="localhost",
            tls_certificate=folder / "tls.pem",
            tls_key=folder / "tls.key",
            client_ca=folder / "caller-root.pem",
            signing_certificate=folder / "signing.pem",
            signing_key=folder / "signing.key",
            caller_roots=(folder / "caller-root.pem",),
            caller_intermediates=(folder / "caller-issuing.pem",),
            caller_crls=(folder / "caller.root.crl", folder / "caller.issuing.crl"),
            database=folder / "births.sqlite",
            contract=contract_directory(),
        ),
        stop,
        ready,
    )
