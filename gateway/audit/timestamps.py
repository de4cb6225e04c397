"""Kept checkpoints, their timestamps, and the anchors that name them: each leaf lies between two tokens (L8, L11).

A token over a tree of n leaves was made after all of them; an anchor names a token, so whatever stands after the anchor
came after the token. Memory does not grow with the log but by the names of its side files.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.audit.cosignatures import check_lines
from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import FormatError
from gateway.ledger.note import parse_note
from gateway.ledger.side_files import FOLDER, authority_of, checkpoint_name, size_of
from gateway.ledger.timestamps import stamped, verify_token

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.evidence_schema import Anchor
    from gateway.audit.files import Source
    from gateway.audit.report import Report
    from gateway.audit.tree import Entry
    from gateway.audit.trust import Trust

TSA = "tsa"
#: Our clock beside the authority's, and the way from a leaf's time into the database.
TOLERANCE = timedelta(seconds=60)


def load_authorities(folder: Path) -> dict[str, tuple[bytes, ...]]:
    """The roots, DER, of each timestamp authority in ``tsa/<name>.pem``; raises ConfigurationError."""
    found: dict[str, tuple[bytes, ...]] = {}
    for path in sorted((folder / TSA).glob("*.pem")):
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except OSError as error:
            raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
        except ValueError:
            raise ConfigurationError("trust_malformed", path=path, detail="PEM") from None
        found[path.name.removesuffix(".pem")] = tuple(one.public_bytes(Encoding.DER) for one in certificates)
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    """A token that holds: of a tree of ``size`` leaves, made at this time."""

    size: int
    at: datetime
    file: str


@dataclass(frozen=True, slots=True)
class _Latest:
    """The latest of the leaves since the last token."""

    at: datetime
    entry: Entry
    exchange_id: str | None


class Timestamps:
    """Goes through the side files as the tree reaches their sizes, and through the leaves in their order."""

    def __init__(self, folder: Source, names: tuple[str, ...], trust: Trust, report: Report, size: int) -> None:
        """``names`` are paths below ``anchors/``; those of a size past ``size`` belong to a later copy."""
        self._folder = folder
        self._trust = trust
        self._report = report
        self._size = size
        self._names: dict[int, list[str]] = {}
        for path in names:
            name = path.removeprefix(f"{FOLDER}/")
            self._names.setdefault(size_of(name) or 0, []).append(name)
        if any(one > size for one in self._names):
            report.unproven.add(Unproven.LATER_FILES)
        self._waiting: deque[_Token] = deque()
        self._times: dict[str, datetime] = {}
        self._latest: _Latest | None = None
        self._newest: _Token | None = None
        self._after: datetime | None = None
        self._anchored = 0
        self._chain: str | None = None

    def __contains__(self, size: object) -> bool:
        """Whether there is something to compare at this size."""
        return size in self._names

    def reached(self, size: int, root: bytes) -> None:
        """The tree has this root at this size: what was kept of it is held against it."""
        kept = f"{FOLDER}/{checkpoint_name(size)}"
        try:
            note = self._kept(kept, size, root)
        except Problem as problem:
            self._report.problem(problem, file=kept)
            return
        for name in self._names[size]:
            if (authority := authority_of(name)) is not None and self._trust.authorities:
                file = f"{FOLDER}/{name}"
                try:
                    self._token(file, authority, note, size)
                except Problem as problem:
                    self._report.problem(problem, file=file)

    def leaf(self, entry: Entry, at: datetime, exchange_id: str | None) -> None:
        """Each leaf's time, in the order of the log."""
        while self._waiting and self._waiting[0].size <= entry.index:
            self._judge(self._waiting.popleft())
        if self._latest is None or at > self._latest.at:
            self._latest = _Latest(at, entry, exchange_id)
        if self._after is not None and at < self._after - TOLERANCE:
            before = Problem(Fault.TIME_OUTSIDE_TIMESTAMPS, "before the timestamp that an anchor before it names")
            self._report.problem(before, file=entry.file, index=entry.index, exchange_id=exchange_id)

    def anchor(self, index: int, anchor: Anchor) -> None:
        """An anchor's evidence: what it names lies there; raises Problem."""
        if anchor.size <= self._anchored or anchor.size > index:
            raise Problem(Fault.ANCHOR_DIFFERS, "not of a size between the anchor before it and itself")
        if anchor.previous != self._chain:
            raise Problem(Fault.ANCHOR_DIFFERS, "the timestamp before it is another")
        self._anchored = anchor.size
        wrong = [name for name, digest in anchor.files.items() if not self._is_there(name, digest, anchor.size)]
        for name in sorted(anchor.files, key=lambda name: (size_of(name) or 0, name)):
            if authority_of(name) is not None:
                self._chain = anchor.files[name]
            at = self._times.pop(name, None)
            if at is not None:
                self._after = at if self._after is None else max(self._after, at)
        if wrong:
            raise Problem(Fault.ANCHOR_DIFFERS, "not what lies there", file=f"{FOLDER}/{wrong[0]}")

    def finish(self) -> None:
        """Judges the last leaves, and what no anchor names."""
        while self._waiting:
            self._judge(self._waiting.popleft())
        for size, names in self._names.items():
            if size <= self._anchored:
                for name in names:
                    unnamed = Problem(Fault.ANCHOR_DIFFERS, "no anchor names it")
                    self._report.problem(unnamed, file=f"{FOLDER}/{name}")
        if self._newest is not None:
            self._report.unproven.discard(Unproven.NO_TIMESTAMPS)
            if self._newest.size < self._size:
                self._report.unproven.add(Unproven.TAIL_UNSTAMPED)

    def _kept(self, file: str, size: int, root: bytes) -> bytes:
        note = self._folder.read(file)
        try:
            signed = parse_note(note)
            checkpoint = signed.verify(self._trust.log_key)
        except FormatError as error:
            raise Problem(Fault.CHECKPOINT_INVALID, str(error)) from None
        check_lines(signed, self._trust.log_key, self._trust.witnesses)
        if checkpoint.size != size:
            raise Problem(Fault.CHECKPOINT_INVALID, "of another size than its name says")
        if checkpoint.root != root:
            raise Problem(Fault.LOG_FORKED, "the log was another one when this was kept")
        return note

    def _token(self, file: str, authority: str, note: bytes, size: int) -> None:
        roots = self._trust.authorities.get(authority)
        if roots is None:
            raise Problem(Fault.TIMESTAMP_INVALID, "of an authority that is not trusted")
        try:
            at = verify_token(self._folder.read(file), stamped(note, self._trust.log_key), roots)
        except FormatError as error:
            raise Problem(Fault.TIMESTAMP_INVALID, str(error)) from None
        token = _Token(size, at, file)
        if self._newest is not None and at < self._newest.at - TOLERANCE:
            raise Problem(Fault.TIME_OUTSIDE_TIMESTAMPS, "a timestamp earlier than that of a smaller tree")
        self._newest = token
        self._waiting.append(token)
        self._times[file.removeprefix(f"{FOLDER}/")] = at

    def _judge(self, token: _Token) -> None:
        latest, self._latest = self._latest, None
        if latest is not None and latest.at > token.at + TOLERANCE:
            after = Problem(Fault.TIME_OUTSIDE_TIMESTAMPS, f"after the timestamp {token.file}")
            self._report.problem(
                after, file=latest.entry.file, index=latest.entry.index, exchange_id=latest.exchange_id
            )

    def _is_there(self, name: str, digest: str, size: int) -> bool:
        of = size_of(name)
        if of is None or of > size or name not in self._names.get(of, ()):
            return False
        self._names[of].remove(name)
        try:
            return sha256(self._folder.read(f"{FOLDER}/{name}")).hexdigest() == digest
        except Problem:
            return False
