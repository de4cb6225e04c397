"""One bounded POST to a server of somebody else's: a witness, a timestamp authority. No proxy, no redirect."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import requests

LARGEST_ANSWER = 1 << 18
_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class Posted:
    """What came back."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


class PostError(Exception):
    """Nothing came that could be looked at; ``reason`` is one stable word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Post(Protocol):
    """How a server is asked."""

    def __call__(self, url: str, body: bytes, content_type: str, seconds: float, /) -> Posted:
        """Its answer within so many seconds; raises PostError."""
        ...


class HttpPost:
    """``Post`` over a connection that is kept; one for each server, used by one thread at a time."""

    def __init__(self, ca_file: str | None = None) -> None:
        """``ca_file`` stands in for the system's authorities."""
        self._session = requests.Session()
        self._session.trust_env = False
        if ca_file is not None:
            self._session.verify = ca_file

    def __call__(self, url: str, body: bytes, content_type: str, seconds: float, /) -> Posted:
        """Its answer, of at most 256 KiB; raises PostError: ``unreachable``, ``too_large``, ``too_slow``."""
        end = time.monotonic() + seconds
        headers = {"Content-Type": content_type, "Accept-Encoding": "identity"}
        try:
            with self._session.post(
                url, data=body, headers=headers, timeout=seconds, allow_redirects=False, stream=True
            ) as answer:
                content = b""
                for chunk in answer.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        raise PostError("too_large")
                    if time.monotonic() > end:
                        raise PostError("too_slow")
                return Posted(answer.status_code, answer.headers.get("Content-Type", ""), content)
        except requests.Timeout:
            raise PostError("too_slow") from None
        except (requests.RequestException, ValueError):
            raise PostError("unreachable") from None
