"""Other organisations' services, as small as they can be: real mutual TLS, and texts put together by hand."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from adapters.channel import Endpoint
from adapters.mapped import Trust
from adapters.sandboxing.behaviour import Switchboard
from adapters.sandboxing.server import Listening, ServiceHandler, ServiceServer
from certs.paths import vet
from certs.profiles import CertificateRefusedError, Profile
from gateway.model import (
    CertificateProof,
    Grant,
    Message,
    OperationRef,
    Party,
    Received,
    RequestSignature,
    VerifiedRequest,
)
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, free_port, prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.model import Signer


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Said:
    """What is answered."""

    body: str
    status: int = 200
    content_type: str = "application/json"


@dataclass
class Other:
    """An organisation with a service; ``answer`` makes each answer, ``asked`` keeps what came."""

    folder: Path
    gateway: Organisation
    them: Organisation
    port: int
    path: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Said] = lambda _asked: Said("{}")
    clock: ShiftedClock = field(default_factory=ShiftedClock)
    unsigned: bool = True

    def endpoint(self) -> Endpoint:
        gateway = self.folder / "gateway"
        url = f"https://localhost:{self.port}{self.path}"
        return Endpoint(url, self.folder / "them" / "root.pem", gateway / "tls.pem", gateway / "tls.key")

    def trust(self) -> Trust:
        return Trust(
            keystore=MemoryKeystore(self.gateway.signing),
            prove=prove,
            vet=self.them.vet,
            signer=_nobody,
            vet_server=self._server,
            claim_salt=lambda _salt: True,
            unsigned=lambda: self.unsigned,
        )

    def _server(self, der: bytes) -> CertificateProof:
        vetted = vet(der, Profile.TLS_SERVER, self.them.trust, self.clock.now())
        return CertificateProof(vetted.sha256, vetted.chain, vetted.revocation)

    def say(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self.answer(asked)


def _nobody(_keyid: str) -> Signer:
    raise CertificateRefusedError("unknown")


@contextmanager
def running(folder: Path, path: str = "") -> Iterator[Other]:
    gateway = Organisation("passerelle", Profile.TLS_CLIENT)
    them = Organisation("them", Profile.TLS_SERVER)
    gateway.write(folder / "gateway")
    them.write(folder / "them")
    other = Other(folder, gateway, them, free_port(), path)

    class Handler(ServiceHandler):
        def get(self) -> None:
            self.post(b"")

        def post(self, body: bytes) -> None:
            said = other.say(Asked(self.command, self.path, self.fields(), body.decode()))
            self.reply(said.status, {"Content-Type": said.content_type}, said.body.encode())

    files = folder / "them"
    listening = Listening("127.0.0.1", other.port, 0, files / "tls.pem", files / "tls.key", folder / "gateway/root.pem")
    with ServiceServer(listening, Handler, Switchboard()) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield other
        server.shutdown()
        thread.join()


def grant_of(operation: str, fields: dict[str, object]) -> Grant:
    """A grant as the first five steps would have made it; only its fields matter here."""
    proof = CertificateProof("00" * 32, (), ())
    received = Received(uuid4(), "GET", "/v1", {}, b"", b"", ShiftedClock().now())
    signature = RequestSignature("sig1", "", b"", b"", "ecdsa-p256-sha256", "nonce", 0, proof)
    request = VerifiedRequest(Party("ministry", proof), received, signature, None)
    service = operation.partition(".")[0]
    reference = OperationRef(operation, service, "1", "00" * 32)
    message = Message(request, reference, fields, None, "ENT-1", "essai", frozenset(fields), "them", None)
    return Grant(message, "ENT-1", "essai", frozenset(fields), tells_not_found=True, policy_sha256="00")
