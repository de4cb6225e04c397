from __future__ import annotations

import pytest

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

LEAVES = [leaf_hash(bytes([number])) for number in range(70)]


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(naive_root(hashes[:split]), naive_root(hashes[split:]))


def read(height: int, index: int) -> bytes:
    return naive_root(LEAVES[index << height : (index + 1) << height])


def test_empty_tree_and_single_leaf_hash_as_the_rfc_says() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_root_of_the_rfc_reference_tree() -> None:
    # the eight leaves that certificate-transparency's own tests use
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    root = root_of([leaf_hash(bytes.fromhex(leaf)) for leaf in leaves])
    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_compact_range_grows_like_the_naive_tree() -> None:
    tree = CompactRange()
    for size in range(71):
        assert tree.root() == naive_root(LEAVES[:size])
        assert tree.size == size
        if size < 70:
            tree.append(LEAVES[size])


@pytest.mark.parametrize("size", range(1, 71))
def test_inclusion_holds_for_each_leaf_and_for_no_other(size: int) -> None:
    root = naive_root(LEAVES[:size])
    for index in range(size):
        proof = inclusion_proof(index, size, read)
        verify_inclusion(LEAVES[index], index, size, proof, root)
        with pytest.raises(ProofError):
            verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
        with pytest.raises(ProofError):
            verify_inclusion(LEAVES[index], index, size, [*proof, EMPTY_ROOT], root)
        if proof:
            with pytest.raises(ProofError):
                verify_inclusion(LEAVES[index], index, size, proof[:-1], root)
            with pytest.raises(ProofError):
                verify_inclusion(LEAVES[index], index ^ 1, size, proof, root)


@pytest.mark.parametrize("new", range(71))
def test_consistency_holds_for_each_older_size_and_no_other_root(new: int) -> None:
    new_root = naive_root(LEAVES[:new])
    for old in range(new + 1):
        old_root = naive_root(LEAVES[:old])
        proof = consistency_proof(old, new, read)
        verify_consistency(old, old_root, new, new_root, proof)
        with pytest.raises(ProofError):
            verify_consistency(old, leaf_hash(b"another"), new, new_root, proof)
        with pytest.raises(ProofError):
            verify_consistency(old, old_root, new, new_root, [*proof, EMPTY_ROOT])
        if old not in {0, new}:
            with pytest.raises(ProofError):
                verify_consistency(old, old_root, new, leaf_hash(b"another"), proof)
            with pytest.raises(ProofError):
                verify_consistency(old, old_root, new, new_root, proof[:-1])


def test_a_tree_that_shrank_is_refused() -> None:
    with pytest.raises(ProofError):
        verify_consistency(5, naive_root(LEAVES[:5]), 4, naive_root(LEAVES[:4]), [])


@pytest.mark.parametrize("index", [-1, 5, 6])
def test_no_proof_for_a_leaf_outside_the_tree(index: int) -> None:
    with pytest.raises(ProofError):
        inclusion_proof(index, 5, read)
    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[0], index, 5, [], EMPTY_ROOT)
