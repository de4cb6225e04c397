"""A real gateway for tests: its own processes, real sockets, mutual TLS, and authorities that issue what is asked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certs.authority import Issued
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.client.client import PartyClient
from gateway.client.party import PartyFolder
from gateway.client.signer import RequestSigner
from gateway.client.verifier import AnswerVerifier
from gateway.development import Development, Ports
from gateway.keys.files import FileKeystore
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import free_port, until
from tests.signing.drafts import Draft, fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certs.authority import DevAuthority
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer

ROOT = Path(__file__).parents[2]


class KeptDevelopment(Development):
    """A development set-up whose authorities stay in memory, to issue more."""

    authorities: Mapping[str, DevAuthority]

    def _trust(self, authorities: Mapping[str, DevAuthority]) -> None:
        self.authorities = authorities
        super()._trust(authorities)


@dataclass(frozen=True)
class Shown:
    """An answer as it came, unverified."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


class LiveGateway:
    """One set-up in a folder; the sandbox and the gateway as real children."""

    development: type[KeptDevelopment] = KeptDevelopment
    #: How many children are registered, and so known to the gateway before anybody asks.
    registrations = 60

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = Ports(*(free_port() for _ in fields(Ports)))
        self.origin = f"https://localhost:{self.ports.gateway}"
        self.made = self.development(folder, self.ports, SystemClock(), SystemRandomness())
        self.made.create(births=300, registrations=self.registrations)
        self.authorities = self.made.authorities
        self.more = self._more_signers()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ca = str(self.party("ministry") / "gateway-root.pem")

    def party(self, name: str) -> Path:
        return self.folder / "sandbox" / "parties" / name

    @property
    def keys(self) -> Path:
        return self.folder / "gateway" / "keys"

    def _more_signers(self) -> dict[str, Issued]:
        """Further keys that the gateway has been given as the ministry's, one of them of the wrong profile."""
        authority, host = self.authorities["ministry"], ["ministry.passerelle.test"]
        more = {
            "ed25519": authority.issue(Profile.SIGNING, host, key=ed25519.Ed25519PrivateKey.generate()),
            "rsa-pss-sha512": authority.issue(Profile.SIGNING, host, key=rsa.generate_private_key(65537, 3072)),
            "to-be-revoked": authority.issue(Profile.SIGNING, host),
            "tls": authority.issue(Profile.TLS_CLIENT, host),
        }
        for name, issued in more.items():
            write_public(self.keys / "signers" / f"ministry.{name}.pem", issued.pem)
        return more

    # processes -----------------------------------------------------------------------------------------------------

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "gateway.cli.main",
            *arguments,
            "--config",
            str(self.folder / "passerelle.toml"),
        ]
        # The child keeps its own descriptor of the file.
        with (self.folder / "stderr.txt").open("ab") as file:
            return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def start_sandbox(self) -> None:
        self.processes["sandbox"] = self.spawn("sandbox", "civil-registry")
        self._await("sandbox", lambda: _answers(self.ports.control))

    def start_cooperative(self) -> None:
        """The cooperative's registry, which speaks REST: its own sandbox, for those who ask it something."""
        self.processes["cooperative"] = self.spawn("sandbox", "cooperative")
        self._await("cooperative", lambda: _answers(self.ports.cooperative_control))

    def start_ministry(self) -> None:
        """The ministry's service that takes notices."""
        self.processes["ministry"] = self.spawn("sandbox", "ministry")
        self._await("ministry", lambda: _answers(self.ports.ministry_control))

    def start_benefits(self) -> None:
        """The benefits administration's service, which takes notices by SOAP."""
        self.processes["benefits"] = self.spawn("sandbox", "benefits")
        self._await("benefits", lambda: _answers(self.ports.benefits_control))

    def start(self) -> None:
        self.processes["gateway"] = self.spawn("serve")
        self._await("gateway", self.ready)

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        """Returns when it is so; what has ended is not waited for."""
        process = self.processes[name]
        assert until(lambda: process.poll() is not None or condition(), 20), f"{name} did not start"
        assert process.poll() is None, f"{name} has ended with {process.poll()}: see {self.folder / 'stderr.txt'}"

    def ready(self) -> bool:
        """Whether the gateway says so, and both of its workers are there."""
        said = status_of(f"http://127.0.0.1:{self.ports.health}/readyz") == 200
        return said and len(workers(self.processes["gateway"].pid)) >= 2

    def listens(self) -> bool:
        try:
            socket.create_connection(("localhost", self.ports.gateway), timeout=2).close()
        except OSError:
            return False
        return True

    def stop(self, name: str = "gateway") -> int:
        """Stops it as an operator would; its exit code. Fails when a child remains."""
        process = self.processes.pop(name)
        children = descendants(process.pid)
        process.terminate()
        try:
            code = process.wait(40)
        finally:
            for pid in [pid for pid in children if _alive(pid)]:
                if not until(lambda pid=pid: not _alive(pid), 5):  # type: ignore[misc]  # a default binds the pid
                    os.kill(pid, signal.SIGKILL)
                    raise AssertionError(f"a child remains after {name}: {pid}")
        return code

    def close(self) -> None:
        for name in list(self.processes):
            self.stop(name)

    # parties -------------------------------------------------------------------------------------------------------

    def signing(self, party: str = "ministry") -> Issued:
        return read_issued(self.party(party) / "signing")

    def issue(self, party: str, profile: Profile, names: list[str] | None = None, **how: Any) -> Path:
        """Another certificate of a party, with its chain and key, as files below one stem."""
        authority = self.authorities[party]
        issued = authority.issue(profile, names or [f"{party}.passerelle.test"], **how)
        return self.write(issued, authority)

    def write(self, issued: Issued, authority: DevAuthority, above: Issued | None = None) -> Path:
        stem = self.folder / "more" / f"{issued.certificate.serial_number:x}"
        write_private(stem.with_suffix(".key"), issued.key_pem)
        write_public(stem.with_suffix(".pem"), issued.pem + (above or authority.issuing).pem)
        return stem

    def client(self, party: str) -> PartyClient:
        folder = PartyFolder.load(self.party(party))
        signer = RequestSigner(
            FileKeystore(folder.folder, signing=["signing"]), SystemClock(), SystemRandomness(), folder.origin
        )
        return PartyClient(folder, signer, SystemRandomness())

    def draft(self, party: str = "ministry", **changes: Any) -> Draft:
        agreement = "ESSAI-MIN" if party == "ministry" else "ESSAI-COOP"
        now = int(SystemClock().now().timestamp())
        return Draft(self.signing(party), self.origin, now, agreement=agreement).but(**changes)

    def verification(self, kind: str = "confirmed", party: str = "ministry", **fields: Any) -> Draft:
        """A request of the sandbox's examples; a field given as None is left out."""
        data = json.loads((self.party(party) / "requests" / f"{kind}.json").read_text())
        data = {name: value for name, value in (data | {"salt": fresh_salt()} | fields).items() if value is not None}
        terms = ("ENT-2026-02", "admissibilite") if party == "ministry" else ("ENT-2026-01", "inscription")
        body = json.dumps(data, ensure_ascii=False).encode()
        draft = self.draft(party, target="/v1/nirec/verifications", agreement=terms[0], purpose=terms[1])
        return draft.but(body=body)

    # the wire ------------------------------------------------------------------------------------------------------

    def context(self, tls: Path | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if tls is not None:
            context.load_cert_chain(tls.with_suffix(".pem"), tls.with_suffix(".key"))
        return context

    def tls(self, party: str = "ministry") -> Path:
        return self.party(party) / "tls"

    def exchange(self, request: SignedRequest, tls: Path | None = None, **headers: str) -> Shown:
        """Sends the request as it is, over a connection of its own."""
        connection = http.client.HTTPSConnection(
            "localhost", self.ports.gateway, context=self.context(tls or self.tls()), timeout=20
        )
        try:
            connection.putrequest(request.method, request.target, skip_accept_encoding=True)
            more = {name.replace("_", "-"): value for name, value in headers.items()}
            for name, value in {**request.headers, **more, "Content-Length": str(len(request.body))}.items():
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return Shown(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def verified(self, request: SignedRequest, tls: Path | None = None) -> VerifiedAnswer:
        """The answer, its signature verified under the gateway's key."""
        shown = self.exchange(request, tls)
        return self.verify(request, shown)

    def verify(self, request: SignedRequest, shown: Shown) -> VerifiedAnswer:
        der = read_issued(self.keys / "signing").der
        return AnswerVerifier(der, self.origin).verify(request, shown.status, shown.headers, shown.body)

    def get(self, target: str, tls: Path | None = None) -> Shown:
        connection = http.client.HTTPSConnection(
            "localhost", self.ports.gateway, context=self.context(tls or self.tls()), timeout=20
        )
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            return Shown(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def raw(self, data: bytes, tls: Path | None = None, seconds: float = 10) -> bytes:
        """Everything that comes back for these bytes, until the gateway closes or the time is over."""
        with (
            socket.create_connection(("localhost", self.ports.gateway), timeout=seconds) as plain,
            self.context(tls or self.tls()).wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            secured.sendall(data)
            parts: list[bytes] = []
            try:
                while part := secured.recv(65536):
                    parts.append(part)
            except (TimeoutError, ConnectionError, ssl.SSLError):
                pass
            return b"".join(parts)

    # the sandboxes -------------------------------------------------------------------------------------------------

    def counter(self, sandbox: str = "civil-registry") -> int:
        """How many requests reached a registry."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._control(sandbox)}/counter", timeout=30) as answer:
            return int(json.load(answer)["requests"])

    def behave(self, mode: str, delay_ms: int = 0, *, sandbox: str = "civil-registry") -> None:
        data = json.dumps({"mode": mode, "delay_ms": delay_ms}).encode()
        address = f"http://127.0.0.1:{self._control(sandbox)}/behaviour"
        with urllib.request.urlopen(urllib.request.Request(address, data), timeout=30) as answer:
            assert answer.status == 200

    def _control(self, sandbox: str) -> int:
        return {
            "civil-registry": self.ports.control,
            "cooperative": self.ports.cooperative_control,
            "ministry": self.ports.ministry_control,
            "benefits": self.ports.benefits_control,
        }[sandbox]


def read_issued(stem: Path) -> Issued:
    """A certificate and its key, read back from files."""
    certificate = x509.load_pem_x509_certificate(stem.with_name(f"{stem.name}.pem").read_bytes())
    key = load_pem_private_key(stem.with_name(f"{stem.name}.key").read_bytes(), None)
    return Issued(certificate, key)  # type: ignore[arg-type]  # the development PKI makes no other keys


def status_of(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  loopback, named by the test
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)
    except OSError:
        return None


def _answers(port: int) -> bool:
    return status_of(f"http://127.0.0.1:{port}/counter") == 200


def children_of(pid: int) -> list[int]:
    """The processes that one has started, by whichever of its threads; threads and processes end while we look."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    """Every process below one."""
    return [each for child in children_of(pid) for each in (child, *descendants(child))]


def workers(pid: int) -> list[int]:
    """The gateway's worker processes: below the supervisor, those that have a parent which is a child of it too."""
    direct = set(children_of(pid))
    return [child for child in descendants(pid) if child not in direct]


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait(seconds: float) -> None:
    """For what only time can bring; everything else polls."""
    time.sleep(seconds)
