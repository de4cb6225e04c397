"""Who outside confirms the log, composed: the policy's witnesses and timestamp authorities, beside the sequencer.

What lives here: the policy's words as the ledger takes them, and what is told of the outcome. What may not: a key.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.files import replace_public
from gateway.errors import PasserelleError
from gateway.ledger.anchoring import Anchoring, AnchorRule, Anchors
from gateway.ledger.cosignature import WitnessKey
from gateway.ledger.post import HttpPost
from gateway.ledger.side_files import SideFiles
from gateway.ledger.storage import AnchorRows, PolicyRows
from gateway.ledger.timestamps import TimestampAuthority
from gateway.ledger.witnessing import Cosigned, WitnessAt, Witnesses, WitnessRule
from gateway.watch.outside import REPORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from gateway.in_force import Follower
    from gateway.ledger.anchoring import Anchored
    from gateway.ledger.note import LogKey
    from gateway.ledger.writer import Writer
    from gateway.policy.bundle import Bundle
    from gateway.ports import Clock, Randomness, Stop
    from gateway.settings import Settings
    from gateway.storage import Database

_LOOK_SECONDS = 1.0
_HALT_LOOK_SECONDS = 5.0


def witness_rule(bundle: Bundle) -> WitnessRule:
    """What a policy demands of witnesses."""
    section = bundle.witnessing
    if section is None:
        return WitnessRule()
    found = (WitnessAt(name, WitnessKey.parse(item.vkey), item.url) for name, item in section.witnesses.items())
    return WitnessRule(tuple(found), section.quorum, section.when_missing == "closed")


def anchor_rule(bundle: Bundle) -> AnchorRule:
    """What it demands of anchors."""
    section = bundle.timestamping
    if section is None:
        return AnchorRule(witnessing=witness_rule(bundle))
    authorities = (
        TimestampAuthority(name, item.url, _der(item.root), item.policy) for name, item in section.authorities.items()
    )
    minutes = section.halt_after_minutes
    halt = None if minutes is None else timedelta(minutes=minutes)
    return AnchorRule(tuple(authorities), witness_rule(bundle), halt)


class Outside:
    """The witnesses and the anchors of one sequencer's process; ``stop`` ends with the process."""

    def __init__(
        self,
        settings: Settings,
        follower: Follower,
        database: Database,
        key: LogKey,
        writer: Writer,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        """Asks nobody yet; ``writer`` writes the anchors, the other arguments are the process's own."""
        folder = settings.folders.log
        self._policy = _InForce(follower, PolicyRows(database), clock)
        self._report = _Report(settings.folders.logs / REPORT, clock)
        self._every = settings.ledger.anchor_seconds
        self._anchors = Anchors(AnchorRows(database))
        connect = partial(HttpPost, None if settings.ledger.outside_ca is None else str(settings.ledger.outside_ca))
        log = structlog.get_logger("anchors")
        self.witnesses = Witnesses(lambda: witness_rule(self._policy.bundle()), connect, clock, self._report.cosigned)
        self._anchoring = Anchoring(
            rule=lambda: anchor_rule(self._policy.bundle()),
            anchors=self._anchors,
            files=SideFiles(folder, folder.with_name(f"{folder.name}.tmp")),
            checkpoint=partial(_read, folder / "checkpoint"),
            key=key,
            writer=writer,
            post=connect(),
            clock=clock,
            randomness=randomness,
            tell=self._tell,
            alarm=lambda error: log.error("anchoring_fails", exc_info=error),
        )
        self._thread: threading.Thread | None = None

    def start(self, stop: Stop, leads: Callable[[], bool]) -> None:
        """Makes an anchor each so many seconds, until ``stop`` is set."""
        arguments = (stop, leads, self._every)
        self._thread = threading.Thread(target=self._anchoring.run, args=arguments, name="anchors", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """The last anchor, at shutdown; what it writes is to be sequenced."""
        if self._thread is not None:
            self._thread.join()
        self._anchoring.attempt()

    def _tell(self, found: Anchored) -> None:
        stamps = bool(anchor_rule(self._policy.bundle()).authorities)
        self._report.anchored(found, self._anchors.waiting_since() if stamps else None)


class Halt:
    """Whether exchanges are refused, since the oldest record without a timestamp is too old (L8)."""

    def __init__(self, rule: Callable[[], AnchorRule], anchors: Anchors, clock: Clock) -> None:
        """``look`` is called now and then, in a thread where it may wait; ``holds`` waits for nothing."""
        self._rule = rule
        self._anchors = anchors
        self._clock = clock
        self._holds = False
        self._next = 0.0

    def holds(self) -> bool:
        """As of the last look."""
        return self._holds

    def look(self) -> None:
        """Asks the database, every few seconds; raises StorageUnavailableError."""
        if self._clock.monotonic() < self._next:
            return
        self._next = self._clock.monotonic() + _HALT_LOOK_SECONDS
        after = self._rule().halt_after
        since = None if after is None else self._anchors.waiting_since()
        self._holds = after is not None and since is not None and self._clock.now() - since > after


class _InForce:
    """The policy in force, looked for once a second by whoever asks; the last one known where it cannot be."""

    def __init__(self, follower: Follower, rows: PolicyRows, clock: Clock) -> None:
        self._follower = follower
        self._rows = rows
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0

    def bundle(self) -> Bundle:
        with self._lock:
            if self._clock.monotonic() >= self._next:
                self._next = self._clock.monotonic() + _LOOK_SECONDS
                with suppress(PasserelleError):
                    self._follower.follow(self._rows)
            return self._follower.current.bundle


class _Report:
    """Tells whoever watches by a file, and the log of what changed."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._log = structlog.get_logger("anchors")
        self._lock = threading.Lock()
        self._content: dict[str, object] = {}
        self._missing_since: str | None = None
        self._failed: object = None

    def cosigned(self, found: Cosigned) -> None:
        """What came of asking the witnesses."""
        failed = dict(found.failed)
        if found.reached:
            self._missing_since = None
        elif self._missing_since is None:
            self._missing_since = self._clock.now().isoformat()
            self._log.error("witnesses_missing", quorum=found.quorum, cosigned=found.cosigned, failed=failed)
        said = {"quorum": found.quorum, "waits": found.waits, "cosigned": list(found.cosigned), "failed": failed}
        self._write("witnesses", said | {"missing_since": self._missing_since})

    def anchored(self, found: Anchored, waiting_since: datetime | None) -> None:
        """What came of a try to anchor."""
        if found.failed and found.failed != self._failed:
            self._log.warning("timestamp_fails", failed=dict(found.failed))
        self._failed = found.failed
        since = None if waiting_since is None else waiting_since.isoformat()
        self._write("timestamps", {"by": found.by, "failed": dict(found.failed), "waiting_since": since})

    def _write(self, part: str, said: dict[str, object]) -> None:
        with self._lock:
            if self._content.get(part) == said:
                return
            self._content[part] = said
            with suppress(OSError):  # a full disk is told of elsewhere
                replace_public(self._path, json.dumps(self._content).encode())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _der(pem: str) -> bytes:
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
