"""`passerelle status`: how the gateway is, for whoever is woken at night; and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from shlex import quote
from typing import TYPE_CHECKING

import requests
from rich.live import Live

from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.cli.status_view import StatusView
from gateway.overview import observer
from gateway.system import stop_on_signal
from gateway.watch.alarms import raised
from gateway.watch.facts import UnreadableFactsError, from_json

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from gateway.cli.output import Output
    from gateway.settings import Settings
    from gateway.watch.facts import Facts

_PATIENCE = 5.0
_EVERY = 2.0
RUNBOOK = "docs/runbook.{language}.md#{name}"


def status(output: Output, config: Path | None, *, watch: bool) -> Exit:
    """0 all is well, 1 an alarm holds, 3 the gateway does not answer; raises ConfigurationError."""
    path, settings = settings_of(config)
    if watch and not output.as_json:
        return _watch(output, settings)
    facts = read(settings)
    code = _code(facts)
    output.result({"holds": code is Exit.HOLDS, "exit_code": int(code), "alarms": _alarms(output, facts)} | _as(facts))
    if not output.as_json:
        # a table is fitted to the terminal, where a line of text would run on
        output.console.print(_view(output, facts), soft_wrap=False)
        if not facts.running:
            output.say("status.next", config=quote(str(path)))  # last, and in one piece: it is there to be copied
    return code


def read(settings: Settings) -> Facts:
    """What the running gateway says of itself; where it does not answer, what its folders say."""
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.get(f"http://127.0.0.1:{settings.listen.health_port}/status", timeout=_PATIENCE)
        answer.raise_for_status()
        return from_json(answer.content)
    except (requests.RequestException, UnreadableFactsError):
        watching = observer(compose(settings), None)
        try:
            return watching.facts(running=False)
        finally:
            watching.close()
    finally:
        session.close()


def _view(output: Output, facts: Facts) -> RenderableType:
    return StatusView(output.t, facts, _page).shown(output.console.width)


def _watch(output: Output, settings: Settings) -> Exit:
    # Not by KeyboardInterrupt: raised inside some library's destructor, it is printed and forgotten, and we go on.
    stop = stop_on_signal()
    facts = read(settings)
    with Live(_view(output, facts), console=output.console, auto_refresh=False) as live:
        while not stop.wait(_EVERY):
            facts = read(settings)
            live.update(_view(output, facts), refresh=True)
    return _code(facts)


def _code(facts: Facts) -> Exit:
    if not facts.running:
        return Exit.OUTSIDE
    return Exit.REFUSED if raised(facts) else Exit.HOLDS


def _alarms(output: Output, facts: Facts) -> list[dict[str, object]]:
    return [asdict(item) | {"page": _page(item.name, output.t.language)} for item in raised(facts)]


def _page(name: str, language: str) -> str:
    return RUNBOOK.format(name=name, language=language)


def _as(facts: Facts) -> dict[str, object]:
    return {"version": version("passerelle")} | asdict(facts)
