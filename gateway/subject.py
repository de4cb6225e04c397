"""A child as the rooms speak of it: a number in memory, a handle, what is asked about it and what was told.

What lives here: values. What may not: behaviour, input and output, anything that names a room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gateway.change import Change


class Nirec:
    """A civil registry number in memory, on its way to the registry; it never shows itself (N1).

    ``reveal()`` is the only way to its digits, so that every place that uses them can be found.
    """

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def reveal(self) -> str:
        """The digits, in the clear."""
        return self._digits

    def __repr__(self) -> str:
        return "NIREC(•••)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[type, tuple[str]]:
        raise TypeError("a NIREC is not serialised")


#: With a subject: names it, expects it, gives it its NIREC, makes two one, asks about it, has another party register
#: it, names those that were found, tells its family, has somebody else told of it.
SubjectAct = Literal["disclose", "expect", "attach", "merge", "read", "register", "list", "view", "tell"]
SubjectRole = Literal["survivor", "merged"]


@dataclass(frozen=True, slots=True)
class DisclosedSubject:
    """A subject as evidence names it: by the ledger's keyed hash and by the caller's handle (N3).

    ``role`` is None where it is the only one; else the first is the ``survivor``, and the ``merged`` ones are that one.
    ``formerly`` is in no evidence: at list, the ledger's hashes of those that were merged into it before, whom a budget
    takes for one with it.
    """

    ledger: str
    handle: str
    role: SubjectRole | None = None
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubjectRequest:
    """What step 7 asks of the subjects for one exchange.

    Attributes:
        handles: of the caller's, found in the request; at list the upstream's, found in its answer.
        gives_handle: whether the agreement lets the caller have the subject's handle.
        upstream: at list, whose handles they are.
        seed: at expect, 16 bytes that are the same whenever the same request is repeated; None: each is another child.
    """

    act: SubjectAct
    party: str
    nirec: Nirec | None
    handles: tuple[str, ...]
    reason: str | None
    gives_handle: bool
    upstream: str | None = None
    seed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The subjects, the one whose handle is given first (at list one per handle asked), and what changes of them.

    ``secrets`` are the children's own, by which their families' notes are kept (gateway.family), one or more of a kind.
    """

    subjects: tuple[DisclosedSubject, ...]
    changes: tuple[Change, ...] = ()
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
