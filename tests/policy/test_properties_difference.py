"""For any two bundles: no difference means the same, and what only narrows lets nobody do more (P2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.policy.bundle import Bundle
from gateway.policy.difference import differences
from tests.policy.made import Policy, authority, officer, policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.policy.bundle import Agreement

_ROOTS = {name: authority(name).root.pem.decode() for name in ("one", "two", "three")}
_PARTIES = ("passerelle", "cooperative", "ministry")
_WORDS = st.sampled_from(["a", "b", "c"])
_DAYS = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 5, 10, 15, 20)]
_BEFORE_AND_BETWEEN = [day - timedelta(hours=1) for day in _DAYS] + _DAYS


@st.composite
def _validity(draw: st.DrawFn) -> dict[str, datetime]:
    since, until = sorted(draw(st.lists(st.sampled_from(_DAYS), min_size=2, max_size=2, unique=True)))
    return {"since": since, "until": until}


_BUDGET: st.SearchStrategy[dict[str, int] | None] = st.none() | st.builds(
    dict, subjects=st.integers(1, 3), window_hours=st.integers(1, 3)
)
_AGREEMENT = st.fixed_dictionaries(
    {
        "party": st.sampled_from(_PARTIES),
        "operation": st.sampled_from(["echo", "nirec.verify"]),
        "purposes": st.lists(_WORDS, min_size=1, max_size=3),
        "legal_basis": st.builds(dict, fr=_WORDS, en=_WORDS),
        "fields": st.lists(_WORDS, min_size=1, max_size=3),
        "tells_not_found": st.booleans(),
        "budget": _BUDGET,
        "validity": _validity(),
    }
)


@st.composite
def _party(draw: st.DrawFn, name: str) -> Policy:
    others = draw(st.lists(_WORDS, max_size=2, unique=True))
    return {
        "title": {"fr": draw(_WORDS), "en": "x"},
        "role": draw(st.sampled_from(["ministry", "auditor"])),
        "authority": draw(st.sampled_from(["one", "two"])),
        "names": [name, *(f"{other}.{name}" for other in others)],
        "suspended": draw(st.booleans()),
    }


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    """Small bundles, alike enough that one often narrows another."""
    made = policy()
    made["version"] = draw(st.integers(1, 2))
    made["validity"] = draw(_validity())
    made["authorities"] = {
        name: {"roots": draw(st.lists(st.sampled_from(sorted(_ROOTS.values())), min_size=1, max_size=2, unique=True))}
        for name in ("one", "two")
    }
    made["parties"] = {name: draw(_party(name)) for name in _PARTIES}
    made["agreements"] = draw(st.dictionaries(st.sampled_from(["E1", "E2"]), _AGREEMENT, max_size=2))
    made["officers"] |= {
        "threshold": draw(st.integers(2, 3)),
        "widening_delay_hours": draw(st.sampled_from([0, 24])),
        "keys": {
            f"officer-{number}": officer(f"officer-{number}").public
            for number in [1, 2, 3, *draw(st.lists(st.sampled_from([4, 5]), max_size=2))]
        },
    }
    made["guard"] = {
        "refusals_per_minute": draw(st.integers(1, 2)),
        "canaries": draw(st.lists(_WORDS, max_size=2)),
        "revocation_grace_hours": draw(st.integers(0, 1)),
    }
    made["periods"] = draw(
        st.dictionaries(st.sampled_from(["202611", "202612"]), st.sampled_from(["a" * 64, "b" * 64]))
    )
    return Bundle.model_validate(made)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Bundle, Bundle]:
    """Two bundles; often the second is the first with a few sections of another."""
    before, other = draw(bundles()), draw(bundles())
    sections = ["agreements", "parties", "authorities", "officers", "guard", "validity", "periods", "version"]
    taken = draw(st.lists(st.sampled_from(sections), unique=True))
    after = before.model_copy(update={name: getattr(other, name) for name in taken})
    return before, Bundle.model_validate(after.model_dump())


def _allowed(bundle: Bundle) -> set[tuple[object, ...]]:
    """All that anybody may do, as a naive reader of the document would list it."""
    return set(_identities(bundle)) | set(_disclosures(bundle))


def _identities(bundle: Bundle) -> Iterator[tuple[object, ...]]:
    for name, party in bundle.parties.items():
        if not party.suspended:
            for root, known_as in product(bundle.authorities[party.authority].roots, party.names):
                yield "is", name, root, known_as


def _disclosures(bundle: Bundle) -> Iterator[tuple[object, ...]]:
    for word, agreement in bundle.agreements.items():
        for moment in _BEFORE_AND_BETWEEN:
            if _granted(bundle, agreement, moment):
                for purpose, field in product(agreement.purposes, agreement.fields):
                    yield "gets", word, agreement.party, agreement.operation, purpose, field, moment
                    if agreement.tells_not_found:
                        yield "tells", word, agreement.party, purpose, moment


def _granted(bundle: Bundle, agreement: Agreement, moment: datetime) -> bool:
    return (
        not bundle.parties[agreement.party].suspended
        and bundle.validity.since <= moment < bundle.validity.until
        and agreement.validity.since <= moment < agreement.validity.until
    )


def _most(agreement: Agreement | None) -> tuple[float, float]:
    """How many subjects, and how often: more of either is more."""
    if agreement is None:
        return (0, 0)
    if agreement.budget is None:
        return (float("inf"), float("inf"))
    return (agreement.budget.subjects, 1 / agreement.budget.window_hours)


def _said(bundle: Bundle) -> Mapping[str, object]:
    return bundle.model_dump()


@settings(max_examples=150, deadline=None)
@given(pairs())
def test_no_difference_means_the_same(pair: tuple[Bundle, Bundle]) -> None:
    before, after = pair
    assert (differences(before, after) == ()) == (_said(before) == _said(after))
    assert differences(before, before) == ()


@settings(max_examples=300, deadline=None)
@given(pairs())
def test_what_only_narrows_lets_nobody_do_more(pair: tuple[Bundle, Bundle]) -> None:
    before, after = pair
    changes = differences(before, after)
    event("widens" if any(change.widens for change in changes) else "narrows" if changes else "same")
    if any(change.widens for change in changes):
        return
    assert _allowed(after) <= _allowed(before)
    for word, agreement in after.agreements.items():
        assert all(now <= once for now, once in zip(_most(agreement), _most(before.agreements.get(word)), strict=True))
    assert after.officers.threshold >= before.officers.threshold
    assert after.officers.keys.items() <= before.officers.keys.items()
    assert after.officers.widening_delay_hours >= before.officers.widening_delay_hours
    assert after.guard.refusals_per_minute <= before.guard.refusals_per_minute
    assert after.guard.revocation_grace_hours <= before.guard.revocation_grace_hours
    assert set(after.guard.canaries) >= set(before.guard.canaries)
    assert after.periods.items() <= before.periods.items()


def test_the_model_sees_a_disclosure() -> None:
    """The control: the naive reader lists something, and less once a party is suspended."""
    made = policy()
    bundle = Bundle.model_validate(made)
    assert ("gets", "ENT-1", "ministry", "nirec.verify", "admissibilite", "outcome", _DAYS[1]) in _allowed(bundle)
    made["parties"]["ministry"]["suspended"] = True
    assert _allowed(Bundle.model_validate(made)) < _allowed(bundle)
