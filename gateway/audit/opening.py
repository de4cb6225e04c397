"""Data keys: what an opening leaf seals to its period's officers, and the records that they open (DESIGN L2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.verdict import Fault, Problem
from gateway.ledger.encoding import FormatError
from gateway.ledger.leaf import SEALED_KINDS
from gateway.ledger.record import open_record, unpack_record
from gateway.ledger.sealing import open_data_key, period_public_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from gateway.audit.evidence_schema import Opening
    from gateway.audit.policies import Policy
    from gateway.ledger.leaf import Leaf
    from gateway.ledger.record import Record

_LEAST_SEALED = 32 + 3 * 4 + 16


@dataclass(frozen=True, slots=True)
class Opened:
    """A leaf and the record that it binds; ``packed`` are the leaf's bytes."""

    leaf: Leaf
    packed: bytes = field(repr=False)
    record: Record = field(repr=False)


class DataKeys:
    """The data keys that the auditor's period keys open."""

    def __init__(self, periods: Mapping[int, bytes]) -> None:
        """``periods``: raw private keys by YYYYMM."""
        self._periods = periods
        self._named = {period: sha256(period_public_key(key)).hexdigest() for period, key in periods.items()}
        self._raw: dict[UUID, bytes] = {}
        self._keys: dict[UUID, AESGCM] = {}

    def open(self, leaf: Leaf, opening: Opening, policy: Policy) -> None:
        """Takes a writer's data key, if its period's key is there.

        Raises Problem: evidence_differs, period_key_differs, record_unreadable.
        """
        if (opening.writer, opening.period) != (str(leaf.writer), leaf.period):
            raise Problem(Fault.EVIDENCE_DIFFERS, "an opening of another writer or period than its leaf's")
        if policy.bundle.periods.get(str(leaf.period)) != opening.period_key:
            raise Problem(Fault.PERIOD_KEY_DIFFERS, "sealed to another key than the policy names for the period")
        private = self._periods.get(leaf.period)
        if private is None:
            return
        if self._named[leaf.period] != opening.period_key:
            raise Problem(Fault.PERIOD_KEY_DIFFERS, "sealed to another key than the trusted one of the period")
        try:
            self._raw[leaf.writer] = open_data_key(private, opening.sealed_data_key, leaf.writer, leaf.period)
        except FormatError:
            raise Problem(Fault.RECORD_UNREADABLE, "the writer's data key does not open") from None

    def known(self, writers: Iterable[UUID]) -> dict[UUID, bytes]:
        """The data keys of these writers, of those that were opened."""
        return {writer: self._raw[writer] for writer in writers if writer in self._raw}

    def know(self, keys: Mapping[UUID, bytes]) -> None:
        """Takes data keys that another process opened, for those that were known before."""
        self._keys = {writer: self._keys.get(writer) or AESGCM(key) for writer, key in keys.items()}

    def record(self, leaf: Leaf, packed: bytes, stored: bytes) -> Opened | None:
        """The record that this leaf binds; None where it stays sealed for want of the period's key.

        Raises Problem: record_missing, record_unreadable.
        """
        if not stored:
            # only a destruction leaf could explain it, and there are none yet (L9)
            raise Problem(Fault.RECORD_MISSING, "the evidence is not there")
        plain = stored
        if leaf.kind in SEALED_KINDS:
            key = self._keys.get(leaf.writer)
            if key is None and leaf.period not in self._periods and len(stored) >= _LEAST_SEALED:
                return None
            if key is None:
                raise Problem(Fault.RECORD_UNREADABLE, "no data key opens the evidence")
            try:
                plain = open_record(key, packed, leaf.counter, stored)
            except FormatError:
                raise Problem(Fault.RECORD_UNREADABLE, "the evidence does not open") from None
        try:
            record = unpack_record(plain)
            record.check_binding(leaf.binding)
        except FormatError as error:
            raise Problem(Fault.RECORD_UNREADABLE, str(error)) from None
        if leaf.kind not in SEALED_KINDS and (record.answer_base or record.answer_signature):
            raise Problem(Fault.RECORD_UNREADABLE, "an answer in a kind that answers nobody")
        return Opened(leaf, packed, record)
