"""The Merkle tree of RFC 6962, section 2.1: hashes, a compact range that grows, proofs and their verification."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    ReadHash = Callable[[int, int], bytes]
    """Gives the hash of the complete subtree of 2**height leaves that begins at leaf index << height."""

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


class ProofError(LedgerError):
    """A Merkle proof does not prove what it is said to prove."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """A growing tree, held as the roots of its complete subtrees: 32 bytes per one bit of its size."""

    __slots__ = ("_nodes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[tuple[int, bytes]] = []

    def append(self, digest: bytes, height: int = 0) -> None:
        """Adds a leaf hash, or the root of a complete subtree of 2**height leaves.

        Raises LedgerError where such a subtree cannot stand at the present size.
        """
        if self.size & ((1 << height) - 1):
            raise LedgerError(f"a subtree of height {height} cannot stand at {self.size}")
        self.size += 1 << height
        while self._nodes and self._nodes[-1][0] == height:
            digest = node_hash(self._nodes.pop()[1], digest)
            height += 1
        self._nodes.append((height, digest))

    def root(self) -> bytes:
        """The tree's root."""
        if not self._nodes:
            return EMPTY_ROOT
        root = self._nodes[-1][1]
        for _, left in reversed(self._nodes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> CompactRange:
        """The same tree, which grows apart from this one."""
        twin = CompactRange()
        twin.size = self.size
        twin._nodes = list(self._nodes)
        return twin


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, or over the hashes of one tile."""
    tree = CompactRange()
    for digest in hashes:
        tree.append(digest)
    return tree.root()


def range_root(start: int, end: int, read: ReadHash) -> bytes:
    """The root over the leaves from ``start`` up to, not with, ``end``, a node that occurs in proofs."""
    width = end - start
    if width & (width - 1) == 0:
        height = width.bit_length() - 1
        return read(height, start >> height)
    split = start + _split(width)
    return node_hash(range_root(start, split, read), range_root(split, end, read))


def inclusion_proof(index: int, size: int, read: ReadHash) -> list[bytes]:
    """The audit path of leaf ``index`` in the tree of ``size`` leaves (RFC 6962, 2.1.1); raises ProofError."""
    if not 0 <= index < size:
        raise ProofError("no such leaf in this tree")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(range_root(split, end, read))
            end = split
        else:
            path.append(range_root(start, split, read))
            start = split
    return path[::-1]


def verify_inclusion(digest: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Returns if the leaf hash stands at ``index`` of ``size`` under ``root``; raises ProofError otherwise."""
    if not 0 <= index < size:
        raise ProofError("no such leaf in this tree")
    inner, border = _path_shape(index, size)
    if len(proof) != inner + border or any(len(step) != HASH_SIZE for step in proof):
        raise ProofError("inclusion proof of the wrong length")
    if _climb(digest, proof, index, inner) != root:
        raise ProofError("inclusion proof leads to another root")


def consistency_proof(old: int, new: int, read: ReadHash) -> list[bytes]:
    """The proof that the tree of ``new`` leaves begins with that of ``old`` (RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ProofError("no such sizes")
    if old in {0, new}:
        return []
    path: list[bytes] = []
    start, end = 0, new
    whole = True  # whether the old tree's root is this subtree, so that the verifier has it already
    while old != end:
        split = start + _split(end - start)
        if old <= split:
            path.append(range_root(split, end, read))
            end = split
        else:
            path.append(range_root(start, split, read))
            start = split
            whole = False
    if not whole:
        path.append(range_root(start, end, read))
    return path[::-1]


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Returns if the tree of ``new`` leaves begins with that of ``old`` leaves; raises ProofError otherwise.

    RFC 9162, section 2.1.4.2; size 0 is a case of its own, which nothing but an empty proof and root proves.
    """
    if not 0 <= old <= new:
        raise ProofError("the tree shrank")
    if old in {0, new}:
        expected = EMPTY_ROOT if old == 0 else new_root
        if proof or old_root != expected:
            raise ProofError("another tree of the same size, or an empty tree with a root")
        return
    # the largest complete subtree at the old tree's right end is common to both; it is the old root itself
    # where the old size is a power of two, and then the proof does not repeat it
    common = (old & -old).bit_length() - 1
    inner, border = _path_shape(old - 1, new)
    inner -= common
    steps = [old_root, *proof] if old == 1 << common else list(proof)
    if len(steps) != 1 + inner + border or any(len(step) != HASH_SIZE for step in steps):
        raise ProofError("consistency proof of the wrong length")
    index = (old - 1) >> common
    lefts = [step for level, step in enumerate(steps[1:]) if level >= inner or index >> level & 1]
    if _climb(steps[0], lefts, 0, 0) != old_root or _climb(steps[0], steps[1:], index, inner) != new_root:
        raise ProofError("consistency proof leads to another root")


def _path_shape(index: int, size: int) -> tuple[int, int]:
    """How many steps of a leaf's path stand below the point where it meets the tree's right border, and above."""
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(digest: bytes, steps: Sequence[bytes], index: int, inner: int) -> bytes:
    """The root that a path leads to: on the left above ``inner`` steps, below by the bits of ``index``."""
    for level, step in enumerate(steps):
        on_the_left = level >= inner or index >> level & 1
        digest = node_hash(step, digest) if on_the_left else node_hash(digest, step)
    return digest


def _split(width: int) -> int:
    """The largest power of two smaller than ``width``."""
    return 1 << ((width - 1).bit_length() - 1)
