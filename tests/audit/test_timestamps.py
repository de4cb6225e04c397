"""Kept checkpoints, tokens and anchors in an audit: each leaf between two times that are not ours (L8, L11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from gateway.audit.audit import audit
from gateway.audit.verdict import Fault, Unproven
from gateway.ledger.evidence import anchor_evidence
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import Checkpoint, sign_checkpoint
from gateway.ledger.timestamps import TimestampAuthority, fetch_token, stamped
from gateway.system import SystemClock
from tests.ledger.tsa import POLICY, Authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.audit.verdict import Verdict
    from tests.audit.forge import Forger, Item


@pytest.fixture(scope="session")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "one")


class Stamped:
    """A gateway's log with side files, which tests then spoil; the attacker has all of the gateway's keys."""

    def __init__(self, forger: Forger, tsa: Authority, folder: Path, trust: Path) -> None:
        self.forger = forger
        self.items: list[Item] = forger.copy()
        self.tsa = tsa
        self.folder = folder
        self.trust = trust
        self.files: dict[str, bytes] = {}
        self.chain: str | None = None
        (trust / "tsa").mkdir()
        (trust / "tsa" / "one.pem").write_text(tsa.root_pem)

    def note(self) -> bytes:
        tree = CompactRange()
        for item in self.items:
            tree.append(leaf_hash(item.leaf.pack()))
        return sign_checkpoint(
            Checkpoint(self.forger.key.name, tree.size, tree.root()), self.forger.key, self.forger.keystore
        )

    def stamp(self, change: Callable[[dict[str, bytes]], None] = lambda _: None) -> None:
        """A kept checkpoint, its token, and the anchor that names them."""
        size, note = len(self.items), self.note()
        authority = TimestampAuthority("one", "", self.tsa.root_der, POLICY)
        token = fetch_token(authority, stamped(note, self.forger.key), self.tsa.asked, SystemClock().now)
        fresh = {f"{size}.checkpoint": note, f"{size}.one.tsr": token}
        change(fresh)
        self.files |= fresh
        self.anchor(size, {name: sha256(content).hexdigest() for name, content in fresh.items()})

    def anchor(self, size: int, files: dict[str, str], previous: str | None = None) -> Item:
        item = self.forger.append(self.items, "anchor")
        # the tokens are of the present, and the gateway's last leaf may be of minutes ago
        item.leaf = replace(item.leaf, time=SystemClock().now())
        evidence = anchor_evidence(size, files, previous or self.chain, None, ())
        self.chain = files.get(f"{size}.one.tsr", self.chain)
        item.record = replace(item.record, answer_base=b"", answer_signature=b"")
        self.forger.rebind(item, evidence)
        return item

    def void(self, **leaf: Any) -> Item:
        """One more leaf, whose time a test may set."""
        self.forger.void(self.items)
        item = self.items[-1]
        item.leaf = replace(item.leaf, **leaf)
        return item

    def verdict(self) -> Verdict:
        log = self.forger.write(self.items, self.folder)
        (log / "anchors").mkdir()
        for name, content in self.files.items():
            (log / "anchors" / name).write_bytes(content)
        return audit(log, self.trust)

    def found(self) -> set[tuple[Fault, str]]:
        return {(one.code, one.file) for one in self.verdict().findings}


@pytest.fixture
def log(forger: Forger, tsa: Authority, tmp_path: Path, trust: Path) -> Stamped:
    return Stamped(forger, tsa, tmp_path / "stamped", trust)


def later(item: Item, by: timedelta) -> datetime:
    return item.leaf.time + by


def test_two_tokens_and_the_leaves_between_them(log: Stamped) -> None:
    log.stamp()
    log.void(time=log.items[-1].leaf.time + timedelta(seconds=30), exchange_id=uuid4())
    log.stamp()
    verdict = log.verdict()
    assert verdict.findings == ()
    assert Unproven.NO_TIMESTAMPS not in verdict.unproven
    assert Unproven.TAIL_UNSTAMPED in verdict.unproven


def test_without_authorities_to_trust_it_says_so(log: Stamped) -> None:
    log.stamp()
    (log.trust / "tsa" / "one.pem").unlink()
    verdict = log.verdict()
    assert verdict.holds
    assert Unproven.NO_TIMESTAMPS in verdict.unproven


def test_a_token_of_an_authority_that_is_not_trusted(log: Stamped, tmp_path_factory: pytest.TempPathFactory) -> None:
    log.stamp()
    size = min(int(name.partition(".")[0]) for name in log.files)
    other = Authority(tmp_path_factory.mktemp("tsa") / "other")
    (log.trust / "tsa" / "one.pem").write_text(other.root_pem)
    assert log.found() == {(Fault.TIMESTAMP_INVALID, f"anchors/{size}.one.tsr")}
    (log.trust / "tsa" / "one.pem").rename(log.trust / "tsa" / "two.pem")
    log.folder = log.folder.with_name("again")
    assert log.found() == {(Fault.TIMESTAMP_INVALID, f"anchors/{size}.one.tsr")}


def test_a_token_over_another_checkpoint(log: Stamped) -> None:
    log.stamp()
    first = next(content for name, content in log.files.items() if name.endswith(".tsr"))
    log.stamp(lambda fresh: fresh.update({name: first for name in fresh if name.endswith(".tsr")}))
    size = max(int(name.partition(".")[0]) for name in log.files)
    assert log.found() == {(Fault.TIMESTAMP_INVALID, f"anchors/{size}.one.tsr")}


def test_a_kept_checkpoint_of_another_log(log: Stamped) -> None:
    item = log.items[-1]
    log.items[-1] = replace(item, leaf=replace(item.leaf, exchange_id=uuid4()))
    log.stamp()
    log.items[-2] = item
    size = len(log.items) - 1
    assert log.found() == {(Fault.LOG_FORKED, f"anchors/{size}.checkpoint")}


@pytest.mark.parametrize(
    ("old", "new"), [(b"\n\n", b"\n"), (b"=\n", b"A\n")], ids=["no blank line", "another signature"]
)
def test_a_kept_checkpoint_that_the_log_did_not_sign(old: bytes, new: bytes, log: Stamped) -> None:
    def spoil(fresh: dict[str, bytes]) -> None:
        for name, content in fresh.items():
            if name.endswith(".checkpoint"):
                head, _, tail = content.rpartition(old)
                fresh[name] = head + new + tail

    log.stamp(spoil)
    size = len(log.items) - 1
    assert log.found() == {(Fault.CHECKPOINT_INVALID, f"anchors/{size}.checkpoint")}


def test_a_leaf_dated_after_the_token_over_it(log: Stamped) -> None:
    item = log.void()
    item.leaf = replace(item.leaf, time=later(item, timedelta(hours=1)))
    log.stamp()
    index = log.items.index(item)
    assert (Fault.TIME_OUTSIDE_TIMESTAMPS, index) in {(one.code, one.index) for one in log.verdict().findings}


def test_a_leaf_dated_before_the_token_that_an_anchor_before_it_names(log: Stamped) -> None:
    log.stamp()
    item = log.void()
    item.leaf = replace(item.leaf, time=later(item, -timedelta(hours=1)))
    found = {(one.code, one.index) for one in log.verdict().findings}
    assert (Fault.TIME_OUTSIDE_TIMESTAMPS, log.items.index(item)) in found


@pytest.mark.parametrize("name", ["checkpoint", "one.tsr"])
@pytest.mark.parametrize("how", ["gone", "changed", "added"])
def test_what_an_anchor_names_lies_there(name: str, how: str, log: Stamped) -> None:
    log.stamp()
    size = len(log.items) - 1
    path = f"{size}.{name}"
    if how == "gone":
        del log.files[path]
    elif how == "changed":
        log.files[path] += b"\n"
    else:
        log.files[f"{size - 1}.{name}"] = log.files[path]
        path = f"{size - 1}.{name}"
    assert (Fault.ANCHOR_DIFFERS, f"anchors/{path}") in log.found()


def test_an_anchor_of_another_chain(log: Stamped) -> None:
    log.stamp()
    log.chain = "0" * 64
    log.stamp()
    assert Fault.ANCHOR_DIFFERS in {code for code, _ in log.found()}


@pytest.mark.parametrize("size", [1, 10_000])
def test_an_anchor_of_a_size_that_is_not_its_own(size: int, log: Stamped) -> None:
    log.stamp()
    log.anchor(size, {})
    assert Fault.ANCHOR_DIFFERS in {code for code, _ in log.found()}


def test_side_files_after_the_last_anchor_are_the_tail(log: Stamped) -> None:
    log.stamp()
    log.files[f"{len(log.items)}.checkpoint"] = log.note()
    assert log.found() == set()


def test_a_file_of_another_name_has_no_place_there(log: Stamped) -> None:
    log.stamp()
    log.files["notes.txt"] = b"hello"
    log.files["007.checkpoint"] = b"hello"
    unknown = {(Fault.FILE_UNKNOWN, f"anchors/{name}") for name in ("notes.txt", "007.checkpoint")}
    assert log.found() == unknown
