"""The Merkle core against a tree that is built as RFC 6962 writes it, leaf for leaf and level for level."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.ledger.merkle import (
    EMPTY_ROOT,
    CompactRange,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from gateway.ledger.tiles import Edge, Tile, tiles_of

_MOST = 1300
LEAVES = [leaf_hash(number.to_bytes(2, "big")) for number in range(_MOST)]
#: Where levels and tiles begin and end.
_EDGES = [0, 1, 2, 3, 127, 128, 129, 255, 256, 257, 511, 512, 513, 767, 768, 769, 1023, 1024, 1025]
SIZES = st.one_of(st.sampled_from(_EDGES), st.integers(0, _MOST))


@cache
def naive(start: int, end: int) -> bytes:
    """MTH of RFC 6962, section 2.1, over the leaves from ``start`` up to ``end``; with hashlib alone."""
    if end - start == 0:
        return sha256(b"").digest()
    if end - start == 1:
        return sha256(b"\x00" + start.to_bytes(2, "big")).digest()
    k = 1
    while k * 2 < end - start:
        k *= 2
    return sha256(b"\x01" + naive(start, start + k) + naive(start + k, end)).digest()


def path(index: int, start: int, end: int) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if end - start == 1:
        return []
    k = 1
    while k * 2 < end - start:
        k *= 2
    if index < k:
        return [*path(index, start, start + k), naive(start + k, end)]
    return [*path(index - k, start + k, end), naive(start, start + k)]


def subproof(old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if old == end - start:
        return [] if whole else [naive(start, end)]
    k = 1
    while k * 2 < end - start:
        k *= 2
    if old <= k:
        return [*subproof(old, start, start + k, whole=whole), naive(start + k, end)]
    return [*subproof(old - k, start + k, end, whole=False), naive(start, start + k)]


def read(height: int, index: int) -> bytes:
    return naive(index << height, (index + 1) << height)


@settings(max_examples=60, deadline=None)
@given(SIZES)
@example(255)
@example(256)
@example(257)
def test_roots(size: int) -> None:
    assert root_of(LEAVES[:size]) == naive(0, size)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, _MOST), st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, read)
    assert proof == path(index, 0, size)
    root = naive(0, size)
    verify_inclusion(LEAVES[index], index, size, proof, root)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with pytest.raises(ProofError):
            verify_inclusion(LEAVES[other], index, size, proof, root)
        with pytest.raises(ProofError):
            verify_inclusion(LEAVES[index], other, size, proof, root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        spoilt = [*proof[:at], node_hash(proof[at], proof[at]), *proof[at + 1 :]]
        for changed in (spoilt, proof[:at] + proof[at + 1 :], [*proof, proof[at]]):
            with pytest.raises(ProofError):
                verify_inclusion(LEAVES[index], index, size, changed, root)


@settings(max_examples=150, deadline=None)
@given(SIZES, SIZES, st.data())
@example(255, 257, None)
@example(256, 257, None)
@example(256, 512, None)
def test_consistency(one: int, two: int, data: st.DataObject | None) -> None:
    old, new = sorted((one, two))
    roots = naive(0, old), naive(0, new)
    proof = consistency_proof(old, new, read)
    assert proof == ([] if old == 0 else subproof(old, 0, new, whole=True))
    verify_consistency(old, roots[0], new, roots[1], proof)
    if old != new:
        with pytest.raises(ProofError):
            verify_consistency(new, roots[1], old, roots[0], proof)
    for spoilt in ((roots[1], roots[0]), (leaf_hash(b"another"), roots[1])):
        if spoilt != roots:
            with pytest.raises(ProofError):
                verify_consistency(old, spoilt[0], new, spoilt[1], proof)
    if proof and data is not None:
        at = data.draw(st.integers(0, len(proof) - 1))
        for changed in (proof[:at] + proof[at + 1 :], [*proof[:at], EMPTY_ROOT, *proof[at + 1 :]]):
            with pytest.raises(ProofError):
                verify_consistency(old, roots[0], new, roots[1], changed)


@settings(max_examples=40, deadline=None)
@given(SIZES, st.data())
def test_a_compact_range_takes_leaves_and_whole_subtrees(size: int, data: st.DataObject) -> None:
    tree = CompactRange()
    while tree.size < size:
        most = min((tree.size & -tree.size).bit_length() - 1 if tree.size else 11, (size - tree.size).bit_length() - 1)
        height = data.draw(st.integers(0, most))
        tree.append(read(height, tree.size >> height), height)
    assert (tree.size, tree.root()) == (size, naive(0, size))
    twin = tree.copy()
    twin.append(LEAVES[0])
    assert (tree.size, tree.root()) == (size, naive(0, size))


@settings(max_examples=25, deadline=None)
@given(SIZES, SIZES)
@example(255, 257)
@example(256, 512)
def test_an_edge_resumed_anywhere_goes_on_as_if_nothing_had_been(stop: int, size: int) -> None:
    stop, size = sorted((stop, size))
    edge = Edge()
    files: dict[Tile, bytes] = {}
    for digest in LEAVES[:stop]:
        files |= dict(edge.append(digest))
    again = Edge()
    again.resume(stop, [b"".join(level) for level in edge.levels])
    for digest in LEAVES[stop:size]:
        files |= dict(again.append(digest))
    files |= dict(again.partials())
    assert again.tree().root() == naive(0, size)
    assert set(files) == {tile for tile in tiles_of(size) if tile.level >= 0}
    for tile, content in files.items():
        wide = 256**tile.level
        first = tile.index * 256
        roots = (naive(at * wide, (at + 1) * wide) for at in range(first, first + tile.width))
        assert content == b"".join(roots)
