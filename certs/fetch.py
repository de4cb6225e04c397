"""Fetches revocation data from addresses that certificates name: strangers' servers, so bounded in every way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from certs.refresh import Source

MOST_BYTES = 1 << 20
_MOST_REDIRECTS = 3
_CHUNK = 1 << 16
_OK = 200
_REDIRECTS = (301, 302, 303, 307, 308)


class FetchError(Exception):
    """Nothing came that could be looked at; ``reason`` is one stable word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HttpFetcher:
    """Gets a list, or posts an OCSP request; no proxy, cookie or password of the environment goes along."""

    def __init__(self, timeout_seconds: float) -> None:
        """``timeout_seconds`` is for the whole of one fetch, however slowly it trickles."""
        self._timeout = timeout_seconds
        self._under_way: set[str] = set()

    def __call__(self, source: Source) -> bytes:
        """The bytes at the address, at most 1 MiB.

        Raises FetchError: ``unreachable``, ``http_error``, ``redirected_away``, ``too_large``, ``too_slow``.
        """
        if source.file in self._under_way:
            raise FetchError("too_slow")  # the one before this still trickles: it is not joined by another
        self._under_way.add(source.file)
        return _within(self._timeout, lambda: self._fetch(source), lambda: self._under_way.discard(source.file))

    def _fetch(self, source: Source) -> bytes:
        try:
            with requests.Session() as session:
                session.trust_env = False
                url = source.url
                for _ in range(_MOST_REDIRECTS + 1):
                    with self._asked(session, url, source.request()) as answer:
                        if answer.status_code not in _REDIRECTS:
                            return _body(answer)
                        url = _onward(url, answer.headers.get("Location", ""))
        except (requests.RequestException, ValueError):
            raise FetchError("unreachable") from None
        raise FetchError("redirected_away")

    def _asked(self, session: requests.Session, url: str, data: bytes | None) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}
        if data is not None:
            headers["Content-Type"] = "application/ocsp-request"
        method = "GET" if data is None else "POST"
        return session.request(
            method, url, data=data, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
        )


def _onward(url: str, location: str) -> str:
    # A party chose the address in its certificate; no server at it may send us to others, our own among them.
    target = urljoin(url, location)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise FetchError("redirected_away")
    return target


def _body(answer: requests.Response) -> bytes:
    if answer.status_code != _OK or answer.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchError("http_error")
    content = b""
    for chunk in answer.iter_content(_CHUNK):
        content += chunk
        if len(content) > MOST_BYTES:
            raise FetchError("too_large")
    return content


def _within(seconds: float, work: Callable[[], bytes], done: Callable[[], None]) -> bytes:
    """What ``work`` gives or raises, if it does in time: a peer that sends a byte now and then is left behind."""
    found: list[bytes | Exception] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001  raised again by whoever waits
            found.append(error)
        finally:
            done()

    thread = threading.Thread(target=run, name="fetch", daemon=True)
    thread.start()
    thread.join(seconds)
    outcome = found[0] if found else FetchError("too_slow")
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
