"""The outside systems that the settings name, each behind its adapter: beside app, which hands them to the exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.channel import Endpoint
from adapters.civil_registry.adapter import contract_directory
from adapters.mapped import Trust, mapped_system, profile_system
from adapters.resilience import ResilienceSettings
from certs.profiles import CertificateRefusedError
from contracts.names import versioned
from gateway.errors import ConfigurationError, KeystoreError
from gateway.keys.periods import apart_key
from gateway.settings import CivilRegistry, UpstreamSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from adapters.system import OutsideSystem
    from contracts.loader import Contract
    from gateway.guard.claims import ClaimGuard
    from gateway.identity.parties import Parties
    from gateway.model import CertificateProof, Signer
    from gateway.policy.bundle import Bundle
    from gateway.ports import Clock, Keystore, Randomness
    from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Ours:
    """What the adapters need of a worker.

    Attributes:
        tls: stem of our TLS client certificate's and key's files.
        signing_key: names the signing key in use.
        prove: evidence's view of our signing certificate (DER).
        parties, guard, bundle: those of the policy in force, which changes.
    """

    settings: Settings
    contracts: Iterable[Contract]
    keystore: Keystore
    tls: Path
    signing_key: Callable[[], str]
    prove: Callable[[bytes], CertificateProof]
    parties: Callable[[], Parties]
    guard: Callable[[], ClaimGuard]
    bundle: Callable[[], Bundle]
    clock: Clock
    randomness: Randomness


@dataclass(frozen=True, slots=True)
class Configured:
    """A system and how many calls to it there may be at once."""

    system: OutsideSystem
    concurrency: int


def outside_systems(ours: Ours, only: Collection[str] | None = None) -> Mapping[str, Configured]:
    """Every configured system by its party's name, or ``only`` those of some parties.

    Raises ConfigurationError for a mapping that cannot be used.
    """
    registry = ours.settings.civil_registry
    named: dict[str, CivilRegistry | UpstreamSettings] = {registry.party: registry, **ours.settings.upstreams}
    return {
        party: Configured(_system(ours, party, one), one.concurrency)
        for party, one in named.items()
        if only is None or party in only
    }


def _system(ours: Ours, party: str, upstream: CivilRegistry | UpstreamSettings) -> OutsideSystem:
    folder = contract_directory() if isinstance(upstream, CivilRegistry) else upstream.folder
    reached = _endpoint(ours, upstream, party), _trust(ours, party)
    tried = _resilience(upstream)
    if folder is None:
        return profile_system(
            party, ours.contracts, *reached, clock=ours.clock, randomness=ours.randomness, resilience=tried
        )
    system = mapped_system(
        folder, ours.contracts, *reached, clock=ours.clock, randomness=ours.randomness, resilience=tried
    )
    if isinstance(upstream, UpstreamSettings) and system.name != party:
        raise ConfigurationError("contract_invalid", detail=f"{folder}: upstream: {system.name}, not {party}")
    if kept := [
        word
        for one in ours.contracts
        for word, what in one.operations.items()
        if what.upstream == system.name and not what.idempotent
    ]:
        detail = f"{folder}: {kept[0]} has an effect, and a mapping says no key under which it happens once"
        raise ConfigurationError("contract_invalid", detail=detail)
    asked = {
        versioned(name, one.version)
        for one in ours.contracts
        for name, what in one.operations.items()
        if what.upstream == system.name
    }
    if missing := sorted(asked - system.operations):
        detail = f"{folder}: no operation of theirs serves {missing[0]}; add it to the mapping"
        raise ConfigurationError("contract_invalid", detail=detail)
    return system


def _endpoint(ours: Ours, upstream: CivilRegistry | UpstreamSettings, party: str) -> Endpoint:
    return Endpoint(
        url=upstream.url,
        ca_file=ours.settings.folders.keys / "authorities" / f"{party}.pem",
        certificate_file=ours.tls.with_name(f"{ours.tls.name}.pem"),
        key_file=ours.tls.with_name(f"{ours.tls.name}.key"),
        connections=upstream.concurrency,
    )


def _resilience(upstream: CivilRegistry | UpstreamSettings) -> ResilienceSettings:
    return ResilienceSettings(
        deadline=upstream.deadline_seconds,
        attempt_timeout=upstream.attempt_seconds,
        attempts=upstream.attempts,
        concurrency=upstream.concurrency,
    )


def _trust(ours: Ours, party: str) -> Trust:
    def signer(keyid: str) -> Signer:
        found = ours.parties().signer(keyid, ours.clock.now())
        if found.party != party:
            raise CertificateRefusedError("another_party")
        return found

    def officers() -> bytes:
        known = ours.bundle().parties.get(party)
        digest = None if known is None else known.sealed_apart
        if digest is None:
            raise KeystoreError("apart_key_missing")
        return apart_key(ours.settings.folders.keys, digest)

    return Trust(
        keystore=ours.keystore,
        prove=ours.prove,
        vet=lambda der: ours.parties().counterpart(party, der, ours.clock.now()),
        signer=signer,
        vet_server=lambda der: ours.parties().server(party, der, ours.clock.now()),
        claim_salt=lambda salt: ours.guard().claim_salt(party, salt, ours.clock.now()),
        signing_key=ours.signing_key,
        unsigned=lambda: (known := ours.bundle().parties.get(party)) is not None and known.unsigned,
        officers=officers,
    )
