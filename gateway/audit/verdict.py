"""What an audit says: findings, which make the log fail; facts; and what it cannot prove (DESIGN L11).

Every code is a stable word; gateway/messages gives its sentence in French and English.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.audit.counts import KeptCount, ReceiptCount, TranslationCount  # noqa: TC001  a dataclass's own fields
from gateway.audit.inputs import Input  # noqa: TC001  the same
from gateway.errors import PasserelleError


class Fault(StrEnum):
    """Every reason for which a log does not hold, from the files inwards."""

    FILE_UNKNOWN = "file_unknown"
    FILE_MISSING = "file_missing"
    FILE_IRREGULAR = "file_irregular"
    CHECKPOINT_INVALID = "checkpoint_invalid"
    COSIGNATURES_MISSING = "cosignatures_missing"
    COSIGNATURE_INVALID = "cosignature_invalid"
    TIMESTAMP_INVALID = "timestamp_invalid"
    ANCHOR_DIFFERS = "anchor_differs"
    TIME_OUTSIDE_TIMESTAMPS = "time_outside_timestamps"
    LOG_SHRANK = "log_shrank"
    LOG_FORKED = "log_forked"
    ROOT_DIFFERS = "root_differs"
    TILE_DIFFERS = "tile_differs"
    BUNDLE_MALFORMED = "bundle_malformed"
    OBJECT_INVALID = "object_invalid"
    OBJECT_MISSING = "object_missing"

    LEAF_MALFORMED = "leaf_malformed"
    KIND_UNSUPPORTED = "kind_unsupported"
    LEAF_REPEATED = "leaf_repeated"
    GENESIS_DIFFERS = "genesis_differs"
    WRITER_INVALID = "writer_invalid"
    COUNTER_GAP = "counter_gap"
    PERIOD_KEY_DIFFERS = "period_key_differs"
    RECORD_MISSING = "record_missing"
    RECORD_UNREADABLE = "record_unreadable"
    EVIDENCE_MALFORMED = "evidence_malformed"
    EVIDENCE_DIFFERS = "evidence_differs"
    TIME_DIFFERS = "time_differs"

    POLICY_DIFFERS = "policy_differs"
    POLICY_NOT_APPROVED = "policy_not_approved"
    POLICY_TOO_EARLY = "policy_too_early"
    CONTRACT_DIFFERS = "contract_differs"
    CONTRACT_UNKNOWN = "contract_unknown"
    NOT_AGREED = "not_agreed"
    AGREEMENT_NOT_IN_FORCE = "agreement_not_in_force"
    FIELDS_NOT_AGREED = "fields_not_agreed"
    SUBJECTS_DIFFER = "subjects_differ"
    OVER_BUDGET = "over_budget"
    REFUSAL_UNFOUNDED = "refusal_unfounded"
    CERTIFICATE_REFUSED = "certificate_refused"
    CERTIFICATE_OUT_OF_DATE = "certificate_out_of_date"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CERTIFICATE_OF_OTHER_USE = "certificate_of_other_use"
    CERTIFICATE_PROOF_DIFFERS = "certificate_proof_differs"
    CERTIFICATE_OF_ANOTHER = "certificate_of_another"

    REQUEST_MALFORMED = "request_malformed"
    REQUEST_NOT_COVERED = "request_not_covered"
    REQUEST_DIFFERS = "request_differs"
    REQUEST_SIGNATURE_INVALID = "request_signature_invalid"
    REPLAYED = "replayed"
    EFFECT_DIFFERS = "effect_differs"
    INTENT_MISSING = "intent_missing"
    UPSTREAM_DIFFERS = "upstream_differs"
    UPSTREAM_SIGNATURE_INVALID = "upstream_signature_invalid"
    ANSWER_MALFORMED = "answer_malformed"
    ANSWER_NOT_COVERED = "answer_not_covered"
    ANSWER_DIFFERS = "answer_differs"
    ANSWER_SIGNATURE_INVALID = "answer_signature_invalid"

    ACKNOWLEDGEMENT_UNFOUNDED = "acknowledgement_unfounded"
    ACKNOWLEDGEMENT_DIFFERS = "acknowledgement_differs"

    RECEIPT_UNREADABLE = "receipt_unreadable"
    RECEIPT_NOT_OURS = "receipt_not_ours"
    RECEIPT_MISSING = "receipt_missing"
    RECEIPT_OVERDUE = "receipt_overdue"
    RECEIPT_LEAF_DIFFERS = "receipt_leaf_differs"
    RECEIPT_ANSWER_DIFFERS = "receipt_answer_differs"
    RECEIPT_PROOF_DIFFERS = "receipt_proof_differs"

    KEPT_REQUEST_DIFFERS = "kept_request_differs"
    KEPT_ANSWER_DIFFERS = "kept_answer_differs"
    KEPT_HANDLE_DIFFERS = "kept_handle_differs"
    KEPT_MISSING = "kept_missing"
    TRANSLATION_DIFFERS = "translation_differs"

    DESTROYED_WITHOUT_LEAVE = "destroyed_without_leave"
    DESTRUCTION_MALFORMED = "destruction_malformed"
    DESTRUCTION_NOT_APPROVED = "destruction_not_approved"
    DESTRUCTION_TOO_EARLY = "destruction_too_early"
    DESTRUCTION_VERDICT_DIFFERS = "destruction_verdict_differs"

    RECOVERY_MALFORMED = "recovery_malformed"
    LOSS_MALFORMED = "loss_malformed"
    LOSS_NOT_APPROVED = "loss_not_approved"
    LOSS_NOT_NAMED = "loss_not_named"

    UNFORESEEN = "unforeseen"


class Unproven(StrEnum):
    """What this audit cannot prove, whatever the log holds."""

    FIRST_AUDIT = "first_audit"
    ANSWERS_UNACKNOWLEDGED = "answers_unacknowledged"
    HANDLES_ASSERTED = "handles_asserted"
    ORIGIN_ASSERTED = "origin_asserted"
    CONTRACTS_ASSERTED = "contracts_asserted"
    UPSTREAM_SEALED_APART = "upstream_sealed_apart"
    WRITERS_OPEN = "writers_open"
    COUNTERS_IN_FLIGHT = "counters_in_flight"
    LOSS_AWAITED = "loss_awaited"
    EFFECTS_UNSETTLED = "effects_unsettled"
    EVIDENCE_SEALED = "evidence_sealed"
    BEFORE_SINCE = "before_since"
    LATER_FILES = "later_files"
    FILES_NOT_LISTED = "files_not_listed"
    KEPT_NOT_COMPARED = "kept_not_compared"
    TRANSLATION_INCOMPLETE = "translation_incomplete"
    FILES_IGNORED = "files_ignored"
    TAIL_UNSTAMPED = "tail_unstamped"
    NO_TIMESTAMPS = "no_timestamps"
    NO_WITNESSES = "no_witnesses"


class Problem(PasserelleError):
    """One check failed; ``detail`` says which in a few words without personal data, ``file`` where if known."""

    def __init__(self, fault: Fault, detail: str, *, file: str | None = None) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
        self.file = file


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for which the log does not hold.

    Attributes:
        code: a Fault.
        file: relative to the log, with forward slashes; empty for the directory itself. Of a receipt or a kept body,
            ``receipts/`` or ``kept/`` and its name.
        exchange_id: of the exchange, with hyphens, where there is one.
        index: of the leaf, where there is one.
        detail: a few English words, never a value from evidence.
    """

    code: Fault
    file: str
    exchange_id: str | None
    index: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a caller signed of an exchange, against what the gateway recorded of it; the log holds all the same.

    Attributes:
        party: the caller, of both.
        exchange_id: of the exchange acknowledged.
        acknowledged_by: the exchange that is the acknowledgement.
        index: of the acknowledgement's leaf.
        terms: which differ: ``agreement``, ``purpose``, ``answer_digest``, ``handle``.
    """

    party: str
    exchange_id: str
    acknowledged_by: str
    index: int
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartyCount:
    """How much a party asked for, and how much of it was refused; ``name`` is empty for strangers.

    An acknowledgement is an exchange too; it is neither ``acknowledged`` nor ``unacknowledged``.
    """

    name: str
    exchanges: int
    refusals: int
    acknowledged: int = 0
    unacknowledged: int = 0


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A policy that came into force, rightly; ``officers`` approved it, ``at`` is RFC 3339."""

    version: int
    sha256: str
    at: str
    officers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyAttempt:
    """Something about the policy that was refused, and changed nothing.

    Attributes:
        sha256: of the policy that it was about; None where it was about none.
        reason: a stable word.
        by: which process saw it: ``command``, ``start`` or ``worker``.
        at: RFC 3339.
    """

    sha256: str | None
    reason: str
    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A lawful destruction of sealed evidence (L9); times are RFC 3339.

    Attributes:
        index: of its leaf.
        period: YYYYMM of the leaves that it means.
        first, end: the range of their indices, without ``end``.
        due: before when the policy kept them.
        at: the leaf's time.
        records: how many of them are gone.
        officers: who signed it.
        auditor: on whose word.
    """

    index: int
    period: int
    first: int
    end: int
    due: str
    at: str
    records: int
    officers: tuple[str, ...]
    auditor: str


@dataclass(frozen=True, slots=True)
class LogRecovery:
    """The log was put back into a database, and what officers say that this lost (L7); times are RFC 3339.

    Attributes:
        index: of the leaf that says that it was recovered.
        at: that leaf's time.
        size: of the log that it was recovered to.
        since: from then on answers may be in no log; until ``at``.
        named: the index of the officers' leaf; None where there is none.
        officers: who signed that.
        reason: theirs, a stable word; empty without them.
        exchanges: of which they say that they are in no log.
    """

    index: int
    at: str
    size: int
    since: str
    named: int | None = None
    officers: tuple[str, ...] = ()
    reason: str = ""
    exchanges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Handed:
    """A copy of the log that was handed to a party, as an opened leaf tells; times are RFC 3339.

    Attributes:
        index: of its leaf.
        recipient: the party.
        size: of the log that was copied.
        due: by when it is to be returned or destroyed.
        at: the leaf's time.
    """

    index: int
    recipient: str
    size: int
    due: str
    at: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Another system was about to be asked for an effect, and nothing says what became of it.

    Attributes:
        index: of the intent's leaf.
        exchange_id: of its exchange.
    """

    index: int
    exchange_id: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the log holds, as far as it could be read.

    Attributes:
        origin, size, root: of the checkpoint; root in hex, empty where there is no checkpoint to believe.
        exchanges: that were answered.
        acknowledged, unacknowledged: answers whose acknowledgement is in the log, and those without; of opened
            evidence only, and without the acknowledgements' own.
        refusals: how many by code, in the order of the codes.
        parties: by name; only of evidence that was opened.
        writers, writers_open: all, and those that no closing leaf ends.
        sealed: leaves whose evidence stays sealed to officers.
        before: leaves whose evidence was not opened again, since an earlier audit had been told to have done so.
        policies: each change of the policy, in order.
        attempts: what was refused of it; the log holds all the same.
        first, last: times of the first and the last leaf, RFC 3339; empty for an empty log.
        destructions: what officers destroyed, in order; the log holds all the same.
        handovers: copies that were handed over, of opened evidence only, in order.
        recoveries: in order; the log holds all the same, if officers named what was lost.
        unsettled: effects of which nobody knows yet whether they happened, of opened evidence only.
    """

    origin: str = ""
    size: int = 0
    root: str = ""
    exchanges: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    refusals: tuple[tuple[str, int], ...] = ()
    parties: tuple[PartyCount, ...] = ()
    writers: int = 0
    writers_open: int = 0
    sealed: int = 0
    before: int = 0
    policies: tuple[PolicyChange, ...] = ()
    attempts: tuple[PolicyAttempt, ...] = ()
    first: str = ""
    last: str = ""
    destructions: tuple[Destroyed, ...] = ()
    handovers: tuple[Handed, ...] = ()
    recoveries: tuple[LogRecovery, ...] = ()
    unsettled: tuple[Unsettled, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The audit's result; ``note`` is the signed checkpoint that it is about, empty if none is valid.

    ``receipts``, ``kept`` and ``translated`` are None where none were given; ``since`` is the size of the checkpoint
    before which no sealed evidence was opened again, None where all was. ``inputs`` are what it rests on.
    """

    findings: tuple[Finding, ...]
    facts: Facts
    first_audit: bool
    unproven: tuple[Unproven, ...]
    note: str = field(repr=False)
    receipts: ReceiptCount | None = None
    kept: KeptCount | None = None
    translated: TranslationCount | None = None
    disputes: tuple[Dispute, ...] = ()
    since: int | None = None
    inputs: tuple[Input, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was found against the log."""
        return not self.findings
