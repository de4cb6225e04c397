"""What a call ends with that brought no good answer: it says under which key it can be asked once more.

What lives here: the errors' common root, and what gives them the key. What may not: which failure is which.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import ShownError

if TYPE_CHECKING:
    from collections.abc import Iterator


class CallError(ShownError):
    """A call that brought no good answer, whatever it was that failed.

    Attributes:
        idempotency_key: the key, a UUID, that a call bore which changes something. It may have happened: asked once
            more under this key, it happens once. None of a call that changes nothing.
    """

    idempotency_key: str | None = None


class UnkeptError(CallError):
    """The gateway's answer holds, and could not be written down here: a full disk, a folder that is not ours."""


@contextmanager
def under(key: str | None) -> Iterator[None]:
    """What fails within tells the key."""
    try:
        yield
    except CallError as error:
        error.idempotency_key = key
        raise


@contextmanager
def kept() -> Iterator[None]:
    """What cannot be written within is an UnkeptError, so that the answer's loss is told as a call's end."""
    try:
        yield
    except OSError as error:
        raise UnkeptError("answer_not_kept", path=error.filename or "", detail=error.strerror or "") from error
