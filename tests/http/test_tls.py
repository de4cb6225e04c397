"""The listener's TLS: no certificate, no HTTP; sessions resumed by either worker; revocation seen within a second."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from certs.profiles import Profile
from gateway.system import SystemClock
from tests.adapters.fakes import until
from tests.exchange.live import read_issued

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange.live import LiveGateway


def curl(live: LiveGateway, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["curl", "--silent", "--cacert", live.ca, "--write-out", "%{http_code}", *arguments, f"{live.origin}/"]
    return subprocess.run(command, capture_output=True, timeout=20, check=False)


def _pair(stem: Path) -> tuple[str, ...]:
    return ("--cert", str(stem.with_suffix(".pem")), "--key", str(stem.with_suffix(".key")))


def test_with_one_there_is_an_answer(live: LiveGateway) -> None:
    ended = curl(live, *_pair(live.tls()))
    assert ended.returncode == 0
    assert ended.stdout.endswith(b"401")


_NOW = SystemClock().now


def test_a_newly_revoked_tls_certificate_is_refused_within_seconds(live: LiveGateway) -> None:
    stem = live.issue("ministry", Profile.TLS_CLIENT)
    assert live.exchange(live.draft().signed(), stem).status == 200
    assert live.verified(live.draft(key=live.more["to-be-revoked"]).signed()).status == 200
    revoke(live, stem)
    # each worker looks for itself: several in a row must agree
    codes: list[object] = []

    def refused() -> bool:
        shown = live.exchange(live.draft().signed(), stem)
        codes.append(200 if shown.status == 200 else shown.json()["code"])
        return codes[-8:] == ["certificate_refused"] * 8

    assert until(refused, 5), codes

    # the signing key on the same list
    def key_refused() -> bool:
        shown = live.exchange(live.draft(key=live.more["to-be-revoked"]).signed())
        codes.append(200 if shown.status == 200 else shown.json()["code"])
        return codes[-4:] == ["key_refused"] * 4

    assert until(key_refused, 5), codes
    # and all the others go on
    assert live.verified(live.draft().signed()).status == 200


def revoke(live: LiveGateway, stem: Path) -> None:
    revoked = [read_issued(stem).certificate, live.more["to-be-revoked"].certificate]
    _, crl = live.authorities["ministry"].revocation_lists(revoked, at=_NOW())
    path = live.keys / "revocation" / "ministry.issuing.crl"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(crl)
    os.replace(fresh, path)  # noqa: PTH105  as an operator's script does, in one step


@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
def test_sessions_are_resumed_by_whichever_worker_answers(live: LiveGateway, tmp_path: Path, version: str) -> None:
    kept = tmp_path / "session.pem"
    pair = ["-cert", str(live.tls().with_suffix(".pem")), "-key", str(live.tls().with_suffix(".key"))]
    pair += ["-cert_chain", str(live.tls().with_suffix(".pem"))]
    request = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    def connect(*arguments: str) -> str:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{live.ports.gateway}", "-CAfile", live.ca]
        command += [version, "-ign_eof", *pair, *arguments]
        ended = subprocess.run(command, input=request, capture_output=True, timeout=20, check=False)
        return ended.stdout.decode(errors="replace")

    first = connect("-sess_out", str(kept))
    assert "200 OK" in first
    assert kept.stat().st_size > 0
    # With a context of each worker's own, half of these would begin anew.
    for _ in range(6):
        again = connect("-sess_in", str(kept))
        assert "Reused," in again
        assert "200 OK" in again


def test_the_gateway_presents_its_chain_and_only_its_name(live: LiveGateway) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{live.ports.gateway}", "-CAfile", live.ca, "-brief"]
    command += ["-verify_hostname", "localhost", "-verify_return_error"]
    ended = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    assert b"Verification: OK" in ended.stderr
    wrong = [*command[:-2], "elsewhere.test", "-verify_return_error"]
    assert (
        b"Verification: OK" not in subprocess.run(wrong, input=b"", capture_output=True, timeout=20, check=False).stderr
    )
