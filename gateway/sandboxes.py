"""The sandboxes of outside systems, composed for development: beside app, which a gateway in service needs alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING

from adapters.benefits.sandbox import server as benefits
from adapters.benefits.sandbox.settings import BenefitsSettings
from adapters.civil_registry.adapter import contract_directory
from adapters.civil_registry.sandbox import births
from adapters.civil_registry.sandbox import server as civil_registry
from adapters.civil_registry.sandbox.settings import SandboxSettings as CivilRegistrySettings
from adapters.cooperative.sandbox import server as cooperative
from adapters.cooperative.sandbox.registrations import Child, make_registrations
from adapters.cooperative.sandbox.settings import RegistrySettings
from adapters.cooperative.sandbox.storage import Registry
from adapters.ministry.sandbox import server as ministry
from adapters.sandboxing.identity import SigningSettings
from adapters.sandboxing.server import Listening
from gateway.enrolment import enrol
from gateway.errors import ConfigurationError
from gateway.places import notices_folder
from gateway.settings import SandboxBenefits, SandboxCooperative, SandboxMinistry, SandboxRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ports import Clock, Randomness, Stop
    from gateway.settings import SandboxName, Settings

__all__ = ["create_births", "fill_registrations", "run_sandbox", "sample_births"]

_KEPT = "kept"
_COOPERATIVE = "cooperative"
_BIRTHS = "births.sqlite"


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


def sample_births(folder: Path, count: int) -> list[tuple[str, str, str, str]]:
    """So many of the civil registry's children, for a file of requests: NIREC, names, birth date."""
    known = births.all_births(folder / _BIRTHS)
    return [(one.nirec, one.family_name, one.given_names, one.birth_date) for one in known[:count]]


def fill_registrations(settings: Settings, count: int, clock: Clock, randomness: Randomness) -> None:
    """Has the cooperative's registry hold at least ``count`` registrations, under handles that the gateway knows.

    As though the cooperative had each child verified before: of those who are born, first the civil registry's own.
    Raises ConfigurationError when a sandbox is not configured; KeystoreError, StorageUnavailableError.
    """
    cooperative, civil = settings.sandbox_cooperative, settings.sandbox_civil_registry
    if cooperative is None or civil is None:
        raise ConfigurationError("no_sandbox", section="sandbox_cooperative")
    known = births.all_births(civil.folder / _BIRTHS)
    children = [Child(one.family_name, one.given_names, date.fromisoformat(one.birth_date), None) for one in known]
    registry = Registry(_registry_url(cooperative))
    try:
        if not registry.exists():
            registry.create()
        made = list(make_registrations(children, registry.made(), count))
        nirecs = (None if one.known is None else known[one.known].nirec for one in made)
        handles = enrol(settings, _COOPERATIVE, nirecs, clock, randomness) if made else []
        registry.add(zip(handles, made, strict=True))
    finally:
        registry.dispose()


def _registry_url(sandbox: SandboxCooperative) -> str:
    return sandbox.database or f"sqlite:///{sandbox.folder / 'registrations.sqlite'}"


def run_sandbox(
    name: SandboxName,
    settings: Settings,
    stop: Stop,
    ready: Callable[[], None],
    *,
    keep: bool = False,
) -> None:
    """Runs a sandbox until ``stop``; raises ConfigurationError when it is not configured.

    ``keep``: it keeps the messages that come and go, in its own folder, for whoever compares them with others' (L12).
    """
    match settings.sandbox(name):
        case SandboxRegistry() as civil:
            civil_registry.serve(_civil_registry(civil, keep=keep), stop, ready)
        case SandboxCooperative() as coop:
            registry = RegistrySettings(_signing(coop, keep=keep), _registry_url(coop), coop.folder / "state.key")
            cooperative.serve(registry, stop, ready)
        case SandboxMinistry() as signing:
            ministry.serve(_signing(signing, keep=keep), _notices_url(signing), stop, ready)
        case SandboxBenefits() as unsigned:
            kept = unsigned.folder / _KEPT if keep else None
            told = BenefitsSettings(_listening(unsigned), notices_folder("benefits"), _notices_url(unsigned), kept)
            benefits.serve(told, stop, ready)


def _civil_registry(sandbox: SandboxRegistry, *, keep: bool) -> CivilRegistrySettings:
    folder = sandbox.folder
    return CivilRegistrySettings(
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
        database=folder / _BIRTHS,
        contract=contract_directory(),
        kept=folder / _KEPT if keep else None,
    )


def _signing(sandbox: SandboxCooperative | SandboxMinistry, *, keep: bool) -> SigningSettings:
    """Of a REST service that signs its answers."""
    folder = sandbox.folder
    return SigningSettings(
        _listening(sandbox),
        server_name="localhost",
        signing_certificate=folder / "signing.pem",
        signing_key=folder / "signing.key",
        callers=folder / "callers.pem",
        caller_roots=(folder / "caller-root.pem",),
        caller_intermediates=(folder / "caller-issuing.pem",),
        caller_crls=(folder / "caller.root.crl", folder / "caller.issuing.crl"),
        kept=folder / _KEPT if keep else None,
    )


def _listening(sandbox: SandboxCooperative | SandboxMinistry | SandboxBenefits) -> Listening:
    folder = sandbox.folder
    return Listening(
        sandbox.host,
        sandbox.port,
        sandbox.control_port,
        folder / "tls.pem",
        folder / "tls.key",
        folder / "caller-root.pem",
    )


def _notices_url(sandbox: SandboxMinistry | SandboxBenefits) -> str:
    return f"sqlite:///{sandbox.folder / 'notices.sqlite'}"
