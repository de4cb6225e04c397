"""Revocation lists and OCSP answers as a folder of files, read again when a file changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from certs.said import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_SUFFIXES = (".crl", ".ocsp")
#: For so many looks a thread that prepares may be late before others look for themselves.
_PATIENCE = 4
_Seen = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Revocation:
    """What the folder held at one look, by organisation, all DER; ``revision`` is another number for each content."""

    revision: int
    lists: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)
    answers: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)


class RevocationFolder:
    """What tells of revocation: files ``NAME.*.crl`` (PEM or DER) and ``NAME.*.ocsp`` (DER) in one folder.

    A file that is neither, or cannot be read, is left out, so that whoever needs it finds revocation data missing and
    refuses.
    """

    def __init__(self, folder: Path, monotonic: Callable[[], float], *, every: float = 1.0) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._every = every
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._seen: _Seen | None = None
        self._current = Revocation(0)

    def current(self) -> Revocation:
        """What is in force: the same object for as long as the files are the same; looks at most once a second."""
        if self._monotonic() - self._looked >= self._every:
            with self._lock:
                self._take(*self._look())
        return self._current

    def prepare(self, ready: Callable[[Revocation], None]) -> None:
        """Looks; what is new is in force only once ``ready`` has returned. For a thread of its own.

        While it is called each second nobody else looks; where it no longer is, ``current`` does after a while.
        """
        seen, found = self._look()
        if found is not self._current:
            ready(found)
        with self._lock:
            self._take(seen, found)
            self._looked += _PATIENCE * self._every

    def _take(self, seen: _Seen, found: Revocation) -> None:
        self._looked, self._seen, self._current = self._monotonic(), seen, found

    def revision(self) -> int:
        """A number that changes when the lists or answers do."""
        return self.current().revision

    def lists(self, name: str) -> tuple[bytes, ...]:
        """The lists of one organisation, DER; empty when there is none."""
        return self.current().lists.get(name, ())

    def answers(self, name: str) -> tuple[bytes, ...]:
        """The OCSP answers of one organisation, DER; empty when there is none."""
        return self.current().answers.get(name, ())

    def _look(self) -> tuple[_Seen, Revocation]:
        files = sorted(path for path in self._folder.glob("*.*") if path.suffix in _SUFFIXES)
        seen = tuple((file.name, *_state(file)) for file in files)
        if seen == self._seen:
            return seen, self._current
        found: dict[str, dict[str, tuple[bytes, ...]]] = {suffix: {} for suffix in _SUFFIXES}
        for file in files:
            content = _content(file)
            if content is None:
                seen = ()  # out of descriptors, say: it is read again at the next look, though it stays the same
                continue
            der = load_crl(content) if file.suffix == ".crl" else load_ocsp(content)
            if der is not None:
                name, of_kind = file.name.split(".", 1)[0], found[file.suffix]
                of_kind[name] = (*of_kind.get(name, ()), der)
        if (found[".crl"], found[".ocsp"]) == (self._current.lists, self._current.answers):
            return seen, self._current
        return seen, Revocation(self._current.revision + 1, found[".crl"], found[".ocsp"])


def _state(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, -1)
    return (status.st_mtime_ns, status.st_size)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def load_crl(content: bytes) -> bytes | None:
    """A revocation list from PEM or DER, as DER; None when it is neither."""
    loader = x509.load_pem_x509_crl if content.startswith(b"-----") else x509.load_der_x509_crl
    try:
        return loader(content).public_bytes(Encoding.DER)
    except UNREADABLE:
        return None


def load_ocsp(content: bytes) -> bytes | None:
    """A successful OCSP response (DER) as it is; None when it is none."""
    try:
        response = ocsp.load_der_ocsp_response(content)
        successful = response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
        return response.public_bytes(Encoding.DER) if successful else None
    except UNREADABLE:
        return None
