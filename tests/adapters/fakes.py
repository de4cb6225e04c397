"""Doubles of the ports, and a development PKI on disk, for the adapters' and the SOAP signing's tests."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.authority import DevAuthority, Issued
from certs.files import write_private, write_public
from certs.paths import Authority, Vetted, fingerprint, vet
from certs.profiles import Profile
from gateway.errors import KeystoreError
from gateway.keys.raw import raw_low_s
from gateway.model import CertificateProof

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class ShiftedClock:
    """The system's clock, shifted by as much as a test says."""

    shift: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift  # noqa: TID251  tests against real servers live in real time

    def monotonic(self) -> float:
        return time.monotonic() + self.shift.total_seconds()


class SystemRandomness:
    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def uuid(self) -> uuid.UUID:
        return uuid.uuid4()


class MemoryKeystore:
    """One P-256 key, under the id ``signing``."""

    def __init__(self, issued: Issued) -> None:
        self._issued = issued

    def sign(self, key_id: str, data: bytes) -> bytes:
        key = self._issued.key
        if key_id != "signing" or not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeystoreError(key_id)
        return raw_low_s(key.sign(data, ec.ECDSA(hashes.SHA256())))

    def mac(self, key_id: str, data: bytes) -> bytes:
        return hmac.digest(key_id.encode(), data, "sha256")

    def certificate(self, key_id: str) -> bytes:
        if key_id != "signing":
            raise KeystoreError(key_id)
        return self._issued.der


class Organisation:
    """An authority with its lists, and a TLS and a signing certificate below it."""

    def __init__(self, name: str, tls: Profile) -> None:
        now = ShiftedClock().now()
        self.authority = DevAuthority(name, now)
        self.tls = self.authority.issue(tls, ["localhost"])
        self.signing = self.authority.issue(Profile.SIGNING, [name])
        self.lists = self.authority.revocation_lists()
        self.trust = Authority(
            name,
            roots=(self.authority.root.der,),
            intermediates=(self.authority.issuing.der,),
            crls=self.lists,
        )

    def vet(self, der: bytes) -> CertificateProof:
        """The verdict on a signing certificate of this organisation."""
        verdict: Vetted = vet(der, Profile.SIGNING, self.trust, ShiftedClock().now())
        return CertificateProof(verdict.sha256, verdict.chain, verdict.revocation)

    def write(self, folder: Path) -> None:
        """``tls.pem`` with its issuing CA, ``tls.key``, ``signing.pem``, ``signing.key``, ``root.pem``, lists."""
        write_public(folder / "tls.pem", self.tls.pem + self.authority.issuing.pem)
        write_private(folder / "tls.key", self.tls.key_pem)
        write_public(folder / "signing.pem", self.signing.pem)
        write_private(folder / "signing.key", self.signing.key_pem)
        write_public(folder / "root.pem", self.authority.root.pem)
        write_public(folder / "issuing.pem", self.authority.issuing.pem)
        for number, crl in enumerate(self.lists):
            write_public(folder / f"{number}.crl", crl)


def prove(der: bytes) -> CertificateProof:
    """A proof without a check, for our own certificate."""
    return CertificateProof(fingerprint(der), (), ())


#: Below those that the system gives to connections (from 32768), which would come and take one; so many to a worker.
_FIRST_PORT, _PORTS, _WORKERS = 10_000, 2_500, 8
_turn = count(os.getpid() * 37)


def free_port() -> int:
    """A port where nobody listens; for a server that is told its port, and begins to listen later."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    for turn in islice(_turn, _PORTS):
        port = _FIRST_PORT + worker * _PORTS + turn % _PORTS
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


#: How much slower than alone a machine may be that other tests load: bounds on time are on hanging, not on speed.
LOADED = 4


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it came true in time: ``seconds`` on a quiet machine, and four times as long where others load it.

    What takes long is asked less often: asking a gateway that starts whether it is ready is work for it, too.
    """
    end, pause = time.monotonic() + LOADED * seconds, 0.01
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(1.2 * pause, 0.15)
    return True
