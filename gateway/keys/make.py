"""New keys, written once: `passerelle init` calls this, and nothing overwrites a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certs.files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ports import Randomness

_MAC_BYTES = 32


def make_mac_key(folder: Path, name: str, randomness: Randomness) -> None:
    """Writes ``NAME.mac`` with 256 random bits in hex; raises FileExistsError if it is there."""
    write_private(folder / f"{name}.mac", randomness.bytes(_MAC_BYTES).hex().encode() + b"\n")


def nirec_key(generation: int) -> str:
    """The name of the pseudonym key of a generation (N2)."""
    return f"nirec-{generation}"


def handle_key(party: str) -> str:
    """The name of the key that makes a party's handles (N3)."""
    return f"handle-{party}"
