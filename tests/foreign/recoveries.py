"""A log that was recovered, and what officers say that this lost: rightly, and as both verifiers must refuse it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.ledger.evidence import policy_evidence
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.recovered import ON_ITS_WAY, RecoveryFacts
from gateway.policy.acts import Act, ActKind, Approval
from gateway.policy.bundle import read_bundle
from gateway.policy.recovery import NAMED_WITHIN, Cause, Loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tests.audit.bench import Bench

MOMENT = timedelta(microseconds=1)
IDS = tuple(f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "12")


class Recovery:
    """Appends the two leaves to a log, each with what a case changes."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.newest = max(item.leaf.time for item in bench.items)
        self.size = len(bench.items)
        self.facts: RecoveryFacts | None = None

    def recover(self, at: datetime | None = None, **changes: Any) -> RecoveryFacts:
        """The gateway's leaf; by default as it must be."""
        until = at or self.newest
        size = changes.get("size", self.size)
        tree = CompactRange()
        for item in self._bench.items[:size]:
            tree.append(leaf_hash(item.leaf.pack()))
        said: dict[str, Any] = {
            "origin": self._bench.forger.key.name, "size": size, "root": tree.root().hex(), "database": 0,
            "waiting": self.size - size, "since": min(self.newest - ON_ITS_WAY, until), "until": until, "writers": (),
        }  # fmt: skip
        made = RecoveryFacts(**(said | changes))
        self._append(policy_evidence("recovered", "command", None, document=made.document()), made.until)
        return made

    def lose(
        self,
        made: RecoveryFacts,
        names: Sequence[str] = ("officer-1", "officer-2"),
        *,
        late: bool = False,
        **changes: Any,
    ) -> None:
        """The officers' leaf; ``late``: they date what they sign after it."""
        said = {name: getattr(made, name) for name in ("origin", "size", "root", "since", "until")}
        said |= {"recovery": sha256(made.document()).hexdigest(), "reason": Cause.MACHINE_LOST, "exchanges": IDS}
        document = Loss(**(said | changes)).document()
        at = self.newest + (timedelta(minutes=1) + MOMENT if late else timedelta())
        approvals = [self._signed(name, document, at) for name in names]
        evidence = policy_evidence("lost", "command", None, approvals=approvals, document=document)
        self._append(evidence, self.newest)

    def _signed(self, name: str, document: bytes, at: datetime) -> bytes:
        policy = self._bench.items[0].evidence["policy"]
        bundle, _ = read_bundle((self._bench.forger.log / "objects" / policy).read_bytes())
        path = self._bench.forger.gateway.folder / "sandbox" / "officers" / f"{name}.key"
        key = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        act = Act(ActKind.LOSS, bundle.origin, sha256(document).hexdigest(), bundle.version, policy, name, at)
        return Approval(act, key.sign(act.text())).document()

    def _append(self, evidence: bytes, at: datetime) -> None:
        item = self._bench.append("policy")
        item.leaf = replace(item.leaf, time=at)
        item.record = replace(item.record, answer_base=b"", answer_signature=b"")
        self._bench.forger.rebind(item, evidence)


def _lost(**changes: Any) -> Callable[[Recovery], None]:
    return lambda recovery: recovery.lose(recovery.recover(), **changes)


def _twice(recovery: Recovery) -> None:
    made = recovery.recover()
    recovery.lose(made)
    recovery.lose(made, exchanges=())


GOOD: dict[str, Callable[[Recovery], object]] = {
    "named": _lost(),
    "nothing_known_to_be_lost": _lost(exchanges=()),
    "awaited": Recovery.recover,
    "after_what_the_database_alone_had": lambda recovery: recovery.recover(size=recovery.size - 2),
}
WRONG: dict[str, Callable[[Recovery], object]] = {
    "of_another_tree": lambda recovery: recovery.recover(root="0" * 64),
    "of_another_log": lambda recovery: recovery.recover(origin="other.example"),
    "of_a_log_that_had_grown_beyond": lambda recovery: recovery.recover(size=recovery.size - 2, waiting=1),
    "of_a_longer_time": lambda recovery: recovery.recover(since=recovery.newest - ON_ITS_WAY - MOMENT),
    "never_named": lambda recovery: recovery.recover(recovery.newest - NAMED_WITHIN - MOMENT),
    "named_by_too_few": _lost(names=("officer-1",)),
    "named_by_one_twice": _lost(names=("officer-1", "officer-1")),
    "named_before_it_was_signed": _lost(late=True),
    "named_of_no_recovery": _lost(recovery="0" * 64),
    "named_of_another_size": _lost(size=1),
    "named_twice": _twice,
    "named_in_no_order": _lost(exchanges=IDS[::-1]),
}
