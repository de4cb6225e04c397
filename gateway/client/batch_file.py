"""A file of records to verify: CSV or JSON lines, read strictly, a record at a time, never whole in memory.

CSV: UTF-8 (a byte order mark is let pass), comma or semicolon, a header in French or English, one record per line.
JSON lines: an object of texts per line, under the same names.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.written_nirec import WrittenNirec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    #: How a line of the file becomes named texts; raises _BadRecordError.
    _Form = Callable[[str], Mapping[str, str]]

#: The names that a column may have, in small letters.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "nirec": ("nirec",),
    "family_name": ("family_name", "family name", "nom", "nom_famille", "nom de famille"),
    "given_names": ("given_names", "given names", "prénoms", "prenoms", "prénom", "prenom"),
    "birth_date": ("birth_date", "birth date", "date de naissance", "date_naissance"),
    "reference": ("reference", "référence"),
}
_KNOWN = {name: column for column, names in _NAMES.items() for name in names}
#: Why a record is rejected whose reference would leave a NIREC in the results.
REFERENCE_NIREC = "reference_nirec"
FIELDS = ("nirec", "family_name", "given_names", "birth_date")
#: No record is longer, in bytes.
_LONGEST = 16_384
_LONGEST_NAME, _LONGEST_REFERENCE = 120, 200
#: Control characters, and what no XML can hold.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One record that can be asked about: its line in the file, the party's own reference, its fields."""

    line: int
    reference: str
    fields: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)

    def canonical(self) -> bytes:
        """Line, reference and fields, each after its length; what a commitment to the file is made of."""
        parts = (str(self.line), self.reference, *(self.fields[name] for name in FIELDS))
        encoded = (part.encode() for part in parts)
        return b"".join(len(part).to_bytes(4) + part for part in encoded)


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that cannot be: its line, why in one stable word (``batch.reject.WORD``), and itself as it stood."""

    line: int
    reason: str
    text: str = field(repr=False)


class _BadRecordError(Exception):
    """A record that cannot be asked about; its one argument says why."""


class _Unfit:
    """What each record of a file is held against."""

    def __init__(self, nirec_pattern: str) -> None:
        self._nirec = re.compile(nirec_pattern, re.ASCII)
        self._held = WrittenNirec(nirec_pattern)

    def check(self, named: Mapping[str, str]) -> None:
        """Returns for a record that can be asked about; raises _BadRecordError."""
        if not set(FIELDS) <= named.keys():
            raise _BadRecordError("columns")
        if any(_UNWRITABLE.search(value) for value in named.values()):
            raise _BadRecordError("characters")
        if not self._nirec.fullmatch(named["nirec"]):
            raise _BadRecordError("nirec")
        for name in ("family_name", "given_names"):
            if not named[name].strip() or len(named[name]) > _LONGEST_NAME:
                raise _BadRecordError(name)
        if not _is_date(named["birth_date"]):
            raise _BadRecordError("birth_date")
        reference = named.get("reference", "")
        if len(reference) > _LONGEST_REFERENCE:
            raise _BadRecordError("reference")
        if self._held(reference, named["nirec"]):
            raise _BadRecordError(REFERENCE_NIREC)


def read_records(path: Path, nirec_pattern: str) -> Iterator[FileRecord | Reject]:
    """Every record of a file, in its order; empty lines are passed over.

    Raises ConfigurationError where the file cannot be read, or its header is not one.
    """
    unfit = _Unfit(nirec_pattern)
    try:
        with path.open("rb") as file:
            yield from _records(file, path, unfit)
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None


def _records(file: BinaryIO, path: Path, unfit: _Unfit) -> Iterator[FileRecord | Reject]:
    form: _Form | None = None
    for number, raw in _lines(file):
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if form is None:
            text = text.removeprefix(_BOM)
        if not text.strip():
            continue
        if form is None and not text.lstrip().startswith("{"):
            form = _csv(text, path)  # the header
            continue
        form = form or _json
        try:
            named = _read(raw, text, form, unfit)
        except _BadRecordError as bad:
            yield Reject(number, str(bad), text)
        else:
            yield FileRecord(number, named.get("reference", ""), {name: named[name] for name in FIELDS}, text)


def _read(raw: bytes, text: str, form: _Form, unfit: _Unfit) -> Mapping[str, str]:
    """The named texts of one line; raises _BadRecordError."""
    if len(raw) > _LONGEST:
        raise _BadRecordError("too_long")
    if "\ufffd" in text and not _is_utf8(raw):
        raise _BadRecordError("not_utf8")
    named = form(text)
    unfit.check(named)
    return named


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line with its number; of one that is too long only the beginning, and one byte more than is allowed."""
    number = 0
    while raw := file.readline(_LONGEST + 1):
        number += 1
        rest = raw
        while not rest.endswith(b"\n") and len(rest) >= _LONGEST and (rest := file.readline(_LONGEST)):
            pass
        yield number, raw


def _csv(header: str, path: Path) -> _Form:
    """How the lines below this header are read; raises ConfigurationError for a header that names other things."""
    delimiter = ";" if header.count(";") > header.count(",") else ","
    try:
        said = [name.strip() for name in _split(header, delimiter)]
    except _BadRecordError:
        said = []
    columns = [_KNOWN.get(name.lower(), "") for name in said]
    if "" in columns or len(set(columns)) != len(columns) or not set(FIELDS) <= set(columns):
        # what stands there may be a record, so none of it is shown
        raise ConfigurationError("batch_header", path=path)

    def read(text: str) -> Mapping[str, str]:
        values = _split(text, delimiter)
        if len(values) != len(columns):
            raise _BadRecordError("columns")
        return dict(zip(columns, values, strict=True))

    return read


def _split(text: str, delimiter: str) -> Sequence[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        raise _BadRecordError("not_csv") from None


def _json(text: str) -> Mapping[str, str]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise _BadRecordError("not_json") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise _BadRecordError("not_json")
    named = {_KNOWN.get(name.lower(), ""): value for name, value in pairs}
    if "" in named or len(named) != len(pairs) or not all(isinstance(value, str) for value in named.values()):
        raise _BadRecordError("columns")
    return named


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and date.fromisoformat(text).year > 0
    except ValueError:
        return False


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
