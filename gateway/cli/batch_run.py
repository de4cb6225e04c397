"""`passerelle batch verify-nirec` and `resume`: runs a batch, shows how far it is, and ends with its signed report."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.batch import CONNECTIONS, DAY, PATTERN
from gateway.cli.batch_look import journal_of, reported, words
from gateway.cli.call import client_of
from gateway.cli.common import find_config
from gateway.cli.output import Exit
from gateway.client.batch import BatchRun, Pattern, open_batch
from gateway.client.batch_wire import BatchWire
from gateway.client.party import PartyFolder
from gateway.errors import ConfigurationError
from gateway.messages.table import load_table
from gateway.nirec.memory import forbid_core_dumps
from gateway.system import SystemClock, SystemRandomness, stop_on_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.client.batch import Progress as HowFar
    from gateway.client.batch_journal import BatchState, Journal
    from gateway.client.client import PartyClient
    from gateway.ports import Stop

_TICK_SECONDS = 0.2
#: A shorter run is not worth a look.
_SHOWN_AFTER = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of a run."""

    file: Path
    party: str
    folder: Path | None
    pattern: str
    connections: int
    per_second: int | None
    patience: float

    def again(self) -> str:
        """The command that takes it up where it stopped, as a shell reads it: the same file, party and options."""
        words: list[object] = ["passerelle", "batch", "resume", self.file, "--as", self.party]
        words += [] if self.folder is None else ["--dir", self.folder]
        words += [] if self.pattern == PATTERN else ["--nirec-pattern", self.pattern]
        words += [] if self.connections == CONNECTIONS else ["--connections", self.connections]
        words += [] if self.per_second is None else ["--per-second", self.per_second]
        words += [] if self.patience == DAY else ["--patience", self.patience]
        return shlex.join(map(str, words))


def party_folder(party: str, folder: Path | None) -> Path:
    """Where a party's keys are."""
    return (folder or find_config(None).parent) / "sandbox" / "parties" / party


def begin(output: Output, wanted: Wanted) -> Exit:
    """Opens a batch for the file and runs it; exit 0 only if every record was answered."""
    return _with_journal(output, wanted, opens=True)


def resume(output: Output, wanted: Wanted) -> Exit:
    """Takes a batch up where it stopped."""
    return _with_journal(output, wanted, opens=False)


def _with_journal(output: Output, wanted: Wanted, *, opens: bool) -> Exit:
    forbid_core_dumps()
    clock, randomness = SystemClock(), SystemRandomness()
    pattern = Pattern(wanted.pattern, words)
    home = party_folder(wanted.party, wanted.folder)
    client, journal = client_of(home), journal_of(wanted.file)
    if not opens and journal.state() is None:
        raise ConfigurationError("batch_unopened", path=wanted.file)
    _check_readable(wanted.file)
    with journal.alone():
        state = open_batch(journal, client, pattern, randomness) if opens else journal.state()
        if state is None:
            raise ConfigurationError("batch_unopened", path=wanted.file)
        output.say("batch.opened", batch=state.batch, records=state.records, rejected=state.rejected)
        batch, party = state.batch, PartyFolder.load(home)
        run = BatchRun(
            journal,
            state,
            pattern,
            lambda: BatchWire(party, client, batch, journal.key(), randomness),
            clock,
            randomness,
            connections=wanted.connections,
            per_second=min(state.per_second, wanted.per_second or state.per_second),
            patience=wanted.patience,
        )
        return _run(output, wanted, journal, state, client, run)


def _check_readable(file: Path) -> None:
    try:
        file.open("rb").close()
    except IsADirectoryError:
        raise ConfigurationError("not_a_file", path=file) from None
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=file, detail=error.strerror) from None


def _run(
    output: Output, wanted: Wanted, journal: Journal, state: BatchState, client: PartyClient, run: BatchRun
) -> Exit:
    stop = stop_on_signal()
    run.start()
    with _shown(output, run) as show:
        while not run.wait(_TICK_SECONDS):
            if stop.is_set() or journal.pause_asked():
                run.stop()
            show(run.progress())
    if run.result():
        return reported(output, journal, state, client)
    return _stopped(output, wanted, run, stop, journal)


def _stopped(output: Output, wanted: Wanted, run: BatchRun, stop: Stop, journal: Journal) -> Exit:
    """Says how to go on; exit 3 where the other side was waited for in vain, else 1: not each record was answered."""
    how_far = run.progress()
    asked = stop.is_set() or journal.pause_asked()
    output.result({"holds": False, "answered": how_far.done, "records": how_far.records, "waiting": how_far.waiting})
    output.say("batch.stopped", done=how_far.done, records=how_far.records)
    if how_far.waiting is not None and not asked:
        output.say("batch.no_answer", reason=_reasons(output)(how_far.waiting))
    output.say("batch.how_to_resume", command=wanted.again())
    return Exit.REFUSED if asked else Exit.OUTSIDE


def _reasons(output: Output) -> Callable[[str], str]:
    """How a reason for waiting is said: a refusal by its title; whatever else there was, as nobody there."""
    titles = {code.value: row.title[output.t.language] for code, row in load_table().items()}
    return lambda reason: titles.get(reason) or output.t("batch.unreachable", reason=reason)


@contextmanager
def _shown(output: Output, run: BatchRun) -> Iterator[Callable[[HowFar], None]]:
    """A bar with rate and estimate, past two seconds; nothing with --json or where nobody looks."""
    quiet = output.as_json or not output.error_console.is_terminal
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    clock, reasons = SystemClock(), _reasons(output)
    start, first = clock.monotonic(), run.progress()
    with Progress(*columns, console=output.error_console, transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=first.records, completed=first.done, visible=False, rate="")

        def show(now: HowFar) -> None:
            elapsed = clock.monotonic() - start
            rate = (now.done - first.done) / elapsed if elapsed else 0.0
            said = output.t("batch.rate", rate=f"{rate:.0f}")
            waits = now.waiting
            text = output.t("batch.asking") if waits is None else output.t("batch.waiting", reason=reasons(waits))
            bar.update(task, completed=now.done, description=text, rate=said, visible=elapsed > _SHOWN_AFTER)

        yield show
