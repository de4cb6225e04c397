from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import LedgerError
from gateway.ledger.encoding import FormatError
from gateway.ledger.merkle import leaf_hash, root_of
from gateway.ledger.tiles import (
    Edge,
    Tile,
    hashes_path,
    pack_entries,
    pack_evidence,
    partial_tiles,
    tile_name,
    tiles_of,
    unpack_entries,
    unpack_evidence,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_names_are_those_of_c2sp() -> None:
    assert tile_name(1234067) == "x001/x234/067"
    assert tile_name(0) == "000"
    assert tile_name(999) == "999"
    assert tile_name(1000) == "x001/000"
    assert hashes_path(1, 273, 17) == "tile/1/273.p/17"
    assert Tile(-1, 5, 3).paths == ("tile/entries/005.p/3", "evidence/005.p/3")


def test_a_log_of_70000_has_the_tiles_that_c2sp_says() -> None:
    tiles = list(tiles_of(70_000))
    full = [tile for tile in tiles if tile.width == 256]
    assert len([tile for tile in full if tile.level == 0]) == 273
    assert len([tile for tile in full if tile.level == 1]) == 1
    partial = [(tile.level, tile.index, tile.width) for tile in tiles if tile.width != 256]
    assert partial == [(-1, 273, 112), (0, 273, 112), (1, 1, 17), (2, 0, 1)]


@pytest.mark.parametrize(
    ("size", "partials"),
    [
        (0, []),
        (1, [(-1, 0, 1), (0, 0, 1)]),
        (255, [(-1, 0, 255), (0, 0, 255)]),
        (256, [(1, 0, 1)]),
        (257, [(-1, 1, 1), (0, 1, 1), (1, 0, 1)]),
        (65535, [(-1, 255, 255), (0, 255, 255), (1, 0, 255)]),
        (65536, [(2, 0, 1)]),
        (65537, [(-1, 256, 1), (0, 256, 1), (2, 0, 1)]),
    ],
)
def test_partials_exist_where_c2sp_says_and_are_never_empty(size: int, partials: list[tuple[int, int, int]]) -> None:
    assert [(tile.level, tile.index, tile.width) for tile in partial_tiles(size)] == partials


def test_edge_writes_each_tile_once_and_bottom_up() -> None:
    edge = Edge()
    hashes = [leaf_hash(number.to_bytes(4, "big")) for number in range(65537)]
    full: dict[Tile, bytes] = {}
    for digest in hashes:
        filled = list(edge.append(digest))
        assert [tile.level for tile, _ in filled] == list(range(len(filled)))
        for tile, data in filled:
            assert tile not in full
            full[tile] = data
        if edge.size in {255, 256, 257, 65535, 65536, 65537}:
            present = set(full) | {tile for tile, _ in edge.partials()}
            assert present == {tile for tile in tiles_of(edge.size) if tile.level >= 0}
            assert edge.tree().root() == root_of(hashes[: edge.size])
    assert full[Tile(0, 255, 256)] == b"".join(hashes[255 * 256 : 65536])
    assert full[Tile(1, 0, 256)][:32] == root_of(hashes[:256])
    again = Edge()
    again.resume(edge.size, [b"".join(level) for level in edge.levels])
    assert again.tree().root() == root_of(hashes)


def test_edge_refuses_a_tile_of_another_width() -> None:
    with pytest.raises(LedgerError, match="level 0"):
        Edge().resume(2, [b"\x00" * 32])
    with pytest.raises(LedgerError, match="level 0"):
        Edge().resume(1, [b"\x00" * 31])


@pytest.mark.parametrize(("pack", "unpack"), [(pack_entries, unpack_entries), (pack_evidence, unpack_evidence)])
def test_bundles_unpack_to_what_was_packed_and_refuse_a_cut(
    pack: Callable[[list[bytes]], bytes], unpack: Callable[[bytes], list[bytes]]
) -> None:
    parts = [b"one", b"", b"three"]
    bundle = pack(parts)
    assert unpack(bundle) == parts
    for cut in (1, len(bundle) - 1):
        with pytest.raises(FormatError):
            unpack(bundle[:cut])
    with pytest.raises(FormatError):
        unpack(pack([b""] * 257))


def test_a_purged_record_is_an_empty_one() -> None:
    assert pack_evidence([None, b"x"]) == b"\x00\x00\x00\x00\x00\x00\x00\x01x"
