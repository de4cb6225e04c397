"""Subject to handles: each party sees its own, the ledger another, and none can be joined (N3)."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from gateway.model import DisclosedSubject

if TYPE_CHECKING:
    from gateway.model import Nirec
    from gateway.nirec.pseudonyms import PseudonymChain
    from gateway.ports import Keystore

LEDGER_KEY = "ledger-subjects"
_KEPT = 65_536


class SubjectStore(Protocol):
    """The lookup from pseudonym to subject."""

    def subject(self, pseudonym: bytes, generation: int) -> bytes:
        """The subject's 16 random bytes, made if there was none."""
        ...


class SubjectDirectory:
    """ports.Subjects. Keeps recent pseudonyms' subjects in memory: random ids behind keyed hashes, no NIREC."""

    def __init__(self, store: SubjectStore, chain: PseudonymChain, keystore: Keystore, handle_prefix: str) -> None:
        self._store = store
        self._chain = chain
        self._keystore = keystore
        self._prefix = handle_prefix
        self._lock = Lock()
        self._recent: OrderedDict[bytes, bytes] = OrderedDict()

    def disclose(self, nirec: Nirec, party: str) -> DisclosedSubject:
        """The subject behind a confirmed NIREC, as this party and as the ledger name it; raises KeystoreError."""
        subject = self._subject(self._chain.pseudonym(nirec))
        ledger = self._keystore.mac(LEDGER_KEY, subject)
        handle = self._keystore.mac(self._prefix + party, subject)
        return DisclosedSubject(ledger=ledger.hex(), handle=handle.hex())

    def _subject(self, pseudonym: bytes) -> bytes:
        with self._lock:
            known = self._recent.get(pseudonym)
        if known is not None:
            return known
        subject = self._store.subject(pseudonym, self._chain.generation)
        with self._lock:
            self._recent[pseudonym] = subject
            if len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        return subject
