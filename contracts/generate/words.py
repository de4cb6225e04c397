"""The words of the pages, by language."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.declaration import Language


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        text = files("contracts.generate").joinpath("words.toml").read_text(encoding="utf-8")
        self.language: Language = language
        self.other: Language = "en" if language == "fr" else "fr"
        self._words: dict[str, str] = tomllib.loads(text)[language]

    def __call__(self, word: str, **values: object) -> str:
        """The word's text, the values put in; raises KeyError for a word that there is not."""
        return self._words[word] % values if values else self._words[word]
