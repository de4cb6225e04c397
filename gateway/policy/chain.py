"""From the first policy to the one in force, each step judged anew: what is not reached here is not in force (P1).

A worker, the command line and the audit walk the same chain over the log's leaves, whatever a file or a row says.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256 as digest
from typing import TYPE_CHECKING

from gateway.policy.judge import InForce, Proposed, check_proposal, judge, read_proposal
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal that was recorded and could follow the policy in force; ``since`` is when it was first recorded."""

    proposed: Proposed
    since: datetime


class Chain:
    """The policies of one log, in their order. A refusal leaves it as it was."""

    def __init__(self, content_of: Callable[[str], bytes | None]) -> None:
        """``content_of`` gives a bundle's bytes by their hex SHA-256 from any store: it is not trusted."""
        self._content_of = content_of
        self._history: tuple[InForce, ...] = ()
        self._waiting: dict[str, Waiting] = {}

    @property
    def current(self) -> InForce:
        """The policy in force; raises PolicyRefused (not_begun) before ``begin``."""
        if not self._history:
            raise PolicyRefused(Reason.NOT_BEGUN)
        return self._history[-1]

    @property
    def history(self) -> tuple[InForce, ...]:
        """Every policy that was in force, the first one first."""
        return self._history

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """The proposals that could still follow the policy in force, the first recorded first."""
        return tuple(self._waiting.values())

    def begin(self, sha256: str, at: datetime) -> InForce:
        """The first policy, as the genesis leaf names it: an anchor, judged by nobody but its reader.

        Raises PolicyRefused: content_missing, content_differs, policy_too_large, policy_invalid, agreements_overlap.
        """
        bundle, _ = read_proposal(self._content(sha256))
        self._history, self._waiting = (InForce(bundle, sha256, at),), {}
        return self.current

    def proposed(self, sha256: str, at: datetime) -> Proposed:
        """A proposal's leaf; said twice, the first time counts.

        Raises PolicyRefused: content_missing, content_differs, and what ``check_proposal`` raises.
        """
        known = self._waiting.get(sha256)
        if known is None:
            known = Waiting(check_proposal(self.current, self._content(sha256)), at)
            self._waiting[sha256] = known
        return known.proposed

    def activated(self, sha256: str, previous: str, version: int, approvals: Sequence[bytes], at: datetime) -> InForce:
        """An activation's leaf: from now on this policy is in force, and proposals after the former one are void.

        Raises PolicyRefused: previous_differs, version_differs, not_proposed, and what ``judge`` raises.
        """
        waiting = self.judged(sha256, previous, version)
        judge(self.current, waiting.proposed, approvals, waiting.since, at)
        self._history = (*self._history, InForce(waiting.proposed.bundle, sha256, at))
        self._waiting = {}
        return self.current

    def judged(self, sha256: str, previous: str, version: int) -> Waiting:
        """The recorded proposal that an activation names, or raises PolicyRefused as ``activated`` does."""
        if previous != self.current.sha256:
            raise PolicyRefused(Reason.PREVIOUS_DIFFERS, previous=previous, expected=self.current.sha256)
        waiting = self._waiting.get(sha256)
        if waiting is None:
            raise PolicyRefused(Reason.NOT_PROPOSED, sha256=sha256)
        if version != waiting.proposed.bundle.version:
            raise PolicyRefused(Reason.VERSION_DIFFERS, version=version, expected=waiting.proposed.bundle.version)
        return waiting

    def _content(self, sha256: str) -> bytes:
        content = self._content_of(sha256)
        if content is None:
            raise PolicyRefused(Reason.CONTENT_MISSING, sha256=sha256)
        if digest(content).hexdigest() != sha256:
            raise PolicyRefused(Reason.CONTENT_DIFFERS, sha256=sha256)
        return content
