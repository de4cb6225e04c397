"""The registry's port in an attacker's hands: a TLS server with the registry's keys that answers what it is told."""

from __future__ import annotations

import base64
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from lxml import etree

from adapters.civil_registry.sandbox.answering import SigningIdentity, signed_answer
from adapters.civil_registry.sandbox.checking import CheckedRequest
from adapters.civil_registry.sandbox.service import ANSWER_ACTION, NAMESPACE
from gateway.signing import soap_names as n
from gateway.signing.xml import canonical, parse
from gateway.system import SystemClock
from tests.exchange.live import read_issued
from tests.signing.drafts import fresh_salt, raw_signature
from tests.signing.soap_messages import find, redigest

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from certs.authority import Issued

    Craft = Callable[["Asked"], "bytes | Http"]

NOW = SystemClock().now
SALT, RESULT = f"{{{NAMESPACE}}}salt", f"{{{NAMESPACE}}}resultat"


@dataclass(frozen=True)
class Http:
    """An answer with its status and headers, where they matter."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/xml; charset=utf-8"),)


@dataclass(frozen=True)
class Asked:
    """One request of the gateway, and every way to answer it under the registry's key."""

    data: bytes
    key: Issued
    last: bytes | None

    @property
    def message_id(self) -> str:
        return str(find(self._root, n.MESSAGE_ID).text)

    @property
    def confirms(self) -> str:
        return "".join(str(find(self._root, n.SIGNATURE_VALUE).text).split())

    @property
    def salt(self) -> str:
        return str(find(self._root, SALT).text)

    @property
    def _root(self) -> etree._Element:
        return parse(self.data)

    def answer(
        self,
        *,
        result: str = "NON_CONFIRME",
        salt: str | None = None,
        key: Issued | None = None,
        relates_to: str | None = None,
        confirms: str | None = None,
        action: str = ANSWER_ACTION,
        at: datetime | None = None,
    ) -> bytes:
        """A signed answer, right in all that a test does not say otherwise."""
        payload = etree.Element(f"{{{NAMESPACE}}}VerifierNaissanceReponse", nsmap={"ec": NAMESPACE})
        etree.SubElement(payload, SALT).text = fresh_salt() if salt is None else salt
        etree.SubElement(payload, RESULT).text = result
        checked = CheckedRequest(payload, relates_to or self.message_id, confirms or self.confirms)
        signer = key or self.key
        return signed_answer(payload, checked, action, SigningIdentity(signer.der, signer.key_pem), at or NOW())

    def changed(self, change: Callable[[etree._Element], object], *, resign: bool = False) -> bytes:
        """The good answer, changed; on request with all digests and the signature made anew by the true key."""
        root = parse(self.answer())
        change(root)
        if resign:
            sign_again(root, self.key)
        return etree.tostring(root, encoding="utf-8")

    def text(self, old: bytes, new: bytes) -> bytes:
        """The good answer with other bytes in one place."""
        good = self.answer()
        assert good.count(old) >= 1, old
        return good.replace(old, new, 1)


def sign_again(root: etree._Element, key: Issued) -> None:
    """Digests of what is there now, and a signature over SignedInfo as it now is."""
    info = find(root, n.SIGNED_INFO)
    for reference in info.iter(n.REFERENCE):
        target = str(reference.get("URI")).removeprefix("#")
        if sum(node.get(n.WSU_ID) == target for node in root.iter()) == 1:
            redigest(root, target)
    find(root, n.SIGNATURE_VALUE).text = base64.b64encode(raw_signature(key, canonical(info))).decode()


class TlsServer(ThreadingHTTPServer):
    """HTTPS on a port, with one way to answer; the certificate may be exchanged between connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, context: ssl.SSLContext, handler: type[BaseHTTPRequestHandler]) -> None:
        self.context = context
        super().__init__(("127.0.0.1", port), handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.settimeout(10)
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that the other side ended: nothing was spoken."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def server_context(stem: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """TLS under the certificate and key below one stem, asking for a client certificate where there is a root."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(stem.with_suffix(".pem"), stem.with_suffix(".key"))
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class Hostile:
    """The registry, taken over. ``craft`` makes each answer; ``requests`` counts what was asked."""

    def __init__(self, folder: Path, port: int) -> None:
        """``folder`` holds the registry's own files, as the sandbox would read them."""
        self._context = server_context(folder / "tls", folder / "caller-root.pem")
        self._key = read_issued(folder / "signing")
        self.craft: Craft = Asked.answer
        self.requests = 0
        self._last: bytes | None = None
        taken_over = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                made = taken_over._answer(data)
                self.send_response(made.status)
                for name, value in made.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(made.body)))
                self.end_headers()
                self.wfile.write(made.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
                """Nothing."""

        self._server = TlsServer(port, self._context, Handler)

    def _answer(self, data: bytes) -> Http:
        self.requests += 1
        made = self.craft(Asked(data, self._key, self._last))
        if self.craft is Asked.answer and isinstance(made, bytes):
            self._last = made
        return made if isinstance(made, Http) else Http(made)

    @contextmanager
    def answering(self, craft: Craft) -> Iterator[None]:
        """Answers so, for as long as it lasts."""
        self.craft = craft
        try:
            yield
        finally:
            self.craft = Asked.answer

    @contextmanager
    def presenting(self, stem: Path, client_ca: Path) -> Iterator[None]:
        """Another TLS certificate, for new connections; none is kept alive."""
        self._server.context = server_context(stem, client_ca)
        try:
            yield
        finally:
            self._server.context = self._context

    def close(self) -> None:
        self._server.close()


def shifted(by: timedelta) -> Craft:
    """The good answer, made at another time."""
    return lambda asked: asked.answer(at=NOW() + by)
