"""What a family reads in the place of a field's name: the contract's own words, no list of ours beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.loader import load_contract, load_contracts
from contracts.told import brief
from gateway.family_words import LONGEST, _fields, _within
from gateway.places import contracts_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contracts.loader import Operation


def operations() -> Iterator[tuple[str, Operation]]:
    """Those by which somebody is told of a child: by our answer, or by a notice of ours."""
    folder = contracts_folder()
    foreign = [load_contract(path.read_bytes(), path.name) for path in sorted(folder.glob("foreign/*/contract.yaml"))]
    for contract in (*load_contracts(folder), *foreign):
        for name, one in contract.operations.items():
            if one.outgoing or one.reduction is not None:
                yield name, one


def test_every_field_that_a_party_may_be_told_reads_as_words() -> None:
    told = {(name, field): words for name, one in operations() for field, words in _fields(one).items()}
    assert {"nirec.verify", "registration.get", "family.view", "ministry.notice"} <= {name for name, _ in told}
    assert told["registration.get", "birth_date"] == ("Date de naissance", "Birth date")
    assert told["registration.get", "service_wanted"] == ("Service souhaité", "The service wanted")
    assert told["registration.search", "hits"][1] == (
        "The registrations found (the child's handle for this caller; the child's family name; given names; "
        "birth date; administrative region)"
    )
    assert told["registration.get", "parents"][0] == "Qui a inscrit l'enfant (nom de famille; prénoms; téléphone)"
    for place, words in told.items():
        for text in words:
            assert text[0].isupper(), (place, text)
            assert "_" not in text, (place, text)
            assert len(text) < LONGEST, (place, text)


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("Birth date.", "Birth date"),
        ("The answer: found; whoever is not is a refusal.", "The answer"),
        ("Up to 2.5 years, as of 14:30", "Up to 2.5 years, as of 14:30"),
        (" . ", "name"),
    ],
)
def test_a_description_is_cut_at_its_first_stop(description: str, said: str) -> None:
    assert brief({"description": {"en": description}}, "name", "en") == said


def test_words_are_cut_in_their_length() -> None:
    assert (_within("x" * LONGEST), _within("x" * (LONGEST + 1))) == ("x" * LONGEST, "x" * (LONGEST - 1) + "…")
