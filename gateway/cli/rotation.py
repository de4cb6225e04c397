"""`passerelle keys rotate nirec`: the pseudonyms under a new key, in place, while exchanges go on (N2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.output import Exit
from gateway.keys.names import nirec_key
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.rotation import Rotation
from gateway.nirec.storage import DatabaseRotation
from gateway.storage import migrate, open_database
from gateway.waiting import Threads

if TYPE_CHECKING:
    from gateway.cli.output import Output
    from gateway.composition import Composition
    from gateway.keys.make import KeyMaker
    from gateway.nirec.rotation import Progress
    from gateway.ports import Clock

_FIRST_SECONDS = 2.0
_EACH_SECONDS = 1.0


def rotate_nirec(output: Output, base: Composition) -> int:
    """Begins the next generation, or resumes the one that was begun, and returns when every pseudonym is under it.

    Ctrl-C pauses it, as any other end does: the same command goes on from there. Raises KeystoreError,
    StorageUnavailableError.
    """
    migrate(base.url)
    database = open_database(base.url, durable=True)
    keystore = base.nirec_keystore()
    maker = base.key_maker()
    rotation = Rotation(
        DatabaseRotation(database), PseudonymChain(keystore, nirec_key), base.clock, Threads().pause
    )  # fmt: skip
    shown = _Shown(output, base.clock)
    try:
        finished = rotation.run(lambda generation: _make(maker, nirec_key(generation)), shown)
    except KeyboardInterrupt:
        last = shown.last
        output.result({"complete": False, "done": last and last.done, "total": last and last.total})
        output.fail("rotation.paused")
        return Exit.OUTSIDE
    finally:
        maker.close()
        keystore.close()
        database.dispose()
    output.result({"complete": True, "generation": finished.generation, "total": finished.total})
    output.say("rotation.done", total=output.number(finished.total), name=nirec_key(finished.generation))
    return Exit.HOLDS


def _make(maker: KeyMaker, name: str) -> None:
    if not maker.has(name):  # a run before this one may have ended between its key and its first row
        maker.make_mac(name)


class _Shown:
    """Shows how far it is, past two seconds, on standard error."""

    def __init__(self, output: Output, clock: Clock) -> None:
        self._output = output
        self._clock = clock
        self._next = clock.monotonic() + _FIRST_SECONDS
        self.last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        if self.last is None and progress.resumed:
            self._output.fail(
                "rotation.resumed", done=self._output.number(progress.done), total=self._output.number(progress.total)
            )
        self.last = progress
        now = self._clock.monotonic()
        if progress.seconds_left is not None and now >= self._next:
            self._next = now + _EACH_SECONDS
            done, total = self._output.number(progress.done), self._output.number(progress.total)
            self._output.fail("rotation.progress", done=done, total=total, seconds=round(progress.seconds_left))
