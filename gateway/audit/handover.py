"""Copies of the log that were handed over: to whom, of what, until when (DESIGN L2, section 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, Handed, Problem
from gateway.ledger.encoding import FormatError, timestamp
from gateway.ledger.handover import read_handover

if TYPE_CHECKING:
    from gateway.audit.policies import Policies
    from gateway.ledger.leaf import Leaf


def check_handover(index: int, leaf: Leaf, evidence: bytes, policies: Policies) -> Handed:
    """What an opened leaf of kind handover tells of.

    Raises Problem: evidence_malformed; evidence_differs where the recipient is no party of a policy of that time, or
    the copy would be of a log that did not exist yet, or was due back before it was given.
    """
    try:
        said = read_handover(evidence)
    except FormatError as error:
        raise Problem(Fault.EVIDENCE_MALFORMED, str(error)) from None
    if not any(said.recipient in policy.bundle.parties for policy in policies.possible(leaf.time)):
        raise Problem(Fault.EVIDENCE_DIFFERS, "a copy handed to no party of the policy")
    if said.size > index or said.due <= leaf.time:
        raise Problem(Fault.EVIDENCE_DIFFERS, "a copy of what was not there yet, or that was due before")
    return Handed(index, said.recipient, said.size, timestamp(said.due), timestamp(leaf.time))
