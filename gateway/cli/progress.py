"""How far a long step is, for people who look: bars with an estimate, past two seconds, and gone when done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.system import SystemClock

if TYPE_CHECKING:
    from gateway.cli.output import Output

#: Told the step, what is done of it, and its total.
Tell = Callable[[str, int, int], None]
#: A shorter step is not worth a look.
_SHOWN_AFTER = 2.0


@contextmanager
def progress(output: Output) -> Iterator[Tell]:
    """What a step tells how far it is; nothing is shown with --json or where nobody looks."""
    quiet = output.as_json or not output.error_console.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    clock = SystemClock()
    with Progress(*columns, console=output.error_console, transient=True, disable=quiet) as bar:
        tasks = {}
        start = clock.monotonic()

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(output.t(f"audit.stage.{stage}"), total=total, visible=False)
            late = clock.monotonic() - start > _SHOWN_AFTER
            bar.update(tasks[stage], completed=done, total=total, visible=late)

        yield tell
