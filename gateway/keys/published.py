"""What callers may know of our keys: the certificates of those that sign answers, the public keys of receipts.

Every generation is published: the next one ahead of its use, the former ones because what they signed is still held.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.errors import KeystoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.keys.generations import Generations
    from gateway.keys.stores import OpenKeystore


def certificates(store: OpenKeystore, generations: Generations, kind: str) -> Mapping[str, bytes]:
    """DER by key name, of the generations that have a certificate, the one in use first; raises KeystoreError."""
    current = generations.name(kind)
    found = {current: store.certificate(current)}
    for generation in reversed(generations.all(kind)):
        with suppress(KeystoreError):  # one that is not certified yet, or whose key was destroyed
            found.setdefault(generation.name, store.certificate(generation.name))
    return found


def public_keys(store: OpenKeystore, generations: Generations, kind: str) -> Mapping[str, bytes]:
    """SubjectPublicKeyInfo, DER, by key name, the one in use first; raises KeystoreError."""
    current = generations.name(kind)
    found = {current: store.public_key(current)}
    for generation in reversed(generations.all(kind)):
        with suppress(KeystoreError):
            found.setdefault(generation.name, store.public_key(generation.name))
    return found
