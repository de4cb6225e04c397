"""A log read over https with mutual TLS: its checkpoint first, then the files that a log of that size must have.

Nothing can be listed this way, so files too many are not seen; the report says so (DESIGN L11).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import requests

from gateway.audit.files import LARGEST, Listing, place_of
from gateway.audit.verdict import Fault, Problem
from gateway.errors import ShownError
from gateway.ledger.encoding import FormatError, parse_canonical_json
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import HASH_SIZE
from gateway.ledger.record import unpack_record
from gateway.ledger.tiles import (
    WIDTH,
    entries_path,
    evidence_path,
    pack_entries,
    pack_evidence,
    unpack_entries,
    unpack_evidence,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.tiles import Tile

_KIND = 1  # where a leaf has its kind
_ANCHOR = bytes([KINDS["anchor"]])
_SIDE_FILES = "anchors"
_TRIES = 3
_TIMEOUT = 30
_PIECE = 1 << 16


class SourceLostError(ShownError):
    """The log could not be reached, or would not answer: no verdict about it, good or bad."""

    def __init__(self, address: str, detail: str) -> None:
        super().__init__("log_unreachable", address=address, detail=detail)

    def __reduce__(self) -> tuple[type, tuple[object, object]]:
        return type(self), (self.values["address"], self.values["detail"])


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust for the address, and who asks: PEM files.

    Attributes:
        authority: root certificates that the server's must lead to; None for those of the system.
        certificate, key: the auditor's own, for TLS; None where the address asks for none.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class RemoteLog:
    """``/log`` at an https address, read only; goes to another process without its connection."""

    #: Whether the log's files can be listed, so that missing ones are named there.
    listed = False

    def __init__(self, address: str, tls: Tls) -> None:
        """``address``: up to where ``checkpoint`` and ``tile/`` are, without a slash at its end."""
        self.address = address
        self._tls = tls

    def __reduce__(self) -> tuple[type, tuple[str, Tls]]:
        return type(self), (self.address, self._tls)

    def read(self, path: str) -> bytes:
        """A file's bytes; raises Problem (file_missing, file_irregular), SourceLostError.

        Of a partial file that gave way to its full one meanwhile, the beginning.
        """
        data = self._get(path)
        if data is None and (tile := place_of(path)) is not None and tile.width < WIDTH:
            full = self._get(path.partition(".p/")[0])
            data = None if full is None else _cut(path, tile, full)
        if data is None:
            raise Problem(Fault.FILE_MISSING, "the address has no such file", file=path)
        return data

    def listing(self, size: int) -> Listing:
        """Of all files only the side files that anchor leaves name: the address lists nothing."""
        names: list[str] = []
        for first in range(0, size, WIDTH):
            number, width = first // WIDTH, min(WIDTH, size - first)
            with suppress(Problem, FormatError, LookupError):  # what cannot be read is found when it is judged
                anchors = [
                    at
                    for at, leaf in enumerate(unpack_entries(self.read(entries_path(number, width))))
                    if leaf[_KIND : _KIND + 1] == _ANCHOR
                ]
                records = unpack_evidence(self.read(evidence_path(number, width))) if anchors else []
                for at in anchors:
                    files = parse_canonical_json(unpack_record(records[at]).evidence).get("files")
                    names += [f"{_SIDE_FILES}/{name}" for name in files] if isinstance(files, dict) else []
        return Listing((), (), (), tuple(names))

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        # the environment must not choose whom we trust
        session.trust_env = False
        session.verify = True if self._tls.authority is None else str(self._tls.authority)
        if self._tls.certificate is not None:
            session.cert = (str(self._tls.certificate), str(self._tls.key or self._tls.certificate))
        return session

    def _get(self, path: str) -> bytes | None:
        for last in (*(False,) * (_TRIES - 1), True):
            try:
                return self._once(path)
            except requests.exceptions.SSLError as error:
                raise SourceLostError(self.address, type(error).__name__) from None
            except requests.exceptions.RequestException as error:
                if last:
                    raise SourceLostError(self.address, type(error).__name__) from None
        return None

    def _once(self, path: str) -> bytes | None:
        url = f"{self.address}/{path}"
        with self._session.get(url, timeout=_TIMEOUT, allow_redirects=False, stream=True) as response:
            if response.status_code == requests.codes.not_found:
                return None
            if response.status_code != requests.codes.ok:
                raise SourceLostError(self.address, f"HTTP {response.status_code}")
            data = bytearray()
            for piece in response.iter_content(_PIECE):
                data += piece
                if len(data) > LARGEST:
                    raise Problem(Fault.FILE_IRREGULAR, "too large", file=path)
            return bytes(data)


def _cut(path: str, tile: Tile, full: bytes) -> bytes:
    """The partial file that a full one begins with."""
    try:
        if tile.level >= 0:
            return full[: HASH_SIZE * tile.width]
        if path.startswith("evidence/"):
            return pack_evidence(unpack_evidence(full)[: tile.width])
        return pack_entries(unpack_entries(full)[: tile.width])
    except FormatError:
        raise Problem(Fault.BUNDLE_MALFORMED, "not the entries that its name says", file=path) from None
