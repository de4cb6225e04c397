"""An outside system as step 6 sees it: a canonical message in, verified canonical fields out, every attempt kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from adapters.resilience import AttemptFailedError, Resilience, ResilienceSettings
from contracts.names import versioned
from gateway.errors import Code
from gateway.model import Attempt, Reply, UpstreamRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.effect import Effect
    from gateway.model import ApartPart, OperationRef, RestPart, SignedPart, TlsPart
    from gateway.ports import Clock


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that holds: its canonical fields without the salt, and what evidence keeps of it (C6)."""

    fields: Mapping[str, object] = field(repr=False)
    part: SignedPart | RestPart | ApartPart | TlsPart


@dataclass(frozen=True, slots=True)
class Question:
    """A signed request, not yet sent: what evidence keeps of it, and the way to its answer.

    ``ask`` takes the seconds that it may last, and raises AttemptFailedError.
    """

    part: SignedPart | RestPart | ApartPart
    ask: Callable[[float], Answered] = field(repr=False)


class Asked(Protocol):
    """The canonical message of a question, as far as it is anybody else's matter."""

    @property
    def operation(self) -> OperationRef:
        """Which operation is asked."""
        ...

    @property
    def fields(self) -> Mapping[str, object]:
        """Canonical values by name."""
        ...


class Asking(Protocol):
    """What a question is made of: a caller's grant, or what we tell of our own accord."""

    @property
    def message(self) -> Asked:
        """The message."""
        ...

    @property
    def agreement(self) -> str:
        """Under which agreement."""
        ...

    @property
    def purpose(self) -> str:
        """For what."""
        ...

    @property
    def effect(self) -> Effect | None:
        """What it will have done, once, under a key; None where no key goes along."""
        ...


class Dialogue(Protocol):
    """One operation of an outside system, in its form."""

    def question(self, grant: Asking) -> Question:
        """A new request with its own salt, id, time and signature (C4).

        Raises KeystoreError, or Refusal (``field_invalid``) for values that their document does not take.
        """
        ...


class OutsideSystem:
    """ports.Upstream: the operations of one system, by their names and versions (contracts.names.versioned)."""

    def __init__(
        self,
        name: str,
        dialogues: Mapping[str, Dialogue],
        clock: Clock,
        resilience: ResilienceSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``name`` is its party's; opens no connection yet, so it may be built before a fork."""
        self.name = name
        self._dialogues = dialogues
        self._clock = clock
        self._resilience = Resilience(resilience or ResilienceSettings(), clock, sleep)

    def call(self, grant: Asking) -> Reply:
        """Its answer, with every attempt that it took.

        Raises UpstreamRefusal (``upstream_unavailable``, ``_timeout``, ``_untrusted``, ``_malformed``), which
        carries the attempts, and the seconds after which to come back where waiting helps.
        """
        asked = grant.message.operation
        dialogue = self._dialogues[versioned(asked.name, asked.version)]
        attempts: list[Attempt] = []

        def attempt(timeout: float) -> Mapping[str, object]:
            return self._attempt(dialogue.question(grant), timeout, attempts)

        try:
            fields = self._resilience.run(attempt)
        except AttemptFailedError as failed:
            raise UpstreamRefusal(failed.code, attempts=tuple(attempts), retry_after=failed.retry_after) from None
        except Exception as fault:
            if not attempts:
                raise
            # Whatever failed after something was sent, evidence says what was sent (L1).
            raise UpstreamRefusal(Code.INTERNAL, attempts=tuple(attempts)) from fault
        return Reply(self.name, fields, tuple(attempts))

    @property
    def operations(self) -> frozenset[str]:
        """What it answers, each with its contract's version."""
        return frozenset(self._dialogues)

    def cut_off(self) -> bool:
        """Whether its circuit breaker is open."""
        return self._resilience.cut_off()

    def _attempt(self, question: Question, timeout: float, attempts: list[Attempt]) -> Mapping[str, object]:
        """One try; kept whatever comes of it."""
        at = self._clock.now()
        outcome, answer = Code.INTERNAL.value, None
        try:
            answered = question.ask(timeout)
            # C6: only now, its salt sound, may evidence keep the answer's digests and signature.
            outcome, answer = "answered", answered.part
        except AttemptFailedError as failed:
            outcome = failed.code.value
            raise
        finally:
            attempts.append(Attempt(at, outcome, question.part, answer))
        return answered.fields
