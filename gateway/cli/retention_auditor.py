"""On an auditor's machine: the auditor's signature under a report that holds (L9)."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from certs.files import write_public
from gateway.cli.output import Exit
from gateway.errors import ConfigurationError
from gateway.policy.verdict import SignedVerdict, Verdict

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gateway.cli.officer_keys import OfficerSigner
    from gateway.cli.output import Output
    from gateway.ports import Clock

_LARGEST_REPORT = 1 << 28
_ROOT = re.compile(r"[0-9a-f]{64}")


def sign_verdict(
    output: Output,
    report: Path,
    auditor: str,
    out: Path,
    key: AbstractContextManager[OfficerSigner],
    clock: Clock,
) -> Exit:
    """Signs what ``audit verify --json`` said, if the log holds and all of its evidence was open.

    Raises ConfigurationError, KeystoreError.
    """
    if out.exists():
        raise ConfigurationError("exists_already", path=out)
    content = _read(report)
    said = _said(report, content)
    facts = said["facts"]
    if said["holds"] is not True or said["findings"]:
        return _refuse(output, "retention.verdict_fails")
    if facts["sealed"]:
        return _refuse(output, "retention.verdict_sealed", count=facts["sealed"])
    with key as signer:
        verdict = Verdict(
            origin=facts["origin"],
            first=said.get("since") or 0,
            end=facts["size"],
            root=facts["root"],
            report=sha256(content).hexdigest(),
            auditor=auditor,
            at=clock.now(),
        )
        document = SignedVerdict(verdict, signer.sign(verdict.text())).document()
    write_public(out, document)
    digest = sha256(document).hexdigest()
    output.result({"holds": True, "verdict": out, "sha256": digest, "first": verdict.first, "end": verdict.end})
    output.say("retention.verdict_signed", path=out, first=verdict.first, end=verdict.end, sha256=digest)
    return Exit.HOLDS


def _refuse(output: Output, key: str, **values: object) -> Exit:
    text = output.t(key, **values)
    output.result({"holds": False, "exit_code": int(Exit.REFUSED), "text": text})
    output.fail(key, **values)
    return Exit.REFUSED


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_REPORT)
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None


def _said(path: Path, content: bytes) -> dict[str, Any]:
    """The report's members that are signed; raises ConfigurationError for a file that is none."""
    try:
        said = json.loads(content)
        sound = _is_report(said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise ConfigurationError("report_malformed", path=path)
    return dict(said)


def _is_report(said: dict[str, Any]) -> bool:
    facts = said["facts"]
    size, since = facts["size"], said.get("since") or 0
    return (
        isinstance(facts["origin"], str)
        and _ROOT.fullmatch(facts["root"]) is not None
        and all(isinstance(number, int) for number in (size, since, facts["sealed"]))
        and 0 <= since < size
        and isinstance(said["findings"], list)
        and "holds" in said
    )
