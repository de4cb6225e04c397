"""Looks for the gateway's keys in everything that a folder holds: in any format, or as nothing but their bytes."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PROBE = b"passerelle: which key is this?"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SIZE = 32
#: How private keys are written: PEM, PKCS #8 of EC and of Ed25519, SEC 1, JWK.
FORMATS = {
    "PEM": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "PKCS #8, EC": re.compile(rb"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", re.DOTALL),
    "PKCS #8, Ed25519": re.compile(rb"\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", re.DOTALL),
    "SEC 1": re.compile(rb"\x02\x01\x01\x04\x20.{32}", re.DOTALL),
    "JWK": re.compile(rb'"d"\s*:\s*"[A-Za-z0-9_-]{43}"'),
}
_HEX = re.compile(rb"[0-9a-fA-F]{64,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{43,}")


@dataclass(frozen=True)
class Wanted:
    """Keys as their owner can name them without showing them.

    ``macs`` are HMACs of PROBE by name, ``publics`` SubjectPublicKeyInfo (DER) by name.
    """

    macs: Mapping[str, bytes]
    publics: Mapping[str, bytes]


def formats(folder: Path) -> set[tuple[str, str]]:
    """(file, format) of everything that is written as a private key is."""
    return {
        (str(path.relative_to(folder)), name)
        for path, content in _files(folder)
        for text in (content, *_decoded(content))
        for name, pattern in FORMATS.items()
        if pattern.search(text)
    }


def mac_keys(folder: Path, wanted: Wanted) -> set[tuple[str, str]]:
    """(file, key) wherever 32 bytes in a row, plain or in hex or base64, are one of the MAC keys."""
    names = {mac: name for name, mac in wanted.macs.items()}
    return {
        (str(path.relative_to(folder)), names[mac])
        for path, content in _files(folder)
        for window in _windows(content)
        if (mac := hmac.digest(window, PROBE, "sha256")) in names
    }


def signing_keys(folder: Path, wanted: Wanted) -> set[tuple[str, str]]:
    """The same for P-256 keys: each 32 bytes are tried as the private number. Slow: for small folders."""
    names = {public: name for name, public in wanted.publics.items()}
    return {
        (str(path.relative_to(folder)), names[public])
        for path, content in _files(folder)
        for window in _windows(content, text=False)
        if (public := _public(window)) in names
    }


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()


def _windows(content: bytes, *, text: bool = True) -> Iterator[bytes]:
    plain = (content,) if text or not content.isascii() else ()
    for part in (*plain, *_decoded(content)):
        for start in range(len(part) - _SIZE + 1):
            yield part[start : start + _SIZE]


def _decoded(content: bytes) -> Iterator[bytes]:
    for found in _HEX.findall(content):
        yield bytes.fromhex(found[: len(found) // 2 * 2].decode())
    # a PEM block is one text of base64 once its line ends are gone
    for found in _BASE64.findall(content.replace(b"\n", b"")):
        text = found.replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):
            part = text[start : start + (len(text) - start) // 4 * 4]
            try:
                yield base64.b64decode(part)
            except binascii.Error:
                continue


def _public(window: bytes) -> bytes | None:
    number = int.from_bytes(window)
    if not 0 < number < _ORDER:
        return None
    key = ec.derive_private_key(number, ec.SECP256R1())
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
