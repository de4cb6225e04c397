"""The French and English texts of the command line, from one file; French when nothing says otherwise."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.messages.table import Language


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Every text by key, then by language."""
    content = files("gateway.messages").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return tomllib.loads(content)


class _Counting(Formatter):
    """``{count:one|many}`` is the word that goes with a count: in French zero and one are singular, in English one."""

    def __init__(self, language: Language) -> None:
        self._singular = (0, 1) if language == "fr" else (1,)

    def format_field(self, value: object, format_spec: str) -> str:
        """Raises TypeError where words are chosen by what is no count."""
        one, bar, many = format_spec.partition("|")
        if not bar:
            return str(super().format_field(value, format_spec))
        if not isinstance(value, int):
            raise TypeError(format_spec)
        return one if value in self._singular else many


class Catalogue:
    """Texts in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._formatter = _Counting(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its values put in; raises KeyError for a key that is not in the catalogue."""
        return self._formatter.vformat(texts()[key][self.language], (), values)


def choose_language(arguments: Sequence[str], environ: Mapping[str, str]) -> Language:
    """What ``--lang`` says, else LC_ALL, LC_MESSAGES or LANG where they name French or English; else French."""
    for flag, value in zip_longest(arguments, arguments[1:], fillvalue=""):
        chosen = value if flag == "--lang" else flag.removeprefix("--lang=") if flag.startswith("--lang=") else ""
        if chosen in ("fr", "en"):
            return "en" if chosen == "en" else "fr"
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        tag = environ.get(name, "")[:2].lower()
        if tag in ("fr", "en"):
            return "en" if tag == "en" else "fr"
    return "fr"
