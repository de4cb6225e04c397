"""Anchors: each minute a timestamp over the log, and a leaf over what lies beside it (DESIGN L8).

The token dates all leaves before it; the anchor, which names the token, all leaves after it. So each leaf lies between
two times that are not ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.errors import PasserelleError
from gateway.ledger.cosignature import cosigned_by
from gateway.ledger.encoding import FormatError, parse_canonical_json
from gateway.ledger.evidence import anchor_evidence
from gateway.ledger.note import parse_note
from gateway.ledger.post import PostError
from gateway.ledger.record import unpack_record
from gateway.ledger.side_files import authority_of, checkpoint_name, size_of, token_name
from gateway.ledger.timestamps import NoTokenError, fetch_token, stamped
from gateway.ledger.witnessing import WitnessRule

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from gateway.ledger.note import LogKey
    from gateway.ledger.post import Post
    from gateway.ledger.rows import StoredLeaf
    from gateway.ledger.side_files import SideFiles
    from gateway.ledger.storage import AnchorRows
    from gateway.ledger.timestamps import TimestampAuthority
    from gateway.ledger.writer import Writer
    from gateway.ports import Clock, Randomness, Stop

_Failed = tuple[tuple[str, str], ...]
_NONE_FAILED: _Failed = ()
#: A failed try is made again sooner than the next would be due.
_AGAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class AnchorRule:
    """What the policy demands: whose tokens, and which witnesses."""

    authorities: tuple[TimestampAuthority, ...] = ()
    witnessing: WitnessRule = field(default_factory=WitnessRule)
    halt_after: timedelta | None = None

    @property
    def anchors(self) -> bool:
        """Whether there is anything to anchor to."""
        return bool(self.authorities or self.witnessing.witnesses)


@dataclass(frozen=True, slots=True)
class AnchorRecord:
    """What an anchor's record says: the size it speaks of, its files by name, the newest token before it."""

    size: int
    files: dict[str, str]
    previous: str | None

    @property
    def token(self) -> str | None:
        """The hex SHA-256 of the newest token that is known once this anchor stands."""
        tokens = [name for name in self.files if authority_of(name)]
        return self.files[max(tokens, key=lambda name: (size_of(name) or 0, name))] if tokens else self.previous


@dataclass(frozen=True, slots=True)
class Anchored:
    """What came of one try, for whoever watches.

    Attributes:
        size: that was anchored; None where nothing had to be.
        by: the authority whose token it was.
        failed: the authorities that gave none, and why.
    """

    size: int | None
    by: str | None = None
    failed: _Failed = ()


class Anchors:
    """Which size the last anchor spoke of, and since when a leaf waits for the next: read from the database alone.

    So each process of each node knows it by itself, whoever makes the anchors.
    """

    def __init__(self, rows: AnchorRows) -> None:
        self._rows = rows
        self._row = 0
        self._last: AnchorRecord | None = None

    def last(self) -> AnchorRecord | None:
        """The newest anchor's record; raises FormatError or StorageUnavailableError."""
        newest = self._rows.newest(self._row)
        if newest is not None:
            self._last, self._row = read_anchor(newest), newest.row
        return self._last

    def waiting_since(self) -> datetime | None:
        """The time of the oldest record, anchors apart, that no anchored tree holds; None where there is none."""
        last = self.last()
        return self._rows.oldest_after(0 if last is None else last.size)


