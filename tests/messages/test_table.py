"""The one table of errors: every code, both languages, nothing of the input."""

from __future__ import annotations

import json

import pytest

from gateway.errors import Code, Refusal
from gateway.messages.table import ErrorTable, load_table, preferred
from gateway.model import UpstreamRefusal


def test_the_table_and_the_codes_are_the_same_set() -> None:
    assert set(load_table()) == set(Code)


@pytest.mark.parametrize("code", Code)
def test_each_code_has_a_status_and_words_in_both_languages(code: Code) -> None:
    row = ErrorTable().row(code)
    assert 400 <= row.status < 600
    for words in (row.title, row.next):
        assert words.keys() == {"fr", "en"}
        assert all(len(text) > 10 for text in words.values())
        assert words["fr"] != words["en"]


@pytest.mark.parametrize("code", [code for code in Code if ErrorTable().row(code).status >= 500])
def test_what_can_follow_an_effect_says_under_which_key_to_ask_again(code: Code) -> None:
    """An exchange is halted before anything is asked; every other failure may come when the effect is there."""
    said = {language: "Idempotency-Key" in words for language, words in ErrorTable().row(code).next.items()}
    assert said == dict.fromkeys(("fr", "en"), code is not Code.TIMESTAMP_TOO_OLD)


def test_a_problem_says_what_rfc_9457_asks_for() -> None:
    refusal = Refusal(Code.DIGEST_MISMATCH, component="content-digest", nonce="n")
    shown = ErrorTable().render(refusal, "an-id", "en")
    problem = json.loads(shown.body)
    assert shown.content_type == "application/problem+json"
    assert problem["type"] == "urn:passerelle:error:digest_mismatch"
    assert (problem["status"], problem["component"], problem["exchange_id"]) == (
        shown.status, "content-digest", "an-id",
    )  # fmt: skip
    assert ("Content-Language", "en, fr") in shown.headers
    assert "nonce" not in problem


def test_retry_after_is_the_refusals_own_where_it_has_one() -> None:
    table = ErrorTable()
    own = table.render(UpstreamRefusal(Code.UPSTREAM_UNAVAILABLE, retry_after=7), "id", "")
    assert ("Retry-After", "7") in own.headers
    assert any(name == "Retry-After" for name, _ in table.render(Refusal(Code.NOT_RECORDED), "id", "").headers)
    assert not any(name == "Retry-After" for name, _ in table.render(Refusal(Code.REPLAYED), "id", "").headers)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("en", "en"),
        ("en-CA,fr", "en"),
        ("fr-CA, en", "fr"),
        ("de, en;q=0.5", "en"),
        ("de", "fr"),
        ("*", "fr"),
    ],
)
def test_french_unless_english_comes_first(header: str, language: str) -> None:
    assert preferred(header) == language
