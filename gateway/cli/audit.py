"""`passerelle audit verify`, `check-kept`, `translate`, `report`: the offline verdict, in words, JSON or a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.audit.audit import Beside, audit, remember
from gateway.audit.pool import processes
from gateway.audit.remote import RemoteLog, Tls
from gateway.cli import audit_words as words
from gateway.cli.audit_page import page
from gateway.cli.audit_words import Run
from gateway.cli.output import Exit
from gateway.cli.progress import progress
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import timestamp
from gateway.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.audit.translate import Retold
    from gateway.audit.verdict import Verdict
    from gateway.cli.output import Output

_SHOWN = 20
_HTTPS = "https://"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an auditor asks for.

    Attributes:
        receipts, kept: folders of what a party kept.
        retold: what both sides of translations kept.
        keep: whether a log that holds is remembered in the trust folder, for the next audit to extend.
        since: a checkpoint before which evidence is not opened again.
        jobs: how many processes; None for what fits the log.
        out: a file for the report as a page to print.
    """

    receipts: Path | None = None
    kept: Path | None = None
    retold: Retold | None = None
    keep: bool = False
    since: Path | None = None
    jobs: int | None = None
    out: Path | None = None


def source_of(log: str, authority: Path | None, certificate: Path | None, key: Path | None) -> Path | RemoteLog:
    """Where the log is: a folder, or an https address; raises ConfigurationError where a file of TLS is not there."""
    if log.startswith("http://"):
        raise ConfigurationError("https_needed", address=log)
    if not log.startswith(_HTTPS):
        return Path(log)
    for path in (authority, certificate, key):
        if path is not None and not path.is_file():
            raise ConfigurationError("file_unreadable", path=path, detail="TLS")
    return RemoteLog(log.rstrip("/"), Tls(authority, certificate, key))


def verify(output: Output, log: Path | RemoteLog, trust: Path, wanted: Wanted | None = None) -> Exit:
    """The verdict, on what parties kept too where it is given."""
    wanted, clock = wanted or Wanted(), SystemClock()
    began, start = clock.now(), clock.monotonic()
    beside = Beside(began, wanted.receipts, wanted.kept, wanted.retold)
    with progress(output) as tell:
        verdict = audit(log, trust, progress=tell, beside=beside, since=wanted.since, jobs=wanted.jobs)
    run = Run(
        log=log.address if isinstance(log, RemoteLog) else str(log),
        version=version("passerelle"),
        began=timestamp(began),
        seconds=round(clock.monotonic() - start, 3),
        jobs=processes(wanted.jobs, verdict.facts.size),
    )
    output.result({"holds": verdict.holds} | asdict(verdict) | {"run": asdict(run)})
    _show(output, verdict)
    if wanted.out is not None:
        _write(wanted.out, page(output.t, verdict, run))
        output.say("audit.page.written", path=wanted.out)
    if verdict.holds and wanted.keep:
        remember(verdict, trust)
    return Exit.HOLDS if verdict.holds else Exit.REFUSED


def _show(output: Output, verdict: Verdict) -> None:
    if output.as_json:
        return
    _print(output, [words.headline(output.t, verdict)])
    if verdict.facts.sealed:
        output.say("audit.sealed", count=verdict.facts.sealed)
    rows = words.facts(output.t, verdict)
    width = max(len(name) for name, _ in rows)
    # lines, not a table: a root folded over two lines cannot be copied
    _print(output, [f"{name:{width}}  {value}" for name, value in rows], len(rows))
    _print(output, words.policies(output.t, verdict))
    _print(output, words.destructions(output.t, verdict))
    _print(output, words.recoveries(output.t, verdict))
    _print(output, words.disputes(output.t, verdict))
    found = words.findings(output.t, verdict)
    for one in found[:_SHOWN]:
        where = output.t("audit.where", where=one.where, detail=one.detail)
        _print(output, [one.text, where])
    if len(found) > _SHOWN:
        output.say("audit.more", count=len(found) - _SHOWN)
    if verdict.holds:
        output.say("audit.unproven")
        unproven = [output.t("audit.item", text=text) for text in words.unproven(output.t, verdict)]
        _print(output, unproven, len(unproven))


def _print(output: Output, lines: Sequence[str], most: int = _SHOWN) -> None:
    for line in lines[:most]:
        output.console.print(line, markup=False)
    if len(lines) > most:
        output.say("audit.more", count=len(lines) - most)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("file_unwritable", path=path, detail=error.strerror) from None
