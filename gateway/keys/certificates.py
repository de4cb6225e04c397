"""The certificates beside the keys: always files (NAME.pem), wherever the keys themselves lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import KeystoreError

if TYPE_CHECKING:
    from collections.abc import Callable


class CertificateFiles:
    """Certificates by the name of their key; one that is renewed is read again."""

    def __init__(self, folder: Path, public_key: Callable[[str], bytes]) -> None:
        """``public_key`` gives a key's SubjectPublicKeyInfo in DER, which must be its certificate's."""
        self._folder = folder
        self._public_key = public_key
        self._kept: dict[str, tuple[tuple[int, int], bytes]] = {}
        self._paths: dict[str, str] = {}

    def certificate(self, name: str) -> bytes:
        """DER of the first certificate in NAME.pem; raises KeystoreError: missing, or of another key."""
        kept = self._kept.get(name)
        path = self._paths.get(name) or str(self._folder / f"{name}.pem")
        try:
            # twice an exchange: making a Path each time would cost five times the call itself
            status = os.stat(path)  # noqa: PTH116  for that reason
            state = (status.st_mtime_ns, status.st_ino)
            if kept is not None and kept[0] == state:
                return kept[1]
            loaded = x509.load_pem_x509_certificate(Path(path).read_bytes())
        except (OSError, ValueError):
            raise KeystoreError("certificate_missing", path=path) from None
        if spki(loaded) != self._public_key(name):
            raise KeystoreError("certificate_of_another_key", path=path)
        der = loaded.public_bytes(Encoding.DER)
        self._kept[name], self._paths[name] = (state, der), path
        return der


def spki(of: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    """Its key as SubjectPublicKeyInfo, DER."""
    return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
