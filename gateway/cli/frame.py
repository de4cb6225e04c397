"""The words that typer and the system put around ours, out of the catalogue: a help page's frame, complaints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.messages.catalogue import Catalogue

#: What typer or the C library writes, and the text of the catalogue that says the same; groups are values of that text.
_WORDS = tuple(
    (re.compile(pattern, re.MULTILINE), key)
    for pattern, key in (
        (r"Show this message and exit\.", "frame.help"),
        (r"^Commands:", "frame.commands"),
        (r"\[OPTIONS\] COMMAND \[ARGS\]\.\.\.", "frame.command"),
        (r"\[required\]", "frame.required"),
        (r"\[default: (?P<value>[^;\]]+)", "frame.default"),
        (r"<float range>", "frame.number"),
        (r"<str>", "frame.text"),
        (r"No such command '(?P<name>[^']*)'\.", "frame.no_command"),
        (r"No such option: (?P<name>\S+)", "frame.no_option"),
        (r"Did you mean (?P<names>.+)\?", "frame.meant"),
        (r"Missing option '(?P<name>[^']*)'\.", "frame.missing_option"),
        (r"Missing argument '(?P<name>[^']*)'\.", "frame.missing_argument"),
        (r"Choose from:", "frame.choose"),
        (r"Input should be a valid integer, unable to parse string as an integer", "frame.whole_number"),
        (r"Input should be greater than or equal to (?P<least>\S+)", "frame.at_least"),
        (r"Input should be less than or equal to (?P<most>\S+)", "frame.at_most"),
        (r"Option '(?P<name>[^']*)' requires an argument\.", "frame.missing_value"),
        (r"Got unexpected extra argument(?:s|\(s\))? \((?P<names>[^)]*)\)", "frame.extra"),
        (r"Invalid value for '(?P<name>[^']*)': (Value error, )?", "frame.invalid"),
        (r"(?P<value>'[^']*') is not one of ", "frame.not_one_of"),
        (r"\bNo such file or directory\b", "frame.not_there"),
        (r"\bIs a directory\b", "frame.a_folder"),
        (r"\bNot a directory\b", "frame.no_folder"),
        (r"\bPermission denied\b", "frame.denied"),
        (r"\bNo space left on device\b", "frame.full"),
        (r"\bRead-only file system\b", "frame.read_only"),
        (r"\bFile exists\b", "frame.exists"),
    )
)


def reworded(t: Catalogue, text: str) -> str:
    """A text with typer's or the system's words in it, in the catalogue's language."""
    for pattern, key in _WORDS:
        # as wide as before, or the columns of a help page would shift
        text = pattern.sub(lambda found, key=key: t(key, **found.groupdict()).ljust(_width(found)), text)  # type: ignore[misc]  # bound now
    return text


def _width(found: re.Match[str]) -> int:
    return len(found[0]) if found[0].startswith("<") else 0


def speak(t: Catalogue, command: Any) -> Any:
    """The command and all below it, whose help pages then speak the catalogue's language."""
    base = command.context_class

    def get_help(context: Any) -> str:
        return reworded(t, base.get_help(context))

    # typer does not export its own context: ours is made from the one that the command brings
    command.context_class = type("Spoken", (base,), {"get_help": get_help})
    for below in getattr(command, "commands", {}).values():
        speak(t, below)
    return command
