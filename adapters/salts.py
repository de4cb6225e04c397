"""Salts between us and an upstream (C4): a new one for each message of ours, and theirs judged before it counts."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from adapters.resilience import AttemptFailedError
from gateway.errors import Code

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Randomness

_OURS = 32
_LEAST, _MOST = 16, 64


class Salts:
    """``claim`` says of an answer's salt whether its upstream never used it before, and remembers it."""

    def __init__(self, randomness: Randomness, claim: Callable[[bytes], bool]) -> None:
        self._randomness = randomness
        self._claim = claim

    def new(self) -> bytes:
        """A fresh salt."""
        return self._randomness.bytes(_OURS)

    def accept(self, theirs: bytes, ours: bytes | None, public: str) -> None:
        """Returns if an answer's salt is sound; raises AttemptFailedError (``upstream_untrusted``).

        ``public`` is what evidence keeps of both messages in the clear, their ids among it: what stands there, in any
        spelling, is no secret.
        """
        sound = _LEAST <= len(theirs) <= _MOST and theirs != ours and not _stands_in(theirs, public)
        if not sound or not self._claim(theirs):
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False)


def _stands_in(salt: bytes, public: str) -> bool:
    plain = public.replace("-", "+").replace("_", "/")
    digits = public.replace("-", "").lower()
    return salt in public.encode() or b64encode(salt).decode().rstrip("=") in plain or salt.hex() in digits
