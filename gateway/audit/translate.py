"""Contracts re-run on what the parties kept: a gateway that altered what was meant is found (DESIGN L12, C3).

What a caller asked, what the other system was sent; what that answered, what the caller got: each from its owner's own
bytes, whose digests are those that were signed. Between them stand the contract, the mapping, and what the agreement
allows; whatever else differs, the gateway did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.audit.counts import TranslationCount
from gateway.audit.evidence_schema import Exchange
from gateway.audit.kept import PREFIX, kept_files
from gateway.audit.others_kept import OthersKept
from gateway.audit.retelling import NotGivenError, Retelling
from gateway.audit.verdict import Fault, Problem, Unproven

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.audit.certificates import Certificates
    from gateway.audit.evidence_schema import EarlyRefusal
    from gateway.audit.leaves import Shown
    from gateway.audit.objects import Objects
    from gateway.audit.policies import Policies
    from gateway.audit.report import Report
    from gateway.audit.retelling import System
    from gateway.audit.tree import Entry
    from gateway.ledger.leaf import Leaf


@dataclass(frozen=True, slots=True)
class Retold:
    """What translations are held against.

    Attributes:
        callers: folders of what callers kept, by the names that `call` gives.
        others: folders of what other systems kept, by any names.
        systems: those whose mapping is known, by their party's name.
    """

    callers: tuple[Path, ...]
    others: tuple[Path, ...]
    systems: Mapping[str, System] = field(repr=False)


@dataclass(slots=True)
class _Kept:
    """What callers kept of one exchange, by part; and whether the log has it."""

    files: dict[str, Path]
    seen: bool = False


class Translations:
    """A Watcher of the leaves: each exchange that a caller kept something of is translated again."""

    def __init__(self, retold: Retold, objects: Objects, report: Report) -> None:
        """Raises ConfigurationError for a file that cannot be read."""
        self._objects = objects
        self._report = report
        self._systems = retold.systems
        self._others = OthersKept(retold.others)
        self._kept: dict[str, _Kept] = {}
        self._counts = dict.fromkeys(("requests", "answers", "incomplete", "failed", "ignored"), 0)
        for folder in retold.callers:
            files, ignored = kept_files(folder)
            self._counts["ignored"] += ignored
            for exchange_id, parts in files.items():
                self._kept.setdefault(exchange_id, _Kept({})).files.update(parts)

    @property
    def wanted(self) -> frozenset[str]:
        """The exchanges that something was kept of."""
        return frozenset(self._kept)

    def leaf(self, leaf: Leaf, entry: Entry, evidence: Exchange | EarlyRefusal | None) -> None:
        """Translates again what was kept of this exchange."""
        kept = self._kept.get(str(leaf.exchange_id))
        if kept is None or kept.seen:
            return
        kept.seen = True
        if not isinstance(evidence, Exchange):
            self._counts["incomplete"] += 1  # sealed, or refused before anything of it was translated (C6)
            return
        states = {self._compare(part, evidence, kept.files, entry) for part in ("requests", "answers")}
        self._counts["failed"] += "failed" in states
        self._counts["incomplete"] += states >= {"incomplete"} and "failed" not in states

    def finish(self, _certificates: Certificates, _policies: Policies, _shown: Shown) -> None:
        """Names what has no counterpart, and what was not compared."""
        missing = [(name, path) for name, kept in self._kept.items() if not kept.seen for path in kept.files.values()]
        for exchange_id, path in missing:
            problem = Problem(Fault.KEPT_MISSING, "no exchange of this id is in this copy")
            self._report.problem(problem, file=PREFIX + path.name, exchange_id=exchange_id)
        if self._counts["incomplete"]:
            self._report.unproven.add(Unproven.TRANSLATION_INCOMPLETE)
        self._report.translated = TranslationCount(absent=len(missing), **self._counts)

    def _compare(self, part: str, evidence: Exchange, files: Mapping[str, Path], entry: Entry) -> str:
        try:
            retelling = Retelling(evidence, files, self._objects, self._others, self._systems)
            self._counts[part] += retelling.requests() if part == "requests" else retelling.answers()
        except NotGivenError:
            return "incomplete"
        except Problem as problem:
            file = PREFIX + (problem.file or min(path.name for path in files.values()))
            found = Problem(problem.fault, problem.detail)
            self._report.problem(found, file=file, index=entry.index, exchange_id=evidence.exchange_id)
            return "failed"
        return "compared"
