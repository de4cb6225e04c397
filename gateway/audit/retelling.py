"""One exchange translated again, from what its parties kept (DESIGN L12, C3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from contracts.loader import SALT
from contracts.names import versioned
from gateway.audit.evidence_schema import SoapRequestPart
from gateway.audit.kept import answer_content, request_content
from gateway.audit.places import RestAsked, differing, hidden, places_of, raw_target
from gateway.audit.reduction import reduced
from gateway.audit.request_check import base_values
from gateway.audit.verdict import Fault, Problem
from gateway.errors import Refusal
from gateway.signing.structured import MalformedFieldError
from gateway.translation.again import canonical_answer, canonical_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lxml import etree

    from gateway.audit.evidence_schema import Exchange
    from gateway.audit.objects import Objects
    from gateway.audit.others_kept import OthersKept

    Fields = Mapping[str, object]

#: Two salts, to find where in a message the salt stands.
_SALTS = bytes(16), bytes([255]) * 16
_ANSWERED = "answered"
#: What the gateway answers itself, from the request's fields alone.
_OURSELVES: Mapping[str, Callable[[Fields], Fields]] = {
    "loopback": lambda asked: asked,
    "ledger": lambda asked: {"acknowledged": asked["exchange_id"]},
    "subjects": lambda _asked: {},
    "batches": lambda _asked: _untold(),
}


class System(Protocol):
    """Another system as its mapping has it: pure, without network or keys.

    Both raise Refusal, or ValueError for what the mapping does not take; LookupError for an operation that it has not.
    """

    def sent(self, operation: str, fields: Fields, salt: bytes) -> etree._Element | RestAsked:
        """What it is sent for this canonical message."""
        ...

    def answered(self, operation: str, content: etree._Element | bytes, status: int) -> Fields:
        """The canonical fields of its answer, without the salt; ``status`` is HTTP's, of an answer by REST."""
        ...


class NotGivenError(Exception):
    """Somebody's message is not among what was given, or nobody can read it: nothing is said of it."""


def _untold() -> Fields:
    """What another exchange of the batch was answered: nothing that this one's messages say."""
    raise NotGivenError


