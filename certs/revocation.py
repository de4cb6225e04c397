"""Revocation lists as a folder of files, read again when a file changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.paths import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class RevocationFolder:
    """The lists of each organisation: files ``NAME.*.crl`` (PEM or DER) in one folder.

    A file that is no list, or cannot be read, is left out, so that whoever needs it finds revocation data missing
    and refuses.
    """

    def __init__(self, folder: Path, monotonic: Callable[[], float], *, every: float = 1.0) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._every = every
        self._lock = threading.Lock()
        self._looked = -every
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._revision = 0
        self._lists: dict[str, tuple[bytes, ...]] = {}

    def revision(self) -> int:
        """A number that changes when the lists do; looks at the folder at most once a second."""
        if self._monotonic() - self._looked >= self._every:
            with self._lock:
                self._look()
        return self._revision

    def lists(self, name: str) -> tuple[bytes, ...]:
        """The lists of one organisation, DER; empty when there is none."""
        self.revision()
        return self._lists.get(name, ())

    def _look(self) -> None:
        self._looked = self._monotonic()
        files = sorted(self._folder.glob("*.crl"))
        seen = tuple((file.name, *_state(file)) for file in files)
        if seen == self._seen:
            return
        lists: dict[str, tuple[bytes, ...]] = {}
        for file in files:
            der = load_crl(_content(file))
            if der is not None:
                name = file.name.split(".", 1)[0]
                lists[name] = (*lists.get(name, ()), der)
        self._seen, self._lists = seen, lists
        self._revision += 1


def _state(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, -1)
    return (status.st_mtime_ns, status.st_size)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def load_crl(content: bytes) -> bytes | None:
    """A revocation list from PEM or DER, as DER; None when it is neither."""
    loader = x509.load_pem_x509_crl if content.startswith(b"-----") else x509.load_der_x509_crl
    try:
        return loader(content).public_bytes(Encoding.DER)
    except UNREADABLE:
        return None
