"""The gateway for a ministry's own program: typed operations, sent again where that is safe, verified, kept.

What lives here: when a call is made again, and what is kept of each. What may not: how a message is signed or verified.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception, wait_exponential_jitter

from gateway.client.client import PartyClient, UnreachableError
from gateway.client.failed import kept, under
from gateway.client.operations import Operations
from gateway.client.party import PartyFolder
from gateway.client.refused import RefusedError
from gateway.client.signer import SIGNING_KEY, RequestSigner
from gateway.client.typed import Answered, said
from gateway.client.verifier import AnswerError
from gateway.keys.files import FileKeystore
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from tenacity import RetryCallState

    from gateway.client.client import ProvenPlace
    from gateway.client.signer import SignedRequest
    from gateway.client.typed import Asked
    from gateway.client.verifier import VerifiedAnswer
    from gateway.ports import Clock, Randomness

T = TypeVar("T")
_GOOD = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call is tried.

    Attributes:
        tries: messages at most, the first one counted.
        within: no new message after so long.
        longest: the longest wait between two; a refusal that asks for a longer one is raised at once.
        proof: how long the log is waited for to show the exchange; zero: not at all.
    """

    tries: int = 5
    within: timedelta = timedelta(minutes=2)
    longest: timedelta = timedelta(seconds=30)
    proof: timedelta = timedelta(0)


#: What most programs want.
PATIENT = Patience()


class Passerelle(Operations):
    """The gateway, as one party calls it; for one thread at a time.

    Each try is a message of its own, with a salt and a nonce of its own; what changes something bears one idempotency
    key in all of them, so that it happens once. Every answer, a refusal too, is verified and kept before it is given.
    """

    def __init__(
        self,
        client: PartyClient,
        receipts: Path,
        *,
        clock: Clock,
        randomness: Randomness,
        patience: Patience = PATIENT,
        acknowledge: bool = True,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """``receipts``: the folder of the signed answers; ``acknowledge``: say under signature what came (L12)."""
        self._client = client
        self._receipts = receipts
        self._clock = clock
        self._randomness = randomness
        self._patience = patience
        self._acknowledges = acknowledge
        self._pause = pause
        self._backoff = wait_exponential_jitter(multiplier=0.5, max=patience.longest.total_seconds(), jitter=0.5)

    @classmethod
    def of(cls, folder: Path, receipts: Path, *, patience: Patience = PATIENT, acknowledge: bool = True) -> Passerelle:
        """The gateway as a party's folder says (party.toml and its keys); raises ConfigurationError, KeystoreError."""
        party, clock, randomness = PartyFolder.load(folder), SystemClock(), SystemRandomness()
        signer = RequestSigner(FileKeystore(folder, signing=[SIGNING_KEY]), clock, randomness, party.origin)
        client = PartyClient(party, signer, randomness, clock=clock)
        return cls(client, receipts, clock=clock, randomness=randomness, patience=patience, acknowledge=acknowledge)

    def _ask(self, asked: Asked[T], fields: Mapping[str, object], idempotency_key: str | None = None) -> Answered[T]:
        """The verified answer, kept.

        Raises:
            RefusedError: the gateway refused, and would not have done otherwise soon.
            UnreachableError: it could not be reached.
            AnswerError: what came does not prove itself to be the gateway's answer.
            UnkeptError: the answer holds, and could not be written down.
            ConfigurationError: the party's folder has no agreement for the operation.

        The first four are CallErrors: what changes something may have happened or not, and their ``idempotency_key``
        is the one under which it is asked once more, to happen once.
        """
        key = str(self._randomness.uuid()) if asked.effects and idempotency_key is None else idempotency_key
        canonical, began = said(fields), self._clock.monotonic()
        retrying = Retrying(
            stop=lambda state: self._enough(state, began),
            wait=self._wait,
            retry=retry_if_exception(_may_pass),
            sleep=self._pause,
            reraise=True,
        )
        tries = count(1)
        with under(key):
            return retrying(lambda: self._once(asked, canonical, key, next(tries)))

    def _once(self, asked: Asked[T], fields: dict[str, Any], key: str | None, number: int) -> Answered[T]:
        request = self._client.prepare(asked.name, fields, salted=asked.salted, idempotency_key=key)
        answer = self._client.send(request)
        receipt = self._client.keep(request, answer, self._receipts)
        body = json.loads(answer.body)
        if answer.status >= _GOOD:
            raise RefusedError(answer, body, receipt)
        acknowledged = self._acknowledged(request, answer, body) if self._acknowledges else None
        place = self._proven(answer)
        if place is not None:
            with kept():
                receipt.with_suffix(".jws").write_text(place.receipt, encoding="ascii")
        return Answered(asked.read(body), body, answer.exchange_id, receipt, number, place, acknowledged)

    def _proven(self, answer: VerifiedAnswer) -> ProvenPlace | None:
        """Where the log shows it; None where that was not waited for, or nobody said: nothing is asked again for it."""
        within = self._patience.proof.total_seconds()
        try:
            return self._client.prove(answer, within=within) if within else None
        except UnreachableError:
            return None

    def _acknowledged(self, request: SignedRequest, answer: VerifiedAnswer, body: Mapping[str, Any]) -> str | None:
        """The exchange of the acknowledgement; None where it was not taken: the answer is the caller's all the same."""
        handle = body.get("handle")
        try:
            made = self._client.acknowledge(request, answer, handle=handle if isinstance(handle, str) else None)
        except (UnreachableError, AnswerError):
            return None
        self._client.keep(made.request, made.answer, self._receipts)
        return made.answer.exchange_id if made.answer.status < _GOOD else None

    def _enough(self, state: RetryCallState, began: float) -> bool:
        passed, patience = self._clock.monotonic() - began, self._patience
        wait = _asked_wait(state) or 0
        return (
            state.attempt_number >= patience.tries
            or wait > patience.longest.total_seconds()
            or passed + wait > patience.within.total_seconds()
        )

    def _wait(self, state: RetryCallState) -> float:
        """At least as long as the gateway asks, and longer each time, not all callers at once."""
        return max(self._backoff(state), _asked_wait(state) or 0)


def _may_pass(error: BaseException) -> bool:
    """Whether the same question may find another answer: nobody there, or a refusal that says when to come again."""
    if isinstance(error, UnreachableError):
        return error.key != "tls_refused"
    return isinstance(error, RefusedError) and error.retry_after is not None


def _asked_wait(state: RetryCallState) -> int | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.retry_after if isinstance(error, RefusedError) else None
