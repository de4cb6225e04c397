"""Witnesses, as an auditor knows them, and their cosignatures under a checkpoint (DESIGN L10, L11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.verdict import Fault, Problem, Unproven
from gateway.errors import ConfigurationError
from gateway.ledger.cosignature import WitnessKey, verify_cosignature
from gateway.ledger.encoding import FormatError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.report import Report
    from gateway.ledger.note import LogKey, SignedNote

WITNESSES, QUORUM = "witnesses.vkey", "witnesses.k"


def load_witnesses(folder: Path) -> tuple[tuple[WitnessKey, ...], int]:
    """The witnesses in ``witnesses.vkey``, one vkey a line, and how many of them must have cosigned (``witnesses.k``).

    None and 0 where the auditor brings none. Raises ConfigurationError naming the file.
    """
    path, quorum = folder / WITNESSES, folder / QUORUM
    if not path.exists() and not quorum.exists():
        return (), 0
    try:
        keys = tuple(WitnessKey.parse(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
    except (FormatError, UnicodeDecodeError):
        raise ConfigurationError("trust_malformed", path=path, detail="vkey") from None
    try:
        text = quorum.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=quorum, detail=error.strerror) from None
    if len({key.name for key in keys}) != len(keys) or len({key.public for key in keys}) != len(keys):
        raise ConfigurationError("trust_malformed", path=path, detail="one name, one key")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= len(keys):
        raise ConfigurationError("trust_malformed", path=quorum, detail=f"1-{len(keys)}")
    return keys, int(text)


def check_lines(signed: SignedNote, log: LogKey, witnesses: tuple[WitnessKey, ...]) -> frozenset[str]:
    """The witnesses that cosigned a note which the log's key signed.

    Readers ignore keys that they do not know (C2SP); an auditor wants to know whose they are. Raises Problem.
    """
    found: set[str] = set()
    for line in signed.signatures:
        if (line.name, line.key_id) == (log.name, log.key_id):
            continue
        key = next((key for key in witnesses if key.wrote(line)), None)
        if key is None:
            raise Problem(Fault.CHECKPOINT_INVALID, "signed by a key that is not trusted")
        try:
            verify_cosignature(signed.checkpoint, line, key)
        except FormatError as error:
            raise Problem(Fault.COSIGNATURE_INVALID, f"{key.name}: {error}") from None
        if key.name in found:
            raise Problem(Fault.COSIGNATURE_INVALID, f"{key.name} stands twice")
        found.add(key.name)
    return frozenset(found)


def check_quorum(found: frozenset[str], quorum: int, report: Report, file: str) -> None:
    """Notes whether as many witnesses as the auditor wants have cosigned."""
    if not quorum:
        return
    report.unproven.discard(Unproven.NO_WITNESSES)
    if len(found) < quorum:
        detail = f"{len(found)} of {quorum} witnesses have cosigned"
        report.problem(Problem(Fault.COSIGNATURES_MISSING, detail), file=file)
