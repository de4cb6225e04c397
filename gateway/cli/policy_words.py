"""The policy in sentences: what changes, what is still needed, and why it says no."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.cli.output import Exit
from gateway.policy.bundle import Bilingual
from gateway.policy.judge import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.cli.output import Output
    from gateway.messages.catalogue import Catalogue
    from gateway.policy.bundle import Bundle
    from gateway.policy.difference import Change
    from gateway.policy.reasons import PolicyRefused

_LOCAL = ZoneInfo("America/Toronto")
_LONGEST = 400


def local(at: datetime) -> str:
    """A time for people: Québec's, with its offset."""
    return at.astimezone(_LOCAL).isoformat(sep=" ", timespec="seconds")


def sentence(t: Catalogue, change: Change) -> str:
    """What a change says, in the catalogue's language."""
    return t(f"policy.change.{change.sentence}", **readable(t, change.values))


def refusal(t: Catalogue, refused: PolicyRefused) -> str:
    """Why the policy says no."""
    return t(f"problem.{refused.key}", **readable(t, refused.values))


def refuse(output: Output, refused: PolicyRefused) -> Exit:
    """Says that the policy says no, and why."""
    text = refusal(output.t, refused)
    output.result({"holds": False, "exit_code": int(Exit.REFUSED), "reason": refused.reason.value, "text": text})
    output.fail("policy.refused", text=text, reason=refused.reason.value)
    return Exit.REFUSED


def readable(t: Catalogue, values: Mapping[str, object]) -> dict[str, object]:
    """A sentence's values as people read them."""
    return {name: _readable(t, value) for name, value in values.items()}


def say_changes(output: Output, changes: Sequence[Change]) -> None:
    """Each change on a line, those that widen marked; that it is the next version is said elsewhere."""
    for change in changes:
        if change.section in ALWAYS:
            continue
        output.say("policy.widens" if change.widens else "policy.narrows", text=sentence(output.t, change))


def as_json(t: Catalogue, changes: Sequence[Change]) -> list[dict[str, object]]:
    """The changes for scripts."""
    return [
        {"where": change.where, "change": change.sentence, "widens": change.widens, "text": sentence(t, change)}
        for change in changes
    ]


def warn_of_few(output: Output, bundle: Bundle) -> None:
    """Says loudly what a set-up is where one person may be able to change everything."""
    if bundle.officers.single:
        output.fail("policy.single")
    elif bundle.development:
        output.fail("policy.development")


def _readable(t: Catalogue, value: object) -> object:
    shown: object = value
    match value:
        case Bilingual():
            shown = _plain(getattr(value, t.language))
        case datetime():
            shown = local(value)
        case bool():
            shown = t("policy.yes" if value else "policy.no")
        case None | ():
            shown = "—"
        case tuple():
            shown = ", ".join(str(_readable(t, item)) for item in value)
        case str():
            shown = _plain(value)
    return shown


def _plain(text: str) -> str:
    """A document's own text on one line: nothing in it can end a line, turn the writing round, or colour a terminal."""
    kept = "".join(" " if char in "\n\t" else char for char in text.strip())
    kept = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char)[0] == "C" else char for char in kept)
    return kept if len(kept) <= _LONGEST else f"{kept[:_LONGEST]}…"