class Anchoring:
    """Makes the anchors, in a thread of the sequencer's process that nothing else waits for."""

    def __init__(
        self,
        *,
        rule: Callable[[], AnchorRule],
        anchors: Anchors,
        files: SideFiles,
        checkpoint: Callable[[], bytes | None],
        key: LogKey,
        writer: Writer,
        post: Post,
        clock: Clock,
        randomness: Randomness,
        tell: Callable[[Anchored], None],
        alarm: Callable[[Exception], None],
    ) -> None:
        """Reads nothing; ``once`` and ``run`` do.

        Args:
            rule: asked each time, so that another policy counts at once.
            anchors: what is anchored already.
            files: the side files.
            checkpoint: the published note.
            key: the log's public key.
            writer: of the sequencer's process; it writes the leaf.
            post: how an authority is asked.
            clock: the leaf's time.
            randomness: its id.
            tell: told of each try.
            alarm: told of what kept a try from being made at all.
        """
        self._rule = rule
        self._anchors = anchors
        self._files = files
        self._checkpoint = checkpoint
        self._key = key
        self._writer = writer
        self._post = post
        self._clock = clock
        self._randomness = randomness
        self._tell = tell
        self._alarm = alarm

    def run(self, stop: Stop, leads: Callable[[], bool], every_seconds: float) -> None:
        """Tries each so many seconds until ``stop`` is set, and sooner after a failure; while this process leads."""
        pause = every_seconds
        while not stop.wait(pause):
            done = not leads() or self.attempt()
            pause = every_seconds if done else min(every_seconds, _AGAIN_SECONDS)

    def attempt(self) -> bool:
        """``once``, whose failure stops nothing; whether all is anchored that can be."""
        try:
            found = self.once()
        except (PasserelleError, OSError) as error:
            self._alarm(error)
            return False
        self._tell(found)
        return found.size is not None or not found.failed

    def once(self) -> Anchored:
        """Anchors the published checkpoint, where a leaf waits for it.

        Order: token, kept checkpoint and token on the disk, then the leaf that names them. A crash before the leaf
        leaves files that the next anchor names.
        Raises LedgerError, StorageUnavailableError, NotRecordedError or OSError.
        """
        rule, note = self._rule(), self._checkpoint()
        if not rule.anchors or note is None or self._anchors.waiting_since() is None:
            return Anchored(None)
        last = self._anchors.last()
        size = parse_note(note).checkpoint.size
        if last is not None and size <= last.size:
            return Anchored(None)
        names = [name for name in self._names(last) if size_of(name) == size]
        if checkpoint_name(size) in names:
            # of a try that got no further; meanwhile it may have been cosigned again
            note = self._files.read(checkpoint_name(size))
        by, failed = next((authority_of(name) for name in names if authority_of(name)), None), _NONE_FAILED
        token = b""
        if by is None and rule.authorities:
            by, token, failed = self._fetch(rule, note)
            if by is None:
                return Anchored(None, None, failed)
        with self._files.alone():
            if self._anchors.last() != last:
                # the lead was lost meanwhile, and another has gone further: nothing may be named after what it named
                return Anchored(None)
            if by is not None and token:
                self._files.add(token_name(size, by), token)
            self._files.add(checkpoint_name(size), note)
            self._write(rule, note, size, last)
        return Anchored(size, by, failed)

    def _names(self, last: AnchorRecord | None) -> list[str]:
        """The files that no anchor has named yet."""
        return self._files.names_after(0 if last is None else last.size)

    def _fetch(self, rule: AnchorRule, note: bytes) -> tuple[str | None, bytes, _Failed]:
        message = stamped(note, self._key)
        failed: list[tuple[str, str]] = []
        for authority in rule.authorities:
            try:
                token = fetch_token(authority, message, self._post, self._clock.now)
            except (NoTokenError, PostError) as error:
                failed.append((authority.name, error.reason))
            else:
                return authority.name, token, tuple(failed)
        return None, b"", tuple(failed)

    def _write(self, rule: AnchorRule, note: bytes, size: int, last: AnchorRecord | None) -> None:
        names = (name for name in self._names(last) if (size_of(name) or 0) <= size)
        files = {name: sha256(self._files.read(name)).hexdigest() for name in names}
        signed = parse_note(note)
        witnesses = rule.witnessing.witnesses
        there = cosigned_by(signed.checkpoint, signed.signatures, (witness.key for witness in witnesses))
        evidence = anchor_evidence(
            size,
            files,
            None if last is None else last.token,
            rule.witnessing.quorum if witnesses else None,
            tuple(there),
        )
        draft = self._writer.draft("anchor", self._randomness.uuid(), self._clock.now(), evidence)
        self._writer.commit(draft)


def read_anchor(stored: StoredLeaf) -> AnchorRecord:
    """What the record behind an anchor says; raises FormatError."""
    if stored.record is None:
        raise FormatError("an anchor's record is never purged")
    return parse_anchor(unpack_record(stored.record).evidence)


def parse_anchor(evidence: bytes) -> AnchorRecord:
    """The same from its evidence."""
    said: dict[str, Any] = parse_canonical_json(evidence)
    files, size, previous = said.get("files"), said.get("size"), said.get("previous")
    if said.get("kind") != "anchor" or not isinstance(files, dict) or not isinstance(size, int):
        raise FormatError("not the members of an anchor")
    if not all(size_of(name) is not None and isinstance(digest, str) for name, digest in files.items()):
        raise FormatError("an anchor's files that are none")
    return AnchorRecord(size, files, previous if isinstance(previous, str) else None)