class Retelling:
    """What the parties kept of one exchange, each message held against the digest that was signed of it."""

    def __init__(
        self,
        evidence: Exchange,
        files: Mapping[str, Path],
        objects: Objects,
        others: OthersKept,
        systems: Mapping[str, System],
    ) -> None:
        """``files`` are the caller's, by part.

        Raises Problem where the contract or the policy cannot be read, NotGivenError where the contract has no such
        operation, which is another check's finding.
        """
        self._evidence = evidence
        self._files = files
        self._others = others
        self._contract = objects.contract(evidence.contract.sha256)
        operation = self._contract.operations.get(evidence.operation)
        if operation is None:
            raise NotGivenError
        self._operation = operation
        self._versioned = versioned(evidence.operation, self._contract.version)
        self._agreement = objects.bundle(evidence.policy).agreements.get(evidence.agreement)
        self._system = systems.get(self._operation.upstream)

    def requests(self) -> int:
        """How many messages to another system are what the caller asked; raises Problem, NotGivenError."""
        attempts = self._evidence.upstream
        if not attempts:
            return 0
        fields = self._asked()
        for number, attempt in enumerate(attempts, 1):
            got = self._others.request(attempt.request)
            if got is None or self._system is None:
                raise NotGivenError
            if names := self._altered(got, fields, self._system):
                raise Problem(Fault.TRANSLATION_DIFFERS, f"request {number} to the other system: {', '.join(names)}")
        return len(attempts)

    def _altered(self, got: etree._Element | RestAsked, fields: Fields, system: System) -> tuple[str, ...]:
        """The places of a request to another system that do not say what the caller asked."""
        try:
            # what stands in the place of a salt, or of a handle that is theirs and not the caller's, is not compared
            due = system.sent(self._versioned, fields, _SALTS[0])
            again = system.sent(self._versioned, self._renamed(fields), _SALTS[1])
            if isinstance(got, RestAsked) and isinstance(due, RestAsked):
                got = got.below(due)
            names = differing(places_of(got), places_of(due), places_of(again))
        except LookupError:
            raise NotGivenError from None
        except (Refusal, ValueError):
            return ("what was asked has no counterpart",)
        if not names and hidden(places_of(due)):
            raise NotGivenError  # what is encrypted to them can be compared by them alone
        return names

    def _renamed(self, fields: Fields) -> Fields:
        """The same question about another child, where the other system is asked about one (N3)."""
        rule = self._operation.reduction
        if rule is None or rule.act not in {"read", "register"}:
            return fields
        return {**fields, **{name: str(fields[name])[::-1] for name in rule.given}}

    def answers(self) -> int:
        """1 if the caller got what the other system answered and no more was left out than agreed, else 0.

        0 where nothing was released. Raises Problem, NotGivenError.
        """
        if self._evidence.kind != "exchange":
            return 0
        if self._agreement is None:
            raise NotGivenError  # released under no agreement: another check's finding too
        got = self._got()
        due = reduced(self._told(), self._evidence, self._operation, self._agreement)
        names = sorted(
            name for name in got.keys() | due.keys() if (name in got, got.get(name)) != (name in due, due.get(name))
        )
        if not names and tuple(sorted(got)) != self._evidence.fields:
            names = ["the names of the fields in evidence"]
        if names:
            raise Problem(Fault.TRANSLATION_DIFFERS, f"the answer: {', '.join(names)}")
        return 1

    def _asked(self) -> dict[str, object]:
        data, file = self._kept("request")
        content = request_content(data, self._evidence.request)
        if content is None:
            raise Problem(Fault.KEPT_REQUEST_DIFFERS, "not the bytes that the request's digest is of", file=file)
        try:
            fields = canonical_request(self._contract, self._evidence.operation, content, self._target())
        except Refusal as refusal:
            raise Problem(
                Fault.TRANSLATION_DIFFERS, f"the contract refuses the request: {refusal}", file=file
            ) from None
        return {name: value for name, value in fields.items() if name != SALT}

    def _target(self) -> str:
        request = self._evidence.request
        if isinstance(request, SoapRequestPart):
            return ""
        try:
            return raw_target(base_values(request.base).get('"@target-uri"', ""))
        except (MalformedFieldError, UnicodeEncodeError):
            raise NotGivenError from None  # what is wrong with it is another check's finding

    def _got(self) -> dict[str, object]:
        data, file = self._kept("answer")
        content = answer_content(data, self._evidence)
        if content is None:
            raise Problem(Fault.KEPT_ANSWER_DIFFERS, "not the bytes that the answer's digest is of", file=file)
        try:
            fields = canonical_answer(self._contract, self._evidence.operation, content)
        except Refusal as refusal:
            raise Problem(Fault.TRANSLATION_DIFFERS, f"the contract refuses the answer: {refusal}", file=file) from None
        return {name: value for name, value in fields.items() if name != SALT}

    def _told(self) -> Fields:
        """What step 6 gave, as far as kept messages say."""
        if ourselves := _OURSELVES.get(self._operation.upstream):
            return ourselves(self._asked())
        attempt = self._evidence.upstream[-1] if self._evidence.upstream else None
        if attempt is None or attempt.answer is None or self._system is None:
            raise NotGivenError
        kept = self._others.answer(attempt.answer)
        if kept is None:
            raise NotGivenError
        try:
            return self._system.answered(self._versioned, kept.content, kept.status)
        except LookupError:
            raise NotGivenError from None
        except (Refusal, ValueError):
            raise Problem(Fault.TRANSLATION_DIFFERS, "the other system's answer has no counterpart") from None

    def _kept(self, part: str) -> tuple[bytes, str]:
        path = self._files.get(part)
        if path is None:
            raise NotGivenError
        try:
            return path.read_bytes(), path.name
        except OSError:
            raise Problem(Fault.UNFORESEEN, "a kept body cannot be read", file=path.name) from None
