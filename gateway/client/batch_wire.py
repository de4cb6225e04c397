"""One connection of a batch: kept, a record at a time, each its own signed message and its own verified answer."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.client.batch_journal import REFUSED, Row, salt
from gateway.client.failed import CallError
from gateway.client.receipts import receipt_of
from gateway.errors import ShownError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.client.batch_file import FileRecord
    from gateway.client.client import PartyClient
    from gateway.client.party import PartyFolder
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer
    from gateway.ports import Randomness

VERIFY, ANSWER = "batch.verify", "batch.answer"
_OK = 200
_DRAWN_BYTES = 8
_TIMEOUT_SECONDS = 30
#: Refusals of this one record: the others go on. What else is refused is of all of them.
_OF_THE_RECORD = frozenset({"field_invalid", "body_malformed", "body_too_large"})
_LINE_ANSWERED = "line_answered"
#: Refusals that time mends.
_LATER = frozenset({429, 502, 503, 504})
_LATER_CODES = frozenset({"line_in_hand", "replayed", "created_out_of_window"})


class LaterError(ShownError):
    """No answer for now; ``retry_after`` seconds where the gateway said so, and its code."""

    def __init__(self, code: str, retry_after: float = 0) -> None:
        super().__init__("batch_waiting", code=code)
        self.code = code
        self.retry_after = retry_after


class BatchRefusedError(CallError):
    """The gateway refuses the batch itself, under its signature; the text says why and what to do."""

    @classmethod
    def of(cls, answer: VerifiedAnswer) -> BatchRefusedError:
        """What a verified refusal says, in French and in English."""
        said = _problem(answer)
        words = {"title": _said(said, "title", "fr"), "title_en": _said(said, "title", "en")}
        words |= {"detail": _said(said, "detail", "fr"), "detail_en": _said(said, "detail", "en")}
        code = str(said.get("code", answer.status))
        return cls("batch_refused", code=code, exchange_id=answer.exchange_id, **words)


@dataclass(frozen=True, slots=True)
class Result:
    """A record's row, and where the gateway refused the record why, in both languages."""

    row: Row
    refused: tuple[str, str] | None = None


class BatchWire:
    """For one thread."""

    def __init__(self, party: PartyFolder, client: PartyClient, batch: str, key: bytes, randomness: Randomness) -> None:
        """``key`` is the batch's, of which salts are made (batch_journal.salt)."""
        self._party = party
        self._client = client
        self._batch = batch
        self._key = key
        self._randomness = randomness
        self._context = tls_context(party)
        self._connection: http.client.HTTPSConnection | None = None

    def ask(self, place: int, record: FileRecord) -> Result:
        """The record's result, answered now or before.

        Raises LaterError, BatchRefusedError, AnswerError (an answer that does not prove itself).
        """
        answer, drawn, request = self._sent(VERIFY, place, record)
        problem = _problem(answer)
        if problem.get("code") == _LINE_ANSWERED:
            answer, drawn, request = self._sent(ANSWER, place, record)
            problem = _problem(answer)
        if answer.status == _OK:
            said = json.loads(answer.body)
            receipt = {"line": record.line, "drawn": drawn.hex()} | receipt_of(self._party, request, answer)
            kept = json.dumps(receipt, ensure_ascii=False)
            row = Row(record.line, record.reference, said["outcome"], said.get("handle", ""), answer.exchange_id, kept)
            return Result(row)
        code = str(problem.get("code", answer.status))
        if code in _OF_THE_RECORD:
            row = Row(record.line, record.reference, REFUSED, "", answer.exchange_id, None)
            about = "" if "component" not in problem else f" ({problem['component']})"
            return Result(row, (f"{_said(problem, 'title', 'fr')}{about}", f"{_said(problem, 'title', 'en')}{about}"))
        if answer.status in _LATER or code in _LATER_CODES:
            raise LaterError(code, _seconds(answer.headers.get("retry-after")))
        raise BatchRefusedError.of(answer)

    def _sent(self, operation: str, place: int, record: FileRecord) -> tuple[VerifiedAnswer, bytes, SignedRequest]:
        drawn = self._randomness.bytes(_DRAWN_BYTES)
        where = {"batch": self._batch, "line": str(place + 1), "salt": salt(self._key, record.line, drawn)}
        request = self._client.prepare(operation, {**record.fields, **where}, salted=False)
        reused = self._connection is not None
        try:
            answer = self._exchange(request)
        except LaterError:
            if not reused:
                raise
            # the gateway had ended a connection that was idle: another one is tried at once, with a message of its own
            return self._sent(operation, place, record)
        return answer, drawn, request

    def _exchange(self, request: SignedRequest) -> VerifiedAnswer:
        """Sent once: whoever cannot tell whether it arrived asks again, and is told what was recorded."""
        try:
            if self._connection is None:
                where = urlsplit(self._party.origin)
                self._connection = http.client.HTTPSConnection(
                    str(where.hostname), where.port, context=self._context, timeout=_TIMEOUT_SECONDS
                )
            self._connection.request(request.method, request.target, request.body, dict(request.headers))
            response = self._connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise LaterError(type(error).__name__) from None
        return self._client.verify(request, response.status, headers, body)

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def tls_context(party: PartyFolder) -> ssl.SSLContext:
    """The party's side of mutual TLS: its certificate, and the one authority that it believes of the gateway."""
    context = ssl.create_default_context(cafile=str(party.authority))
    context.load_cert_chain(party.folder / "tls.pem", party.folder / "tls.key")
    return context


def _problem(answer: VerifiedAnswer) -> Mapping[str, object]:
    if answer.status == _OK:
        return {}
    said = json.loads(answer.body)
    return said if isinstance(said, dict) else {}


def _said(problem: Mapping[str, object], name: str, language: str) -> str:
    return str(problem.get(f"{name}_{language}", problem.get(name, "")))


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0
