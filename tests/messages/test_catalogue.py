"""The words that go with a count, as each language counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.messages.catalogue import Catalogue

if TYPE_CHECKING:
    from gateway.messages.table import Language


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("fr", 0, "0 réponse gardée sur 9."),
        ("fr", 1, "1 réponse gardée sur 9."),
        ("fr", 2, "2 réponses gardées sur 9."),
        ("en", 0, "0 answers kept of 9."),
        ("en", 1, "1 answer kept of 9."),
        ("en", 2, "2 answers kept of 9."),
    ],
)
def test_zero_is_singular_in_french_and_plural_in_english(language: Language, count: int, said: str) -> None:
    assert Catalogue(language)("batch.so_far", done=count, records=9) == said


def test_what_is_no_count_chooses_no_word() -> None:
    with pytest.raises(TypeError):
        Catalogue("fr")("batch.so_far", done="1", records=9)
