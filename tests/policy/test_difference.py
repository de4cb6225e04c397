"""What changes, and whether it widens (P2): every field of the schema has its sentence."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from gateway.cli.policy_words import as_json, sentence
from gateway.messages.catalogue import Catalogue, texts
from gateway.policy import difference
from gateway.policy.bundle import Bundle
from gateway.policy.difference import Change, differences
from tests.policy.made import authority, bundle, drop, officer, policy, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.policy.made import Policy

MINISTRY = ("agreements", "ENT-1")
_OTHER_ROOT = authority("other").root.pem.decode()
_AGREEMENT = policy()["agreements"]["ENT-2"]
_BUDGET = (*MINISTRY, "budget")
_EARLIER, _LATER = "2026-10-01T00:00:00Z", "2027-10-01T00:00:00Z"
_FIELDS = (*MINISTRY, "fields")
_RETENTION = policy()["retention"]
_VKEY = "witness.test/1+3dd77e39+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
_OTHER_VKEY = "witness.test/2+f9ac8000+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
_WITNESS = {"vkey": _VKEY, "url": "https://witness.test", "organisation": "Témoin"}
_SECOND = {"vkey": _OTHER_VKEY, "url": "https://second.test", "organisation": "Autre"}
_WITNESSING = {"quorum": 1, "when_missing": "open", "witnesses": {"one": _WITNESS}}
_TWO = _WITNESSING | {"witnesses": {"one": _WITNESS, "two": _SECOND}}
_TSA = {"url": "http://tsa.test/tsr", "root": _OTHER_ROOT}
_TIMESTAMPING = {"authorities": {"tsa": _TSA}}

#: name -> (path, value before, value after, sentence); what is put back, the other way round, is in the next column
_CASES: dict[str, tuple[tuple[str, ...], Any, Any, str, str]] = {
    "field": (_FIELDS, ["outcome"], ["outcome", "handle"], "+agreement_field_added", "agreement_field_removed"),
    "purpose": ((*MINISTRY, "purposes"), ["a"], ["a", "b"], "+agreement_purpose_added", "agreement_purpose_removed"),
    "tells": ((*MINISTRY, "tells_not_found"), False, True, "+tells_not_found", "conceals_not_found"),
    "since": (
        (*MINISTRY, "validity", "since"),
        "2026-11-01T00:00:00Z",
        _EARLIER,
        "+agreement_begins_earlier",
        "agreement_begins_later",
    ),
    "until": (
        (*MINISTRY, "validity", "until"),
        _LATER,
        "2027-11-01T00:00:00Z",
        "+agreement_ends_later",
        "agreement_ends_earlier",
    ),
    "budget": (_BUDGET, {"subjects": 1, "window_hours": 2}, None, "+budget_removed", "budget_set"),
    "subjects": ((*_BUDGET, "subjects"), 1, 2, "+budget_subjects_raised", "budget_subjects_lowered"),
    "window": ((*_BUDGET, "window_hours"), 24, 12, "+budget_window_lowered", "budget_window_raised"),
    "agreement_party": ((*MINISTRY, "party"), "ministry", "cooperative", "+agreement_party", "+agreement_party"),
    "operation": ((*MINISTRY, "operation"), "echo", "nirec.verify", "+agreement_operation", "+agreement_operation"),
    "legal_basis": ((*MINISTRY, "legal_basis", "fr"), "a", "b", "agreement_legal_basis", "agreement_legal_basis"),
    "agreement": (
        ("agreements", "ENT-3"),
        None,
        _AGREEMENT | {"operation": "echo"},
        "+agreement_added",
        "agreement_removed",
    ),
    "suspended": (("parties", "ministry", "suspended"), True, False, "+party_readmitted", "party_suspended"),
    "unsigned": (("parties", "ministry", "unsigned"), False, True, "+party_unsigned", "party_signs"),
    "sealed_apart": (
        ("parties", "ministry", "sealed_apart"),
        None,
        "ab" * 32,
        "+party_sealed_apart_set",
        "party_sealed_apart_removed",
    ),
    "sealed_apart_key": (
        ("parties", "ministry", "sealed_apart"),
        "ab" * 32,
        "cd" * 32,
        "+party_sealed_apart_replaced",
        "+party_sealed_apart_replaced",
    ),
    "role": (("parties", "ministry", "role"), "ministry", "auditor", "+party_role", "+party_role"),
    "title": (("parties", "ministry", "title", "en"), "a", "b", "party_title", "party_title"),
    "party_authority": (
        ("parties", "ministry", "authority"),
        "ministry",
        "cooperative",
        "+party_authority",
        "+party_authority",
    ),
    "name": (("parties", "ministry", "names"), ["a.b"], ["a.b", "c.d"], "+party_name_added", "party_name_removed"),
    "party": (
        ("parties", "new"),
        None,
        policy()["parties"]["ministry"] | {"names": ["new.test"]},
        "+party_added",
        "party_removed",
    ),
    "root": (
        ("authorities", "ministry", "roots"),
        [authority("ministry").root.pem.decode()],
        [authority("ministry").root.pem.decode(), _OTHER_ROOT],
        "+root_added",
        "root_removed",
    ),
    "intermediate": (
        ("authorities", "ministry", "intermediates"),
        [],
        [_OTHER_ROOT],
        "+intermediate_added",
        "intermediate_removed",
    ),
    "authority": (("authorities", "other"), None, {"roots": [_OTHER_ROOT]}, "+authority_added", "authority_removed"),
    "threshold": (("officers", "threshold"), 3, 2, "+threshold_lowered", "threshold_raised"),
    "officer": (("officers", "keys", "new"), None, officer("new").public, "+officer_added", "officer_removed"),
    "officer_key": (
        ("officers", "keys", "officer-1"),
        officer("officer-1").public,
        officer("new").public,
        "+officer_replaced",
        "+officer_replaced",
    ),
    "recovery": (
        ("officers", "recovery", "new"),
        None,
        officer("new").public,
        "+recovery_officer_added",
        "+recovery_officer_removed",
    ),
    "recovery_key": (
        ("officers", "recovery", "last-1"),
        officer("last-1").public,
        officer("new").public,
        "+recovery_officer_replaced",
        "+recovery_officer_replaced",
    ),
    "recovery_threshold": (
        ("officers", "recovery_threshold"),
        3,
        2,
        "+recovery_threshold_lowered",
        "recovery_threshold_raised",
    ),
    "recovery_delay": (
        ("officers", "recovery_delay_hours"),
        72,
        48,
        "+recovery_delay_lowered",
        "recovery_delay_raised",
    ),
    "widening_delay": (("officers", "widening_delay_hours"), 24, 0, "+widening_delay_lowered", "widening_delay_raised"),
    "refusals": (("guard", "refusals_per_minute"), 60, 61, "+refusals_raised", "refusals_lowered"),
    "canary": (("guard", "canaries"), ["a", "b"], ["a"], "+canary_removed", "canary_added"),
    "grace": (("guard", "revocation_grace_hours"), 0, 24, "+revocation_grace_raised", "revocation_grace_lowered"),
    "period": (("periods", "202701"), None, "c" * 64, "+period_added", "period_removed"),
    "period_key": (("periods", "202611"), "a" * 64, "c" * 64, "+period_replaced", "+period_replaced"),
    "retention": (("retention",), None, _RETENTION, "+retention_set", "retention_removed"),
    "months": (("retention", "months"), 60, 12, "+retention_lowered", "retention_raised"),
    "auditor": (("retention", "auditors", "new"), None, officer("new").public, "+auditor_added", "auditor_removed"),
    "auditor_key": (
        ("retention", "auditors", "auditor-1"),
        officer("auditor-1").public,
        officer("new").public,
        "+auditor_replaced",
        "+auditor_replaced",
    ),
    "witnessing": (("witnessing",), _WITNESSING, None, "+witnessing_removed", "witnessing_set"),
    "quorum": (("witnessing",), _TWO | {"quorum": 2}, _TWO, "+quorum_lowered", "quorum_raised"),
    "when_missing": (
        ("witnessing",),
        _WITNESSING | {"when_missing": "closed"},
        _WITNESSING,
        "+witnesses_open",
        "witnesses_closed",
    ),
    "witnesses": (("witnessing",), _WITNESSING, _TWO, "+witness_added", "+witness_removed"),
    "vkey": (
        ("witnessing",),
        _WITNESSING,
        _WITNESSING | {"witnesses": {"one": _WITNESS | {"vkey": _OTHER_VKEY}}},
        "+witness_vkey",
        "+witness_vkey",
    ),
    "url": (
        ("witnessing",),
        _WITNESSING,
        _WITNESSING | {"witnesses": {"one": _WITNESS | {"url": "https://b.test"}}},
        "witness_url",
        "witness_url",
    ),
    "organisation": (
        ("witnessing",),
        _WITNESSING,
        _WITNESSING | {"witnesses": {"one": _WITNESS | {"organisation": "b"}}},
        "witness_organisation",
        "witness_organisation",
    ),
    "timestamping": (("timestamping",), _TIMESTAMPING, None, "+timestamping_removed", "timestamping_set"),
    "timestamp_authorities": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA, "other": dict(_TSA)}},
        "+timestamp_authority_added",
        "+timestamp_authority_removed",
    ),
    "timestamp_url": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA | {"url": "http://b.test"}}},
        "timestamp_url",
        "timestamp_url",
    ),
    "timestamp_root": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA | {"root": authority("ministry").root.pem.decode()}}},
        "+timestamp_root",
        "+timestamp_root",
    ),
    "timestamp_policy": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA | {"policy": "1.2.3"}}},
        "+timestamp_policy",
        "+timestamp_policy",
    ),
    "halt": (
        ("timestamping",),
        _TIMESTAMPING | {"halt_after_minutes": 5},
        _TIMESTAMPING | {"halt_after_minutes": 6},
        "+timestamp_halt_raised",
        "timestamp_halt_lowered",
    ),
    "halts": (
        ("timestamping",),
        _TIMESTAMPING | {"halt_after_minutes": 5},
        _TIMESTAMPING,
        "+timestamp_halt_removed",
        "timestamp_halt_set",
    ),
    "origin": (("origin",), "a.example", "b.example", "+origin", "+origin"),
    "version": (("version",), 1, 2, "version", "version"),
    "previous": (("previous",), None, "a" * 64, "previous", "previous"),
    "gateway": (("gateway",), "passerelle", "ministry", "+gateway", "+gateway"),
    "policy_since": (
        ("validity", "since"),
        "2026-11-01T00:00:00Z",
        _EARLIER,
        "+policy_begins_earlier",
        "policy_begins_later",
    ),
    "policy_until": (
        ("validity", "until"),
        _LATER,
        "2027-11-01T00:00:00Z",
        "+policy_ends_later",
        "policy_ends_earlier",
    ),
    "order": (_FIELDS, ["outcome", "handle"], ["handle", "outcome"], "rewritten", "rewritten"),
    "twice": (_FIELDS, ["outcome"], ["outcome", "outcome"], "rewritten", "rewritten"),
}
_ENTRIES = {"agreement", "party", "authority", "officer", "recovery", "period", "auditor"}


def _said(changes: tuple[Change, ...]) -> list[str]:
    return [f"{'+' if change.widens else ''}{change.sentence}" for change in changes]


def _pair(case: str) -> tuple[Bundle, Bundle]:
    path, before, after, *_ = _CASES[case]
    old: Callable[[Policy], None] = put(*path, value=before)
    if case in _ENTRIES:
        old = lambda _: None  # noqa: E731  nothing is there yet
    return bundle(old), bundle(put(*path, value=after))


@pytest.mark.parametrize("case", _CASES)
def test_a_change_and_its_reverse(case: str) -> None:
    before, after = _pair(case)
    forth, back = _CASES[case][3:]
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
_WHOLE = {("Validity", "since"), ("Validity", "until"), ("Bilingual", "fr"), ("Bilingual", "en")}


def test_every_field_of_the_schema_has_its_rule() -> None:
    fields = {(model.__name__, name) for model, name in _fields(Bundle)}
    assert len(fields) > 40
    ruled = {(model.__name__, name) for model, name in difference._RULES}
    assert fields == ruled | _WHOLE


def test_every_field_of_the_schema_is_in_the_table_above() -> None:
    """A change of it yields a sentence of its own, never the one for what is not known."""
    walked = {".".join([*path, *_keys(value)]) for path, _, value, *_ in _CASES.values()}
    walked |= {".".join([*path, *_keys(value)]) for path, value, *_ in _CASES.values()}
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
    assert "other" not in {case[3] for case in _CASES.values()}


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
@pytest.mark.parametrize("case", _CASES)
def test_every_change_has_a_sentence_in_both_languages(case: str, language: Any) -> None:
    before, after = _pair(case)
    for changes in (differences(before, after), differences(after, before)):
        for change in changes:
            text = sentence(Catalogue(language), change)
            assert text
            assert "{" not in text


def test_no_sentence_without_its_change() -> None:
    said = {change.lstrip("+") for case in _CASES.values() for change in case[3:]}
    said |= {"other", "recovery_threshold_set", "recovery_delay_set"}
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
