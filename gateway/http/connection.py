"""One caller's connection: the handshake, then request after request, each with its time to arrive in."""

from __future__ import annotations

import math
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import gevent
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.util import http_date

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from gevent.socket import socket as Socket  # noqa: N812  a class, whatever its name

    from gateway.model import Released
    from gateway.watch.meters import Door

#: What a peer has for its handshake, and for one whole request from its first byte on.
PATIENCE_SECONDS = 10.0
#: What it has to take one whole answer.
_TAKING_SECONDS = 60.0
#: Where a request is to be found in the environment of those that Flask dispatches.
ARRIVAL = "passerelle.arrival"
#: What is read of a body that nobody wanted, so that the caller gets to read its answer.
_DRAINED = 1 << 16
#: A peer whose bytes are always there keeps the loop no longer than this at a time ...
_SLICE_SECONDS = 0.005
#: ... and no request comes in more pieces than this: the parser looks at a head again with each.
_MOST_READS = 2000
_NOT_HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Body(Protocol):
    """A request's body, yet to be read."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; fewer at its end."""
        ...


class Arrival(NamedTuple):
    """A request whose head has come: names in upper case, the raw target, and the peer's certificate (DER)."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: Body
    certificate: bytes


class House(Protocol):
    """What stands behind all connections of a worker."""

    cfg: Any
    context: ssl.SSLContext
    server: tuple[str, int]

    @property
    def alive(self) -> bool:
        """False when the worker is to end: what is begun is finished, and nothing more."""
        ...

    @property
    def application(self) -> Callable[..., Any]:
        """The WSGI application."""
        ...

    @property
    def exchange(self) -> Callable[[Arrival], Released] | None:
        """Answers what can be nothing but an exchange; None where WSGI answers everything."""
        ...

    def turned_away(self, what: Door, error: BaseException) -> None:
        """Told of a handshake or of bytes that never became a request."""
        ...

    def failed(self, error: BaseException) -> None:
        """Told of a fault of ours."""
        ...


class Connection:
    """Runs in a greenlet of its own; ``deadline`` (monotonic seconds) is what the worker ends it by."""

    __slots__ = (
        "_address",
        "_house",
        "_raw",
        "_reads",
        "_slice",
        "_tls",
        "busy",
        "deadline",
        "greenlet",
        "idle",
        "proven",
    )

    def __init__(self, raw: Socket, address: tuple[str, int], house: House) -> None:
        self._raw = raw
        self._address = address
        self._house = house
        self._tls: Any = None
        self.greenlet: gevent.Greenlet[..., None] | None = None
        self.deadline = monotonic() + PATIENCE_SECONDS
        self.idle = False
        #: From the moment that its request is whole until its answer is ready: nobody ends it then.
        self.busy = False
        #: Whether the handshake is over, and with it the peer known.
        self.proven = False
        self._reads = 0
        self._slice = 0.0

    def serve(self) -> None:
        """Until the peer has gone, or its time is over; raises nothing."""
        try:
            if self._handshake():
                self._requests(RequestParser(self._house.cfg, self, self._address))
        except (StopIteration, NoMoreData, OSError, gevent.GreenletExit):
            pass  # gone, in its own way or in ours
        except Exception as error:  # noqa: BLE001  the last line: one connection must not end the others
            self._house.failed(error)
        finally:
            # without waiting for the peer's farewell
            with suppress(OSError):
                (self._tls or self._raw).close()

    def recv(self, size: int) -> bytes:
        """What the parser reads from; the first byte of a request starts its time.

        Raises TimeoutError or ConnectionAbortedError for a peer that keeps the loop for itself.
        """
        data: bytes = self._tls.recv(size)
        now = monotonic()
        if self.idle:
            self.idle = False
            self.deadline = now + PATIENCE_SECONDS
            self._reads = 0
        self._reads += 1
        if now > self.deadline:
            raise TimeoutError
        if self._reads > _MOST_READS:
            raise ConnectionAbortedError
        if now > self._slice:
            gevent.sleep(0)
            self._slice = monotonic() + _SLICE_SECONDS
        return data

    def _handshake(self) -> bool:
        context = self._house.context
        try:
            self._tls = context.wrap_socket(self._raw, server_side=True, do_handshake_on_connect=False)
            self._tls.do_handshake()
        except (OSError, gevent.GreenletExit) as error:
            self._house.turned_away("handshake_failed", error)
            return False
        self.proven = True
        return True

    def _requests(self, parser: RequestParser) -> None:
        certificate = self._tls.getpeercert(binary_form=True) or b""
        while True:
            self.idle = True
            self.deadline = monotonic() + float(self._house.cfg.keepalive)
            try:
                request = next(parser)
                if self.idle:  # it came with the one before
                    self.idle = False
                    self.deadline = monotonic() + PATIENCE_SECONDS
                answered = self._answer(request, certificate)
            except ParseException as error:  # what is no HTTP, in head or body, before step 1
                self.busy = False
                self._refuse(error)
                return
            self.deadline = monotonic() + PATIENCE_SECONDS
            if not answered or not self._house.alive or request.should_close() or not _drained(parser):
                return

    def _refuse(self, error: Exception) -> None:
        """A bare 400, without a byte of what came (N1): gunicorn's exceptions quote it."""
        self._house.turned_away("not_http", error)
        self._tls.sendall(_NOT_HTTP)

    def _answer(self, request: Any, certificate: bytes) -> bool:
        """Answers one request; False if the connection ends with it."""
        body = _Timely(request.body, self)
        arrival = Arrival(request.method, request.uri, request.headers, body, certificate)
        exchange = self._house.exchange
        if exchange is None or request.method != "POST":
            return self._dispatch(request, arrival)
        if request._expected_100_continue:  # noqa: SLF001  gunicorn has no public name for it
            self._tls.sendall(_CONTINUE)
        released = exchange(arrival)
        self._send(released, closing=not self._house.alive or request.should_close())
        return True

    def _send(self, released: Released, *, closing: bool) -> None:
        status, body = released.status, released.body
        lines = [f"{name}: {value}" for name, value in released.headers]
        head = "\r\n".join(
            (
                f"HTTP/1.1 {status} {_PHRASES[status]}",
                f"Date: {http_date()}",
                "Connection: close" if closing else "Connection: keep-alive",
                *lines,
                f"Content-Length: {len(body)}",
                "\r\n",
            )
        )
        if head.count("\n") != len(lines) + 5:
            raise ValueError("a header holds a line's end")
        self._give()
        self._tls.sendall(head.encode("latin-1") + body)

    def _give(self) -> None:
        """The answer is ready: from here on the peer's time counts again."""
        self.busy = False
        self.deadline = monotonic() + _TAKING_SECONDS

    def _dispatch(self, request: Any, arrival: Arrival) -> bool:
        """Through WSGI, as gunicorn's own workers do it."""
        response, environ = wsgi.create(request, self._tls, self._address, self._house.server, self._house.cfg)
        environ["wsgi.multithread"] = True
        environ[ARRIVAL] = arrival
        if not self._house.alive:
            response.force_close()
        parts = self._house.application(environ, response.start_response)
        try:
            self._give()
            for part in parts:
                response.write(part)
            response.close()
        finally:
            if hasattr(parts, "close"):
                parts.close()
            # reads wait for nothing: without this, one caller with many in a row would keep the loop to itself
            gevent.sleep(0)
        return not response.should_close()


class _Timely:
    """A body whose caller's time is over once it is read: what follows takes as long as it takes."""

    __slots__ = ("_body", "_connection")

    def __init__(self, body: Body, connection: Connection) -> None:
        self._body = body
        self._connection = connection

    def read(self, size: int) -> bytes:
        """As the body gives it."""
        data = self._body.read(size)
        self._connection.busy = True
        self._connection.deadline = math.inf
        return data


def _drained(parser: RequestParser) -> bool:
    """Reads what nobody wanted of a body; False where the next request's beginning cannot be known."""
    try:
        return bool(parser.finish_body(max_bytes=_DRAINED))
    except ParseException:
        return False
