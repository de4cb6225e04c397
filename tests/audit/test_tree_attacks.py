"""Attacks on files and tree. Where a test says so, the attacker holds the log's own key."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import audit, remember
from gateway.audit.verdict import Fault, Unproven
from gateway.ledger.encoding import encode64
from gateway.ledger.note import LogKey
from gateway.ledger.tiles import entries_path, evidence_path, hashes_path, pack_entries, unpack_entries

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.forge import Forger


def faults(log: Path, trust: Path) -> set[Fault]:
    return {finding.code for finding in audit(log, trust).findings}


def entries(log: Path) -> Path:
    return next(path for path in (log / "tile" / "entries").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "name", ["junk", "objects/junk", f"objects/{'0' * 64}x", "tile/9/000", "tile/entries/1", "evidence/x000/000"]
)
def test_unknown_file(log: Path, trust: Path, name: str) -> None:
    path = log / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"junk")
    assert Fault.FILE_UNKNOWN in faults(log, trust)


def test_unknown_folder(log: Path, trust: Path) -> None:
    (log / "tile" / "x").mkdir()
    assert faults(log, trust) == {Fault.FILE_UNKNOWN}


def test_partial_of_an_older_size(log: Path, trust: Path) -> None:
    path = entries(log)
    path.with_name("3").write_bytes(pack_entries(unpack_entries(path.read_bytes())[:3]))
    assert faults(log, trust) == {Fault.FILE_UNKNOWN}


@pytest.mark.parametrize("content", [b"", b"\x00junk", b"? {a: b}\n: c\n", b"[" * 10_000, b"service: echo\n"])
def test_object_that_is_nothing_we_know_under_its_own_hash(log: Path, trust: Path, content: bytes) -> None:
    (log / "objects" / sha256(content).hexdigest()).write_bytes(content)
    assert faults(log, trust) == {Fault.OBJECT_INVALID}


def test_certificate_in_another_form_under_its_own_hash(log: Path, trust: Path, forger: Forger) -> None:
    named = next(item.evidence for item in forger.items if item.leaf.kind == "exchange")["request"]["tls"]["sha256"]
    good = (log / "objects" / named).read_bytes()
    version = good.index(b"\xa0\x03\x02\x01\x02") + 4
    for bad in (good + b"\x00", good[:version] + b"\x01" + good[version + 1 :]):
        path = log / "objects" / sha256(bad).hexdigest()
        path.write_bytes(bad)
        assert faults(log, trust) == {Fault.OBJECT_INVALID}
        path.unlink()


def test_file_replaced_by_a_link_to_the_same_bytes(log: Path, trust: Path, tmp_path: Path) -> None:
    path = entries(log)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert Fault.FILE_IRREGULAR in faults(log, trust)


@pytest.mark.parametrize("name", ["checkpoint", "objects", "tile/entries"])
def test_pipe_in_the_place_of_a_file(log: Path, trust: Path, name: str) -> None:
    path = log / name if name == "checkpoint" else next(item for item in (log / name).rglob("*") if item.is_file())
    path.unlink()
    os.mkfifo(path)
    assert Fault.FILE_IRREGULAR in faults(log, trust)


@pytest.mark.parametrize("content", [b"", b"x", bytes(32)])
@pytest.mark.parametrize("name", ["tile/0/001", "tile/entries/001", "evidence/001", "tile/1/000", "tile/0/000.p/99"])
def test_later_file_that_is_not_what_its_name_says(log: Path, trust: Path, name: str, content: bytes) -> None:
    (log / name).parent.mkdir(parents=True, exist_ok=True)
    (log / name).write_bytes(content)
    assert faults(log, trust) == {Fault.BUNDLE_MALFORMED}


def test_folder_replaced_by_a_link(log: Path, trust: Path, tmp_path: Path) -> None:
    (log / "objects").rename(tmp_path / "elsewhere")
    (log / "objects").symlink_to(tmp_path / "elsewhere")
    assert Fault.FILE_IRREGULAR in faults(log, trust)


def test_object_that_evidence_names_is_gone(log: Path, trust: Path, forger: Forger) -> None:
    evidence = next(item.evidence for item in forger.items if item.leaf.kind == "exchange")
    named = [evidence["policy"], evidence["contract"]["sha256"]]
    for proof in (evidence["request"]["tls"], evidence["request"]["signing"], evidence["answer"]["signing"]):
        named += [proof["sha256"], *proof["chain"], *proof["revocation"]]
    for digest in named:
        path = log / "objects" / digest
        good = path.read_bytes()
        path.unlink()
        assert Fault.OBJECT_MISSING in faults(log, trust)
        path.write_bytes(good)


def test_dropped_tail(log: Path, trust: Path) -> None:
    path = entries(log)
    path.write_bytes(pack_entries(unpack_entries(path.read_bytes())[:-1]))
    assert {Fault.BUNDLE_MALFORMED, Fault.ROOT_DIFFERS} <= faults(log, trust)


def test_swapped_entries(log: Path, trust: Path) -> None:
    path = entries(log)
    leaves = unpack_entries(path.read_bytes())
    leaves[4], leaves[5] = leaves[5], leaves[4]
    path.write_bytes(pack_entries(leaves))
    assert {Fault.TILE_DIFFERS, Fault.ROOT_DIFFERS} <= faults(log, trust)


def test_dropped_tail_signed_again_is_found_by_who_remembers(
    log: Path, trust: Path, forger: Forger, tmp_path: Path
) -> None:
    remember(audit(log, trust), trust)
    short = forger.write(forger.copy()[:-1], tmp_path / "forged")
    assert Fault.LOG_SHRANK in faults(short, trust)


def test_rolled_back_log_that_grew_again(log: Path, trust: Path, forger: Forger, tmp_path: Path) -> None:
    remember(audit(log, trust), trust)
    items = forger.copy()
    del items[-1]  # the closing of the first sequencer's writer
    items += [replace(forger.items[-1], leaf=replace(forger.items[-1].leaf, exchange_id=items[1].leaf.writer))]
    assert Fault.LOG_FORKED in faults(forger.write(items, tmp_path / "forged"), trust)


def test_forked_tree(log: Path, trust: Path, forger: Forger, tmp_path: Path) -> None:
    remember(audit(log, trust), trust)
    items = forger.copy()
    items[3], items[4] = items[4], items[3]
    forged = forger.write(items, tmp_path / "forged")
    assert faults(forged, trust) == {Fault.LOG_FORKED}
    (trust / "remembered-checkpoint").unlink()
    assert audit(forged, trust).holds


def test_repeated_entry(trust: Path, forger: Forger, tmp_path: Path) -> None:
    items = forger.copy()
    forged = forger.write([*items, items[5]], tmp_path / "forged")
    assert faults(forged, trust) == {Fault.LEAF_REPEATED}


def test_repeated_exchange_under_a_fresh_counter(trust: Path, forger: Forger, tmp_path: Path) -> None:
    items = forger.copy()
    twice = next(item for item in items if item.leaf.kind == "exchange")
    again = replace(twice, leaf=replace(twice.leaf, counter=11))
    assert Fault.LEAF_REPEATED in faults(forger.write([*items, again], tmp_path / "forged"), trust)


def test_inserted_entry(trust: Path, forger: Forger, tmp_path: Path) -> None:
    items = forger.copy()
    void = next(item for item in items if item.leaf.kind == "closing")
    items.insert(4, replace(void, leaf=replace(void.leaf, exchange_id=items[0].leaf.writer, counter=40)))
    assert not audit(forger.write(items, tmp_path / "forged"), trust).holds


@pytest.mark.parametrize("spoil", [b"", b"\n", b"junk"])
def test_no_checkpoint(log: Path, trust: Path, spoil: bytes) -> None:
    (log / "checkpoint").write_bytes(spoil)
    verdict = audit(log, trust)
    assert Fault.CHECKPOINT_INVALID in {finding.code for finding in verdict.findings}
    assert verdict.facts.size == 0


def test_checkpoint_removed(log: Path, trust: Path) -> None:
    (log / "checkpoint").unlink()
    assert {Fault.CHECKPOINT_INVALID, Fault.FILE_MISSING} <= faults(log, trust)


def test_empty_log_signed(trust: Path, forger: Forger, tmp_path: Path) -> None:
    assert faults(forger.write([], tmp_path / "forged"), trust) == {Fault.CHECKPOINT_INVALID}


def test_signature_line_of_an_unknown_key(log: Path, trust: Path) -> None:
    path = log / "checkpoint"
    line = f"— passerelle.development {encode64(bytes(68))}\n"
    path.write_bytes(path.read_bytes() + line.encode())
    assert faults(log, trust) == {Fault.CHECKPOINT_INVALID}


def test_checkpoint_of_another_log_key(log: Path, trust: Path, forger: Forger) -> None:
    (trust / "log.vkey").write_text(LogKey(forger.key.name, bytes(31) + b"\x01").vkey)
    assert faults(log, trust) == {Fault.CHECKPOINT_INVALID}


def test_another_genesis(log: Path, trust: Path) -> None:
    (trust / "genesis").write_text("0" * 64)
    assert Fault.GENESIS_DIFFERS in faults(log, trust)


def test_genesis_that_is_not_the_first_leaf(trust: Path, forger: Forger, tmp_path: Path) -> None:
    items = forger.copy()
    items[0], items[1] = items[1], items[0]
    assert Fault.GENESIS_DIFFERS in faults(forger.write(items, tmp_path / "forged"), trust)


def test_later_tile_that_does_not_continue_the_log(log: Path, trust: Path, forger: Forger, tmp_path: Path) -> None:
    size = len(forger.items)
    short = forger.write(forger.copy()[:9], tmp_path / "short")
    for name in (hashes_path(0, 0, size), entries_path(0, size), evidence_path(0, size)):
        shutil.copy(log / name, short / name)
        spoiled = bytearray((log / name).read_bytes())
        spoiled[40] ^= 1
        (short / name).write_bytes(spoiled)
        verdict = audit(short, trust)
        assert not verdict.holds, name
        assert Unproven.LATER_FILES in verdict.unproven
        (short / name).unlink()


@pytest.fixture
def long(forger: Forger, tmp_path: Path) -> Path:
    """A log of two full bundles, a partial one, and a tile above them."""
    items = forger.copy()
    while len(items) < 530:
        forger.void(items)
    return forger.write(items, tmp_path / "long")


def test_a_log_of_several_bundles_holds_and_extends_a_remembered_one(long: Path, log: Path, trust: Path) -> None:
    remember(audit(log, trust), trust)
    verdict = audit(long, trust)
    assert verdict.findings == ()
    assert verdict.facts.size == 530


@pytest.mark.parametrize("name", ["tile/0/000", "tile/0/001", "tile/0/002.p/18", "tile/1/000.p/2"])
def test_tile_of_other_hashes(long: Path, trust: Path, name: str) -> None:
    data = (long / name).read_bytes()
    (long / name).write_bytes(data[32:] + data[:32])
    assert faults(long, trust) == {Fault.TILE_DIFFERS}
    (long / name).unlink()
    assert faults(long, trust) == {Fault.FILE_MISSING}


@pytest.mark.parametrize("name", ["tile/entries/001", "evidence/001"])
def test_bundle_in_the_place_of_another(long: Path, trust: Path, name: str) -> None:
    first = long / name.replace("001", "000")
    (long / name).write_bytes(first.read_bytes())
    found = audit(long, trust).findings
    assert found
    assert min(finding.index for finding in found if finding.index is not None) == 256


def test_undersized_tile_under_a_full_tiles_name(long: Path, trust: Path) -> None:
    path = long / "tile" / "0" / "001"
    path.write_bytes(path.read_bytes()[:-32])
    assert faults(long, trust) == {Fault.TILE_DIFFERS}
