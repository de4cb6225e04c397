"""Rows out of evidence: one for each exchange and subject, and how many each period has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.audit.delivery_schema import Delivery
from gateway.audit.evidence_schema import EarlyRefusal, Exchange, read_evidence, read_exchange
from gateway.audit.questions.rows import Row, Rows, Subject, Terms
from gateway.audit.questions.store import Part
from gateway.ledger.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.audit.objects import Objects
    from gateway.audit.questions.walk import Seen, Walk

_ASKED = frozenset({"exchange", "refusal", "delivery"})
_SECRET = frozenset({"identifier", "personal"})
_MILLION = 1_000_000


class Gathering:
    """Rows and counts of each period, as the leaves come."""

    def __init__(
        self, objects: Objects, rows: Mapping[int, Rows], parts: Mapping[int, Part], periods: Mapping[int, bytes]
    ) -> None:
        """``rows`` and ``parts`` are what was gathered before, ``periods`` the raw private keys by YYYYMM."""
        self.rows = dict(rows)
        self.parts = dict(parts)
        self._objects = objects
        self._periods = periods
        self._terms: dict[Terms, Terms] = {}

    def take(self, walk: Walk, seen: Seen) -> None:
        """Takes the next leaf; raises Problem or FormatError where its evidence is not what was audited."""
        if seen.leaf.kind not in _ASKED:
            return
        period = seen.leaf.period
        part = self.parts.get(period, Part(0, 0))
        destroyed = part.destroyed + (not seen.stored)
        self.parts[period] = replace(part, leaves=part.leaves + 1, destroyed=destroyed)
        if period not in self._periods:
            return
        rows = self.rows.setdefault(period, Rows())
        record = walk.opened(seen)
        if record is None:
            return
        evidence: Exchange | EarlyRefusal | Delivery
        if seen.leaf.kind == "delivery":
            evidence = read_evidence(record.evidence, Delivery)
            terms = _terms_of_delivery(evidence)
        else:
            evidence = read_exchange(record.evidence, seen.leaf.kind)
            terms = self._terms_of(evidence)
        terms = self._terms.setdefault(terms, terms)
        for subject in subjects_of(evidence) or (None,):
            at = microseconds(seen.leaf.time)
            rows.append(Row(seen.index, at, seen.leaf.exchange_id, leaf_hash(seen.packed), terms, subject))

    def _terms_of(self, evidence: Exchange | EarlyRefusal) -> Terms:
        if not isinstance(evidence, Exchange):
            return Terms(
                "refusal", evidence.party or "", "", "", "", "", "", evidence.reason.value, (), discloses=False
            )
        return Terms(
            kind=evidence.kind,
            party=evidence.parties.caller,
            operation=evidence.operation,
            purpose=evidence.purpose,
            agreement=evidence.agreement,
            contract=evidence.contract.sha256,
            policy=evidence.policy,
            outcome=evidence.outcome,
            fields=evidence.fields,
            discloses=bool(evidence.subjects) or self._is_personal(evidence),
        )

    def _is_personal(self, evidence: Exchange) -> bool:
        operation = self._objects.contract(evidence.contract.sha256).operations[evidence.operation]
        sensitivity = operation.sensitivity("response")
        return any(sensitivity.get(name) in _SECRET for name in evidence.fields)


def _terms_of_delivery(evidence: Delivery) -> Terms:
    """A notice that was delivered is told as an exchange of its addressee's, any other round as a refusal."""
    return Terms(
        kind="exchange" if evidence.released else "refusal",
        party=evidence.parties.upstream or "",
        operation=evidence.operation or "",
        purpose=evidence.purpose or "",
        agreement=evidence.agreement or "",
        contract="" if evidence.contract is None else evidence.contract.sha256,
        policy=evidence.policy,
        outcome=evidence.outcome if evidence.released else evidence.reason or evidence.outcome,
        fields=evidence.fields if evidence.released else (),
        discloses=evidence.released,
    )


def subjects_of(evidence: Exchange | EarlyRefusal | Delivery) -> tuple[Subject, ...]:
    """The subjects that evidence names as told of."""
    if isinstance(evidence, EarlyRefusal) or not (isinstance(evidence, Exchange) or evidence.released):
        return ()
    return tuple(Subject(item.ledger, item.handle, item.role) for item in evidence.subjects)


def microseconds(at: datetime) -> int:
    """Since 1970, exactly."""
    return int(at.timestamp()) * _MILLION + at.microsecond
