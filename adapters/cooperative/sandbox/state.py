"""The digest of a registration's state, under a key that the cooperative alone holds (P5)."""

from __future__ import annotations

import hmac
import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from adapters.cooperative.sandbox.records import told
from certs.files import read_private, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.cooperative.sandbox.storage import Kept

#: The digest of no registration.
NOTHING = "0" * 64
_KEY_BYTES = 32


def state_of(key: bytes, kept: Kept | None) -> str:
    """HMAC-SHA-256, in hex, of the canonical record: its fields as they are told, and its parents; 64 zeros of none."""
    if kept is None:
        return NOTHING
    record = json.dumps(told(kept), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.digest(key, record.encode(), "sha256").hex()


def state_key(path: Path) -> bytes:
    """The key in a file that is made at its first use; raises OSError, UnsafeFileError for one that others can read."""
    with suppress(FileExistsError):
        write_private(path, secrets.token_bytes(_KEY_BYTES).hex().encode() + b"\n")
    return bytes.fromhex(read_private(path).decode().strip())
