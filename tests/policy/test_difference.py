"""What changes, and whether it widens (P2): every field of the schema has its sentence."""

from __future__ import annotations

import typing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from gateway.cli.policy_words import as_json, sentence
from gateway.errors import ConfigurationError
from gateway.messages.catalogue import Catalogue, texts
from gateway.policy import difference
from gateway.policy.bundle import Bundle
from gateway.policy.difference import Change, differences
from tests.policy.changes import CASES
from tests.policy.made import bundle, drop, policy, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.policy.made import Policy


_ENTRIES = {"agreement", "party", "authority", "officer", "recovery", "period", "auditor"}


def _said(changes: tuple[Change, ...]) -> list[str]:
    return [f"{'+' if change.widens else ''}{change.sentence}" for change in changes]


def _pair(case: str) -> tuple[Bundle, Bundle]:
    path, before, after, *_ = CASES[case]
    old: Callable[[Policy], None] = put(*path, value=before)
    if case in _ENTRIES:
        old = lambda _: None  # noqa: E731  nothing is there yet
    return bundle(old), bundle(put(*path, value=after))


@pytest.mark.parametrize("case", CASES)
def test_a_change_and_its_reverse(case: str) -> None:
    before, after = _pair(case)
    forth, back = CASES[case][3:]
    assert _said(differences(before, after)) == [forth]
    assert _said(differences(after, before)) == [back]


def _fields(model: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str]]:
    """Every field of the schema, of every document in it."""
    for name, field in model.model_fields.items():
        yield model, name
        kinds = [field.annotation]
        while kinds:
            kind = kinds.pop()
            kinds += typing.get_args(kind)
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind)


