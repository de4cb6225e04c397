"""TLS (section 10): whoever does not come with a party's certificate hears nothing of HTTP, and fills no ledger."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from certs.authority import DevAuthority
from certs.profiles import Profile
from tests.adapters.fakes import until
from tests.attacks.arena import DAY, HOST, NOW
from tests.exchange.live import wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.attacks.arena import Arena

REQUEST = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def spoken(arena: Arena, context: ssl.SSLContext | None, data: bytes = REQUEST) -> bytes:
    """All that the gateway says to whoever connects so; nothing where it ends the handshake, or the connection."""
    parts: list[bytes] = []
    with socket.create_connection(("localhost", arena.ports.gateway), timeout=8) as plain:
        try:
            stream = plain if context is None else context.wrap_socket(plain, server_hostname="localhost")
            with stream:
                stream.sendall(data)
                while part := stream.recv(65536):
                    parts.append(part)
        except (ssl.SSLError, OSError):
            pass
    return b"".join(parts)


def _with(make: Callable[[Arena], Path]) -> Callable[[Arena], ssl.SSLContext]:
    return lambda arena: arena.context(make(arena))


def _issued(profile: Profile = Profile.TLS_CLIENT, **how: Any) -> Callable[[Arena], ssl.SSLContext]:
    return _with(lambda arena: arena.issue("ministry", profile, **how))


def _unknown_authority(arena: Arena) -> Path:
    stranger = DevAuthority("ministry", NOW())
    return arena.write(stranger.issue(Profile.TLS_CLIENT, [HOST]), stranger)


def _outside_name_constraints(arena: Arena) -> Path:
    bounded = arena.made.bounded
    return arena.write(bounded.issue(Profile.TLS_CLIENT, [HOST, "elsewhere.test"]), bounded)


def _signed_by_itself_under_a_leaf(arena: Arena) -> Path:
    """Issued with the key of a certificate that is no authority."""
    forged = DevAuthority("ministry", NOW())
    forged.issuing = arena.made.signers["good"]
    return arena.write(forged.issue(Profile.TLS_CLIENT, [HOST]), forged)


def _no_certificate(version: ssl.TLSVersion) -> Callable[[Arena], ssl.SSLContext]:
    def make(arena: Arena) -> ssl.SSLContext:
        context = arena.context(None)
        context.minimum_version = context.maximum_version = version
        return context

    return make


def _old(arena: Arena) -> ssl.SSLContext:
    context = arena.context(arena.tls())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that these versions are old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _ciphers(names: str) -> Callable[[Arena], ssl.SSLContext]:
    def make(arena: Arena) -> ssl.SSLContext:
        context = arena.context(arena.tls())
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(names)
        return context

    return make


#: attack -> how the attacker connects
ATTACKS: dict[str, Callable[[Arena], ssl.SSLContext | None]] = {
    "clear_text": lambda _: None,
    "no_certificate_tls_1_3": _no_certificate(ssl.TLSVersion.TLSv1_3),
    "no_certificate_tls_1_2": _no_certificate(ssl.TLSVersion.TLSv1_2),
    "tls_before_1_2": _old,
    "cipher_without_authenticated_encryption": _ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
    "certificate_of_an_unknown_authority": _with(_unknown_authority),
    "certificate_under_a_leaf": _with(_signed_by_itself_under_a_leaf),
    "certificate_outside_name_constraints": _with(_outside_name_constraints),
    "certificate_expired": _issued(not_before=NOW() - 2 * DAY, not_after=NOW() - DAY),
    "certificate_not_yet_valid": _issued(not_before=NOW() + DAY),
    "certificate_of_a_server": _issued(Profile.TLS_SERVER),
    "certificate_for_signing": _issued(Profile.SIGNING),
}


def _good(arena: Arena, attack: str) -> ssl.SSLContext:
    """The same way in, but for the attack."""
    if attack == "certificate_outside_name_constraints":
        bounded = arena.made.bounded
        return arena.context(arena.write(bounded.issue(Profile.TLS_CLIENT, [HOST]), bounded))
    if attack == "cipher_without_authenticated_encryption":
        return _ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")(arena)
    context = arena.context(arena.tls())
    if attack == "no_certificate_tls_1_2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(arena: Arena, attack: str) -> None:
    assert spoken(arena, _good(arena, attack)).startswith(b"HTTP/1.1 200")
    before, leaves = arena.counter(), leaves_after_an_exchange(arena)
    assert b"HTTP" not in spoken(arena, ATTACKS[attack](arena))
    assert leaves_after_an_exchange(arena) == leaves + 1
    assert arena.counter() == before


def leaves_after_an_exchange(arena: Arena) -> int:
    """The log's size once an exchange of now stands in it; of strangers before the first step it holds nothing."""
    shown = arena.accepted(arena.draft().signed())
    assert arena.book.of(shown.headers["exchange-id"])
    return arena.book.size


def _command(arena: Arena) -> list[str]:
    pair = ["-cert", f"{arena.tls()}.pem", "-key", f"{arena.tls()}.key", "-cert_chain", f"{arena.tls()}.pem"]
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{arena.ports.gateway}", "-CAfile", arena.ca, *pair]


def _s_client(arena: Arena, data: bytes, *arguments: str) -> str:
    ended = subprocess.run([*_command(arena), *arguments], input=data, capture_output=True, timeout=20, check=False)
    return ended.stdout.decode(errors="replace")


def test_early_data(arena: Arena, tmp_path: Path) -> None:
    """0-RTT can be replayed by whoever sees it: a resumed session takes none, and the request comes after."""
    kept, early = tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(REQUEST)
    assert "200 OK" in _s_client(arena, REQUEST, "-tls1_3", "-ign_eof", "-sess_out", str(kept))
    resumed = ("-tls1_3", "-ign_eof", "-sess_in", str(kept))
    said = _s_client(arena, REQUEST, *resumed, "-early_data", str(early))
    assert "Early data was accepted" not in said
    assert "Max Early Data: 0" in _s_client(arena, REQUEST, *resumed)
    assert said.count("HTTP/1.1 200") <= 1


def test_renegotiation(arena: Arena) -> None:
    """TLS 1.2 lets a client ask for a handshake anew, again and again: here the connection ends with it."""
    assert "200 OK" in _s_client(arena, REQUEST, "-tls1_2", "-ign_eof")
    command = [*_command(arena), "-tls1_2"]
    both = subprocess.PIPE
    with subprocess.Popen(command, stdin=both, stdout=both, stderr=subprocess.STDOUT, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = part = process.stdout.read(65536) or b""
        while part and b"Extended master secret" not in said:
            said += (part := process.stdout.read(65536) or b"")
        process.stdin.write(b"R\n")
        wait(0.5)
        with contextlib.suppress(OSError):
            process.stdin.write(REQUEST)
        until(lambda: process.poll() is not None, 3)
        process.kill()
        said += process.stdout.read() or b""
    assert b"RENEGOTIATING" in said
    assert b"200 OK" not in said
