"""The Flask application: reads that carry no personal data, and for everything else the exchange."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

from flask import Flask, Response, request

from gateway.errors import Code, KeystoreError, Refusal
from gateway.http.connection import ARRIVAL
from gateway.model import Released

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.http.connection import Arrival
    from gateway.http.published import Page
    from gateway.http.receipts import Receipts
    from gateway.http.received import Receiver
    from gateway.messages.table import ErrorTable
    from gateway.model import Party, Received
    from gateway.ports import Handler, Identity

_LOG_FILE = re.compile(
    r"/log/(checkpoint|tile/(entries|[0-5])/(x\d{3}/)*\d{3}(\.p/\d{1,3})?|evidence/(x\d{3}/)*\d{3}(\.p/\d{1,3})?"
    r"|objects/[0-9a-f]{64})"
)
_RECEIPT = re.compile(r"/v1/exchanges/([0-9a-f-]{36})/receipt")
#: Of pages that nothing is loaded for and nothing runs in.
_NO_SCRIPT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Face:
    """What a request can be: a file of the log, the key set, a receipt, a page about the services, or an exchange."""

    def __init__(
        self,
        *,
        exchange: Handler,
        receiver: Receiver,
        identity: Identity,
        receipts: Receipts,
        errors: ErrorTable,
        log: Path,
        published: Mapping[str, Page],
        alarm: Callable[[Received, Exception], None],
    ) -> None:
        self._exchange = exchange
        self._receiver = receiver
        self._identity = identity
        self._receipts = receipts
        self._errors = errors
        self._log = log
        self._published = published
        self._alarm = alarm

    def answer(self) -> Response:
        """The answer to Flask's current request; nothing that leaves here shows a library's text."""
        received = self._receiver.receive(request.environ[ARRIVAL])
        try:
            if received.method == "GET" and (read := self._read(received)) is not None:
                return read
        except Exception as fault:  # noqa: BLE001  the last line: opaque outside, loud inside
            return _response(self._internal(received, fault))
        return _response(self._exchanged(received))

    def exchange(self, arrival: Arrival) -> Released:
        """The answer to a request that can be nothing but an exchange."""
        return self._exchanged(self._receiver.receive(arrival))

    def _exchanged(self, received: Received) -> Released:
        try:
            return self._exchange.handle(received)
        except KeystoreError as fault:
            # Not even a refusal can be signed: this one goes out bare, and nothing is in it.
            self._alarm(received, fault)
            return self._shown(received, Refusal(Code.NOT_RECORDED))
        except Exception as fault:  # noqa: BLE001  the last line: opaque outside, loud inside
            return self._internal(received, fault)

    def _internal(self, received: Received, fault: Exception) -> Released:
        self._alarm(received, fault)
        return self._shown(received, Refusal(Code.INTERNAL))

    def _read(self, received: Received) -> Response | None:
        """Reads need mutual TLS and are no exchanges (section 1); None when the request is no read."""
        reader = self._reader(received.target)
        if reader is None:
            return None
        try:
            party = self._identity.identify(received)
        except Refusal as refusal:
            return self._error(received, refusal)
        return reader(received, party)

    def _reader(self, target: str) -> Callable[[Received, Party], Response] | None:
        """What gives the document of this raw target; None where it names none."""
        if file := _LOG_FILE.fullmatch(target):
            return lambda received, _: self._file(received, file[1])
        if receipt := _RECEIPT.fullmatch(target):
            return lambda received, party: self._receipt(received, party, receipt[1])
        if page := self._published.get(target):
            return lambda *_: Response(page.body, headers=_NO_SCRIPT, content_type=page.content_type)
        match target:
            case "/.well-known/jwks.json":
                return lambda *_: Response(self._receipts.jwks(), content_type="application/jwk-set+json")
            case "/.well-known/passerelle-signing.pem":
                return lambda *_: Response(
                    self._receipts.certificates(), content_type="application/pem-certificate-chain"
                )
        return None

    def _file(self, received: Received, name: str) -> Response:
        try:
            content = (self._log / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return self._error(received, Refusal(Code.OPERATION_UNKNOWN))
        kind = "text/plain; charset=utf-8" if name == "checkpoint" else "application/octet-stream"
        return Response(content, content_type=kind)

    def _receipt(self, received: Received, party: Party, exchange_id: str) -> Response:
        try:
            receipt = self._receipts.receipt(UUID(exchange_id), party.name)
        except (ValueError, Refusal):
            return self._error(received, Refusal(Code.RECEIPT_UNKNOWN))
        if receipt is None:
            return Response(b"", 202, {"Retry-After": "1"})
        return Response(receipt, content_type="application/jose")

    def _error(self, received: Received, refusal: Refusal) -> Response:
        return _response(self._shown(received, refusal))

    def _shown(self, received: Received, refusal: Refusal) -> Released:
        shown = self._errors.unsigned(refusal, str(received.exchange_id), received)
        return Released(shown.status, (*shown.headers, ("Content-Type", shown.content_type)), shown.body)


class Application(Flask):
    """The application; it has no route of its own that could skip a step."""

    def __init__(self, face: Face) -> None:
        super().__init__("passerelle", static_folder=None)
        #: A POST is always an exchange: the worker brings it here at once, without the contexts and signals that
        #: it never uses. Everything else is dispatched by Flask, and reaches the same exchange if it is no read.
        self.exchange = face.exchange
        # what is raised here is for the connection to judge, not for a page of Flask's
        self.config["PROPAGATE_EXCEPTIONS"] = True
        self.before_request(face.answer)


def create_app(face: Face) -> Flask:
    """The application around what a request can be."""
    return Application(face)


def _response(released: Released) -> Response:
    return Response(released.body, released.status, released.headers)
