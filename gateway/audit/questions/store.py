"""The index as files: a head that says what it is of, and one sealed part for each period that can be opened.

``head.json`` holds no personal data: the checkpoint, when it was audited, how many exchanges each period has. It is
authenticated under the key of every period that has a part, so that nobody without them can shorten it. A part is
``YYYYMM.<size>``; the head names it by hash, and is replaced last.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.audit.questions.rows import Rows
from gateway.audit.questions.sealing import NONCE, PartSeal
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import FormatError, canonical_json, parse_canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.ports import Randomness

_HEAD = "head.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One period: its exchanges and refusals, those destroyed, and its sealed rows where its key is here."""

    leaves: int
    destroyed: int
    file: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What an index is of: a checkpoint that an audit under these anchors found to hold, and the parts by period."""

    note: str
    size: int
    root: str
    anchors: str
    audited_at: str
    unproven: tuple[str, ...]
    unacknowledged: int
    parts: Mapping[int, Part]


class IndexFolder:
    """An index in its folder; an auditor's own, 0700, never inside a log."""

    def __init__(self, folder: Path, origin: str, periods: Mapping[int, bytes], randomness: Randomness) -> None:
        """``periods``: raw private keys by YYYYMM."""
        self._folder = folder
        self._randomness = randomness
        self._seals = {period: PartSeal(key, period, origin) for period, key in periods.items()}

    def expire(self) -> tuple[int, ...]:
        """Removes the parts of periods whose key is gone; gives these periods."""
        gone = set[int]()
        for path in self._folder.glob("[0-9]*.*"):
            period = path.name.partition(".")[0]
            if period.isdigit() and int(period) not in self._seals:
                path.unlink(missing_ok=True)
                gone.add(int(period))
        return tuple(sorted(gone))

    def head(self) -> Head | None:
        """The index that is here; None where there is none, or none that the keys of its periods vouch for."""
        try:
            said = parse_canonical_json((self._folder / _HEAD).read_bytes())
            macs, head = said.pop("macs"), _read_head(said)
        except (OSError, FormatError, KeyError, TypeError, ValueError, AttributeError):
            return None
        # a period without a part, whose key came meanwhile, has rows that were never seen
        unseen = [number for number in self._seals if number in head.parts and head.parts[number].file is None]
        known = [number for number, part in head.parts.items() if part.file is not None and number in self._seals]
        signed = canonical_json(said)
        if unseen or not known or not all(
            hmac.compare_digest(self._seals[number].mac(signed), str(macs.get(str(number)))) for number in known
        ):  # fmt: skip
            return None
        return head

    def rows(self, head: Head) -> dict[int, Rows]:
        """The rows of every period whose key is here; raises FormatError where a part is not the head's."""
        return {
            period: Rows.unpack(self._seals[period].open(self._part(part)))
            for period, part in sorted(head.parts.items())
            if part.file is not None and period in self._seals
        }

    def write(self, head: Head, rows: Mapping[int, Rows]) -> Head:
        """Puts this index in the place of the one before; gives the head with the parts' names.

        Crash-safe: parts have new names, the head comes last, and what it does not name goes after it. Raises
        ConfigurationError where the folder cannot be written.
        """
        parts = dict(head.parts)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for period, content in rows.items():
                sealed = self._seals[period].seal(self._randomness.bytes(NONCE), content.pack())
                name = f"{period}.{head.size}"
                self._replace(name, sealed)
                parts[period] = Part(parts[period].leaves, parts[period].destroyed, name, sha256(sealed).hexdigest())
            named = replace(head, parts=parts)
            self._replace(_HEAD, self._head_bytes(named))
            kept = {part.file for part in parts.values()}
            for path in self._folder.glob("[0-9]*.*"):
                if path.name not in kept:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError("file_unwritable", path=self._folder, detail=error.strerror) from None
        return named

    def _part(self, part: Part) -> bytes:
        try:
            sealed = (self._folder / (part.file or "")).read_bytes()
        except OSError as error:
            raise FormatError("a part of the index cannot be read") from error
        if sha256(sealed).hexdigest() != part.sha256:
            raise FormatError("a part of the index is another one")
        return sealed

    def _head_bytes(self, head: Head) -> bytes:
        parts = {str(period): asdict(part) for period, part in head.parts.items()}
        said = {"v": _VERSION, **asdict(head), "parts": parts}
        signed = canonical_json(said)
        mine = [period for period, part in head.parts.items() if part.file and period in self._seals]
        macs = {str(period): self._seals[period].mac(signed) for period in mine}
        return canonical_json(said | {"macs": macs})

    def _replace(self, name: str, content: bytes) -> None:
        temporary = self._folder / f".{name}.new"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        temporary.replace(self._folder / name)


def _read_head(said: Mapping[str, object]) -> Head:
    fields = dict(said)
    if fields.pop("v") != _VERSION:
        raise ValueError("an index of another version")
    parts = fields.pop("parts")
    unproven = fields.pop("unproven")
    if not isinstance(parts, dict) or not isinstance(unproven, list):
        raise TypeError("no head of an index")
    read = {int(period): Part(**part) for period, part in parts.items()}
    return Head(parts=read, unproven=tuple(unproven), **fields)  # type: ignore[arg-type]  # authenticated before use