def _keys(value: Any) -> Iterator[str]:
    """The members of a section that a case changes as a whole."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)


#: compared as a whole by the rule of the field that holds them
_WHOLE = {
    ("Validity", "since"), ("Validity", "until"), ("Bilingual", "fr"), ("Bilingual", "en"),
    ("Budget", "raised"), ("Raised", "subjects"), ("Raised", "validity"), ("Raised", "reason"),
}  # fmt: skip


def test_every_field_of_the_schema_has_its_rule() -> None:
    fields = {(model.__name__, name) for model, name in _fields(Bundle)}
    assert len(fields) > 40
    ruled = {(model.__name__, name) for model, name in difference._RULES}
    assert fields == ruled | _WHOLE


def test_every_field_of_the_schema_is_in_the_table_above() -> None:
    """A change of it yields a sentence of its own, never the one for what is not known."""
    walked = {".".join([*path, *_keys(value)]) for path, _, value, *_ in CASES.values()}
    walked |= {".".join([*path, *_keys(value)]) for path, value, *_ in CASES.values()}
    holders = {
        "officers",
        "guard",
        "validity",
        "budget",
        "title",
        "legal_basis",
        "authorities",
        "parties",
        "agreements",
    }
    for model, name in _fields(Bundle):
        if (model.__name__, name) not in _WHOLE and name not in holders:
            assert any(name in path.split(".") for path in walked), (model, name)
    assert "other" not in {case[3] for case in CASES.values()}


def test_an_unknown_kind_of_difference_counts_as_widening(monkeypatch: pytest.MonkeyPatch) -> None:
    left = {key: rule for key, rule in difference._RULES.items() if key[1] != "refusals_per_minute"}
    monkeypatch.setattr(difference, "_RULES", left)
    before, after = _pair("refusals")
    assert _said(differences(after, before)) == ["+other"]


def test_the_same_policy_has_no_differences() -> None:
    assert differences(bundle(), bundle()) == ()


def test_a_time_in_another_zone_is_the_same_time() -> None:
    moved = put("validity", "until", value="2027-10-31T20:00:00-04:00")
    assert differences(bundle(), bundle(moved)) == ()


def test_a_recovery_set_that_comes_and_goes_widens() -> None:
    without = bundle(
        put("officers", "recovery", value={}),
        drop("officers", "recovery_threshold"),
        drop("officers", "recovery_delay_hours"),
    )
    for before, after in ((without, bundle()), (bundle(), without)):
        changes = differences(before, after)
        assert len(changes) == 5
        assert all(change.widens and change.section == "officers" for change in changes)


def test_a_new_party_that_does_not_sign_is_told_as_such() -> None:
    more = {"names": ["new.test"], "unsigned": True, "sealed_apart": "ab" * 32}
    changes = differences(bundle(), bundle(put("parties", "new", value=policy()["parties"]["ministry"] | more)))
    assert _said(changes) == ["+party_added", "+party_unsigned", "+party_sealed_apart_set"]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("case", CASES)
def test_every_change_has_a_sentence_in_both_languages(case: str, language: Any) -> None:
    before, after = _pair(case)
    for changes in (differences(before, after), differences(after, before)):
        for change in changes:
            text = sentence(Catalogue(language), change)
            assert text
            assert "{" not in text


def test_no_sentence_without_its_change() -> None:
    said = {change.lstrip("+") for case in CASES.values() for change in case[3:]}
    said |= {"other", "recovery_threshold_set", "recovery_delay_set", "budget_raised_beyond"}
    assert {f"policy.change.{word}" for word in said} == {key for key in texts() if key.startswith("policy.change.")}


def test_a_lawyer_can_read_it() -> None:
    before, after = _pair("field")
    (change,) = differences(before, after)
    assert sentence(Catalogue("fr"), change) == (
        "L'entente ENT-1 permet en plus à Partie ministry (ministry) de recevoir le champ « handle »"
    )
    assert sentence(Catalogue("en"), change) == (
        "The agreement ENT-1 allows Party ministry (ministry) to receive the field “handle” too"
    )
    assert as_json(Catalogue("en"), [change])[0]["where"] == "agreements.ENT-1.fields"


def test_a_title_cannot_pretend_to_be_another_line() -> None:
    trap = "Ministère\n  ÉLARGIT rien\x1b[2K\u202egnol"
    before, after = bundle(), bundle(put("parties", "ministry", "title", "fr", value=trap))
    (change,) = differences(before, after)
    text = sentence(Catalogue("fr"), change)
    assert not set(text) & set("\n\x1b\u202e")


NIGHT = {"since": "2026-11-20T18:00:00Z", "until": "2026-11-21T06:00:00Z"}


def budget(subjects: int = 0, validity: Mapping[str, str] = NIGHT, most: int = 50) -> dict[str, Any]:
    """Of a hundred a day, with a ceiling of so many more for twelve hours, and raised by so many of them."""
    made: dict[str, Any] = {"subjects": 100, "window_hours": 24, "break_glass": {"subjects": most, "hours": 12}}
    return made | ({"raised": {"subjects": subjects, "validity": dict(validity)}} if subjects else {})


def under(value: Mapping[str, Any]) -> Bundle:
    return bundle(put("agreements", "ENT-1", "budget", value=value))


def test_a_raise_inside_what_was_signed_before_does_not_widen() -> None:
    """Break-glass (P2): it waits for no delay, since its ceiling has waited already."""
    assert _said(differences(under(budget()), under(budget(50)))) == ["budget_raised_inside"]
    assert _said(differences(under(budget(50)), under(budget(49)))) == ["budget_raised_inside"]
    assert _said(differences(under(budget(50)), under(budget()))) == ["budget_raise_ended"]


def test_a_raise_beyond_what_was_signed_before_widens_whatever_ceiling_comes_with_it() -> None:
    changes = differences(under(budget(most=50)), under(budget(51, most=99)))
    assert _said(changes) == ["+break_glass_subjects_raised", "+budget_raised_beyond"]
    never = {"subjects": 100, "window_hours": 24}
    assert _said(differences(under(never), under(budget(1)))) == ["+break_glass_set", "+budget_raised_beyond"]


@pytest.mark.parametrize(
    "raised",
    [budget(51), budget(50, NIGHT | {"until": "2026-11-21T06:00:01Z"}), budget(1) | {"break_glass": None}],
    ids=["too_many", "too_long", "no_ceiling"],
)
def test_a_raise_beyond_its_own_ceiling_is_no_policy(raised: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="policy_invalid"):
        under(raised)


def test_a_raise_begins_and_ends_by_itself() -> None:
    held = under(budget(50)).agreements["ENT-1"].budget
    assert held is not None
    times = ("2026-11-20T17:59:59Z", "2026-11-20T18:00:00Z", "2026-11-21T05:59:59Z", "2026-11-21T06:00:00Z")
    assert [held.at(datetime.fromisoformat(at)) for at in times] == [100, 150, 150, 100]
