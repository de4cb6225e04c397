"""The months' public keys, to which evidence is sealed (L2); their private sides are never here."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import KeystoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def period_key(folder: Path, periods: Mapping[str, str], period: int) -> bytes:
    """A month's raw public key, the one that the policy names by its hex SHA-256 in ``periods``.

    Raises KeystoreError where it is not in the keys' ``folder``, or is another.
    """
    path = folder / "periods" / f"{period}.pub"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KeystoreError("file_unreadable", path=path, detail=error.strerror) from None
    if periods.get(str(period)) != sha256(content).hexdigest():
        raise KeystoreError("period_key_unknown", path=path)
    return content
