from __future__ import annotations

import json
import threading
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.channel import Endpoint
from adapters.civil_registry.adapter import contract_directory
from adapters.civil_registry.sandbox.births import Birth, Examples, create_births, examples
from adapters.civil_registry.sandbox.server import serve
from adapters.civil_registry.sandbox.settings import SandboxSettings
from adapters.mapped import Trust, mapped_system
from adapters.resilience import ResilienceSettings
from certs.paths import vet
from certs.profiles import CertificateRefusedError, Profile
from contracts.loader import load_contracts
from gateway.model import (
    CertificateProof,
    Claim,
    Grant,
    Message,
    Nirec,
    OperationRef,
    Party,
    Received,
    RequestSignature,
    VerifiedRequest,
)
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, SystemRandomness, free_port, prove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.system import OutsideSystem
    from gateway.model import Signer

CONTRACTS = load_contracts(Path(__file__).parents[2] / "contracts")
FAST = ResilienceSettings(deadline=3.0, attempt_timeout=0.6, attempts=3, breaker_failures=4, breaker_open=2.0)


@dataclass
class World:
    """A running sandbox, both organisations, and where their files lie."""

    folder: Path
    gateway: Organisation
    registry: Organisation
    settings: SandboxSettings
    examples: Examples
    clock: ShiftedClock = field(default_factory=ShiftedClock)

    def control(self, path: str, document: dict[str, object] | None = None) -> dict[str, object]:
        data = None if document is None else json.dumps(document).encode()
        address = f"http://127.0.0.1:{self.settings.control_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(address, data)) as answer:
            result: dict[str, object] = json.loads(answer.read())
            return result

    def requests(self) -> int:
        return int(str(self.control("/counter")["requests"]))

    def behave(self, mode: str, delay_ms: int = 0) -> None:
        self.control("/behaviour", {"mode": mode, "delay_ms": delay_ms})

    def endpoint(self, **changes: object) -> Endpoint:
        values: dict[str, object] = {
            "url": self.settings.address,
            "ca_file": self.folder / "registry" / "root.pem",
            "certificate_file": self.folder / "gateway" / "tls.pem",
            "key_file": self.folder / "gateway" / "tls.key",
        }
        return Endpoint(**{**values, **changes})  # type: ignore[arg-type]  # a test's shorthand

    def vet_server(self, der: bytes) -> None:
        vet(der, Profile.TLS_SERVER, self.registry.trust, self.clock.now())

    def adapter(self, resilience: ResilienceSettings = FAST, **changes: object) -> OutsideSystem:
        return mapped_system(
            contract_directory(),
            CONTRACTS,
            self.endpoint(**changes),
            self.trust(),
            clock=self.clock,
            randomness=SystemRandomness(),
            resilience=resilience,
        )

    def trust(self) -> Trust:
        return Trust(
            keystore=MemoryKeystore(self.gateway.signing),
            prove=prove,
            vet=self.registry.vet,
            signer=no_signer,
            vet_server=self.vet_server,
            claim_salt=lambda _salt: True,
        )


def no_signer(_keyid: str) -> Signer:
    raise CertificateRefusedError("unknown")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("civil-registry")
    gateway = Organisation("passerelle", Profile.TLS_CLIENT)
    registry = Organisation("civil-registry", Profile.TLS_SERVER)
    gateway.write(folder / "gateway")
    registry.write(folder / "registry")
    create_births(folder / "births.db")
    settings = SandboxSettings(
        host="127.0.0.1",
        port=free_port(),
        control_port=free_port(),
        server_name="localhost",
        tls_certificate=folder / "registry" / "tls.pem",
        tls_key=folder / "registry" / "tls.key",
        client_ca=folder / "gateway" / "root.pem",
        signing_certificate=folder / "registry" / "signing.pem",
        signing_key=folder / "registry" / "signing.key",
        caller_roots=(folder / "gateway" / "root.pem",),
        caller_intermediates=(folder / "gateway" / "issuing.pem",),
        caller_crls=(folder / "gateway" / "0.crl", folder / "gateway" / "1.crl"),
        database=folder / "births.db",
        contract=contract_directory(),
    )
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=serve, args=(settings, stop, ready.set))
    thread.start()
    assert ready.wait(40)
    yield World(folder, gateway, registry, settings, examples(folder / "births.db"))
    stop.set()
    thread.join(40)
    assert not thread.is_alive()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    running.behave("normal")
    yield running
    running.behave("normal")
    running.clock = ShiftedClock()


def grant_for(birth: Birth) -> Grant:
    """A grant as the first five steps would have made it; only its fields matter here."""
    proof = CertificateProof("00" * 32, (), ())
    received = Received(uuid4(), "POST", "/v1/nirec/verifications", {}, b"", b"", ShiftedClock().now())
    signature = RequestSignature("sig1", "", b"", b"", "ecdsa-p256-sha256", "nonce", 0, proof)
    request = VerifiedRequest(Party("ministry", proof), received, signature, None)
    fields = {
        "nirec": Nirec(birth.nirec),
        "family_name": birth.family_name,
        "given_names": birth.given_names,
        "birth_date": birth.birth_date,
    }
    operation = OperationRef("nirec.verify", "nirec", "1", "00" * 32)
    message = Message(request, operation, fields, b"0" * 16, "a", "p", frozenset({"outcome"}), "civil-registry", None)
    return Grant(Claim(message).message, "a", "p", frozenset({"outcome"}), tells_not_found=True, policy_sha256="00")
