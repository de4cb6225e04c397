"""Keeps the revocation folder fresh, in a process of its own that holds no key: fetch, judge, and only then replace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from certs.fetch import FetchError
from certs.files import replace_public
from certs.lists import RevocationList
from certs.refresh import RefusedDataError, accept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from certs.refresh import Source

_ATTEMPTS = 3
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
#: After a failure: so soon again at first, then twice as late each time, until the usual pace.
_AGAIN_SECONDS = 15.0
_LEAST_SECONDS = 1.0
#: Parts of the time that is left, so that two gateways do not ask at the same moment.
_SPREAD = 0.2
_LOOK_SECONDS = 1.0


class Stop(Protocol):
    """That it is to end, told from outside."""

    def is_set(self) -> bool:
        """Whether it has been told."""
        ...

    def wait(self, timeout: float) -> bool:
        """Returns when it is told, or after ``timeout`` seconds; whether it was."""
        ...


@dataclass(frozen=True, slots=True)
class SourceState:
    """How it stands with one address.

    Attributes:
        file: its name in the revocation folder.
        fetched_at: when something good last came; None before.
        until: the next update of what stands there, as far as it came from us.
        failing_since: since when nothing good has come; None when the last try was good.
        reason: why the last try failed; None when it was good.
        refused: something came, and it was not taken (RefusedDataError), unlike a fetch that failed.
        tries: failed ones since the last good one.
    """

    file: str
    url: str
    fetched_at: datetime | None = None
    until: datetime | None = None
    failing_since: datetime | None = None
    reason: str | None = None
    refused: bool = False
    tries: int = 0


class Refresher:
    """Fetches each source before its data goes stale; a failure is tried again, ever more rarely."""

    def __init__(
        self,
        *,
        sources: Callable[[], Iterable[Source]],
        fetch: Callable[[Source], bytes],
        folder: Path,
        now: Callable[[], datetime],
        fraction: Callable[[], float],
        every_seconds: float,
        tell: Callable[[Iterable[SourceState]], None],
    ) -> None:
        """``sources`` are asked for at each look, ``fraction`` is a random number below 1, ``tell`` hears changes."""
        self._sources = sources
        self._fetch = fetch
        self._folder = folder
        self._now = now
        self._fraction = fraction
        self._every = every_seconds
        self._tell = tell
        self._states: dict[str, SourceState] = {}
        self._due: dict[str, datetime] = {}

    def run(self, stop: Stop) -> None:
        """Until ``stop`` is set."""
        self._tell(())
        while not stop.wait(_LOOK_SECONDS):
            self.look(stop)

    def look(self, stop: Stop) -> None:
        """Refreshes what is due, and forgets what no certificate names any more."""
        sources = {source.file: source for source in self._sources()}
        for gone in self._states.keys() - sources.keys():
            del self._states[gone], self._due[gone]
        for file, source in sources.items():
            if not stop.is_set() and self._due.get(file, self._now()) <= self._now():
                self._states[file] = state = self._refreshed(source, stop)
                self._due[file] = self._now() + self._pause(state)
                self._tell(self._states.values())

    def _refreshed(self, source: Source, stop: Stop) -> SourceState:
        before = self._states.get(source.file, SourceState(source.file, source.url))
        try:
            content = self._fetched(source, stop)
            until = self._taken(source, content)
        except (FetchError, RefusedDataError) as error:
            return self._failed(before, error.reason, refused=isinstance(error, RefusedDataError))
        except Exception as fault:  # noqa: BLE001  whatever a stranger's bytes do: the other sources go on
            return self._failed(before, "not_written" if isinstance(fault, OSError) else "fault", refused=False)
        return SourceState(source.file, source.url, fetched_at=self._now(), until=until)

    def _failed(self, before: SourceState, reason: str, *, refused: bool) -> SourceState:
        since = before.failing_since or self._now()
        return replace(before, failing_since=since, reason=reason, refused=refused, tries=before.tries + 1)

    def _fetched(self, source: Source, stop: Stop) -> bytes:
        retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            retry=retry_if_exception_type(FetchError),
            sleep=lambda seconds: _wait(stop, seconds),
            reraise=True,
        )
        content: bytes = retrying(self._fetch, source)
        return content

    def _taken(self, source: Source, content: bytes) -> datetime:
        path = self._folder / source.file
        kept = path.read_bytes() if path.exists() else None
        read = (RevocationList.read(file.read_bytes()) for file in self._folder.glob(f"{source.party}.*.crl"))
        lists = tuple(item for item in read if item is not None)
        accepted = accept(source, content, kept=kept, lists=lists, at=self._now())
        if accepted.der != kept:
            replace_public(path, accepted.der)
        return accepted.until

    def _pause(self, state: SourceState) -> timedelta:
        if state.tries:
            seconds = min(self._every, _AGAIN_SECONDS * 2 ** min(state.tries - 1, 16))
        else:
            left = self._every if state.until is None else (state.until - self._now()).total_seconds() / 2
            seconds = min(self._every, max(_LEAST_SECONDS, left))
        return timedelta(seconds=seconds * (1 - _SPREAD * self._fraction()))


def _wait(stop: Stop, seconds: float) -> None:
    stop.wait(seconds)
