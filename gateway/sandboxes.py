"""The sandboxes of outside systems, composed for development: beside app, which a gateway in service needs alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Literal

from adapters.civil_registry.adapter import contract_directory
from adapters.civil_registry.sandbox import births
from adapters.civil_registry.sandbox import server as civil_registry
from adapters.civil_registry.sandbox.settings import SandboxSettings as CivilRegistrySettings
from adapters.cooperative.sandbox import server as cooperative
from adapters.cooperative.sandbox.registrations import Child, make_registrations
from adapters.cooperative.sandbox.settings import SandboxSettings as SigningSandboxSettings
from adapters.cooperative.sandbox.storage import Registry
from adapters.ministry.sandbox import server as ministry
from adapters.sandboxing.server import Listening
from gateway.enrolment import enrol
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ports import Clock, Randomness, Stop
    from gateway.settings import SandboxCooperative, SandboxMinistry, SandboxRegistry, Settings

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
    name: Literal["civil-registry", "cooperative", "ministry"],
    settings: Settings,
    stop: Stop,
    ready: Callable[[], None],
    *,
    keep: bool = False,
) -> None:
    """Runs a sandbox until ``stop``; raises ConfigurationError when it is not configured.

    ``keep``: it keeps the messages that come and go, in its own folder, for whoever compares them with others' (L12).
    """
    if name == "cooperative":
        if settings.sandbox_cooperative is None:
            raise ConfigurationError("no_sandbox", section="sandbox_cooperative")
        cooperative.serve(_cooperative(settings.sandbox_cooperative, keep=keep), stop, ready)
        return
    if name == "ministry":
        if settings.sandbox_ministry is None:
            raise ConfigurationError("no_sandbox", section="sandbox_ministry")
        ministry.serve(_ministry(settings.sandbox_ministry, keep=keep), stop, ready)
        return
    if settings.sandbox_civil_registry is None:
        raise ConfigurationError("no_sandbox", section="sandbox_civil_registry")
    civil_registry.serve(_civil_registry(settings.sandbox_civil_registry, keep=keep), stop, ready)


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


def _cooperative(sandbox: SandboxCooperative, *, keep: bool) -> SigningSandboxSettings:
    return _signing(sandbox, _registry_url(sandbox), keep=keep)


def _ministry(sandbox: SandboxMinistry, *, keep: bool) -> SigningSandboxSettings:
    return _signing(sandbox, f"sqlite:///{sandbox.folder / 'notices.sqlite'}", keep=keep)


def _signing(sandbox: SandboxCooperative | SandboxMinistry, database: str, *, keep: bool) -> SigningSandboxSettings:
    """Of a REST service that signs its answers."""
    folder = sandbox.folder
    return SigningSandboxSettings(
        Listening(
            sandbox.host,
            sandbox.port,
            sandbox.control_port,
            folder / "tls.pem",
            folder / "tls.key",
            folder / "caller-root.pem",
        ),
        server_name="localhost",
        signing_certificate=folder / "signing.pem",
        signing_key=folder / "signing.key",
        callers=folder / "callers.pem",
        caller_roots=(folder / "caller-root.pem",),
        caller_intermediates=(folder / "caller-issuing.pem",),
        caller_crls=(folder / "caller.root.crl", folder / "caller.issuing.crl"),
        database=database,
        state_key=folder / "state.key",
        kept=folder / _KEPT if keep else None,
    )
