"""The typed errors of the gateway: refusals, which are outcomes, and faults, which are ours.

The public face of each code (status, French and English words) stands in gateway/messages/errors.toml.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every stable error code that leaves the gateway, in the order of the eight steps."""

    PARTY_UNKNOWN = "party_unknown"
    PARTY_SUSPENDED = "party_suspended"
    CERTIFICATE_REFUSED = "certificate_refused"

    AUTHORIZATION_REFUSED = "authorization_refused"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    COMPONENT_NOT_COVERED = "component_not_covered"
    CREATED_OUT_OF_WINDOW = "created_out_of_window"
    NONCE_INVALID = "nonce_invalid"
    KEY_UNKNOWN = "key_unknown"
    KEY_OF_ANOTHER_PARTY = "key_of_another_party"
    KEY_REFUSED = "key_refused"
    DIGEST_MISMATCH = "digest_mismatch"
    SIGNATURE_INVALID = "signature_invalid"
    ADDRESSED_ELSEWHERE = "addressed_elsewhere"
    HEADER_NOT_UNDERSTOOD = "header_not_understood"

    OPERATION_UNKNOWN = "operation_unknown"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MEDIA_TYPE_UNSUPPORTED = "media_type_unsupported"
    BODY_TOO_LARGE = "body_too_large"
    BODY_MALFORMED = "body_malformed"
    BODY_NOT_CANONICAL = "body_not_canonical"
    FIELD_INVALID = "field_invalid"
    TOO_FEW_CRITERIA = "too_few_criteria"
    SALT_INVALID = "salt_invalid"
    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"

    REPLAYED = "replayed"
    SALT_REPEATED = "salt_repeated"

    NOT_AGREED = "not_agreed"
    PURPOSE_NOT_AGREED = "purpose_not_agreed"
    AGREEMENT_NOT_IN_FORCE = "agreement_not_in_force"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    BUDGET_SPENT = "budget_spent"

    EXCHANGE_UNKNOWN = "exchange_unknown"
    ACKNOWLEDGEMENT_DIFFERS = "acknowledgement_differs"

    HANDLE_UNKNOWN = "handle_unknown"
    NOT_REGISTERED = "not_registered"
    SEARCH_TOO_WIDE = "search_too_wide"
    ALREADY_REGISTERED = "already_registered"
    STATE_CHANGED = "state_changed"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    NOT_DELIVERABLE = "not_deliverable"
    MERGE_NEEDED = "merge_needed"
    MERGE_REFUSED = "merge_refused"
    SUBJECTS_CHANGED = "subjects_changed"

    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_UNTRUSTED = "upstream_untrusted"
    UPSTREAM_MALFORMED = "upstream_malformed"

    BATCH_UNKNOWN = "batch_unknown"
    LINE_UNKNOWN = "line_unknown"
    LINE_ANSWERED = "line_answered"
    LINE_IN_HAND = "line_in_hand"
    LINE_DIFFERS = "line_differs"
    BATCH_TOO_FAST = "batch_too_fast"

    NOT_RECORDED = "not_recorded"
    TOO_MANY_REFUSALS = "too_many_refusals"
    RECEIPT_UNKNOWN = "receipt_unknown"
    INTERNAL = "internal"


class PasserelleError(Exception):
    """The root of every error of ours."""


class Refusal(PasserelleError):
    """The exchange is refused, for a reason that the caller is told.

    Attributes:
        code: what is said outside.
        component: the signature component or field name at fault, never a value.
        nonce: the request's nonce where it was strictly valid, for evidence (C6).
        reason: why a certificate was refused, in one stable word (``expired``, ``revoked``, ...).
        retry_after: in how many seconds it may be tried again; None where the table of errors says it, or nobody can.
    """

    def __init__(
        self,
        code: Code,
        *,
        component: str | None = None,
        nonce: str | None = None,
        reason: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code.value if component is None else f"{code.value}: {component}")
        self.code = code
        self.component = component
        self.nonce = nonce
        self.reason = reason
        self.retry_after = retry_after


class ShownError(PasserelleError):
    """An error that people read: a key of the catalogue (``problem.KEY``) and the values put into its text."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = values

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.values.items())
        return f"{self.key}: {shown}" if shown else self.key


class NotRecordedError(PasserelleError):
    """The record could not be made durable; nothing may be released."""


class StorageUnavailableError(PasserelleError):
    """The database cannot be read or written at present: locked, full, read-only, out of reach."""


class KeystoreError(ShownError):
    """A key is absent, unreadable, or its store cannot be reached."""


class ConfigurationError(ShownError):
    """A setting, contract or policy cannot be used as it stands; the text says where and what to do."""


class LedgerError(PasserelleError):
    """The ledger is not in the state that it must be in; the sequencer stops."""


class RecoveryError(ShownError, LedgerError):
    """Database and published log do not go together, or a backup is not whole; the text says what to do."""
