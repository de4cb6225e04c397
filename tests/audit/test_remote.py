"""The same verdict over https with mutual TLS as from the folder; what is not answered is no verdict (L11)."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.audit import audit
from gateway.audit.remote import RemoteLog, SourceLostError, Tls
from gateway.audit.verdict import Fault, Unproven
from gateway.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.audit.forge import Forger
    from tests.audit.gateway_run import Gateway


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@contextmanager
def served(folder: Path, gateway: Gateway) -> Iterator[str]:
    """Any folder over mutual TLS, under the gateway's own certificate."""
    keys = gateway.settings.folders.keys
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "tls-server.pem", keys / "tls-server.key")
    context.load_verify_locations(cadata=(gateway.folder / "trust" / "roots" / "ministry.pem").read_text())
    for path in (keys / "authorities").rglob("*.pem"):
        context.load_verify_locations(path)
    context.verify_mode = ssl.CERT_REQUIRED

    def handler(*args: Any) -> _Files:
        return _Files(*args, directory=str(folder))

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is no news
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://localhost:{server.server_port}/log"
        server.shutdown()
        thread.join()


@pytest.fixture
def tls(gateway: Gateway) -> Tls:
    party = gateway.party("ministry")
    return Tls(party / "gateway-root.pem", party / "tls.pem", party / "tls.key")


def test_the_same_verdict_as_of_the_folder(log: Path, trust: Path, gateway: Gateway, tls: Tls) -> None:
    here = audit(log, trust)
    with served(log.parent, gateway) as address:
        there = audit(RemoteLog(address, tls), trust)
        two = audit(RemoteLog(address, tls), trust, jobs=2)
    assert there.findings == ()
    assert there.facts == here.facts
    assert there == two
    assert set(there.unproven) - set(here.unproven) == {Unproven.FILES_NOT_LISTED}


def test_what_is_changed_or_gone_is_found(log: Path, trust: Path, gateway: Gateway, tls: Tls) -> None:
    tile = next(path for path in (log / "tile" / "0").rglob("*") if path.is_file())
    with served(log.parent, gateway) as address:
        remote = RemoteLog(address, tls)
        good = tile.read_bytes()
        tile.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        assert {finding.code for finding in audit(remote, trust).findings} == {Fault.TILE_DIFFERS}
        tile.unlink()
        assert {finding.code for finding in audit(remote, trust).findings} == {Fault.FILE_MISSING}


def test_a_partial_file_that_gave_way_to_its_full_one(
    log: Path, trust: Path, gateway: Gateway, tls: Tls, forger: Forger, tmp_path: Path
) -> None:
    """The log grew past it between the checkpoint and the file: its beginning is the file that was asked for."""
    for path in [path for path in log.rglob("*.p/*") if path.is_file()]:
        full = path.parent.with_name(path.parent.name.removesuffix(".p"))
        full.write_bytes(path.read_bytes())
        path.unlink()
        path.parent.rmdir()
    with served(log.parent, gateway) as address:
        assert audit(RemoteLog(address, tls), trust).findings == ()


def test_nobody_there_or_a_stranger_s_certificate_is_no_verdict(
    log: Path, trust: Path, gateway: Gateway, tls: Tls
) -> None:
    with served(log.parent, gateway) as address:
        for wrong in (replace(tls, authority=trust / "roots" / "ministry.pem"), Tls(tls.authority)):
            with pytest.raises(SourceLostError):
                audit(RemoteLog(address, wrong), trust)
    with pytest.raises(SourceLostError):
        audit(RemoteLog(address, tls), trust)


def test_from_the_command_line(
    log: Path, trust: Path, gateway: Gateway, tls: Tls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rapport.html"
    options = ["--trust", str(trust), "--ca", str(tls.authority), "--cert", str(tls.certificate), "--key", str(tls.key)]
    with served(log.parent, gateway) as address:
        code = run(["--lang", "en", "audit", "report", address, *options, "--out", str(out)])
    assert code == 0, capsys.readouterr()
    page = out.read_text(encoding="utf-8")
    assert "The log holds." in page
    assert address in page
    assert "Files too many" in page
    assert run(["--lang", "en", "audit", "verify", address, *options]) == 3
    assert "nothing was judged" in capsys.readouterr().err


def test_a_log_is_not_read_over_http(trust: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "verify", "http://127.0.0.1:9/log", "--trust", str(trust)]) == 2
    assert "https://" in capsys.readouterr().err
