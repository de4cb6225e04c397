"""Rotation of the pseudonyms' key in place: new = HMAC(new key, old), in small steps, while exchanges go on (N2).

What holds after a crash at each point:

- before the generation's row: a key more in the keystore, which the next try uses;
- after it: new NIRECs come in under the new generation; those not rewritten yet are found under the former one;
- between two steps: each step is one transaction, and the next run goes on with what is left;
- at the end: no row of the former generation is left. Its key stays: a NIREC's chain begins with the first one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.nirec.found import Generation
    from gateway.nirec.pseudonyms import PseudonymChain
    from gateway.ports import Clock

#: Rows in a step: some milliseconds of the turn to write.
STEP = 250


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rotation is.

    Attributes:
        generation: the one that it leads to.
        resumed: an earlier run had begun it.
        done, total: pseudonyms rewritten, and all that there are.
        seconds_left: by this run's pace so far; None before its first step.
    """

    generation: int
    resumed: bool
    done: int
    total: int
    seconds_left: float | None


class RotationStore(Protocol):
    """The pseudonyms at rest."""

    def generations(self) -> Sequence[Generation]:
        """Every generation, oldest first."""
        ...

    def begin(self, generation: int, proof: bytes) -> None:
        """From now on this generation is the newest, durably; nothing where it is so already."""
        ...

    def counts(self, generation: int) -> tuple[int, int]:
        """How many pseudonyms are of this generation, and how many there are."""
        ...

    def former(self, generation: int, limit: int) -> Sequence[bytes]:
        """Some pseudonyms of the generation before it."""
        ...

    def rewrite(self, generation: int, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Puts the second in the place of the first, in one transaction; who was rewritten already is left."""
        ...

    def finish(self, generation: int) -> None:
        """Notes that nothing of the former generation is left, and leaves no trace of it in the file."""
        ...


class Rotation:
    """One rotation, from its key to its last row; run it again after whatever ended it."""

    def __init__(
        self, store: RotationStore, chain: PseudonymChain, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock
        self._pause = pause

    def run(self, make_key: Callable[[int], None], report: Callable[[Progress], None], step: int = STEP) -> Progress:
        """Begins the next generation, or resumes one that was begun, and returns when it is complete.

        ``make_key`` sees to it that the keystore has the key of a generation, durably. Raises KeystoreError where a
        key is absent or another one, StorageUnavailableError; the run after it goes on from there.
        """
        generation, resumed = self._begin(make_key)
        done, total = self._store.counts(generation)
        began, before, left = self._clock.monotonic(), done, None
        report(Progress(generation, resumed, done, total, left))
        while former := self._store.former(generation, step):
            started = self._clock.monotonic()
            # outside the turn to write: a token may take its time
            pairs = [(value, self._chain.next(value, generation)) for value in former]
            self._store.rewrite(generation, pairs)
            done += len(pairs)
            now = self._clock.monotonic()
            left = (now - began) / (done - before) * max(0, total - done)
            report(Progress(generation, resumed, done, total, left))
            self._pause(now - started)  # as long a turn for the others
        self._store.finish(generation)
        done, total = self._store.counts(generation)
        finished = Progress(generation, resumed, done, total, 0.0)
        report(finished)
        return finished

    def _begin(self, make_key: Callable[[int], None]) -> tuple[int, bool]:
        generations = self._store.generations()
        for known in generations:
            if known.proof is not None:
                self._chain.check(known.number, known.proof)
        newest = generations[-1]
        if not newest.complete:
            return newest.number, True
        make_key(newest.number + 1)
        self._store.begin(newest.number + 1, self._chain.proof(newest.number + 1))
        return newest.number + 1, False
