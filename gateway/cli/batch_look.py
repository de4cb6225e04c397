"""`passerelle batch status`, `pause` and `report`: how far a batch is, and what the gateway signs of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.call import client_of
from gateway.cli.output import Exit
from gateway.client import batch as batches
from gateway.client.batch_journal import REFUSED, Journal
from gateway.client.verifier import AnswerError
from gateway.errors import ConfigurationError
from gateway.messages.catalogue import Catalogue
from gateway.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.client.batch_journal import BatchState
    from gateway.client.client import PartyClient

_OUTCOMES = ("confirmed", "not_confirmed", "not_found")


def journal_of(file: Path) -> Journal:
    """What is kept beside a file."""
    return Journal(file, SystemClock().monotonic)


def words(reason: str) -> tuple[str, str]:
    """A reject's reason in French and in English."""
    return Catalogue("fr")(f"batch.reject.{reason}"), Catalogue("en")(f"batch.reject.{reason}")


def status(output: Output, file: Path) -> Exit:
    """What the party itself has of a batch; nobody is asked. Exit 0 where every record was answered."""
    journal, state = _known(file)
    counts = journal.counts()
    done, running = sum(counts.values()), journal.in_hand()
    whole = done == state.records
    output.result(
        {"batch": state.batch, "records": state.records, "rejected": state.rejected, "answered": done,
         "outcomes": counts, "running": running}
    )  # fmt: skip
    output.say("batch.opened", batch=state.batch, records=state.records, rejected=state.rejected)
    output.say("batch.so_far", done=done, records=state.records)
    output.say("batch.running" if running else "batch.whole" if whole else "batch.resting")
    return Exit.HOLDS if whole and not state.rejected and not counts.get(REFUSED) else Exit.REFUSED


def pause(output: Output, file: Path) -> Exit:
    """Asks the process that works at a batch to stop; it can be taken up again. Where none does, says so."""
    journal, state = _known(file)
    running = journal.in_hand()
    if running:
        journal.ask_pause()
    output.result({"batch": state.batch, "running": running})
    output.say("batch.pause_asked" if running else "batch.nothing_to_pause")
    return Exit.HOLDS


def report(output: Output, file: Path, party: Path) -> Exit:
    """The gateway's report of a batch, verified, kept and shown."""
    journal, state = _known(file)
    return reported(output, journal, state, client_of(party))


def reported(output: Output, journal: Journal, state: BatchState, client: PartyClient) -> Exit:
    """The same, at the end of a run; exit 0 only if every record of the file was answered.

    Raises AnswerError (batch_report_differs) where it does not say what the party has.
    """
    answer, said, keep = batches.report(client, state.batch)
    path = keep(journal.folder)
    counts = journal.counts()
    refused = counts.pop(REFUSED, 0)
    _compare(said, state, counts)
    whole = sum(counts.values()) == state.records and not state.rejected
    output.result({"holds": whole, "refused": refused, "receipt": path, "exchange_id": answer.exchange_id} | dict(said))
    output.say("batch.report.title", batch=state.batch)
    output.say("batch.report.records", records=said["records"], rejected=said["rejected"], opened=said["opened_at"])
    for name in _OUTCOMES:
        output.say(f"batch.report.{name}", count=said[name])
    if refused or state.rejected:
        output.say("batch.report.rejects", count=refused + state.rejected, path=journal.rejects)
    if "first_exchange" in said:
        output.say("batch.report.first", exchange=said["first_exchange"], at=said["first_at"])
        output.say("batch.report.last", exchange=said["last_exchange"], at=said["last_at"])
    output.say("batch.report.commitment", commitment=said["commitment"])
    output.say("batch.report.kept", path=path, results=journal.results)
    return Exit.HOLDS if whole else Exit.REFUSED


def _compare(said: Mapping[str, object], state: BatchState, counts: Mapping[str, int]) -> None:
    """The gateway's numbers are the party's own, once all is in; what is under way may be ahead of either."""
    announced = (said["records"], said["rejected"], said["commitment"])
    complete = said["answered"] == sum(counts.values())
    differs = complete and any(said[name] != counts.get(name, 0) for name in _OUTCOMES)
    if announced != (state.records, state.rejected, state.commitment) or differs:
        raise AnswerError("batch_report_differs", batch=state.batch)


def _known(file: Path) -> tuple[Journal, BatchState]:
    journal = journal_of(file)
    state = journal.state()
    if state is None:
        raise ConfigurationError("batch_unopened", path=file)
    return journal, state
