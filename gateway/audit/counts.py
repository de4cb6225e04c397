"""What became of all that parties kept and brought to an audit, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceiptCount:
    """What became of the receipts that were held against a log.

    Attributes:
        held: their exchange stands in the log, as they say.
        pending: promised for later than the auditor's present, and not there yet.
        unrecorded: answers that say themselves that nothing was recorded.
        lost: not in the log, as officers have said of them after a recovery.
        failed: those with a finding.
        ignored: files and folders of other names.
    """

    held: int = 0
    pending: int = 0
    unrecorded: int = 0
    lost: int = 0
    failed: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class KeptCount:
    """What became of the bodies that a party kept.

    Attributes:
        compared: requests and answers whose digests were held against opened evidence.
        uncovered: of refusals, in whose evidence there is nothing to compare with (C6).
        sealed: whose evidence stays sealed.
        absent: whose exchange is not in the log, each a finding.
        failed: compared, and another.
        ignored: files and folders of other names.
    """

    compared: int = 0
    uncovered: int = 0
    sealed: int = 0
    absent: int = 0
    failed: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class TranslationCount:
    """What became of the exchanges that were translated again from what the parties kept.

    Attributes:
        requests: messages to other systems that are what the caller asked.
        answers: answers that are what was answered to the gateway, less what the agreement leaves out.
        incomplete: exchanges of which a message was not given, or nothing is open to compare.
        absent: files whose exchange is not in the log, each a finding.
        failed: exchanges with a finding.
        ignored: callers' files and folders of other names.
    """

    requests: int = 0
    answers: int = 0
    incomplete: int = 0
    absent: int = 0
    failed: int = 0
    ignored: int = 0
