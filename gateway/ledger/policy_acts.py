"""What was done about the policy, as leaves: proposals, approvals, activations, refusals (DESIGN P1, P2).

What lives here: how an act is read from a record, and written as one. What may not: whether it is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError, parse_canonical_json, period_of
from gateway.ledger.evidence import policy_evidence
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.record import unpack_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from gateway.ledger.policy_published import PublishedActs
    from gateway.ledger.rows import NewRecord, StoredLeaf
    from gateway.ledger.storage import PolicyRows
    from gateway.ledger.writer import Draft, Writer
    from gateway.ports import Clock, Randomness

ActName = Literal["genesis", "proposed", "approved", "activated", "refused", "recovered", "lost"]
By = Literal["init", "command", "start", "worker"]
_ACTS: frozenset[str] = frozenset(get_args(ActName))
_BY: frozenset[object] = frozenset(get_args(By)) - {"init"}
_MEMBERS = frozenset({"v", "kind", "act", "by", "policy", "version", "previous", "approvals", "reason"})
#: Acts about the log itself (L7): they name no policy and change none, and have a document of their own.
ABOUT_THE_LOG = frozenset({"recovered", "lost"})
_HASH = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[a-z][a-z_]{0,62}")
_NOTHING: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class PolicyAct:
    """One act, as its record says; that it may be done, nobody has judged yet.

    Attributes:
        policy: hex SHA-256 of the bundle that it is about; None in the refusal of something that is no bundle.
        version, previous: the bundle's own, in proposals and activations.
        approvals: the officers' documents: one in an approval, those that count in an activation, those under a loss.
        reason: a stable word, in refusals.
        at: the leaf's time.
        by: which of our processes wrote it: ``init``, ``command``, ``start`` or ``worker``.
        document: what was recovered, or lost; None in all other acts.
    """

    act: ActName
    policy: str | None
    version: int | None
    previous: str | None
    approvals: tuple[bytes, ...] = field(repr=False)
    reason: str | None
    at: datetime
    by: str
    document: bytes | None = field(default=None, repr=False)


def read_act(stored: StoredLeaf) -> PolicyAct:
    """The act behind a leaf of kind genesis or policy; raises FormatError for what is none."""
    if stored.record is None:
        raise FormatError("a policy's record is never purged")
    leaf, record = unpack_leaf(stored.leaf), unpack_record(stored.record)
    record.check_binding(leaf.binding)
    said = parse_canonical_json(record.evidence)
    if said.get("kind") != leaf.kind or leaf.kind not in {"genesis", "policy"}:
        raise FormatError("evidence of another kind than its leaf")
    if leaf.kind == "genesis":
        return PolicyAct("genesis", _text(said, "policy"), None, None, (), None, leaf.time, "init")
    # as strict as the audit, so that nothing is in force here that an auditor cannot read
    act: Any = said.get("act")
    if str(act) not in _ACTS - {"genesis"}:  # as text, since a list cannot be looked for
        raise FormatError("an act that is none")
    members = _MEMBERS | {"document"} if act in ABOUT_THE_LOG else _MEMBERS
    # Python takes `true` for the version 1
    if said.keys() != members or (type(said["v"]), said["v"]) != (int, 1) or said["by"] not in _BY:
        raise FormatError("not the members of an act")
    approvals = said.get("approvals")
    if not isinstance(approvals, list) or not all(isinstance(text, str) for text in approvals):
        raise FormatError("approvals that are no texts")
    version = said.get("version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        raise FormatError("a version that is no number")
    found = PolicyAct(
        act=act,
        policy=_text(said, "policy", _HASH),
        version=version,
        previous=_text(said, "previous", _HASH),
        approvals=tuple(text.encode() for text in approvals),
        reason=_text(said, "reason", _WORD),
        at=leaf.time,
        by=said["by"],
        document=_document(said.get("document")),
    )
    if not _has_what_its_act_has(found):
        raise FormatError("not the members of its act")
    return found


def _has_what_its_act_has(found: PolicyAct) -> bool:
    follows = found.version is not None and found.previous is not None
    alone = found.version is None and found.previous is None
    match found.act:
        case "proposed":
            right = follows and not found.approvals
        case "approved":
            right = alone and len(found.approvals) == 1
        case "activated":
            right = follows  # how many approvals it needs is the officers' affair
        case "recovered" | "lost":
            said = found.document is not None and found.policy is None and found.reason is None and alone
            return said and bool(found.approvals) == (found.act == "lost")
        case _:
            return alone and not found.approvals and found.reason is not None
    return right and found.policy is not None and found.reason is None


def acts_of(rows: Sequence[StoredLeaf]) -> tuple[PolicyAct, ...]:
    """The acts behind these rows, those left out that are none."""
    found = []
    for row in rows:
        try:
            found.append(read_act(row))
        except FormatError:
            continue
    return tuple(found)


class ActWriter:
    """Writes acts as leaves of one writer, each in a transaction of its own."""

    def __init__(self, rows: PolicyRows, writer: Writer, clock: Clock, randomness: Randomness, by: By) -> None:
        """``by`` says in the record which process wrote it."""
        self._rows = rows
        self._writer = writer
        self._clock = clock
        self._randomness = randomness
        self._by = by

    def write(
        self,
        act: ActName,
        policy: str | None,
        *,
        follows: tuple[int, str] | None = None,
        approvals: Sequence[bytes] = (),
        reason: str | None = None,
        document: bytes | None = None,
        objects: Mapping[str, bytes] = _NOTHING,
        seen: int | None = None,
        check: Callable[[Sequence[PolicyAct]], None] = lambda _: None,
    ) -> bytes:
        """The leaf, once it is on the disk.

        ``check`` gets the acts after the row ``seen``, or all of them, in the transaction, and may raise: then nothing
        is written.
        Raises NotRecordedError or StorageUnavailableError where it could not be written.
        """
        evidence = policy_evidence(
            act, self._by, policy, follows=follows, approvals=approvals, reason=reason, document=document
        )
        # the writer is begun before the transaction: that has one of its own
        began = self._clock.now()
        self._writer.open(began)
        drafts: list[Draft] = []

        def make(newer: Sequence[StoredLeaf]) -> NewRecord:
            check(acts_of(newer))
            # only now, with the turn taken: a policy is in force from its leaf's time on, so it must not be long past
            now = self._clock.now()
            at = now if period_of(now) == period_of(began) else began
            drafts.append(self._writer.draft("policy", self._randomness.uuid(), at, evidence))
            return self._writer.row(drafts[0])

        try:
            self._rows.add(seen, make, objects)
        except BaseException:
            for draft in drafts:
                self._writer.abandon(draft)
            raise
        for draft in drafts:
            self._writer.settled(draft)
        return drafts[0].leaf


class PolicyLog:
    """The acts of a log, for one command: read, then add to what was read; ``close`` it, or use it in a ``with``."""

    def __init__(
        self, rows: PolicyRows, acts: ActWriter, close: Callable[[], None], published: PublishedActs | None = None
    ) -> None:
        """``close`` ends the writer and the connections; by ``published`` the rows are put in the order of the log."""
        self._published = published
        self._rows = rows
        self._acts = acts
        self._close = close
        self._seen: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Gives everything back."""
        self._close()

    def acts(self) -> tuple[PolicyAct, ...]:
        """Everything so far that is an act, the genesis first; what an activation is then held against.

        Raises LedgerError where the database lacks an act that is published.
        """
        rows = self._rows.all() if self._published is None else self._published.settle(self._rows.all).rows
        self._seen = max((row.row for row in rows), default=None)
        return acts_of(rows)

    def content(self, sha256: str) -> bytes | None:
        """The bytes kept under this hex SHA-256; not checked against it."""
        return self._rows.object(sha256)

    def propose(self, content: bytes, version: int, previous: str) -> None:
        """Records a proposal, with its bytes, which the log publishes (L3); raises LedgerError as ``activate`` does."""
        name = sha256(content).hexdigest()
        self._acts.write(
            "proposed",
            name,
            follows=(version, previous),
            objects={name: content},
            seen=self._seen,
            check=_none_came_between,
        )

    def approve(self, approval: bytes, policy: str) -> None:
        """Records one officer's approval of a policy, which was verified; raises LedgerError as ``activate`` does."""
        self._acts.write("approved", policy, approvals=(approval,), seen=self._seen, check=_none_came_between)

    def activate(self, policy: str, version: int, previous: str, approvals: Sequence[bytes]) -> bytes:
        """Records that a policy is in force from now on; raises LedgerError if another came since ``acts``.

        Gives the leaf, which the published log shows a moment later (``shows``).
        """
        return self._acts.write(
            "activated",
            policy,
            follows=(version, previous),
            approvals=approvals,
            seen=self._seen,
            check=_none_came_between,
        )

    def shows(self, leaf: bytes) -> bool:
        """Whether the published log has this leaf and its record; raises LedgerError where it cannot be read."""
        return self._published is not None and self._published.shows(leaf)

    def lose(self, document: bytes, approvals: Sequence[bytes]) -> bytes:
        """Records what officers say that a recovery lost (L7); gives the leaf; raises LedgerError as ``activate``."""
        return self._acts.write(
            "lost", None, approvals=approvals, document=document, seen=self._seen, check=_none_came_between
        )

    def refuse(self, policy: str | None, reason: str) -> bytes:
        """Records that something was refused, and why; gives the leaf."""
        return self._acts.write("refused", policy, reason=reason)

    def refuse_once(self, policy: str | None, reason: str) -> bool:
        """Records an attempt on the policy unless it stands there already, whoever of our processes saw it first.

        Gives whether it had to be recorded; raises NotRecordedError or StorageUnavailableError.
        """

        def check(acts: Sequence[PolicyAct]) -> None:
            if any((act.act, act.policy, act.reason) == ("refused", policy, reason) for act in acts):
                raise _AlreadyError

        try:
            check(acts_of(self._rows.all()))
            self._acts.write("refused", policy, reason=reason, check=check)
        except _AlreadyError:
            return False
        return True


class _AlreadyError(LedgerError):
    """Another process was faster."""


def _none_came_between(acts: Sequence[PolicyAct]) -> None:
    if any(act.act in {"genesis", "activated"} for act in acts):
        raise LedgerError("another policy came into force meanwhile")


def _document(value: object) -> bytes | None:
    if value is None or (isinstance(value, str) and value.isascii()):
        return value if value is None else value.encode("ascii")
    raise FormatError("a document that is no ASCII text")


def _text(said: Mapping[str, Any], name: str, form: re.Pattern[str] = _HASH) -> str | None:
    value = said.get(name)
    if value is not None and not (isinstance(value, str) and form.fullmatch(value)):
        raise FormatError(f"{name} is not of its form")
    return value
