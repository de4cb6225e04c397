"""Fetching over real sockets, from servers that mean no good."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from certs.authority import DevAuthority
from certs.fetch import MOST_BYTES, FetchError, HttpFetcher
from certs.profiles import Profile
from certs.refresh import Source
from tests.certs.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answering = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as it is told by the path."""

    answers: dict[str, Answering]
    asked: list[tuple[str, str, dict[str, str], bytes]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        self.answers[self.path](self)

    def do_POST(self) -> None:
        self.do_GET()

    def give(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(**answers: Answering) -> Iterator[tuple[str, type[Handler]]]:
    """A server and what it was asked; it ends with the block."""
    made = {f"/{name}": answer for name, answer in answers.items()}
    handler = type("Made", (Handler,), {"answers": made, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetched(url: str, seconds: float = 5.0) -> bytes:
    return HttpFetcher(seconds)(Source("ministry", url, b""))


def refused(url: str, seconds: float = 5.0) -> str:
    with pytest.raises(FetchError) as error:
        fetched(url, seconds)
    return error.value.reason


def test_a_list_is_got_and_nothing_of_the_environment_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(list=lambda h: h.give(b"a list")) as (url, handler):
        assert fetched(f"{url}/list") == b"a list"
    (method, _, headers, body) = handler.asked[0]
    assert (method, body, headers["Accept-Encoding"]) == ("GET", b"", "identity")
    assert {"Authorization", "Cookie"}.isdisjoint(headers)


def test_a_responder_is_posted_the_request() -> None:
    authority = DevAuthority("ministry", NOW)
    leaf = authority.issue(Profile.SIGNING, ["ministry.test"])
    with serving(ask=lambda h: h.give(b"an answer")) as (url, handler):
        source = Source("ministry", f"{url}/ask", authority.issuing.der, leaf.der)
        assert HttpFetcher(5.0)(source) == b"an answer"
    (method, _, headers, body) = handler.asked[0]
    assert (method, headers["Content-Type"], body) == ("POST", "application/ocsp-request", source.request())


def test_redirects_are_followed_a_few_times_and_never_away_from_the_server() -> None:
    with (
        serving(inside=lambda h: h.give(b"ours")) as (other, inner),
        serving(
            here=lambda h: h.give(b"", 302, Location="/there"),
            there=lambda h: h.give(b"found"),
            away=lambda h: h.give(b"", 302, Location="file:///etc/passwd"),
            secure=lambda h: h.give(b"", 302, Location="https://127.0.0.1:1/"),
            elsewhere=lambda h: h.give(b"", 302, Location=f"{other}/inside"),
            round=lambda h: h.give(b"", 302, Location="/round"),
        ) as (url, handler),
    ):
        assert fetched(f"{url}/here") == b"found"
        assert refused(f"{url}/away") == "redirected_away"
        assert refused(f"{url}/secure") == "redirected_away"
        assert refused(f"{url}/elsewhere") == "redirected_away"
        assert refused(f"{url}/round") == "redirected_away"
    assert [path for _, path, _, _ in handler.asked].count("/round") == 4
    assert inner.asked == []


def test_answers_that_are_none() -> None:
    with serving(
        missing=lambda h: h.give(b"no", 404),
        zipped=lambda h: h.give(b"\x1f\x8b", Content_Encoding="gzip"),
        large=lambda h: h.give(b"x" * (MOST_BYTES + 1)),
        full=lambda h: h.give(b"x" * MOST_BYTES),
    ) as (url, _):
        assert refused(f"{url}/missing") == "http_error"
        assert refused(f"{url}/zipped") == "http_error"
        assert refused(f"{url}/large") == "too_large"
        assert len(fetched(f"{url}/full")) == MOST_BYTES
    assert refused(f"{url}/missing") == "unreachable"


def test_whoever_trickles_is_left_behind_and_not_joined_by_another() -> None:
    done = threading.Event()

    def trickle(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not done.wait(0.05):
            handler.wfile.write(b"a")

    with serving(slow=trickle) as (url, handler):
        fetch, source = HttpFetcher(0.5), Source("ministry", f"{url}/slow", b"")
        for _ in range(2):
            with pytest.raises(FetchError, match="too_slow"):
                fetch(source)
        assert len(handler.asked) == 1
        done.set()
