"""What a contract of searches and look-ups must hold: criteria, a hard cap, refusals that it lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.loader import ContractError, load_contract

SOURCE = (Path(__file__).parents[2] / "contracts/registrations/v1/contract.yaml").read_text()
BROKEN = {
    "a_list_without_a_cap": ("          maxItems: 10\n", "", "a list needs maxItems"),
    "items_without_a_handle": (
        "required: [handle, family_name, region]",
        "required: [family_name, region]",
        "maxItems",
    ),
    "a_list_of_nothing": ("      listed: hits\n", "", "a list, and nothing else"),
    "a_look_up_that_lists": (
        "      given: [handle]\n",
        "      given: [handle]\n      listed: parents\n",
        "a list, and",
    ),
    "a_look_up_of_nobody": ("      given: [handle]\n", "", "read needs 1 required"),
    "a_code_that_it_does_not_list": ("code: not_registered", "code: merge_needed", "a code not under errors"),
    "a_value_of_no_field": ("{field: outcome, value: too_many", "{field: result, value: too_many", "does not have"),
    "more_criteria_than_fields": ("      least: 2", "      least: 7", "no fewer than the least"),
    "a_criterion_twice": (
        "[family_name, given_names, birth_date,",
        "[family_name, family_name, birth_date,",
        "each once",
    ),
    "a_criterion_that_is_no_field": (
        "parent_given_names, phone]",
        "parent_given_names, town]",
        "fields of the request",
    ),
    "a_criterion_that_is_always_there": ("parent_given_names, phone]", "parent_given_names, salt]", "none required"),
}


def test_it_loads_as_it_stands() -> None:
    search = load_contract(SOURCE.encode()).operations["registration.search"]
    assert search.criteria is not None
    assert (search.criteria.least, len(search.criteria.of)) == (2, 6)


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_load(case: str) -> None:
    old, new, says = BROKEN[case]
    assert old in SOURCE
    with pytest.raises(ContractError) as caught:
        load_contract(SOURCE.replace(old, new).encode())
    assert says in str(caught.value)
