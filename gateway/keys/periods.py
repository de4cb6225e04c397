"""The public keys to which evidence is sealed, each month's (L2) and the officers' (C5); never their private sides."""

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


def apart_key(folder: Path, digest: str) -> bytes:
    """The officers' raw public key of this hex SHA-256, which the policy names for a party, and its file is named by.

    Raises KeystoreError where it is not in the keys' ``folder``, or is another.
    """
    path = folder / "apart" / f"{digest}.pub"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KeystoreError("file_unreadable", path=path, detail=error.strerror) from None
    if sha256(content).hexdigest() != digest:
        raise KeystoreError("period_key_unknown", path=path)
    return content
