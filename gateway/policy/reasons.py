"""Why the policy says no: stable words for leaves, reports and scripts; their sentences are in the catalogue."""

from __future__ import annotations

from enum import StrEnum

from gateway.errors import ShownError


class Reason(StrEnum):
    """Each is a word in a `refused` leaf (P2), and `problem.policy.WORD` in the catalogue."""

    POLICY_TOO_LARGE = "policy_too_large"
    POLICY_INVALID = "policy_invalid"
    CONTENT_MISSING = "content_missing"
    CONTENT_DIFFERS = "content_differs"

    ORIGIN_DIFFERS = "origin_differs"
    VERSION_REUSED = "version_reused"
    VERSION_DIFFERS = "version_differs"
    PREVIOUS_DIFFERS = "previous_differs"
    POLICY_UNCHANGED = "policy_unchanged"
    AGREEMENTS_OVERLAP = "agreements_overlap"
    NOT_IN_FORCE = "not_in_force"
    EXPIRED = "expired"
    NOT_PROPOSED = "not_proposed"
    NOT_BEGUN = "not_begun"

    FILE_DIFFERS = "file_differs"
    ACT_MALFORMED = "act_malformed"
    ACT_AHEAD = "act_ahead"

    APPROVALS_TOO_FEW = "approvals_too_few"
    APPROVALS_TOO_MANY = "approvals_too_many"
    APPROVAL_MALFORMED = "approval_malformed"
    APPROVAL_OF_ANOTHER = "approval_of_another"
    APPROVAL_NOT_BY_OFFICER = "approval_not_by_officer"
    APPROVAL_SIGNATURE_WRONG = "approval_signature_wrong"
    APPROVAL_DATE_WRONG = "approval_date_wrong"
    APPROVAL_REPEATED = "approval_repeated"

    WIDENING_TOO_EARLY = "widening_too_early"
    RECOVERY_CHANGES_MORE = "recovery_changes_more"
    RECOVERY_TOO_EARLY = "recovery_too_early"

    RETENTION_NOT_SET = "retention_not_set"
    DESTRUCTION_MALFORMED = "destruction_malformed"
    DESTRUCTION_DUE_DIFFERS = "destruction_due_differs"
    DESTRUCTION_TOO_EARLY = "destruction_too_early"
    DESTRUCTION_NOT_PUBLISHED = "destruction_not_published"
    LOSS_MALFORMED = "loss_malformed"
    LOSS_OF_ANOTHER = "loss_of_another"
    VERDICT_MALFORMED = "verdict_malformed"
    VERDICT_DIFFERS = "verdict_differs"
    VERDICT_OF_ANOTHER = "verdict_of_another"
    VERDICT_NOT_BY_AUDITOR = "verdict_not_by_auditor"
    VERDICT_SIGNATURE_WRONG = "verdict_signature_wrong"
    VERDICT_DATE_WRONG = "verdict_date_wrong"
    VERDICT_OF_ANOTHER_TREE = "verdict_of_another_tree"


class PolicyRefused(ShownError):
    """A proposal, an approval or an activation that the policy does not allow; nothing of it is in force.

    ``reason`` is what a leaf records; the values are for people, and hold nothing personal.
    """

    def __init__(self, reason: Reason, **values: object) -> None:
        super().__init__(f"policy.{reason.value}", **values)
        self.reason = reason
