"""One log to spoil, by a gateway that holds all of its own keys, and where a test says so with a caller."""

from __future__ import annotations

import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.audit.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.audit.verdict import Fault, Verdict
    from gateway.model import LeafKind
    from tests.audit.forge import Forger, Item

    Change = Callable[[dict[str, Any]], Any]


class Bench:
    """One log to spoil: ``one`` finds an entry, ``faults`` writes the log, audits it, gives the codes found."""

    def __init__(self, forger: Forger, folder: Path, trust: Path) -> None:
        self.forger = forger
        self.items = forger.copy()
        self._folder = folder
        self._trust = trust
        self._objects: dict[str, bytes] = {}

    def add_policy(self, old: str, new: str) -> str:
        """The first policy with ``new`` for ``old``, among the objects; gives its hash."""
        policy = (self.forger.log / "objects" / self.items[0].evidence["policy"]).read_text()
        assert old in policy
        return self.add(policy.replace(old, new).encode())

    def add(self, content: bytes) -> str:
        """Among the objects; gives its hash."""
        digest = sha256(content).hexdigest()
        self._objects[digest] = content
        return digest

    def under(self, old: str, new: str) -> None:
        """The same log under a first policy in which ``old`` was ``new``."""
        before, after = self.items[0].evidence["policy"], self.add_policy(old, new)
        for item in self.items:
            if item.evidence.get("policy") == before:
                self.forger.change(item, lambda evidence: evidence.update(policy=after))
        (self._trust / "genesis").write_text(after)

    def one(self, operation: str = "echo", kind: str = "exchange", outcome: str = "released", nth: int = 0) -> Item:
        return [
            item
            for item in self.items
            if item.leaf.kind == kind
            and (item.evidence.get("operation", operation) == operation)
            and item.evidence.get("outcome", item.evidence.get("reason", outcome)) == outcome
        ][nth]

    def append(self, kind: LeafKind) -> Item:
        return self.forger.append(self.items, kind)

    def faults(self) -> set[Fault]:
        return {finding.code for finding in self.verdict().findings}

    def verdict(self) -> Verdict:
        shutil.rmtree(self._folder, ignore_errors=True)
        return audit(self.forger.write(self.items, self._folder, self._objects), self._trust)


def rebase(old: str, new: str, **evidence_too: object) -> Change:
    """Changes the request's base, and its parameters where they hold the text; then members of evidence."""

    def change(evidence: dict[str, Any]) -> None:
        request = evidence["request"]
        assert old in request["base"]
        request["base"] = request["base"].replace(old, new)
        request["parameters"] = request["parameters"].replace(old, new)
        evidence |= evidence_too

    return change
