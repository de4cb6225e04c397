"""The refresher's process, composed: it fetches what strangers publish, and holds no key at all.

What lives here: which certificates are known, and where its report lies. What may not: a keystore, the database.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.fetch import HttpFetcher
from certs.files import replace_public
from certs.refresh import Source, sources_of
from certs.refresher import Refresher, SourceState
from certs.said import UNREADABLE
from gateway.errors import ConfigurationError
from gateway.policy.bundle import read_bundle
from gateway.watch.refreshing import REPORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gateway.policy.bundle import Bundle
    from gateway.ports import Clock, Randomness, Stop
    from gateway.settings import Settings


def refresh(settings: Settings, clock: Clock, randomness: Randomness, stop: Stop) -> None:
    """Keeps the revocation folder fresh until ``stop`` is set."""
    known = KnownSources(settings)
    report = _Report(settings.folders.logs / REPORT)
    Refresher(
        sources=known.sources,
        fetch=HttpFetcher(settings.revocation.timeout_seconds),
        folder=settings.folders.revocation,
        now=clock.now,
        fraction=lambda: int.from_bytes(randomness.bytes(2)) / (1 << 16),
        every_seconds=settings.revocation.refresh_seconds,
        tell=report.tell,
    ).run(stop)


class KnownSources:
    """The addresses that the certificates we know name; looked for again when a file changes."""

    def __init__(self, settings: Settings) -> None:
        self._folders = settings.folders
        self._seen: object = None
        self._sources: tuple[Source, ...] = ()

    def sources(self) -> tuple[Source, ...]:
        """All of them; the last that could be read where the policy's copy cannot."""
        files = [self._folders.policy, *self._certificates("*"), *self._own()]
        seen = [(path, _changed(path)) for path in files]
        if seen != self._seen:
            try:
                bundle, _ = read_bundle(self._folders.policy.read_bytes())
            except (OSError, ConfigurationError):
                return self._sources
            self._sources = tuple(self._of(bundle))
            self._seen = seen
        return self._sources

    def _of(self, bundle: Bundle) -> Iterator[Source]:
        for name, party in bundle.parties.items():
            authority = bundle.authorities[party.authority]
            authorities = list(_ders(pem.encode() for pem in (*authority.roots, *authority.intermediates)))
            files = self._certificates(name)
            if name == bundle.gateway:
                files += self._own()
            certificates = _ders(_content(path) for path in files)
            yield from sources_of(name, [*authorities, *certificates], authorities)

    def _certificates(self, party: str) -> list[Path]:
        return sorted(self._folders.signers.glob(f"{party}.*pem"))

    def _own(self) -> list[Path]:
        return sorted(self._folders.keys.glob("*.pem"))


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _content(path: Path) -> bytes:
    """What a file holds; nothing where it cannot be read, since one party's file must not stop the others' lists."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _ders(pems: Iterable[bytes]) -> Iterator[bytes]:
    for pem in pems:
        try:
            yield x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        except UNREADABLE:
            continue


class _Report:
    """Tells the supervisor by a file, and the log of what changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = structlog.get_logger("refresher")
        self._told: dict[str, str | None] = {}

    def tell(self, states: Iterable[SourceState]) -> None:
        rows = list(states)
        for state in rows:
            if self._told.get(state.file, "never") != state.reason:
                self._told[state.file] = state.reason
                self._say(state)
        with suppress(OSError):  # a full disk is told of elsewhere
            replace_public(self._path, json.dumps([asdict(state) for state in rows], default=str).encode())

    def _say(self, state: SourceState) -> None:
        if state.reason is None:
            self._log.info("revocation_fetched", file=state.file, until=str(state.until))
        elif state.refused:
            self._log.error("revocation_refused", file=state.file, url=state.url, reason=state.reason)
        else:
            self._log.warning("revocation_fetch_fails", file=state.file, url=state.url, reason=state.reason)
